// What `pnpm release:check` proves: the tarballs that would be published work, in a project that
// knows nothing of this workspace. Packs every public package, whose `prepack` builds it, judges
// each tarball, installs them all with npm, and runs one program by `import`, by `require` and under the type
// checkers, and README.md's first example, on every runtime. Installs them with pnpm, too, where a
// program sees only what it depends on itself, and compiles one that exports what it makes.

import { spawnSync } from "node:child_process";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports?: Record<string, string | Record<string, string>>;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
}

/** A failed step: its message is all that is shown. */
class StepError extends Error {}

const root = resolve(import.meta.dirname, "..");
const modules = join(root, "node_modules");
const tool = (name: string): string => join(modules, ".bin", name);
/** Stands in `dist` before packing, and in no tarball. */
const oldFile = "old-build.js";
const stepLimitMs = 5 * 60_000;

const node26 = tool("node");
const runtimes: Record<string, readonly string[]> = {
  "Node 22": [join(modules, "node22/bin/node")],
  "Node 24": [join(modules, "node24/bin/node")],
  "Node 26": [node26],
  Deno: [tool("deno"), "run", "-A"],
  Bun: [tool("bun")],
};
/** Node 22 has no `await using`, which the example is written with. */
const exampleRuntimes = Object.entries(runtimes).filter(([name]) => name !== "Node 22");

const names = {
  "@hawser/protocol": "lines, text, wire",
  "@hawser/server": "createServer",
  "@hawser/client": "connect",
};
const program = `
const echo = wire({ framing: lines(), codec: text(), sentinel: "exit" });
const server = createServer(echo, {
  message(message, socket) {
    socket.send(message);
  },
});
const address = await server.listen("tcp://127.0.0.1:0");
const socket = await connect(echo, address);
socket.send("hello");
for await (const message of socket) {
  if (message !== "hello") throw new Error(message);
  socket.end();
}
const { reason } = await socket.closed;
if (reason !== "sentinel") throw new Error(reason);
await server.close();
console.log("ok");
`;
/**
 * Exports everything that the functions of the packages return, with types that the compiler works
 * out.
 */
const exporting = `
import { connect } from "@hawser/client";
import { defineProtocol, jsonRpc, lines, text, type, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";

export const desk = defineProtocol({
  name: "desk",
  version: 1,
  requests: { get: { input: type<{ id: number }>(), output: type<{ title: string }>(), errors: { gone: type<{ since: string }>() } }, ask: { from: "server", output: type<number>() } },
  streams: { tail: { input: type<string>(), item: type<number>() }, sum: { send: type<number>(), item: type<number>() }, watch: { from: "server", item: type<number>() } },
  events: { typing: { payload: type<string>() }, saved: { delivery: "at-least-once" } },
});
export const server = createServer(desk, {
  get: ({ id }) => ({ title: String(id) }),
  *tail() {
    yield 1;
  },
  async *sum(_, { items }) {
    yield* items;
  },
});
export const address = await server.listen("tcp://127.0.0.1:0");
export const addresses = server.addresses();
export const client = await connect(desk, address, { handlers: { ask: () => 1, *watch() { yield 1; } } });
export const ticket = client.request("get", { id: 7 });
export const tail = client.stream("tail", "vip");
export const sum = client.stream("sum");
export const item = await tail.next();
export const outcome = client.emit("typing", "me");
export const { lifecycle, transport, state, ready, closed } = client;
export const [socket] = server.sockets;
export const asked = socket?.request("ask");
export const watched = socket?.stream("watch");
export const { rooms } = server;
export const room = server.room("x");
export const audience = server.to("x");
export const closing = client.close();
export const closingServer = server.close();
export const open = (name: string) => connect(desk, { path: name });

export const echo = wire({ framing: lines(), codec: text(), sentinel: "exit" });
export const echoServer = createServer(echo, { message: (message, from) => void from.send(message) });
export const echoAddress = await echoServer.listen({ port: 0, host: "127.0.0.1" });
export const echoSocket = await connect(echo, echoAddress);
export const echoClosed = await echoSocket.closed;
export const [echoPeer] = echoServer.sockets;

export const rpc = jsonRpc(defineProtocol({ name: "rpc", version: 1, requests: { add: { input: type<[number, number]>(), output: type<number>() } } }));
export const rpcServer = createServer(rpc, { add: ([a, b]) => a + b });
export const rpcClient = await connect(rpc, "unix:/run/rpc.sock");
`;
const imported = Object.entries(names)
  .map(([from, list]) => `import { ${list} } from "${from}";\n`)
  .join("");
