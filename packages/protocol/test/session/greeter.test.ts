// The server's side of a connection until it knows who calls; and what else may call.
import { describe, expect, test } from "vitest";
import { HawserError } from "../../src/errors.ts";
import type { Greeter, Greeting } from "../../src/session/types.ts";
import { hex, latin } from "../notation.ts";
import {
  frame,
  head,
  hello,
  joined,
  KIND,
  linesOf,
  NAME,
  SESSION,
  SIGNATURE,
  u64,
  waitingClient,
} from "./by-hand.ts";
import { countingRandom, End, greet } from "./ends.ts";

const { kind } = new End("server");
const greeterOf = (): Greeter => kind.greeter({ random: countingRandom() });
const good = joined(
  SIGNATURE,
  frame(KIND.HELLO, 0, hello({ auth: { token: "t" }, resume: { session: SESSION, received: 3 } })),
);

/** The first answer that is one, and how many bytes it took. */
function read(bytes: Uint8Array, chunkBytes: number): { greeting: Greeting | null; after: number } {
  const greeter = greeterOf();
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = bytes.slice(at, at + chunkBytes);
    const greeting = greeter.receive(chunk);
    chunk.fill(0xee);
    if (greeting !== null) return { greeting, after: Math.min(at + chunkBytes, bytes.length) };
  }
  return { greeting: null, after: bytes.length };
}

/** An error as code and text. */
function said(greeting: Greeting | null): string {
  return greeting === null
    ? "nothing"
    : greeting.ok
      ? "ok"
      : `${greeting.error.code}: ${greeting.error.message}`;
}

/** A HELLO as the last draft before version 1 had it. */
const DRAFT =
  '{"hawser":[1,1],"protocol":"echo","version":1,"accepts":[1,1],"messages":[["note","event","json",""],["say","request","json",""],["count","stream","json",""]],' +
  '"limits":{"maxMessageBytes":100000,"maxPartials":2,"maxConversations":4,"windowBytes":30,"eventWindowBytes":1000,"connectionWindowBytes":1000,"maxInputBytes":1000000}}';

