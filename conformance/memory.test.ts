// What one peer can make a server or a client keep, with the worst payloads, against the numbers
// that docs/limits.md states. HAWSER_MEMORY_RESUMPTIONS (default 60) makes the run over lost
// connections longer.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Program, runFile } from "./programs.ts";
import { generous, greedy } from "./session-contracts.ts";
import {
  filler,
  frame,
  HandPeer,
  head,
  joined,
  KIND,
  message,
  numberOf,
  u64,
  utf8,
} from "./trial-peer.ts";
import { Fixture } from "./transports.ts";

/** Garbage that is not collected yet, and what a process takes as it warms up. */
const SLACK_BYTES = 120_000_000;
const RESUMPTIONS = Number(process.env["HAWSER_MEMORY_RESUMPTIONS"] ?? "60");
const RESUMPTIONS_MS = 60_000 + RESUMPTIONS * 200;
const expanding = `[${"{},".repeat(340_000)}{}]`; // 1 MB, which takes 22 MB or more
const nested = `${"[".repeat(500_000)}${"]".repeat(500_000)}`;

/** The number that the page states under a title, in bytes. */
function stated(title: string): number {
  const page = readFileSync(new URL("../docs/limits.md", import.meta.url), "utf8");
  const [, mib] =
    /\*\*together\*\* +\| *\| *\*\*(\d+) MiB\*\*/.exec(page.slice(page.indexOf(`### ${title}`))) ??
    [];
  assert.ok(mib !== undefined, `docs/limits.md states no number for ${title}`);
  return Number(mib) * 1_048_576;
}

/** What sessions without a connection may keep together, as the page states it. */
function statedOfVanished(): number {
  const page = readFileSync(new URL("../docs/limits.md", import.meta.url), "utf8");
  const [, mib] = /`maxRetainedTotalBytes` \((\d+) MiB\)/.exec(page) ?? [];
  assert.ok(mib !== undefined, "docs/limits.md states no number for sessions without a connection");
  return Number(mib) * 1_048_576;
}

/**
 * A server or a client in a process of its own, which answers each order with a line that says how
 * much memory it has.
 */
class Watched {
  readonly program: Program;
  #asked = 0;

  constructor(fixture: Fixture, file: string, args: readonly string[]) {
    this.program = runFile(fileURLToPath(new URL(file, import.meta.url)), args);
    fixture.own(this.program);
  }

  async kept(order = "?"): Promise<number> {
    this.#asked++;
    this.program.say(`${order}\n`);
    const said = await this.program.said(
      new RegExp(`^answer ${String(this.#asked)}: kept (\\d+) `, "m"),
    );
    return Number(said[1]);
  }
}

class Served extends Watched {
  address: { transport: "tcp"; host: string; port: number } = {
    transport: "tcp",
    host: "127.0.0.1",
    port: 0,
  };

  static async start(fixture: Fixture, ...args: string[]): Promise<Served> {
    const served = new Served(fixture, "memory-server.ts", args);
    const [, port = "0"] = await served.program.said(/listening on \S*:(\d+)/);
    served.address = { ...served.address, port: Number(port) };
    return served;
  }
}

/** Send, and wait until there is room again. */
async function pour(peer: HandPeer, bytes: Uint8Array): Promise<void> {
  if (peer.socket.write(bytes) || peer.hasEnded) return;
  await new Promise<void>((resolve) =>
    peer.socket.once("drain", resolve).once("close", () => {
      resolve();
    }),
  );
}

/** Sends, and waits until the server has read it: a PONG comes behind it. */
async function settle(peer: HandPeer): Promise<void> {
  peer.say(frame(KIND.PING, 0, u64(7)));
  await Promise.race([peer.hearOf("PONG").catch(() => null), peer.closed]);
}

