// Real programs of other protocols on the port of a server of sessions, and a client that comes to
// their ports: each is told apart by its first bytes and named, with a clock that stands still, so
// that no timeout can be what ends it. (What is cut, silent or slow: session-handshake.test.ts.)

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { describe, it } from "node:test";
import tls from "node:tls";
import { connect } from "@hawser/client";
import { defineProtocol, type HawserError, type Protocol, type } from "@hawser/protocol";
import { Random } from "@hawser/protocol/testing";
import { createServer } from "@hawser/server";
import { type Address, Ticker } from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { z } from "zod";
import { turns, until } from "./conversation.ts";
import { failure, SessionFixture } from "./sessions.ts";
import { serverTls } from "./transports.ts";
import { HandPeer, helloFor, joined, SIGNATURE, utf8, welcomeFor } from "./trial-peer.ts";

const orders = defineProtocol({
  name: "orders",
  version: 1,
  requests: {
    place: {
      input: z.object({ item: z.string(), count: z.number() }),
      output: z.object({ id: z.number() }),
    },
  },
  events: { placed: { payload: type<number>() } },
});

/** A server whose clock stands still; `called` is what of it has run. */
class Watched {
  readonly errors: HawserError[] = [];
  readonly called: string[] = [];
  address: Address | null = null;

  static async listen(fixture: SessionFixture): Promise<Watched> {
    const watched = new Watched();
    const call = (name: string): void => void watched.called.push(name);
    const server = createServer(
      orders,
      {
        place: () => {
          call("place");
          return { id: 1 };
        },
        placed: () => {
          call("placed");
        },
      },
      {
        ticker: new Ticker(new ManualClock()),
        authenticate: () => {
          call("authenticate");
        },
        open: () => {
          call("open");
        },
        error: (error) => void watched.errors.push(error),
      },
    );
    fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
    watched.address = await server.listen("tcp://127.0.0.1:0");
    return watched;
  }

  get port(): number {
    assert(this.address !== null && "port" in this.address);
    return this.address.port;
  }

  /** The one error that was reported. */
  async reported(): Promise<HawserError> {
    await until(() => this.errors.length > 0);
    assert.equal(this.errors.length, 1);
    return this.errors[0] as HawserError; // as was just seen
  }
}

