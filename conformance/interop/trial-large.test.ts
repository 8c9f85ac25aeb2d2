// What is large beside what is small, on one connection: a stream of HAWSER_TRIAL_BYTES (64 MiB;
// the trial in full is 1073741824), and a message of 64 MiB. Both ends are processes of their own.
// Times are printed, and fail only far beyond what they should be: machines are shared.

import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runFile } from "../programs.ts";
import { Fixture } from "../transports.ts";

const MiB = 1_048_576;
const streamBytes = Number(process.env["HAWSER_TRIAL_BYTES"] ?? 64 * MiB);
const messageBytes = 64 * MiB;
const program = fileURLToPath(new URL("trial-ends.ts", import.meta.url));

type Figures = Readonly<Record<string, number>>;

function round(figure: number | undefined): string {
  return (figure ?? NaN).toFixed(1);
}

describe("something large on a connection", () => {
  const fixture = new Fixture();

  /** Run a client against a server of its own; what both say of themselves. */
  async function run(
    role: string,
    bytes: number,
    how: string,
  ): Promise<{ client: Figures; server: Figures }> {
    const server = fixture.own(
      runFile(program, ["server", String(role === "message" ? bytes : 0)]),
    );
    const [, address = ""] = await server.said(/listening on (.*)/);
    const client = fixture.own(runFile(program, [role, address, String(bytes), how]));
    assert.equal(await client.exited, 0, client.stderr);
    server.endInput();
    assert.equal(await server.exited, 0, server.stderr);
    return {
      client: JSON.parse(client.stdout) as Figures,
      server: JSON.parse(server.stdout.replace(/^listening.*\n/, "")) as Figures,
    }; // as trial-ends.ts prints them
  }

  // A consumer that gives the storage of its items back shows what Hawser holds. One that leaves it
  // to the garbage collector shows what V8 holds besides: it lets some 70 MB of dead buffers pile
  // up before it looks, of a loop that does nothing but allocate them as well.
  for (const [how, what, mostMB] of [
    ["free", "that gives its items' storage back", 64],
    ["keep", "that leaves its items to the garbage collector", 256],
  ] as const) {
    it(
      `a stream of ${streamBytes / MiB} MiB to a consumer ${what} keeps both ends within ` +
        `${mostMB} MB of idle, and requests beside it quick`,
      { timeout: 300_000 },
      async (t) => {
        const { client, server } = await run("stream", streamBytes, how);
        const { seconds, growthMB, requests, p50Ms, p99Ms, worstMs } = client;
        t.diagnostic(
          `resident memory grew by ${round(growthMB)} MB (client) and ` +
            `${round(server["growthMB"])} MB (server) in ${round(seconds)} s; ${requests} ` +
            `requests: p50 ${round(p50Ms)} ms, p99 ${round(p99Ms)} ms, worst ${round(worstMs)} ms`,
        );
        assert(Number(growthMB) < mostMB, `the client grew by ${growthMB} MB`);
        assert(Number(server["growthMB"]) < 64, `the server grew by ${server["growthMB"]} MB`);
        assert(Number(p99Ms) < 200, `p99 is ${p99Ms} ms, and should be below 20`);
      },
    );
  }

  for (const [direction, what] of [
    ["up", "request"],
    ["down", "answer"],
  ] as const) {
    it(
      `${what === "answer" ? "an" : "a"} ${what} of ${messageBytes / MiB} MiB holds up neither ` +
        "requests nor heartbeats",
      { timeout: 60_000 },
      async (t) => {
        const { client, server } = await run("message", messageBytes, direction);
        const { requestIdleMs, requestMs, heartbeatIdleMs, heartbeatMs } = client;
        t.diagnostic(
          `the slowest request took ${round(requestMs)} ms (${round(requestIdleMs)} without), ` +
            `the slowest heartbeat ${round(heartbeatMs)} ms (${round(heartbeatIdleMs)} without); ` +
            `the server grew by ${round(server["growthMB"])} MB`,
        );
        assert(
          Number(requestMs) < 250,
          `a request took ${requestMs} ms, and should not have been delayed by more than 50`,
        );
        assert(
          Number(heartbeatMs) < 250,
          `a heartbeat took ${heartbeatMs} ms, and should not have been delayed by more than 50`,
        );
      },
    );
  }
});