describe("a greeter", () => {
  test("reads a HELLO at every cut", () => {
    for (let first = 1; first < good.length; first++) {
      const greeter = greeterOf();
      expect(greeter.receive(good.slice(0, first))).toBeNull();
      const greeting = greeter.receive(good.slice(first));
      expect(greeting).toMatchObject({
        ok: true,
        hello: { auth: { token: "t" }, resume: { session: SESSION, received: 3 }, peerVersion: 1 },
        rest: { length: 0 },
      });
    }
    expect(said(read(good, 1).greeting)).toBe("ok");
  });

  test("refuses whoever does not wait for the WELCOME", () => {
    const ping = frame(KIND.PING, 0, u64(1));
    for (const bytes of [
      joined(good, ping),
      joined(good, ping.subarray(0, 1)),
      joined(good, hex("ff ff ff ff")),
      joined(good, good),
    ]) {
      const { greeting } = read(bytes, Infinity);
      expect(said(greeting)).toBe("HELLO_INVALID: The client sent more before it had the WELCOME");
      if (greeting?.ok === false)
        expect(linesOf(greeting.reply.subarray(8))).toEqual([
          'REFUSE 0 {"code":"HELLO_INVALID","message":"The client sent more before it had the ' +
            'WELCOME"}',
        ]);
    }
    const greeter = greeterOf();
    expect(said(greeter.receive(good))).toBe("ok");
    expect(greeter.receive(new Uint8Array(0))).toBeNull();
    expect(said(greeter.receive(ping))).toContain("HELLO_INVALID");
    expect(greeter.receive(ping)).toBeNull();
  });

  const broken: [string, Uint8Array, string][] = [
    [
      "another frame than HELLO",
      frame(KIND.REQUEST, 1, head(NAME.say)),
      "HELLO_INVALID: The client sent REQUEST with the id 1 where HELLO belongs",
    ],
    [
      "an unknown kind",
      frame(0x7f, 0),
      "HELLO_INVALID: The client sent kind 0x7f with the id 0 where HELLO belongs",
    ],
    [
      "a HELLO with an id",
      frame(KIND.HELLO, 1, hello()),
      "HELLO_INVALID: The client sent HELLO with the id 1 where HELLO belongs",
    ],
    [
      "a HELLO of 16 385 bytes",
      frame(KIND.HELLO, 0, hello().padEnd(16_385)),
      "HELLO_INVALID: The client sent a frame of length 16390, where HELLO and a piece of " +
        "MESSAGES have at most 16389",
    ],
    [
      "a length of 0",
      hex("00 00 00 00 01 00 00 00 00"),
      "HELLO_INVALID: The client sent a frame of length 0, where HELLO and a piece of MESSAGES " +
        "have at most 16389",
    ],
  ];
  test.each(broken)("answers %s with signature and REFUSE", (_, bytes, expected) => {
    for (const chunkBytes of [Infinity, 1]) {
      const { greeting } = read(joined(SIGNATURE, bytes), chunkBytes);
      expect(said(greeting)).toBe(expected);
      if (greeting?.ok === false)
        expect(linesOf(greeting.reply.subarray(8))[0]).toMatch(
          /^REFUSE 0 \{"code":"HELLO_INVALID"/,
        );
    }
  });

  test("takes a HELLO of 16 384 bytes", () => {
    expect(
      said(read(joined(SIGNATURE, frame(KIND.HELLO, 0, hello().padEnd(16_384))), 1000).greeting),
    ).toBe("ok");
  });

  const limits = {
    maxMessageBytes: 1024,
    maxPartials: 1,
    maxConversations: 1,
    windowBytes: 1,
    eventWindowBytes: 1,
  };
  const refused: [string, string | Uint8Array, RegExp][] = [
    [
      "is not JSON",
      "{",
      /^HELLO_INVALID: The peer's HELLO can't be read: it is not JSON in UTF-8$/,
    ],
    ["is not UTF-8", hex("7b ff 7d"), /^HELLO_INVALID: .*it is not JSON in UTF-8$/],
    [
      "begins with a byte order mark",
      `\ufeff${hello()}`,
      /^HELLO_INVALID: .*it is not JSON in UTF-8$/,
    ],
    ["is a list", "[]", /^HELLO_INVALID: .*it is not an object$/],
    ["is null", "null", /^HELLO_INVALID: .*it is not an object$/],
    ["is 8000 nested lists", "[".repeat(8000) + "]".repeat(8000), /^HELLO_INVALID: /],
    ["has no hawser", hello({ hawser: undefined }), /`hawser` is not a list$/],
    [
      "has a hawser from 0",
      hello({ hawser: [0, 1] }),
      /`hawser\[0\]` is not a whole number from 1$/,
    ],
    [
      "has a hawser that is upside down",
      hello({ hawser: [2, 1] }),
      /`hawser` is not \[lowest, highest\]$/,
    ],
    [
      "speaks later versions",
      hello({ hawser: [2, 9], protocol: 7 }),
      /^VERSION_UNSUPPORTED: The client speaks version 2 to 9 of Hawser's session protocol, this server version 1: update the older one$/,
    ],
    [
      "is of a draft, before features",
      DRAFT,
      /^VERSION_UNSUPPORTED: The client speaks a draft of Hawser's session protocol, from before its version 1, which this server speaks: update the older one$/,
    ],
    [
      "is of a draft, whatever else it lacks",
      hello({ features: undefined, limits: undefined, protocol: 7 }),
      /^VERSION_UNSUPPORTED: The client speaks a draft /,
    ],
    ["has no protocol", hello({ protocol: undefined }), /`protocol` is not a text$/],
    ["has a version of 0", hello({ version: 0 }), /`version` is not a whole number from 1$/],
    ["has a version of 1.5", hello({ version: 1.5 }), /`version` is not a whole number from 1$/],
    [
      "has a version above 2^53",
      hello({ version: 2 ** 54 }),
      /`version` is not a whole number from 1$/,
    ],
    [
      "has a version outside accepts",
      hello({ version: 2, accepts: [3, 4] }),
      /`version` does not lie within `accepts`$/,
    ],
    ["has no accepts", hello({ accepts: 1 }), /`accepts` is not a list$/],
    ["has no messages", hello({ messages: {} }), /`messages` is not a list$/],
    ["has a message that is none", hello({ messages: [7] }), /`messages\[0\]` is not a list$/],
    [
      "has a message without a name",
      hello({ messages: [[7]] }),
      /`messages\[0\]\[0\]` is not a text$/,
    ],
    [
      "has a message of no type",
      hello({ messages: [["a", "__proto__", "json", ""]] }),
      /`messages\[0\]\[1\]` is not "request", "stream" or "event"$/,
    ],
    [
      "has a message without a codec",
      hello({ messages: [["a", "event"]] }),
      /`messages\[0\]\[2\]` is not a text$/,
    ],
    [
      "has a digest that is too short",
      hello({ messages: [["a", "event", "json", "0"]] }),
      /`messages\[0\]\[3\]` is not 16 hexadecimal digits$/,
    ],
    [
      "has a name twice",
      hello({
        messages: [
          ["a", "event", "json", ""],
          ["a", "event", "json", ""],
        ],
      }),
      /`messages\[1\]` has the name of another$/,
    ],
    ["has no limits", hello({ limits: null }), /`limits` is not an object$/],
    [
      "has a limit below the smallest",
      hello({ limits: { ...limits, maxMessageBytes: 1023 } }),
      /`limits.maxMessageBytes` is not a whole number from 1024 to 4294967295$/,
    ],
    [
      "has a limit above the largest",
      hello({ limits: { ...limits, windowBytes: 2 ** 31 } }),
      /`limits.windowBytes` is not a whole number from 1 to 2147483647$/,
    ],
    [
      "has a limit that is a text",
      hello({ limits: { ...limits, maxPartials: "2" } }),
      /`limits.maxPartials` is not a whole number from 1 to 4294967295$/,
    ],
    ["resumes nothing", hello({ resume: true }), /`resume` is not an object$/],
    [
      "resumes a session without an identity",
      hello({ resume: { session: SESSION.toUpperCase(), received: 0 } }),
      /`resume.session` is not 32 hexadecimal digits$/,
    ],
    [
      "resumes with a number below 0",
      hello({ resume: { session: SESSION, received: -1 } }),
      /`resume.received` is not a whole number from 0$/,
    ],
    [
      "has another contract",
      hello({ protocol: "desk" }),
      /^PROTOCOL_MISMATCH: The client speaks the contract "desk", this server "echo": see whether the address is right$/,
    ],
    [
      "has another version",
      hello({ version: 2, accepts: [2, 2] }),
      /^PROTOCOL_MISMATCH: The client speaks "echo" version 2 \(accepts 2\), this server version 1 \(accepts 1\)/,
    ],
    [
      "has a contract with a long name",
      hello({ protocol: `\u202e${"x".repeat(9000)}` }),
      /^PROTOCOL_MISMATCH: .{40,256}$/,
    ],
  ];
  test.each(refused)("answers a HELLO that %s with signature and REFUSE", (_, text, expected) => {
    const { greeting } = read(joined(SIGNATURE, frame(KIND.HELLO, 0, text)), Infinity);
    expect(said(greeting)).toMatch(expected);
    if (greeting?.ok !== false) return;
    expect(greeting.error.message.length).toBeLessThanOrEqual(256);
    const client = waitingClient();
    client.session.receive(greeting.reply, 0);
    expect(client.told()).toEqual([`over ${greeting.error.code}`]);
  });

  test("takes limits from the smallest to the largest", () => {
    const least = {
      maxMessageBytes: 1024,
      maxPartials: 1,
      maxConversations: 1,
      windowBytes: 1,
      eventWindowBytes: 1,
    };
    const most = {
      maxMessageBytes: 2 ** 32 - 1,
      maxPartials: 2 ** 32 - 1,
      maxConversations: 2 ** 32 - 1,
      windowBytes: 2 ** 31 - 1,
      eventWindowBytes: 2 ** 31 - 1,
    };
    for (const each of [least, most])
      expect(
        said(
          read(joined(SIGNATURE, frame(KIND.HELLO, 0, hello({ limits: each }))), Infinity).greeting,
        ),
      ).toBe("ok");
    for (const [name, value] of Object.entries(most)) {
      expect(
        said(
          read(
            joined(
              SIGNATURE,
              frame(KIND.HELLO, 0, hello({ limits: { ...most, [name]: value + 1 } })),
            ),
            Infinity,
          ).greeting,
        ),
      ).toContain(`limits.${name}`);
    }
    expect(
      said(
        read(
          joined(
            SIGNATURE,
            frame(KIND.HELLO, 0, hello({ version: 2 ** 53 - 1, accepts: [2, 2 ** 53 - 1] })),
          ),
          Infinity,
        ).greeting,
      ),
    ).toContain("PROTOCOL_MISMATCH");
  });

  test("ignores members and elements that the page does not list", () => {
    const messages = (JSON.parse(hello()) as { messages: unknown[][] }).messages.map((message) => [
      ...message,
      "more",
    ]);
    expect(
      said(
        read(
          joined(
            SIGNATURE,
            frame(KIND.HELLO, 0, hello({ messages, more: 1, __proto__: 2, hawser: [1, 9, 3] })),
          ),
          Infinity,
        ).greeting,
      ),
    ).toBe("ok");
  });

  test("says at the end of the stream, or of its time, what had come", () => {
    const ends: [Uint8Array, RegExp][] = [
      [new Uint8Array(0), /^NOT_HAWSER: .*: it sent nothing$/],
      [latin("GE"), /^NOT_HAWSER: .*: its first bytes are 47 45$/],
      [
        SIGNATURE.subarray(0, 5),
        /^HELLO_INVALID: .*the first 5 bytes of Hawser's signature, and nothing behind them$/,
      ],
      [latin("GET / HTTP/1.1"), /^NOT_HAWSER: .*HTTP/],
      [
        SIGNATURE,
        /^HELLO_INVALID: The peer sent Hawser's signature, but no whole HELLO behind it$/,
      ],
      [good.subarray(0, 40), /^HELLO_INVALID: /],
    ];
    for (const [bytes, expected] of ends) {
      const greeter = greeterOf();
      greeter.receive(bytes);
      const { code, message } = greeter.end();
      expect(`${code}: ${message}`).toMatch(expected);
    }
  });
});

/** What else comes to a port: the first bytes, what is said of it, and after how many bytes. */
const others: [string, Uint8Array, RegExp, number][] = [
  ["an HTTP request", latin("GET / HTTP/1.1\r\nHost: x\r\n"), /HTTP: the address/, 4],
  ["another HTTP request", latin("POST /x HTTP/1.1\r\n"), /HTTP: the address/, 5],
  ["an HTTP CONNECT", latin("CONNECT host:443 HTTP/1.1\r\n"), /HTTP: the address/, 8],
  ["an HTTP/2 preface", latin("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), /HTTP\/2/, 14],
  ["an HTTP answer", latin("HTTP/1.1 400 Bad Request\r\n"), /as a web server does/, 5],
  [
    "a TLS ClientHello",
    hex("16 03 01 02 00 01 00 01 fc 03 03"),
    /TLS: this end of the connection is without; use tls:\/\//,
    6,
  ],
  ["a TLS ServerHello", hex("16 03 03 00 7a 02 00 00 76"), /ServerHello/, 6],
  ["a TLS alert", hex("15 03 01 00 02 02 46"), /an alert/, 5],
  ["SSH", latin("SSH-2.0-OpenSSH_9.9\r\n"), /SSH/, 4],
  [
    "PROXY v1",
    latin("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
    /PROXY protocol \(v1\), which is not read here: switch the proxy's header off/,
    6,
  ],
  ["PROXY v2", hex("0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a 21 11 00 0c"), /PROXY protocol \(v2\)/, 12],
  [
    "JSON-RPC with headers",
    latin("Content-Length: 40\r\n\r\n{}"),
    /JSON-RPC with Content-Length headers/,
    15,
  ],
  [
    "JSON-RPC with small letters",
    latin("content-length:40\r\n\r\n"),
    /JSON-RPC with Content-Length headers/,
    15,
  ],
  [
    "JSON-RPC with its type first",
    latin("Content-Type: application/vscode-jsonrpc"),
    /JSON-RPC with headers/,
    13,
  ],
  ["a JSON text", latin('{"jsonrpc":"2.0"}'), /JSON: serve it with jsonRpc\(\)/, 1],
  ["a JSON list", latin("[1]"), /JSON: serve it with jsonRpc\(\)/, 1],
  [
    "the signature with CR LF turned into LF",
    hex("89 48 57 53 0a 1a 0a"),
    /CR LF turned into LF/,
    7,
  ],
  [
    "the signature with each LF turned into CR LF",
    hex("89 48 57 53 0d 0d 0a 1a 0d 0a"),
    /with LF turned into CR LF/,
    8,
  ],
  [
    "the signature with a lone LF turned into CR LF",
    hex("89 48 57 53 0d 0a 1a 0d 0a"),
    /a lone LF turned into CR LF/,
    8,
  ],
  ["the signature with CR turned into LF", hex("89 48 57 53 0a 0a 1a 0a"), /CR turned into LF/, 8],
  ["the signature with LF turned into CR", hex("89 48 57 53 0d 0d 1a 0d"), /LF turned into CR:/, 8],
  ["the signature without its eighth bit", hex("09 48 57 53 0d 0a 1a 0a"), /eighth bit/, 4],
  ["the signature read as Latin-1", hex("c2 89 48 57 53"), /Latin-1/, 5],
  ["the signature read as UTF-8", hex("ef bf bd 48 57 53"), /UTF-8 text/, 6],
  ["Telnet", hex("ff fd 18 ff fd 20"), /Telnet/, 2],
  ["an SMTP greeting", latin("220 mx.example ESMTP\r\n"), /SMTP or FTP/, 3],
  ["something else", latin("EHLO x\r\n"), /its first bytes are 45 48 4c 4f 20 78 0d 0a$/, 1],
  ["a zero", hex("00"), /its first bytes are 00$/, 1],
  [
    "a wrong last byte",
    hex("89 48 57 53 0d 0a 1a 00"),
    /its first bytes are 89 48 57 53 0d 0a 1a 00$/,
    8,
  ],
  [
    "what begins as HTTP and goes on otherwise",
    latin("GETTER"),
    /its first bytes are 47 45 54 54 45 52$/,
    4,
  ],
  ["what begins as two others", latin("P"), /^nothing$/, 1],
];

describe("a peer that speaks something else", () => {
  test.each(others)("is named by a server: %s", (_, bytes, expected, after) => {
    const whole = read(bytes, Infinity);
    expect(said(whole.greeting)).toMatch(expected);
    if (whole.greeting === null) return;
    expect(said(whole.greeting)).toMatch(
      /^NOT_HAWSER: The peer does not speak Hawser's session protocol/,
    );
    expect(said(whole.greeting).length).toBeLessThan(256);
    if (!whole.greeting.ok) expect(whole.greeting.reply.length).toBe(0);
    const bytewise = read(bytes, 1);
    expect(bytewise.after).toBe(after);
    expect(said(bytewise.greeting).replace(/[0-9a-f ]+$/, "")).toBe(
      said(whole.greeting).replace(/[0-9a-f ]+$/, ""),
    );
  });

  test.each(others)("is named by a client: %s", (_, bytes, expected) => {
    const errors: (HawserError | null)[] = [];
    const client = waitingClient();
    client.onOver = (error) => void errors.push(error);
    client.session.receive(bytes, 0);
    const [error] = errors;
    expect(error === undefined ? "nothing" : error?.message).toMatch(expected);
    if (error === undefined) return;
    expect([client.session.state, error?.code, client.take().length]).toEqual([
      "closed",
      "NOT_HAWSER",
      0,
    ]);
  });

  test("is read no further", () => {
    const greeter = greeterOf();
    expect(greeter.receive(latin("GET / HTTP/1.1\r\n"))).not.toBeNull();
    expect([greeter.receive(latin("Host: x\r\n")), greeter.receive(good)]).toEqual([null, null]);
  });
});

test("a client reads the server's signature and WELCOME at every cut", () => {
  const server = new End("server");
  const greeting = greet(kind, joined(SIGNATURE, frame(KIND.HELLO, 0, hello())));
  server.session.welcome(server.output, greeting.hello, false, 0);
  server.emit("tick", 1);
  const bytes = server.take();
  for (let first = 1; first < bytes.length; first++) {
    const client = waitingClient();
    for (const chunk of [bytes.slice(0, first), bytes.slice(first)]) {
      client.session.receive(chunk, 0);
      chunk.fill(0xee);
    }
    expect(client.told()).toEqual(["ready", "event tick 1"]);
  }
});
