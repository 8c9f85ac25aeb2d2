// The conformance runner's command line: plays the vectors against a program that speaks
// PROTOCOL.md (vectors/README.md).
//
// pnpm conformance --target tcp://127.0.0.1:7000 --role client the runner is the client, the target
// a server pnpm conformance --target tcp://127.0.0.1:7000 --role server the runner listens there,
// the target connects
//
// Exit code 0: all passed; 1: some failed; 2: the arguments are wrong.

import process from "node:process";
import { parseArgs } from "node:util";
import { formatReport, makeReport, rulesOf } from "./report.ts";
import { readVectors, runSuite } from "./suite.ts";
import { ClientTarget, serverAt, type Target } from "./target.ts";

const usage = `usage: conformance --target tcp://HOST:PORT --role client|server [options]
  --role client       the runner plays the client, against a server at the target's address
  --role server       the runner listens at the address, and the target connects to it
  --vectors FILE      a file of vectors, in place of those that come with the runner; may be repeated
  --rule NUMBER       only the vectors of this rule; may be repeated
  --name TEXT         only vectors whose name has this text
  --report text|json  default text
  --parallel N        how many vectors run at once against a server; default 4
  --cut N             cut what is sent into writes of N bytes
  --wait MS           how long the runner waits for each thing that must come; default 5000
  --bail              stop at the first vector that fails
  --list              print the names of the vectors, and run none`;

const options = {
  target: { type: "string" },
  role: { type: "string" },
  vectors: { type: "string", multiple: true },
  rule: { type: "string", multiple: true },
  name: { type: "string" },
  report: { type: "string", default: "text" },
  parallel: { type: "string", default: "4" },
  cut: { type: "string", default: "0" },
  wait: { type: "string", default: "5000" },
  bail: { type: "boolean", default: false },
  list: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

process.exitCode = await main();

async function main(): Promise<number> {
  let given;
  try {
    given = parseArgs({ options }).values;
  } catch (error) {
    return wrong((error as Error).message); // parseArgs throws nothing but errors
  }
  const { role, target, report, rule, name } = given;
  if (given.help) {
    console.log(usage);
    return 0;
  }
  const all = readVectors(given.vectors);
  const vectors = all.filter(
    (one) =>
      (rule === undefined || rule.some((wanted) => one.rules.includes(wanted))) &&
      one.name.includes(name ?? ""),
  );
  if (given.list) {
    for (const one of vectors)
      console.log(`${one.target.padEnd(6)}  ${one.rules.join(" ").padEnd(14)}  ${one.name}`);
    return 0;
  }
  if (role !== "client" && role !== "server") return wrong("--role is client or server");
  if (report !== "text" && report !== "json") return wrong("--report is text or json");
  const address = /^tcp:\/\/(\[[^\]]+\]|[^:]+):(\d+)$/.exec(target ?? "");
  if (address === null) return wrong("--target is tcp://HOST:PORT");
  const [parallel, cut, waitMs] = [given.parallel, given.cut, given.wait].map(Number);
  if (
    parallel === undefined ||
    cut === undefined ||
    waitMs === undefined ||
    !(parallel >= 1 && cut >= 0 && waitMs >= 1)
  ) {
    return wrong("--parallel, --cut and --wait are whole numbers");
  }
  let place: Target;
  try {
    place = await open(
      role,
      (address[1] ?? "").replaceAll(/[[\]]/g, ""),
      Number(address[2]),
      waitMs,
    );
  } catch (error) {
    // sockets and Fault throw errors
    console.error(`${(error as Error).message}; start the target first, or choose another port`);
    return 2;
  }
  try {
    const results = await runSuite(vectors, place, { parallel, cut, waitMs, bail: given.bail });
    const made = makeReport(place.role, results, rulesOf(all));
    console.log(report === "json" ? JSON.stringify(made, null, 2) : formatReport(made));
    return made.failed === 0 ? 0 : 1;
  } finally {
    await place.close();
  }
}

async function open(
  role: "client" | "server",
  host: string,
  port: number,
  waitMs: number,
): Promise<Target> {
  if (role === "client") {
    const server = serverAt(host, port);
    (await server.open()).destroy(); // says so at once where nothing listens
    return server;
  }
  const target = await ClientTarget.listen(host, port, waitMs);
  console.error(`listening on tcp://${host}:${target.port}`);
  return target;
}

function wrong(message: string): number {
  console.error(`${message}\n${usage}`);
  return 2;
}