describe(
  "one peer of a session server, with the worst payloads",
  { timeout: 170_000 + RESUMPTIONS_MS },
  () => {
    const fixture = new Fixture("memory");
    const name = (of: string): Uint8Array => head(numberOf(greedy, of));
    const stream = (id: number, of: string): Uint8Array =>
      frame(KIND.STREAM, id, head(numberOf(greedy, of), 8), "1");

    /** Attack a server, and return by how much it grew. */
    async function grows(
      attack: (peer: HandPeer, served: Served) => Promise<HandPeer>,
      ...args: string[]
    ): Promise<number> {
      const served = await Served.start(fixture, ...args);
      const first = await HandPeer.greet(fixture, served.address, greedy);
      await settle(first);
      const before = await served.kept();
      const last = await attack(first, served);
      if (!last.hasEnded) await settle(last);
      const growth = (await served.kept()) - before;
      last.socket.destroy();
      await served.program.close();
      return growth;
    }

    const item = `[${"{},".repeat(19_999)}{}]`; // 60 kB
    const attacks: [string, (peer: HandPeer, served: Served) => Promise<HandPeer>][] = [
      [
        "items of 700 streams that nobody takes",
        async (peer) => {
          for (let id = 1; id < 1_400 && !peer.hasEnded; id += 2) {
            peer.say(stream(id, "hold"), ...[1, 2, 3, 4, 5].map(() => frame(KIND.ITEM, id, item)));
            if (id % 100 === 1) await settle(peer);
          }
          return peer;
        },
      ],
      [
        "an item of 700 streams each that its handler has in hand, within the credit",
        async (peer) => {
          let left = 4_194_304;
          let seen = 0;
          for (let id = 1; id < 1_400; id += 2) {
            peer.say(stream(id, "take"), frame(KIND.ITEM, id, item));
            left -= item.length + 16;
            if (left > 0) continue;
            await settle(peer);
            for (const { kind, payload } of peer.frames.slice(seen))
              if (kind === "WINDOW")
                left += new DataView(payload.buffer, payload.byteOffset).getUint32(0);
            seen = peer.frames.length;
            if (left <= 0) break;
          }
          return peer;
        },
      ],
      [
        "40 hanging requests of 1 MB",
        async (peer) => {
          for (let id = 1; id < 80; id += 2)
            peer.say(message(KIND.REQUEST, id, name("keep"), id % 4 === 1 ? expanding : nested));
          await settle(peer);
          return peer;
        },
      ],
      [
        "pieces of 8 messages, 1 MB each, beside hanging requests",
        async (peer) => {
          for (let id = 1; id < 40; id += 2)
            peer.say(message(KIND.REQUEST, id, name("raw"), filler(1_000_000)));
          for (let id = 101; id < 117; id += 2)
            for (let count = 0; count < 15; count++)
              peer.say(
                frame(
                  KIND.REQUEST | 0x80,
                  id,
                  ...(count === 0 ? [name("raw")] : []),
                  filler(65_000),
                ),
              );
          await settle(peer);
          return peer;
        },
      ],
      [
        "a thousand hanging requests of one byte",
        async (peer) => {
          for (let id = 1; id < 2_000; id += 2)
            peer.say(frame(KIND.REQUEST, id, name("raw"), filler(1)));
          await settle(peer);
          return peer;
        },
      ],
      [
        "one-byte items that nobody takes, 1000 on each of 200 streams",
        async (peer) => {
          const items = joined(
            ...Array.from({ length: 1_000 }, () => frame(KIND.ITEM, 0, filler(1))),
          );
          for (let id = 1; id < 400 && !peer.hasEnded; id += 2) {
            for (let at = 0; at < items.length; at += items.length / 1_000)
              new DataView(items.buffer, items.byteOffset).setUint32(at + 5, id);
            peer.say(stream(id, "holdRaw"), items.slice());
            if (id % 20 === 1) await settle(peer);
          }
          return peer;
        },
      ],
      [
        "a one-byte item of 1000 streams each that its handler has in hand, beside large ones",
        async (peer) => {
          for (let id = 1; id < 2_000; id += 2) {
            peer.say(
              stream(id, "takeRaw"),
              frame(KIND.ITEM, id, filler(1)),
              frame(KIND.ITEM, id, filler(3_000)),
            );
            if (id % 100 === 1) await settle(peer);
          }
          return peer;
        },
      ],
      [
        "15 000 events of a byte, each of a lane of its own, whose handlers never end",
        async (peer) => {
          for (let n = 1; n <= 15_000; n++) {
            peer.say(frame(KIND.EVENT, n, head(numberOf(greedy, "told"), 4), u64(n), "1"));
            if (n % 1_000 === 0) await settle(peer);
          }
          assert.equal(peer.hasEnded, false);
          return peer;
        },
      ],
      [
        "60 kB in each of four lanes, and 1 MB in another, whose handlers never end",
        async (peer) => {
          for (let n = 1; n <= 4; n++)
            peer.say(frame(KIND.EVENT, n, head(numberOf(greedy, "told"), 4), u64(n), item));
          peer.say(message(KIND.EVENT, 5, head(numberOf(greedy, "told"), 4), u64(5), expanding));
          await settle(peer);
          assert.equal(peer.hasEnded, false);
          return peer;
        },
      ],
      [
        `an event of 1 MB over each of ${String(RESUMPTIONS)} resumptions, whose handler never ` +
          "ends",
        async (first, served) => {
          const welcome = JSON.parse(first.frames[0]?.text ?? "{}") as {
            session: string;
            limits: { eventWindowBytes: number };
          };
          let peer = first;
          let { session } = welcome;
          let window = welcome.limits.eventWindowBytes;
          let number = 0;
          for (let round = 0; round < RESUMPTIONS; round++) {
            if (window > 0)
              peer.say(
                message(KIND.EVENT, 0, head(numberOf(greedy, "told"), 4), u64(++number), expanding),
              );
            await settle(peer);
            peer.socket.destroy();
            await peer.closed;
            peer = await HandPeer.greet(fixture, served.address, greedy, {
              resume: { session, received: 0 },
            });
            const again = JSON.parse(peer.frames[0]?.text ?? "{}") as {
              resumed: boolean;
              session: string;
              limits: { eventWindowBytes: number };
            };
            assert.equal(again.resumed, true);
            ({ session } = again);
            window = again.limits.eventWindowBytes;
          }
          assert.equal(number, 1);
          return peer;
        },
      ],
    ];
    for (const [what, attack] of attacks) {
      it(`stays within the stated number: ${what}`, { timeout: RESUMPTIONS_MS }, async () => {
        const growth = await grows(attack);
        assert.ok(
          growth < stated("One session of a contract") + SLACK_BYTES,
          `it grew by ${String(growth >> 20)} MiB`,
        );
      });
    }
  },
);

