// 200 000 one-line echoes on one connection: nothing is lost, and the memory stays small. Both ends
// are processes of their own.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runFile } from "../programs.ts";
import { Fixture } from "../transports.ts";

describe("a client that pipelines", () => {
  const fixture = new Fixture();

  for (const where of ["tcp", "unix"] as const) {
    it(
      `200 000 one-line echoes over ${where} loses nothing and stays under 150 MB of resident ` +
        "memory",
      async (t) => {
        const address =
          where === "tcp" ? "tcp://localhost:0" : `unix:${join(fixture.directory(), "echo.sock")}`;
        const server = fixture.own(
          runFile(fileURLToPath(new URL("../listening.ts", import.meta.url)), [address]),
        );
        const [, real = ""] = await server.said(/listening on (.*)/);
        const client = fixture.own(
          runFile(fileURLToPath(new URL("pipelined.ts", import.meta.url)), [real]),
        );
        assert.equal(await client.exited, 0, client.stderr);
        // as pipelined.ts prints it
        const figures = JSON.parse(client.stdout) as Record<string, number | string>;
        t.diagnostic(
          `200 000 echoes over ${where}: ${Number(figures["residentMB"]).toFixed(0)} MB resident ` +
            `at most, ${Number(figures["seconds"]).toFixed(1)} s`,
        );
        assert.deepEqual([figures["received"], figures["reason"]], [200_000, "sentinel"]);
        assert(Number(figures["residentMB"]) < 150, `${figures["residentMB"]} MB`);
      },
    );
  }
});