const required = Object.entries(names)
  .map(([from, list]) => `const { ${list} } = require("${from}");\n`)
  .join("");

const scratch = mkdtempSync(join(tmpdir(), "hawser-release-"));
const consumer = join(scratch, "consumer");
const isolated = join(scratch, "isolated");
process.once("SIGINT", () => process.exit(130));
process.once("exit", () => {
  rmSync(scratch, { recursive: true, force: true });
});

try {
  check();
  console.log("release: everything that would be published works");
} catch (error) {
  if (!(error instanceof StepError)) throw error;
  console.error(`\nrelease: ${error.message}`);
  process.exitCode = 1;
}

function check(): void {
  step("the pinned runtimes are the installed ones", checkPins);
  step("README.md's first example is conformance/example.ts", readExample);
  step("leave an old build in each package", leaveOldBuilds);
  step("pack, which builds", () =>
    run(root, [
      "pnpm",
      "--recursive",
      "--filter",
      "./packages/*",
      "pack",
      "--pack-destination",
      scratch,
    ]),
  );
  const tarballs = readdirSync(scratch)
    .filter((name) => name.endsWith(".tgz"))
    .sort()
    .map((name) => join(scratch, name));
  step("every public package has a tarball", () => {
    const expected = publicManifests().map(
      ({ name, version }) => `${name.replace("@", "").replace("/", "-")}-${version}.tgz`,
    );
    if (expected.sort().join() !== tarballs.map((path) => basename(path)).join()) {
      throw new StepError(
        `expected ${expected.join(", ")}\nfound ` +
          tarballs.map((path) => basename(path)).join(", "),
      );
    }
  });
  for (const tarball of tarballs) {
    const name = basename(tarball);
    step(`${name}: contents`, () => {
      checkContents(tarball);
    });
    step(`${name}: publint`, () => run(root, [tool("publint"), "--strict", tarball]));
    step(`${name}: are the types wrong`, () =>
      run(root, [
        tool("attw"),
        "--profile",
        "esm-only",
        "--format",
        "ascii",
        "--no-emoji",
        tarball,
      ]),
    );
  }
  step("install the tarballs in a fresh project", () => {
    writeConsumer();
    run(consumer, [
      "npm",
      "install",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
      ...tarballs,
      `@types/node@${pin("@types/node")}`,
    ]);
  });
  for (const [name, tsc] of [
    ["TypeScript 6", "tsc6"],
    ["TypeScript 7", "tsc"],
  ] as const) {
    step(`types, ${name}`, () => run(consumer, [tool(tsc), "-p", "tsconfig.json"]));
  }
  step("install the tarballs in a fresh project with pnpm", () => {
    writeIsolated(tarballs);
    run(isolated, ["pnpm", "install", "--prefer-offline", "--reporter=silent"]);
  });
  for (const [name, tsc] of [
    ["TypeScript 6", "tsc6"],
    ["TypeScript 7", "tsc"],
  ] as const) {
    step(`declarations of a program that exports what it makes, ${name}`, () =>
      run(isolated, [tool(tsc), "-p", "tsconfig.json"]),
    );
  }
  for (const [name, command] of Object.entries(runtimes)) {
    for (const [how, file] of [
      ["import", "program.mjs"],
      ["require", "program.cjs"],
    ] as const) {
      step(`${name}, ${how}`, () => {
        expectOutput([...command, file], "ok\n");
      });
    }
  }
  for (const [name, command] of exampleRuntimes) {
    step(`${name}, README.md's first example`, () => {
      expectOutput([...command, "run-example.mjs"], "Hello World!\n");
    });
  }
}