describe("one peer of a JSON-RPC server, with the worst payloads", { timeout: 100_000 }, () => {
  const fixture = new Fixture("memory");
  for (const [what, text] of [
    [
      "40 hanging requests of 1 MB",
      (id: number) =>
        `{"jsonrpc":"2.0","id":${String(id)},"method":"keep","params":${expanding}}\n`,
    ],
    [
      "40 batches of a large member and 100 small ones",
      (id: number) =>
        `[{"jsonrpc":"2.0","id":${String(id)},"method":"keep","params":${expanding}}${`,{"jsonrpc":"2.0","method":"none"}`.repeat(100)}]\n`,
    ],
    [
      "40 events of 1 MB whose handler never ends",
      () => `{"jsonrpc":"2.0","method":"told","params":${expanding}}\n`,
    ],
  ] as const) {
    it(`stays within the stated number: ${what}`, { timeout: 60_000 }, async () => {
      const served = await Served.start(fixture, "json-rpc");
      const before = await served.kept();
      const peer = await HandPeer.dial(fixture, served.address);
      for (let id = 1; id <= 40; id++) {
        if (!peer.socket.write(utf8(text(id))))
          await new Promise<void>((resolve) =>
            peer.socket.once("drain", resolve).once("close", () => {
              resolve();
            }),
          );
      }
      peer.say(utf8('{"jsonrpc":"2.0","id":"last","method":"none"}\n'));
      while (!new TextDecoder().decode(peer.bytes).includes('"last"') && !peer.hasEnded)
        await Promise.race([once(peer.socket, "data"), peer.ended()]);
      const growth = (await served.kept()) - before;
      peer.socket.destroy();
      await served.program.close();
      assert.ok(
        growth < stated("One session of jsonRpc()") + SLACK_BYTES,
        `it grew by ${String(growth >> 20)} MiB`,
      );
    });
  }
});

