// What one peer can make a server keep, with the worst payloads, against the number that docs/limits.md states.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Program, runFile } from "./programs.ts";
import { greedy } from "./session-contracts.ts";
import { filler, frame, HandPeer, head, KIND, message, numberOf, u64, utf8 } from "./trial-peer.ts";
import { Fixture } from "./transports.ts";

/** Garbage that is not collected yet, and what a process takes as it warms up. */
const SLACK_BYTES = 120_000_000;
const expanding = `[${"{},".repeat(340_000)}{}]`; // 1 MB, which takes 22 MB or more
const nested = `${"[".repeat(500_000)}${"]".repeat(500_000)}`;

/** The number that the page states under a title, in bytes. */
function stated(title: string): number {
  const page = readFileSync(new URL("../docs/limits.md", import.meta.url), "utf8");
  const [, mib] = /\*\*together\*\* \| {1,2}\| \*\*(\d+) MiB\*\*/.exec(page.slice(page.indexOf(`### ${title}`))) ?? [];
  assert.ok(mib !== undefined, `docs/limits.md states no number for ${title}`);
  return Number(mib) * 1_048_576;
}

class Served {
  readonly program: Program;
  readonly address: { transport: "tcp"; host: string; port: number };
  #asked = 0;

  private constructor(program: Program, port: number) {
    this.program = program;
    this.address = { transport: "tcp", host: "127.0.0.1", port };
  }

  static async start(fixture: Fixture, ...args: string[]): Promise<Served> {
    const program = runFile(fileURLToPath(new URL("memory-server.ts", import.meta.url)), args);
    fixture.own(program);
    const [, port = "0"] = await program.said(/listening on \S*:(\d+)/);
    return new Served(program, Number(port));
  }

  async rss(): Promise<number> {
    this.#asked++;
    this.program.say("?\n");
    const said = await this.program.said(new RegExp(`(?:rss (\\d+)[^]*?){${String(this.#asked)}}`));
    return Number(said[1]);
  }
}

/** Sends, and waits until the server has read it: a PONG comes behind it. */
async function settle(peer: HandPeer): Promise<void> {
  peer.say(frame(KIND.PING, 0, u64(7)));
  await Promise.race([peer.hearOf("PONG").catch(() => null), peer.closed]);
}