function step(title: string, work: () => unknown): void {
  const started = performance.now();
  try {
    work();
  } catch (error) {
    throw error instanceof StepError ? new StepError(`failed: ${title}\n${error.message}`) : error;
  }
  console.log(`release: ${title}: ok (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

/**
 * Returns what the command printed on stdout; a command that fails ends its step with everything it
 * printed.
 */
function run(cwd: string, [command = "", ...args]: readonly string[]): string {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    timeout: stepLimitMs,
    env: {
      ...process.env,
      FORCE_COLOR: undefined,
      NO_COLOR: "1",
      DENO_NO_UPDATE_CHECK: "1",
      TURBO_TELEMETRY_DISABLED: "1",
    },
  });
  if (status === 0) return stdout;
  const how =
    error?.message ??
    (signal === null ? `exit code ${status ?? "unknown"}` : `killed by ${signal}`);
  throw new StepError(
    [`$ ${[command, ...args].join(" ")}`, how, stdout, stderr].filter(Boolean).join("\n"),
  );
}

function expectOutput(command: readonly string[], expected: string): void {
  const printed = run(consumer, command);
  if (printed !== expected)
    throw new StepError(`printed ${JSON.stringify(printed)}, not ${JSON.stringify(expected)}`);
}

function readManifest(dir: string): Manifest {
  return JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as Manifest;
}

function publicManifests(): Manifest[] {
  const all = globSync("packages/*/package.json", { cwd: root }).map((path) =>
    readManifest(join(root, path, "..")),
  );
  return all.filter((manifest) => manifest.private !== true);
}

/** The version that the root package.json pins, without the alias before it. */
function pin(name: string): string {
  const version = readManifest(root).devDependencies?.[name];
  if (version === undefined) throw new StepError(`package.json pins no ${name}`);
  return version.replace(/^npm:.*@/, "");
}

function checkPins(): void {
  const pins = {
    "Node 22": "node22",
    "Node 24": "node24",
    "Node 26": "node",
    Deno: "deno",
    Bun: "bun",
  };
  for (const [name, dependency] of Object.entries(pins)) {
    const printed = run(root, [runtimes[name]?.[0] ?? "", "--version"]);
    const version = /\d+\.\d+\.\d+/.exec(printed)?.[0];
    if (version !== pin(dependency))
      throw new StepError(`${name} is ${version ?? "unknown"}, but ${pin(dependency)} is pinned`);
  }
}

/** From here on, what is in a tarball has been built for it: an old file, and no entry, is there. */
function leaveOldBuilds(): void {
  for (const path of globSync("packages/*", { cwd: root })) {
    const dist = join(root, path, "dist");
    rmSync(dist, { recursive: true, force: true });
    mkdirSync(dist);
    writeFileSync(join(dist, oldFile), "");
  }
}

function checkContents(tarball: string): void {
  const unpacked = tarball.replace(/\.tgz$/, "");
  mkdirSync(unpacked);
  run(root, ["tar", "-xzf", tarball, "-C", unpacked]);
  const dir = join(unpacked, "package");
  const manifest = readManifest(dir);
  const faults: string[] = [];
  for (const file of ["README.md", "LICENSE"])
    if (!existsSync(join(dir, file))) faults.push(`no ${file}`);
  const files = globSync("**/*", { cwd: dir, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const stray = files.filter(
    ({ name, parentPath }) => name.endsWith(".ts") && !/\/dist(\/|$)/.test(parentPath),
  );
  if (existsSync(join(dir, "dist", oldFile)))
    faults.push(`an old build in the tarball: is there a "prepack" that builds?`);
  for (const { name } of stray) faults.push(`source in the tarball: ${name}`);
  const targets = Object.entries(manifest.exports ?? {}).flatMap(([key, value]) =>
    key === "./package.json" ? [] : typeof value === "string" ? [value] : Object.values(value),
  );
  if (targets.length === 0) faults.push("no exports");
  for (const target of targets) {
    if (!target.startsWith("./dist/")) faults.push(`exports ${target}, which is not in dist`);
    else if (!existsSync(join(dir, target)))
      faults.push(`exports ${target}, which is not in the tarball`);
  }
  if (!targets.some((target) => target.endsWith(".d.ts"))) faults.push("exports no .d.ts");
  for (const [name, version] of Object.entries(manifest.dependencies ?? {})) {
    if (!name.startsWith("@hawser/")) faults.push(`depends on ${name}`);
    if (version.startsWith("workspace:")) faults.push(`depends on ${name}@${version}`);
  }
  if (faults.length > 0) throw new StepError(faults.join("\n"));
}

function writeConsumer(): void {
  const example = readExample();
  const write = (name: string, text: string): void => {
    writeFileSync(join(consumer, name), text);
  };
  mkdirSync(consumer);
  write("package.json", '{ "name": "consumer", "private": true, "type": "module" }\n');
  write("program.mjs", imported + program);
  write("program.mts", imported + program);
  write("program.cjs", `${required}(async () => {${program}})();\n`);
  write("example.ts", example);
  // The example's server goes on listening: leave when the example's last line has run.
  write("run-example.mjs", 'await import("./example.ts");\nprocess.exit(0);\n');
  const compilerOptions = {
    ...{
      module: "nodenext",
      target: "es2024",
      lib: ["es2024", "esnext.disposable"],
      types: ["node"],
    },
    ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true },
  };
  write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["program.mts", "example.ts"] }));
}

/** A project in pnpm's layout: it depends on three packages, and can't see what these depend on. */
function writeIsolated(tarballs: readonly string[]): void {
  const write = (name: string, text: string): void => {
    writeFileSync(join(isolated, name), text);
  };
  const files = Object.fromEntries(
    publicManifests().map(({ name }) => [
      name,
      `file:${tarballs.find((path) => basename(path).startsWith(`${name.replace("@", "").replace("/", "-")}-`)) ?? ""}`,
    ]),
  );
  const seen = Object.fromEntries(Object.keys(names).map((name) => [name, files[name]]));
  mkdirSync(isolated);
  write(
    "package.json",
    JSON.stringify({
      name: "isolated",
      private: true,
      type: "module",
      dependencies: { ...seen, "@types/node": pin("@types/node") },
    }),
  );
  write(
    "pnpm-workspace.yaml",
    `nodeLinker: isolated\npublicHoistPattern: []\noverrides:\n${Object.entries(files)
      .map(([name, file]) => `  "${name}": "${file}"\n`)
      .join("")}`,
  );
  write("exports.ts", exporting);
  const compilerOptions = {
    ...{
      module: "nodenext",
      target: "es2024",
      lib: ["es2024", "esnext.disposable"],
      types: ["node"],
    },
    ...{
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      declaration: true,
      emitDeclarationOnly: true,
      outDir: "dist",
    },
  };
  write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["exports.ts"] }));
}

/** README.md's first `ts` block, which conformance/example.ts holds word for word. */
function readExample(): string {
  const example = /^```ts\n([^]*?)^```$/m.exec(readFileSync(join(root, "README.md"), "utf8"))?.[1];
  if (example === undefined) throw new StepError("README.md has no ```ts block");
  if (!readFileSync(join(root, "conformance/example.ts"), "utf8").includes(example.trim())) {
    throw new StepError(
      "conformance/example.ts does not hold README.md's first ```ts block word for word",
    );
  }
  return example;
}