describe("who comes to a server of sessions and speaks something else", () => {
  const fixture = new SessionFixture("tcp");

  it("an HTTP client: its request ends at once, and the server's error says HTTP", async () => {
    const watched = await Watched.listen(fixture);
    const agent = new http.Agent();
    const request = http.get({ port: watched.port, host: "127.0.0.1", agent, path: "/orders" });
    const [ended] = (await once(request, "error")) as [Error];
    agent.destroy();
    assert.match(ended.message, /hang up|ECONNRESET|closed|end of file/i);
    const { code, message } = await watched.reported();
    assert.equal(code, "NOT_HAWSER");
    assert.match(message, /HTTP/);
    assert.deepEqual(watched.called, []);
  });

  it("a TLS client: its handshake ends at once, and the server's error says TLS and what to do", async () => {
    const watched = await Watched.listen(fixture);
    const socket = tls.connect({
      port: watched.port,
      host: "127.0.0.1",
      rejectUnauthorized: false,
    });
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.on("close", resolve));
    const { code, message } = await watched.reported();
    assert.equal(code, "NOT_HAWSER");
    assert.match(message, /TLS.*tls:\/\//);
    assert.deepEqual(watched.called, []);
  });

  for (const [what, first, names] of [
    ["an SSH client's banner", utf8("SSH-2.0-OpenSSH_9.9p1 Debian-3\r\n"), /SSH/],
    ["a terminal's negotiation", Uint8Array.of(0xff, 0xfd, 0x03, 0xff, 0xfb, 0x18), /Telnet/],
    ["what somebody types", utf8("hello?\r\n"), /68 65 6c 6c 6f 3f 0d 0a/],
    [
      "a client of lines of JSON",
      utf8('{"jsonrpc":"2.0","id":1,"method":"place"}\n'),
      /JSON.*jsonRpc\(\)/,
    ],
    ["a PROXY header", utf8("PROXY TCP4 10.0.0.1 10.0.0.2 4711 7000\r\n"), /PROXY/],
    ["a gRPC client", utf8("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), /HTTP\/2/],
  ] as const) {
    it(`${what}: the stream ends without a reply, and the server's error names it`, async () => {
      const watched = await Watched.listen(fixture);
      const peer = await HandPeer.dial(fixture, watched.address);
      peer.say(first);
      await peer.ended();
      assert.equal(peer.bytes.length, 0);
      const { code, message } = await watched.reported();
      assert.equal(code, "NOT_HAWSER");
      assert.match(message, names);
      assert.deepEqual(watched.called, []);
    });
  }

  it(
    "a client behind what translates line endings, or strips the eighth bit, is told so by the " +
      "server's error",
    async () => {
      const greeting = Buffer.from(joined(SIGNATURE, helloFor(orders))).toString("latin1");
      const translations: [string, RegExp, (text: string) => string][] = [
        ["CR LF to LF", /CR LF turned into LF/, (text) => text.replaceAll("\r\n", "\n")],
        ["LF to CR LF", /LF turned into CR LF/, (text) => text.replaceAll("\n", "\r\n")],
        [
          "a lone LF to CR LF",
          /LF turned into CR LF/,
          (text) => text.replaceAll(/(?<!\r)\n/g, "\r\n"),
        ],
        ["CR to LF", /CR turned into LF/, (text) => text.replaceAll("\r", "\n")],
        [
          "seven bits",
          /eighth bit/,
          (text) =>
            Array.from(text, (letter) => String.fromCharCode(letter.charCodeAt(0) & 0x7f)).join(""),
        ],
      ];
      for (const [what, names, translate] of translations) {
        const watched = await Watched.listen(fixture);
        const peer = await HandPeer.dial(fixture, watched.address);
        peer.say(Buffer.from(translate(greeting), "latin1"));
        await peer.ended();
        assert.equal(peer.bytes.length, 0, what);
        const { code, message } = await watched.reported();
        assert.equal(code, "NOT_HAWSER", what);
        assert.match(message, names, what);
        assert.deepEqual(watched.called, []);
      }
    },
  );

  it(
    "a client of another version of the wire is refused in one round trip, with both sides' " +
      "versions",
    async () => {
      for (const [versions, code, names] of [
        [[2, 3], "VERSION_UNSUPPORTED", /2 to 3.*1/],
        [[0, 0], "HELLO_INVALID", /hawser/],
      ] as const) {
        const watched = await Watched.listen(fixture);
        const peer = await HandPeer.dial(fixture, watched.address);
        peer.say(SIGNATURE, helloFor(orders, { hawser: versions }));
        const refusal = await peer.hearOf("REFUSE");
        assert.equal((JSON.parse(refusal.text) as HawserError).code, code);
        assert.equal(await peer.hear(), null);
        const error = await watched.reported();
        assert.equal(error.code, code);
        assert.match(error.message, names);
        assert.deepEqual(watched.called, []);
      }
    },
  );

  it(
    "a client whose contract differs in one field is refused, and both sides' errors name the " +
      "message",
    async () => {
      const differing = {
        "a field of another type": z.object({ item: z.string(), count: z.string() }),
        "a field more": z.object({ item: z.string(), count: z.number(), gift: z.boolean() }),
        "a field that may be left out": z.object({
          item: z.string(),
          count: z.number().optional(),
        }),
        "a narrower field": z.object({ item: z.string(), count: z.number().min(1) }),
      };
      for (const [what, input] of Object.entries(differing)) {
        const watched = await Watched.listen(fixture);
        const other: Protocol = defineProtocol({
          name: "orders",
          version: 1,
          requests: { place: { input, output: z.object({ id: z.number() }) } },
          events: { placed: { payload: type<number>() } },
        });
        const theirs = await failure(connect(other, `tcp://127.0.0.1:${watched.port}`));
        const ours = await watched.reported();
        for (const { code, message } of [theirs, ours]) {
          assert.equal(code, "CONTRACT_DIFFERS", what);
          assert.match(message, /place/, what);
        }
        assert.deepEqual(
          watched.called,
          ["authenticate"],
          "a list is judged once its sender is let in",
        );
      }
    },
  );

  it("200 clients that send garbage are each closed with one error, whatever it is", async () => {
    const seed = Date.now() % 2 ** 31;
    const random = new Random(seed);
    const watched = await Watched.listen(fixture);
    for (let i = 0; i < 200; i++) {
      watched.errors.length = 0;
      const peer = await HandPeer.dial(fixture, watched.address);
      // Some of it begins as Hawser does: with a cut signature, or with a right one and no right
      // frame.
      const begin = random.pick([0, 0, 3, 7, 8]);
      peer.say(joined(SIGNATURE.subarray(0, begin), random.bytes(1 + random.below(300))));
      peer.socket.end();
      await peer.ended();
      const { code } = await watched.reported();
      assert(
        code === "NOT_HAWSER" || code === "HELLO_INVALID" || code === "PROTOCOL_VIOLATION",
        `seed ${seed}, ${i}: ${code}`,
      );
      assert.deepEqual(watched.called, [], `seed ${seed}, ${i}`);
    }
  });
});

describe("a client that comes to a server of something else", () => {
  const fixture = new SessionFixture("tcp");

  /** How a client's attempt to connect ends; its clock stands still. */
  async function attempt(server: net.Server): Promise<HawserError> {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    fixture.own({ close: () => void server.close() });
    const { port } = server.address() as net.AddressInfo; // it listens on TCP
    return failure(
      connect(orders, `tcp://127.0.0.1:${port}`, { ticker: new Ticker(new ManualClock()) }),
    );
  }

  it("an HTTP server", async () => {
    const { code, message } = await attempt(
      http.createServer((_, response) => response.end("hello")),
    );
    assert.equal(code, "NOT_HAWSER");
    assert.match(message, /HTTP/);
  });

  it("a TLS server, whether it sends its alert or closes without a word, as Node's does", async () => {
    const real = await attempt(tls.createServer(serverTls).on("tlsClientError", () => undefined));
    assert(real.code === "NOT_HAWSER" || real.code === "CONNECTION_RESET", real.code);
    const alert = Uint8Array.of(0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46);
    const alerted = await attempt(
      net.createServer((socket) => void socket.on("error", () => undefined).end(alert)),
    );
    assert.equal(alerted.code, "NOT_HAWSER");
    const silent = await attempt(
      net.createServer(
        (socket) => void socket.on("error", () => undefined).once("data", () => socket.end()),
      ),
    );
    assert.equal(silent.code, "CONNECTION_RESET");
    for (const { message } of [real, alerted, silent]) assert.match(message, /tls:\/\//);
  });

  it("servers that greet first: SSH, SMTP", async () => {
    for (const [greeting, names] of [
      ["SSH-2.0-OpenSSH_9.9\r\n", /SSH/],
      ["220 mail.example ESMTP\r\n", /SMTP/],
    ] as const) {
      const { code, message } = await attempt(
        net.createServer((socket) => void socket.on("error", () => undefined).end(greeting)),
      );
      assert.equal(code, "NOT_HAWSER");
      assert.match(message, names);
    }
  });

  it("an echo server, which sends the client's own greeting back", async () => {
    const { code, message } = await attempt(
      net.createServer((socket) => void socket.on("error", () => undefined).pipe(socket)),
    );
    assert.equal(code, "PROTOCOL_VIOLATION");
    assert.match(message, /echo server/);
  });

  it("a server that is of another version of the wire", async () => {
    const { address, accepted } = await HandPeer.listen(fixture);
    const attempted = failure(connect(orders, address, { ticker: new Ticker(new ManualClock()) }));
    const peer = await accepted();
    await peer.hearOf("HELLO");
    peer.say(SIGNATURE, welcomeFor(orders, { hawser: 2 }));
    const closing = await peer.hearOf("CLOSE");
    assert.equal((JSON.parse(closing.text) as HawserError).code, "VERSION_UNSUPPORTED");
    peer.socket.end();
    const { code, message } = await attempted;
    assert.equal(code, "VERSION_UNSUPPORTED");
    assert.match(message, /version 2.*version 1/);
    await turns();
  });
});