describe("one peer of a session server, with the worst payloads", { timeout: 170_000 }, () => {
  const fixture = new Fixture("memory");
  const name = (of: string): Uint8Array => head(numberOf(greedy, of));
  const stream = (id: number, of: string): Uint8Array => frame(KIND.STREAM, id, head(numberOf(greedy, of), 8), "1");

  /** Attack a server, and return by how much it grew. */
  async function grows(attack: (peer: HandPeer, served: Served) => Promise<HandPeer>, ...args: string[]): Promise<number> {
    const served = await Served.start(fixture, ...args);
    const first = await HandPeer.greet(fixture, served.address, greedy);
    await settle(first);
    const before = await served.rss();
    const last = await attack(first, served);
    if (!last.hasEnded) await settle(last);
    const growth = (await served.rss()) - before;
    last.socket.destroy();
    await served.program.close();
    return growth;
  }

  const item = `[${"{},".repeat(19_999)}{}]`; // 60 kB
  const attacks: [string, (peer: HandPeer, served: Served) => Promise<HandPeer>][] = [
    ["items of 700 streams that nobody takes", async (peer) => {
      for (let id = 1; id < 1_400 && !peer.hasEnded; id += 2) {
        peer.say(stream(id, "hold"), ...[1, 2, 3, 4, 5].map(() => frame(KIND.ITEM, id, item)));
        if (id % 100 === 1) await settle(peer);
      }
      return peer;
    }],
    ["an item of 700 streams each that its handler has in hand, within the credit", async (peer) => {
      let left = 4_194_304;
      let seen = 0;
      for (let id = 1; id < 1_400; id += 2) {
        peer.say(stream(id, "take"), frame(KIND.ITEM, id, item));
        left -= item.length + 16;
        if (left > 0) continue;
        await settle(peer);
        for (const { kind, payload } of peer.frames.slice(seen)) if (kind === "WINDOW") left += new DataView(payload.buffer, payload.byteOffset).getUint32(0);
        seen = peer.frames.length;
        if (left <= 0) break;
      }
      return peer;
    }],
    ["40 hanging requests of 1 MB", async (peer) => {
      for (let id = 1; id < 80; id += 2) peer.say(message(KIND.REQUEST, id, name("keep"), id % 4 === 1 ? expanding : nested));
      await settle(peer);
      return peer;
    }],
    ["pieces of 8 messages, 1 MB each, beside hanging requests", async (peer) => {
      for (let id = 1; id < 40; id += 2) peer.say(message(KIND.REQUEST, id, name("raw"), filler(1_000_000)));
      for (let id = 101; id < 117; id += 2) for (let count = 0; count < 15; count++) peer.say(frame(KIND.REQUEST | 0x80, id, ...(count === 0 ? [name("raw")] : []), filler(65_000)));
      await settle(peer);
      return peer;
    }],
    ["a thousand hanging requests of one byte", async (peer) => {
      for (let id = 1; id < 2_000; id += 2) peer.say(frame(KIND.REQUEST, id, name("raw"), filler(1)));
      await settle(peer);
      return peer;
    }],
    ["an event of 1 MB over each of 60 resumptions, whose handler never ends", async (first, served) => {
      const welcome = JSON.parse(first.frames[0]?.text ?? "{}") as { session: string; limits: { eventWindowBytes: number } };
      let peer = first;
      let window = welcome.limits.eventWindowBytes;
      let number = 0;
      for (let round = 0; round < 60; round++) {
        if (window > 0) peer.say(message(KIND.EVENT, 0, head(numberOf(greedy, "told"), 4), u64(++number), expanding));
        await settle(peer);
        peer.socket.destroy();
        await peer.closed;
        peer = await HandPeer.greet(fixture, served.address, greedy, { resume: { session: welcome.session, received: 0 } });
        const again = JSON.parse(peer.frames[0]?.text ?? "{}") as { resumed: boolean; limits: { eventWindowBytes: number } };
        assert.equal(again.resumed, true);
        window = again.limits.eventWindowBytes;
      }
      assert.equal(number, 1);
      return peer;
    }],
  ];
  for (const [what, attack] of attacks) {
    it(`stays within the stated number: ${what}`, { timeout: 60_000 }, async () => {
      const growth = await grows(attack);
      assert.ok(growth < stated("One session of a contract") + SLACK_BYTES, `it grew by ${String(growth >> 20)} MiB`);
    });
  }
});

describe("one peer of a JSON-RPC server, with the worst payloads", { timeout: 100_000 }, () => {
  const fixture = new Fixture("memory");
  for (const [what, text] of [
    ["40 hanging requests of 1 MB", (id: number) => `{"jsonrpc":"2.0","id":${String(id)},"method":"keep","params":${expanding}}\n`],
    ["40 batches of a large member and 100 small ones", (id: number) => `[{"jsonrpc":"2.0","id":${String(id)},"method":"keep","params":${expanding}}${`,{"jsonrpc":"2.0","method":"none"}`.repeat(100)}]\n`],
    ["40 events of 1 MB whose handler never ends", () => `{"jsonrpc":"2.0","method":"told","params":${expanding}}\n`],
  ] as const) {
    it(`stays within the stated number: ${what}`, { timeout: 60_000 }, async () => {
      const served = await Served.start(fixture, "json-rpc");
      const before = await served.rss();
      const peer = await HandPeer.dial(fixture, served.address);
      for (let id = 1; id <= 40; id++) {
        if (!peer.socket.write(utf8(text(id)))) await new Promise<void>((resolve) => peer.socket.once("drain", resolve).once("close", () => { resolve(); }));
      }
      peer.say(utf8('{"jsonrpc":"2.0","id":"last","method":"none"}\n'));
      while (!new TextDecoder().decode(peer.bytes).includes('"last"') && !peer.hasEnded) await Promise.race([once(peer.socket, "data"), peer.ended()]);
      const growth = (await served.rss()) - before;
      peer.socket.destroy();
      await served.program.close();
      assert.ok(growth < stated("One session of jsonRpc()") + SLACK_BYTES, `it grew by ${String(growth >> 20)} MiB`);
    });
  }
});
