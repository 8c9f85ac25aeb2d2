// Rows 19 and 20 of the immunity table: connections that end in every way and at any moment. Each
// end is a process of its own, whose handles go to zero, which is idle afterwards, and which ends
// by itself when it is closed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Address, parseAddress } from "@hawser/transport";
import { type Program, runFile } from "../programs.ts";
import { Fixture } from "../transports.ts";
import {
  filler,
  frame,
  head,
  HandPeer,
  helloFor,
  joined,
  KIND,
  message,
  numberOf,
  SIGNATURE,
  u32,
  u64,
  welcomeFor,
} from "../trial-peer.ts";
import { ends } from "./trial-handles-contract.ts";

const program = fileURLToPath(new URL("trial-handles.ts", import.meta.url));
const more = 0x80;
const hello = helloFor(ends);
const number = (name: string): number => numberOf(ends, name);

interface Figures {
  readonly sessions: number;
  readonly sockets: number;
  readonly cpuMs: number;
}

/** The server of trial-handles.ts. */
class Watched {
  readonly program: Program;
  readonly tcp: Address;
  readonly tls: Address;
  #asked = 0;

  private constructor(running: Program, tcp: string, tls: string) {
    this.program = running;
    this.tcp = parseAddress(tcp);
    this.tls = parseAddress(tls);
  }

  static async start(fixture: Fixture): Promise<Watched> {
    const running = fixture.own(runFile(program, ["server"]));
    const [, tcp = "", tls = ""] = await running.said(/listening on (\S+) (\S+)/);
    return new Watched(running, tcp, tls);
  }

  async figures(line = ""): Promise<Figures> {
    const place = ++this.#asked;
    this.program.say(`${line}\n`);
    const [, figures = ""] = await this.program.said(
      new RegExp(`^(?:[^\\n]*\\n){${place}}(\\{.*\\})$`, "m"),
    );
    return JSON.parse(figures) as Figures; // as trial-handles.ts prints them
  }

  /** Nothing is left of all connections, and nothing is done; then the program ends by itself. */
  async assertIdleAndEnds(): Promise<string> {
    const begun = performance.now();
    let figures = await this.figures();
    while ((figures.sessions > 0 || figures.sockets > 0) && performance.now() - begun < 15_000) {
      await sleep(50);
      figures = await this.figures();
    }
    const waitedMs = performance.now() - begun;
    assert.deepEqual([figures.sessions, figures.sockets], [0, 0], "sessions and sockets");
    await sleep(200);
    const before = (await this.figures()).cpuMs;
    await sleep(600);
    const cpuMs = (await this.figures()).cpuMs - before;
    assert(cpuMs < 200, `${cpuMs} ms of processor time in 600 ms of idleness`);
    this.program.endInput();
    assert.equal(
      await Promise.race([this.program.exited, sleep(10_000, "it did not end", { ref: false })]),
      0,
      this.program.stderr,
    );
    return (
      `all is gone after ${waitedMs.toFixed(0)} ms; ${cpuMs.toFixed(1)} ms of processor time in ` +
      "600 ms afterwards"
    );
  }
}

