// A peer that reads slowly and steadily is not one that reads nothing: progress is bytes that left,
// not writes that are done.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { bytes, lengthPrefixed, wire } from "@hawser/protocol";
import { Fixture } from "./transports.ts";

const STALL_MS = 1_250;
const MESSAGE_BYTES = 1_500_000;

describe(
  "a slow reader of a Unix socket",
  { skip: process.platform === "win32", timeout: 30_000 },
  () => {
    const fixture = new Fixture("unix");

    it(
      "gets all of one large message, which takes longer than stallMs",
      { timeout: 30_000 },
      async () => {
        const errors: string[] = [];
        const server = fixture.server(
          wire({ framing: lengthPrefixed(), codec: bytes() }),
          {
            open: (socket) => {
              socket.send(new Uint8Array(MESSAGE_BYTES));
            },
            message: () => undefined,
            error: ({ code }) => void errors.push(code),
          },
          { maxFrameBytes: MESSAGE_BYTES, writeBuffer: { stallMs: STALL_MS } },
        );
        const path = join(fixture.directory(), "slow.sock");
        await server.listen(`unix:${path}`);
        const socket = net.connect(path);
        socket.on("error", () => undefined);
        const closed = once(socket, "close").catch(() => undefined);
        let count = 0;
        let begunMs = 0;
        const all = new Promise<void>((resolve) => {
          socket.on("data", (chunk) => {
            begunMs ||= performance.now();
            count += chunk.length;
            if (count >= MESSAGE_BYTES + 4) resolve();
            socket.pause();
            setTimeout(() => socket.resume(), chunk.length / 400); // 400 KB/s
          });
        });
        await Promise.race([all, closed]);
        assert.deepEqual([count, errors], [MESSAGE_BYTES + 4, []]);
        assert.ok(performance.now() - begunMs > 2 * STALL_MS, "it was no slow reader");
        socket.destroy();
      },
    );
  },
);
