// A server that answers early and closes without reading, while the client is still sending: its
// answer is read before the loss is told.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { connect } from "@hawser/client";
import { lines, text, wire } from "@hawser/protocol";
import { capabilities } from "./capabilities.ts";
import { Fixture } from "./transports.ts";

const TIMES = 20;

for (const transport of ["tcp", "unix"] as const) {
  describe(`an early answer over ${transport}`, () => {
    const fixture = new Fixture(transport);

    for (const when of ["meanwhile", "afterwards"] as const) {
      it(
        `is seen ${TIMES} times of ${TIMES} by who reads ${when}`,
        { timeout: 30_000 },
        async () => {
          const server = net.createServer((socket) => {
            socket.on("error", () => undefined);
            socket.pause();
            socket.write("413 too large\n", () => socket.destroy());
          });
          const path = join(fixture.directory(), "early.sock");
          server.listen(transport === "unix" ? { path } : { port: 0, host: "127.0.0.1" });
          await once(server, "listening");
          fixture.own({ close: () => server.close() });
          const bound = server.address();
          let seen = 0;
          for (let time = 0; time < TIMES; time++) {
            const target =
              typeof bound === "object" && bound !== null
                ? `tcp://127.0.0.1:${bound.port}`
                : `unix:${path}`;
            const socket = await connect(wire({ framing: lines(), codec: text() }), target);
            const reading = async (): Promise<void> => {
              try {
                for await (const message of socket) if (message === "413 too large") seen++;
              } catch {
                // The connection broke, as it must.
              }
            };
            const read = when === "meanwhile" ? reading() : null;
            for (let count = 0; count < 40 && socket.state === "open"; count++) {
              try {
                socket.send("x".repeat(60_000));
              } catch {
                break; // it is closed
              }
              await new Promise((resolve) => setImmediate(resolve));
            }
            await (read ?? reading());
            await socket.closed;
          }
          if (capabilities.readsBeforeABrokenPipe) assert.equal(seen, TIMES);
          else assert.ok(seen <= TIMES);
        },
      );
    }
  });
}