/** Where a connection can stand: what its client has sent until then, and what it has heard. */
const moments: Readonly<Record<string, (peer: HandPeer) => unknown>> = {
  "before a byte": () => undefined,
  "in the signature": (peer) => {
    peer.say(SIGNATURE.subarray(0, 5));
  },
  "behind the signature": (peer) => {
    peer.say(SIGNATURE);
  },
  "in HELLO": (peer) => {
    peer.say(SIGNATURE, hello.subarray(0, 100));
  },
  "while authenticate is asked": (peer) => {
    peer.say(SIGNATURE, helloFor(ends, { auth: "never" }));
  },
  "after a refusal": async (peer) => {
    peer.say(SIGNATURE, helloFor(ends, { version: 7, accepts: [7, 7] }));
    await peer.hearOf("REFUSE");
  },
  ready: greet,
  "in a frame": async (peer) => {
    await greet(peer);
    peer.say(Uint8Array.of(0, 0, 1, 0, KIND.REQUEST, 0));
  },
  "between pieces": async (peer) => {
    await greet(peer);
    peer.say(frame(KIND.REQUEST | more, 1, head(number("say")), filler(60_000)));
  },
  "in a request": async (peer) => {
    await greet(peer);
    peer.say(message(KIND.REQUEST, 1, head(number("wait"))));
  },
  "in a stream that waits for credit": async (peer) => {
    await greet(peer);
    peer.say(message(KIND.STREAM, 1, head(number("pour"))));
    await peer.hearOf("ITEM");
  },
  "in a stream that is sent": async (peer) => {
    await greet(peer);
    peer.say(message(KIND.STREAM, 1, head(number("pour"))));
    for (let i = 0; i < 50; i++) peer.say(frame(KIND.CREDIT, 1, u32(1_000_000)));
    await peer.hearOf("ITEM");
  },
  "in a stream that nobody takes": async (peer) => {
    await greet(peer);
    peer.say(message(KIND.STREAM, 1, head(number("hoard"), 8)), message(KIND.ITEM, 1, "1"));
  },
  "in a stream both ways": async (peer) => {
    await greet(peer);
    peer.say(message(KIND.STREAM, 1, head(number("mirror"), 8)), message(KIND.ITEM, 1, "1"));
    await peer.hearOf("ITEM");
  },
  "in an event": async (peer) => {
    await greet(peer);
    peer.say(message(KIND.EVENT, 0, head(number("note"), 4), u64(1), '"slow"'));
  },
  "after DRAIN": async (peer) => {
    await greet(peer);
    peer.say(message(KIND.REQUEST, 1, head(number("wait"))), frame(KIND.DRAIN, 0));
  },
  "after CLOSE": async (peer) => {
    await greet(peer);
    peer.say(frame(KIND.CLOSE, 0, '{"code":"NORMAL","message":""}'));
  },
  "after a breach": async (peer) => {
    await greet(peer);
    peer.say(frame(KIND.END, 99));
    await peer.hearOf("CLOSE");
  },
};

async function greet(peer: HandPeer): Promise<void> {
  peer.say(SIGNATURE, hello);
  await peer.hearOf("WELCOME");
}

/** How a connection can end. */
const endings: Readonly<Record<string, (peer: HandPeer) => unknown>> = {
  FIN: ({ socket }) => socket.end(),
  "FIN, then RST": async ({ socket }) => {
    socket.end();
    await sleep(5);
    socket.resetAndDestroy();
  },
  RST: ({ socket }) => socket.resetAndDestroy(),
  "RST with bytes under way": (peer) => {
    peer.say(frame(KIND.PING, 0, u64(1)), filler(100_000));
    peer.socket.resetAndDestroy();
  },
  "FIN without reading": ({ socket }) => socket.pause().end(),
  silence: ({ socket }) => socket.pause(),
};

describe("row 19: connections that end in every way", () => {
  const fixture = new Fixture();

  it(
    "row 19: FIN, FIN and RST, RST, half-open and silent, each at every moment, leave a server " +
      "without handles and idle",
    { timeout: 60_000 },
    async (t) => {
      const watched = await Watched.start(fixture);
      let count = 0;
      for (const end of Object.values(endings)) {
        await Promise.all(
          Object.values(moments).map(async (reach) => {
            for (let i = 0; i < 3; i++) {
              const peer = await HandPeer.dial(fixture, watched.tcp);
              await reach(peer);
              if (i === 1) await sleep(10);
              await end(peer);
              count++;
            }
          }),
        );
      }
      t.diagnostic(`${count} connections: ${await watched.assertIdleAndEnds()}`);
    },
  );

  it(
    "row 19: 500 half-open connections at once, which never close by themselves, are closed",
    { timeout: 60_000 },
    async (t) => {
      const watched = await Watched.start(fixture);
      const peers = await Promise.all(
        Array.from({ length: 500 }, () => HandPeer.dial(fixture, watched.tcp)),
      );
      for (const [i, { socket }] of peers.entries()) {
        if (i % 2 === 0) socket.write(joined(SIGNATURE, hello));
        if (i % 5 === 0) socket.end();
        socket.pause();
      }
      const { sockets } = await watched.figures();
      assert(sockets > 100, `${sockets} sockets`);
      t.diagnostic(await watched.assertIdleAndEnds());
    },
  );

  it(
    "row 19: a server that closes while its clients are at every moment has nothing left, " +
      "whatever they do then",
    { timeout: 60_000 },
    async (t) => {
      const watched = await Watched.start(fixture);
      for (const reach of Object.values(moments)) {
        const peer = await HandPeer.dial(fixture, watched.tcp);
        await reach(peer);
      }
      await watched.figures("drain");
      t.diagnostic(await watched.assertIdleAndEnds());
    },
  );
});