describe("peers of a server of a wire, with the worst payloads", { timeout: 100_000 }, () => {
  const fixture = new Fixture("memory");
  const peers = 3;
  for (const [what, kind, line] of [
    ["large messages whose handler never ends", "wire", `${expanding}\n`],
    ["small messages behind a handler that never ends", "wire", `[${"{},".repeat(300)}{}]\n`],
    ["small messages behind an open() that never ends", "held-wire", `[${"{},".repeat(300)}{}]\n`],
  ] as const) {
    it(`stay within the stated number each: ${what}`, { timeout: 60_000 }, async () => {
      const served = await Served.start(fixture, kind);
      const before = await served.kept();
      const bytes = utf8(line.repeat(Math.ceil(1_000_000 / line.length)));
      for (let count = 0; count < peers; count++) {
        const peer = await HandPeer.dial(fixture, served.address);
        // more than it takes: the rest stays here
        for (let sent = 0; sent < 8; sent++) peer.socket.write(bytes);
      }
      let growth = 0;
      // Each answer lets the server read on; what it keeps at most is judged.
      for (let turn = 0; turn < 40; turn++)
        growth = Math.max(growth, (await served.kept()) - before);
      await served.program.close();
      assert.ok(
        growth < peers * stated("One connection of a wire") + SLACK_BYTES,
        `it grew by ${String(growth >> 20)} MiB`,
      );
    });
  }
});

describe("events for clients that have vanished", { timeout: 70_000 }, () => {
  const fixture = new Fixture("memory");

  it(
    "stay within the stated number: 60 events of 256 KiB for each of 30 clients, no two with " +
      "one body",
    { timeout: 60_000 },
    async () => {
      const served = await Served.start(fixture, "feed");
      const before = await served.kept();
      for (let count = 0; count < 30; count++) {
        const peer = await HandPeer.greet(fixture, served.address, generous);
        await settle(peer);
        peer.socket.destroy();
        await peer.closed;
      }
      await served.kept();
      const growth = (await served.kept("!")) - before;
      await served.program.close();
      assert.ok(
        growth < statedOfVanished() + SLACK_BYTES,
        `it grew by ${String(growth >> 20)} MiB`,
      );
    },
  );
});

describe(
  "one server of a client, with the worst payloads",
  { timeout: 200_000 + RESUMPTIONS_MS },
  () => {
    const fixture = new Fixture("memory");
    type Server = Awaited<ReturnType<typeof HandPeer.listen>>;

    /** Attack a client, and return by how much it grew. */
    async function grows(
      attack: (peer: HandPeer, client: Watched, server: Server) => Promise<unknown>,
    ): Promise<number> {
      const server = await HandPeer.listen(fixture);
      const client = new Watched(fixture, "memory-client.ts", [server.address]);
      const peer = await server.accepted();
      await peer.welcome(generous);
      await client.program.said(/connected/);
      await settle(peer);
      const before = await client.kept();
      await attack(peer, client, server);
      const growth = (await client.kept()) - before;
      await client.program.close();
      return growth;
    }

    /** The ids of streams or requests that the client has opened. */
    async function opened(
      peer: HandPeer,
      kind: "REQUEST" | "STREAM",
      count: number,
    ): Promise<number[]> {
      const ids: number[] = [];
      while (ids.length < count) ids.push((await peer.hearOf(kind)).id);
      return ids;
    }

    const name = (of: string): Uint8Array => head(numberOf(generous, of));
    const item = `[${"{},".repeat(19_999)}{}]`; // 60 kB
    const attacks: [
      string,
      (peer: HandPeer, client: Watched, server: Server) => Promise<unknown>,
    ][] = [
      [
        "items of 700 streams that nobody takes",
        async (peer, client) => {
          await client.kept("streams 700");
          for (const id of await opened(peer, "STREAM", 700)) {
            if (peer.hasEnded) break;
            await pour(peer, joined(...[1, 2, 3, 4].map(() => frame(KIND.ITEM, id, item))));
          }
          if (!peer.hasEnded) await settle(peer);
        },
      ],
      [
        "an item of 700 streams each that the program has in hand, within the credit",
        async (peer, client) => {
          await client.kept("take 700");
          let left = 4_194_304;
          let seen = peer.frames.length;
          for (const id of await opened(peer, "STREAM", 700)) {
            if (left <= 0) {
              await settle(peer);
              for (const { kind, payload } of peer.frames.slice(seen))
                if (kind === "WINDOW")
                  left += new DataView(payload.buffer, payload.byteOffset).getUint32(0);
              seen = peer.frames.length;
              if (left <= 0) break;
            }
            await pour(peer, frame(KIND.ITEM, id, item));
            left -= item.length + 16;
          }
          await settle(peer);
        },
      ],
      [
        "answers of 1 MB to 60 requests",
        async (peer, client) => {
          await client.kept("ask 60");
          for (const [at, id] of (await opened(peer, "REQUEST", 60)).entries()) {
            await pour(peer, message(KIND.RESULT, id, id % 4 === 1 ? expanding : nested));
            if (at % 5 !== 4) continue;
            await settle(peer);
            await client.kept(); // collects what the program has dropped
          }
        },
      ],
      [
        "40 hanging requests of 1 MB",
        async (peer) => {
          for (let id = 2; id < 82; id += 2)
            await pour(
              peer,
              message(KIND.REQUEST, id, name("asked"), id % 4 === 2 ? expanding : nested),
            );
          await settle(peer);
        },
      ],
      [
        `an event of 1 MB over each of ${String(RESUMPTIONS)} resumptions, whose handler never ` +
          "ends",
        async (first, _client, server) => {
          let peer = first;
          let number = 0;
          for (let round = 0; round < RESUMPTIONS; round++) {
            const hello = JSON.parse(peer.frames[0]?.text ?? "{}") as {
              limits: { eventWindowBytes: number };
            };
            if (hello.limits.eventWindowBytes > 0)
              peer.say(
                message(
                  KIND.EVENT,
                  0,
                  head(numberOf(generous, "told"), 4),
                  u64(++number),
                  expanding,
                ),
              );
            await settle(peer);
            peer.socket.destroy();
            await peer.closed;
            peer = await server.accepted();
            await peer.welcome(generous, { resumed: true });
          }
          assert.equal(number, 1);
          await settle(peer);
        },
      ],
      [
        "requests that are held while there is no server",
        async (peer, client, server) => {
          server.refuse();
          peer.socket.destroy();
          for (let state = ""; state !== "disconnected";) {
            await client.kept();
            [, state = ""] = /state (\w+)\n$/.exec(client.program.stdout) ?? [];
          }
          await client.kept("fill 1000");
          await client.kept("fill 0");
          const held = [...client.program.stdout.matchAll(/held (\d+)/g)].map(([, count]) =>
            Number(count),
          );
          assert.ok(
            held[0] !== undefined && held[0] > 1 && held[0] < 3_000,
            `it held ${String(held[0])} of 1000 bytes`,
          );
          assert.ok(
            held[1] !== undefined && held[1] > 1 && held[1] < 70_000,
            `it held ${String(held[1])} without bytes`,
          );
        },
      ],
    ];
    for (const [what, attack] of attacks) {
      it(`stays within the stated number: ${what}`, { timeout: RESUMPTIONS_MS }, async () => {
        const growth = await grows(attack);
        assert.ok(
          growth < stated("One session of a contract") + SLACK_BYTES,
          `it grew by ${String(growth >> 20)} MiB`,
        );
      });
    }
  },
);