describe("row 20: the end of a stream at any moment", () => {
  const fixture = new Fixture();

  it(
    "row 20: close_notify, FIN without it, and RST over TLS, each at every moment, leave a " +
      "server without handles and idle",
    { timeout: 60_000 },
    async (t) => {
      const watched = await Watched.start(fixture);
      let count = 0;
      const tlsEndings: readonly ((peer: HandPeer) => unknown)[] = [
        ({ socket }) => socket.end(),
        ({ socket }) => socket.destroy(),
        ({ carrier }) => carrier.end(),
        ({ carrier }) => carrier.resetAndDestroy(),
        ({ socket }) => socket.pause().end(),
      ];
      for (const end of tlsEndings) {
        await Promise.all(
          Object.values(moments).map(async (reach) => {
            const peer = await HandPeer.dial(fixture, watched.tls, "tls");
            await reach(peer);
            await end(peer);
            count++;
          }),
        );
      }
      t.diagnostic(`${count} connections: ${await watched.assertIdleAndEnds()}`);
    },
  );

  /** Where a server can stand when it goes, as its client sees it. */
  const serverMoments: Readonly<Record<string, (peer: HandPeer) => unknown>> = {
    "before a byte": () => undefined,
    "in the signature": (peer) => {
      peer.say(SIGNATURE.subarray(0, 5));
    },
    "in WELCOME": (peer) => {
      peer.say(SIGNATURE, welcomeFor(ends).subarray(0, 50));
    },
    ready: (peer) => {
      peer.say(SIGNATURE, welcomeFor(ends));
    },
    "with all under way": withAllUnderWay,
    "in a frame": async (peer) => {
      await withAllUnderWay(peer);
      peer.say(Uint8Array.of(0, 0, 1, 0, KIND.RESULT, 0));
    },
    "between pieces": async (peer) => {
      const { id } = await withAllUnderWay(peer);
      peer.say(frame(KIND.ITEM | more, id, filler(1_000)));
    },
    "after DRAIN": async (peer) => {
      await withAllUnderWay(peer);
      peer.say(frame(KIND.DRAIN, 0));
    },
  };

  async function withAllUnderWay(peer: HandPeer): Promise<{ id: number }> {
    peer.say(SIGNATURE, welcomeFor(ends));
    const { id } = await peer.hearOf("STREAM");
    peer.say(message(KIND.ITEM, id, "1"));
    return { id };
  }

  for (const how of ["FIN", "FIN, then RST", "RST", "silence"]) {
    it(
      `row 20: a client whose server goes at any moment with ${how} ends by itself`,
      { timeout: 60_000 },
      async () => {
        await Promise.all(
          Object.entries(serverMoments).map(async ([moment, reach]) => {
            const { address, accepted } = await HandPeer.listen(fixture);
            const client = fixture.own(runFile(program, ["client", address]));
            const peer = await accepted();
            await peer.hearOf("HELLO");
            await reach(peer);
            await endings[how]?.(peer);
            assert.equal(
              await Promise.race([
                client.exited,
                sleep(20_000, `it did not end ${moment}`, { ref: false }),
              ]),
              0,
              client.stderr,
            );
            assert.match(
              client.stdout,
              /^(CONNECTION_RESET|HANDSHAKE_TIMEOUT|NOT_HAWSER|error (CONNECTION_RESET|HEARTBEAT_LOST))\n$/,
              moment,
            );
          }),
        );
      },
    );
  }
});
