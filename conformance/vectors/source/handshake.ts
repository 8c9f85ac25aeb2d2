// Vectors of PROTOCOL.md §3: signatures, greetings, who is refused and with which code.

import {
  alive,
  close,
  echo,
  end,
  expect,
  finish,
  frame,
  greet,
  lose,
  open,
  refuse,
  request,
  result,
  send,
  signed,
  stream,
  Vectors,
  violation,
} from "./build.ts";
import { messageList, runnerLimits } from "../../runner/contract.ts";
import type { Bytes, FrameSpec, Greeting, Json, Step } from "../../runner/vector.ts";

export const handshake = new Vectors();
const server: Vectors["server"] = (name, rules, ...steps) => {
  handshake.server(name, rules, ...steps);
};
const client: Vectors["client"] = (name, rules, ...steps) => {
  handshake.client(name, rules, ...steps);
};

const hello = (greeting: Greeting, more: Partial<FrameSpec> = {}): FrameSpec => ({
  kind: "HELLO",
  greeting,
  ...more,
});
const welcome = (greeting: Greeting, more: Partial<FrameSpec> = {}): FrameSpec => ({
  kind: "WELCOME",
  greeting,
  ...more,
});
/** The server's side: the client's greeting is here. */
const called: readonly Step[] = [open, { expectGreeting: { kind: "HELLO" } }];
const silently: Step = { endSilently: true };

// The signature.
const bytes = [0x89, 0x48, 0x57, 0x53, 0x0d, 0x0a, 0x1a, 0x0a];
const wrong: readonly (readonly [string, Bytes])[] = [
  ...bytes.map(
    (byte, at) =>
      [
        `with byte ${at} changed`,
        {
          hex: bytes
            .map((one, index) => (index === at ? byte ^ 1 : one).toString(16).padStart(2, "0"))
            .join(""),
        },
      ] as const,
  ),
  ["whose line ends were translated to LF", { hex: "89 48 57 53 0A 1A 0A" }],
  ["whose line ends were translated to CR LF", { hex: "89 48 57 53 0D 0D 0A 1A 0D 0A" }],
  ["whose eighth bits were stripped", { hex: "09 48 57 53 0D 0A 1A 0A" }],
];
for (const [what, spec] of wrong) {
  server(
    `A signature ${what} ends the stream without a byte`,
    "signature",
    open,
    send(spec),
    finish,
    silently,
  );
  client(
    `A server's signature ${what} ends the stream without CLOSE`,
    "signature",
    ...called,
    send(spec),
    finish,
    end,
  );
}
for (const [what, spec] of [
  ["a request of HTTP", { text: "GET / HTTP/1.1\r\nHost: example\r\n\r\n" }],
  ["a TLS ClientHello", { hex: "16 03 01 00 C8 01 00 00 C4 03 03" }],
  ["a banner of SSH", { text: "SSH-2.0-example\r\n" }],
  ["zeros", { hex: "00".repeat(16) }],
  ["a frame", frame("HELLO", { json: {} })],
] as const) {
  server(
    `${what} in place of the signature ends the stream without a byte`,
    "signature",
    open,
    send(spec),
    finish,
    silently,
  );
  client(
    `${what} in place of the server's signature ends the stream without CLOSE`,
    "signature",
    ...called,
    send(spec),
    finish,
    end,
  );
}
for (const length of [0, 1, 4, 7]) {
  server(
    `A stream that ends behind ${length} bytes of the signature ends without a byte`,
    "signature-first",
    open,
    send({ hex: "894857530D0A1A0A".slice(0, length * 2) }),
    finish,
    silently,
  );
  client(
    `A stream that ends behind ${length} bytes of the server's signature is lost, and the ` +
      "client tries again",
    "early-end",
    ...called,
    send({ hex: "894857530D0A1A0A".slice(0, length * 2) }),
    finish,
    end,
    greet(),
    alive,
  );
}
client(
  "A stream that ends behind the server's signature is lost, and the client tries again",
  "early-end",
  ...called,
  send(signed),
  finish,
  end,
  greet(),
  alive,
);
client(
  "A stream that ends within WELCOME is lost, and the client tries again",
  "early-end",
  ...called,
  send(signed, { hex: "00 00 01 A7 02 00 00 00 00 7B 22" }),
  finish,
  end,
  greet(),
  alive,
);
client(
  "A client sends its signature and HELLO at once",
  "signature-first",
  open,
  { expectSignature: true },
  { expectGreeting: { kind: "HELLO" } },
);
for (const cut of [1, 3, 7])
  server(
    `A greeting in chunks of ${cut} bytes is taken`,
    "chunks",
    open,
    { send: [signed, hello({})], cut },
    { expectGreeting: { kind: "WELCOME" } },
    alive,
  );

// Greetings as they are.
const texts = {
  protocol: "hawser-conformance",
  version: 3,
  accepts: [2, 3],
  limits: {
    maxMessageBytes: 100_000,
    maxPartials: 2,
    maxConversations: 8,
    windowBytes: 1_000,
    eventWindowBytes: 2_000,
    connectionWindowBytes: 1_500,
    maxInputBytes: 250_000,
  },
};
server(
  "WELCOME says what the page lists",
  "welcome-form",
  greet({
    theirs: {
      hawser: 1,
      ...texts,
      session: { $matches: "^[0-9a-f]{32}$" },
      resumed: false,
      received: 0,
      resumeWindowMs: { $type: "number" },
    },
  }),
  alive,
);
client(
  "HELLO says what the page lists",
  "hello-form",
  greet({ theirs: { hawser: [1, 1], ...texts, resume: { $absent: true } } }),
  alive,
);
server(
  "WELCOME has an origin of 32 digits",
  "origin",
  greet({ theirs: { origin: { $matches: "^[0-9a-f]{32}$" } } }),
  alive,
);
server(
  "WELCOME has features, of which none is one that HELLO has not",
  "features",
  greet({ theirs: { features: [] } }),
  alive,
);
client(
  "HELLO has a list of features",
  "features",
  greet({ theirs: { features: { $type: "list" } } }),
  alive,
);
server(
  "WELCOME has a fingerprint of 16 digits or none",
  "fingerprint",
  greet({ theirs: { fingerprint: { $matches: "^(?:[0-9a-f]{16})?$" } } }),
  alive,
);
client(
  "HELLO has a fingerprint of 16 digits or none",
  "fingerprint",
  greet({ theirs: { fingerprint: { $matches: "^(?:[0-9a-f]{16})?$" } } }),
  alive,
);
server(
  "Each WELCOME has another identity",
  "session-new",
  greet({ theirs: { session: { $set: "first" } } }, "one"),
  greet({ theirs: { session: { $not: { $get: "first" } } } }, "two"),
  alive,
);

// What stands in HELLO's place.
for (const kind of [
  "WELCOME",
  "REFUSE",
  "PING",
  "PONG",
  "DRAIN",
  "ACK",
  "REJECT",
  "CREDIT",
  "WINDOW",
  "WANT",
  "MESSAGES",
  "LANE",
  "REQUEST",
  "RESULT",
  "FAIL",
  "CANCEL",
  "STREAM",
  "ITEM",
  "END",
  "EVENT",
  "STOP",
  "00",
  "19",
  "3F",
  "40",
  "7F",
  "81",
]) {
  server(
    `${kind} in HELLO's place is refused with HELLO_INVALID`,
    "hello-first",
    open,
    send(signed, frame(kind, { hex: "00".repeat(8) })),
    refuse("HELLO_INVALID"),
  );
}
for (const length of [0, 1, 4, 16_390, 65_541, 65_542, 0xffff_ffff])
  server(
    `A frame of the length ${length} in HELLO's place is refused with HELLO_INVALID`,
    "hello-length",
    open,
    send(signed, { hex: length.toString(16).padStart(8, "0") + "01" }),
    refuse("HELLO_INVALID"),
  );
server(
  "HELLO of 16 384 bytes is taken",
  "hello-length",
  open,
  send(signed, hello({}, { pad: 16_384 })),
  { expectGreeting: { kind: "WELCOME" } },
  alive,
);
server(
  "HELLO of 16 385 bytes is refused with HELLO_INVALID",
  "hello-length",
  open,
  send(signed, hello({}, { pad: 16_385 })),
  refuse("HELLO_INVALID"),
);
client(
  "WELCOME of 16 384 bytes is taken",
  "hello-length",
  ...called,
  send(signed, welcome({}, { pad: 16_384 })),
  alive,
);
client(
  "WELCOME of 16 385 bytes is a violation",
  "hello-length",
  ...called,
  send(signed, welcome({}, { pad: 16_385 })),
  violation,
);
server(
  "HELLO with an id is refused with HELLO_INVALID",
  "hello-first",
  open,
  send(signed, hello({}, { id: 1 })),
  refuse("HELLO_INVALID"),
);
for (const [what, spec] of [
  ["no JSON", { text: "{" }],
  ["empty", {}],
  ["two objects", { text: "{}{}" }],
  ["a list", { json: [] }],
  ["a text", { json: "hello" }],
  ["a number", { json: 1 }],
  ["null", { json: null }],
  ["an object without members", { json: {} }],
  ["not UTF-8", { hex: "7B22FF223A317D" }],
  ["JSON behind a byte order mark", { hex: "EFBBBF7B7D" }],
  ["JSON with a comment", { text: "{/**/}" }],
  ["JSON with a comma too many", { text: '{"hawser":[1,1],}' }],
  ["JSON with NaN", { text: '{"hawser":NaN}' }],
] as const)
  server(
    `HELLO that is ${what} is refused with HELLO_INVALID`,
    "json",
    open,
    send(signed, frame("HELLO", spec)),
    refuse("HELLO_INVALID"),
  );

// Members of greetings: what each may not be.
const forms: Readonly<Record<string, readonly Json[]>> = {
  protocol: [null, 1, [], {}, true],
  version: [null, 0, -1, 1.5, "3", [3], 2 ** 53, 1],
  accepts: [null, 3, "3", [], [3], [0, 3], [3, 2], ["3", 3], [3.5, 4], [4, 5], [1, 2], {}],
  limits: [null, [], "a", 5],
  messages: [
    null,
    {},
    "a",
    [1],
    [["echo"]],
    [["echo", "request", "json"]],
    [[1, "request", "json", ""]],
    [["echo", "call", "json", ""]],
    [["echo", "request", 1, ""]],
    [["echo", "request", "json", null]],
    [["echo", "request", "json", "0"]],
    [["echo", "request", "json", "ABCDEF0123456789"]],
    [
      ["echo", "request", "json", ""],
      ["echo", "event", "json", ""],
    ],
  ],
};
const limitForms: Readonly<Record<string, readonly Json[]>> = {
  maxMessageBytes: [null, 0, 1_023, 1_024.5, "100000", 2 ** 32],
  maxPartials: [null, 0, -1, "1", 2 ** 32],
  maxConversations: [null, 0, "1", 2 ** 32],
  windowBytes: [null, 0, "1", 2 ** 31],
  eventWindowBytes: [null, -1, "1", 2 ** 31],
  connectionWindowBytes: [null, -1, "1", 2 ** 31],
  maxInputBytes: [null, 0, "1", 2 ** 32],
};
const show = (value: Json): string => {
  const text = JSON.stringify(value);
  return text.length > 70 ? `${text.slice(0, 70)}…` : text;
};
function bad(what: string, rule: string, greeting: Greeting): void {
  server(
    `HELLO ${what} is refused with HELLO_INVALID`,
    rule,
    open,
    send(signed, hello(greeting)),
    refuse("HELLO_INVALID"),
  );
  client(
    `WELCOME ${what} is a violation`,
    rule,
    ...called,
    send(signed, welcome(greeting)),
    violation,
  );
}
for (const [member, values] of Object.entries(forms)) {
  for (const value of values)
    bad(`whose ${member} is ${show(value)}`, "greeting-members", { members: { [member]: value } });
  if (member !== "messages") bad(`without ${member}`, "greeting-members", { without: [member] });
}
for (const [limit, values] of Object.entries(limitForms)) {
  for (const value of values)
    bad(`whose limit ${limit} is ${show(value)}`, "limits", { limits: { [limit]: value } });
  if (!["connectionWindowBytes", "maxInputBytes"].includes(limit)) {
    const others = Object.fromEntries(
      Object.entries(runnerLimits).filter(([name]) => name !== limit),
    );
    bad(`without the limit ${limit}`, "limits", { members: { limits: others } });
  }
}
for (const value of [null, 0, -1, "1", 2 ** 31])
  bad(`whose limit laneWindowBytes is ${show(value)}`, "limits lanes", {
    limits: { laneWindowBytes: value },
  });
for (const value of [
  null,
  {},
  "a",
  [1],
  [""],
  ["a".repeat(65)],
  ["a", "a"],
  Array.from({ length: 33 }, (_, n) => `f${n}`),
] as Json[])
  bad(`whose features are ${show(value)}`, "features", { members: { features: value } });
for (const value of [null, 1, "0", "ABCDEF0123456789", "0123456789abcdef0"] as Json[])
  bad(`whose fingerprint is ${show(value)}`, "fingerprint", { members: { fingerprint: value } });
for (const value of [
  null,
  1,
  "a",
  [],
  {},
  { session: "00".repeat(16) },
  { received: 0 },
  { session: "AB".repeat(16), received: 0 },
  { session: "0".repeat(31), received: 0 },
  { session: "00".repeat(16), received: -1 },
  { session: "00".repeat(16), received: 0.5 },
  { session: "00".repeat(16), received: "0" },
  { session: "00".repeat(16), received: 2 ** 53 },
  { session: null, received: 0 },
] as Json[]) {
  server(
    `HELLO whose resume is ${show(value)} is refused with HELLO_INVALID`,
    "greeting-members",
    open,
    send(signed, hello({ members: { resume: value } })),
    refuse("HELLO_INVALID"),
  );
}
for (const [member, values] of Object.entries({
  session: [null, 1, "0".repeat(31), "AB".repeat(16)],
  resumed: [null, 0, "false"],
  received: [null, -1, 0.5, "0", 1],
  resumeWindowMs: [null, -1, "0", 2 ** 32, 0.5],
}) as [string, Json[]][]) {
  for (const value of values)
    client(
      `WELCOME whose ${member} is ${show(value)} is a violation`,
      "greeting-members",
      ...called,
      send(signed, welcome({ members: { [member]: value } })),
      violation,
    );
  client(
    `WELCOME without ${member} is a violation`,
    "greeting-members",
    ...called,
    send(signed, welcome({ without: [member] })),
    violation,
  );
}
for (const value of [null, 1, "0".repeat(31), "AB".repeat(16)] as Json[])
  client(
    `WELCOME whose origin is ${show(value)} is a violation`,
    "origin",
    ...called,
    send(signed, welcome({ members: { origin: value } })),
    violation,
  );
client(
  "WELCOME with resumed: true, where the client asked for nothing, is a violation",
  "greeting-members",
  ...called,
  send(signed, welcome({ members: { resumed: true } })),
  violation,
);

// What greetings may be.
for (const [what, greeting, more] of [
  ["with members that are not known", { members: { more: 1, hawserNext: { a: [] } } }, {}],
  ["with limits that are not known", { limits: { maxMore: "a" } }, {}],
  [
    "with the smallest limits",
    {
      members: {
        limits: {
          maxMessageBytes: 1_024,
          maxPartials: 1,
          maxConversations: 1,
          windowBytes: 1,
          eventWindowBytes: 0,
          connectionWindowBytes: 0,
          maxInputBytes: 1,
        },
      },
    },
    {},
  ],
  [
    "with the largest limits",
    {
      members: {
        limits: {
          maxMessageBytes: 2 ** 32 - 1,
          maxPartials: 2 ** 32 - 1,
          maxConversations: 2 ** 32 - 1,
          windowBytes: 2 ** 31 - 1,
          eventWindowBytes: 2 ** 31 - 1,
          connectionWindowBytes: 2 ** 31 - 1,
          maxInputBytes: 2 ** 32 - 1,
        },
      },
    },
    {},
  ],
  [
    "without the limits that are optional",
    {
      members: {
        limits: {
          maxMessageBytes: 100_000,
          maxPartials: 4,
          maxConversations: 8,
          windowBytes: 1_000,
          eventWindowBytes: 2_000,
        },
      },
    },
    {},
  ],
  ["with a version written 3.0", {}, { replace: [['"version":3', '"version":3.0']] }],
  ["with a version written 3e0", {}, { replace: [['"version":3', '"version":3e0']] }],
  [
    "with a limit written 1.0e5",
    {},
    { replace: [['"maxMessageBytes":100000', '"maxMessageBytes":1.0e5']] },
  ],
  ["with white space", {}, { replace: [['"version":3', ' \t"version" :\r\n 3 ']] }],
  ["with escapes", {}, { replace: [['"protocol":"hawser', '"\\u0070rotocol":"\\u0068awser']] }],
  [
    "with a member twice, the last of which is right",
    {},
    { replace: [['"version":3', '"version":99,"version":3']] },
  ],
  [
    "with more in the entries of its list",
    {
      members: {
        messages: messageList.map((entry) => [...(entry as readonly Json[]), { more: true }]),
      },
    },
    {},
  ],
  [
    "with a digest on its side alone",
    {
      members: {
        messages: messageList.map((entry) =>
          (entry as readonly Json[])[0] === "echo"
            ? ["echo", "request", "json", "0123456789abcdef"]
            : entry,
        ),
      },
    },
    {},
  ],
] as const) {
  server(
    `HELLO ${what} is taken`,
    "greeting-taken",
    open,
    send(signed, hello(greeting, more)),
    { expectGreeting: { kind: "WELCOME" } },
    alive,
  );
  client(
    `WELCOME ${what} is taken`,
    "greeting-taken",
    ...called,
    send(signed, welcome(greeting, more)),
    alive,
  );
}
for (const auth of [null, true, 1, "a", [], { user: "a" }, { deep: [[[[[[]]]]]] }] as Json[])
  server(`HELLO whose auth is ${show(auth)} is taken`, "auth", greet({ members: { auth } }), alive);
server(
  "HELLO whose unknown members nest 60 deep is taken",
  "json-depth",
  greet({ members: { more: JSON.parse(`${"[".repeat(59)}${"]".repeat(59)}`) as Json } }),
  alive,
);
server(
  "HELLO that nests 8 000 deep does no harm",
  "json-depth",
  open,
  send(
    signed,
    hello(
      { members: { more: 0 } },
      { replace: [['"more":0', `"more":${"[".repeat(7_000)}${"]".repeat(7_000)}`]] },
    ),
  ),
  lose,
  greet({}, "another"),
  alive,
);

// Versions of the page.
for (const [what, value] of [
  ["1", 1],
  ["[]", []],
  ["[1]", [1]],
  ["null", null],
  ['"1"', "1"],
  ["[0,1]", [0, 1]],
  ["[2,1]", [2, 1]],
  ["[1.5,2]", [1.5, 2]],
  ['["1",1]', ["1", 1]],
  ["{}", {}],
] as const)
  server(
    `HELLO whose hawser is ${what} is refused with HELLO_INVALID`,
    "hawser",
    open,
    send(signed, hello({ members: { hawser: value } })),
    refuse("HELLO_INVALID"),
  );
server(
  "HELLO without hawser is refused with HELLO_INVALID",
  "hawser",
  open,
  send(signed, hello({ without: ["hawser"] })),
  refuse("HELLO_INVALID"),
);
for (const value of [
  [2, 2],
  [2, 3],
  [7, 2 ** 53 - 1],
] as const)
  server(
    `HELLO of the versions ${value.join(" to ")} of the page is refused with VERSION_UNSUPPORTED`,
    "hawser",
    open,
    send(signed, hello({ members: { hawser: value } })),
    refuse("VERSION_UNSUPPORTED"),
  );
for (const value of [
  [1, 1],
  [1, 2],
  [1, 2 ** 53 - 1],
] as const)
  server(
    `HELLO of the versions ${value.join(" to ")} of the page is taken, and WELCOME says 1`,
    "hawser",
    greet({ members: { hawser: value }, theirs: { hawser: 1 } }),
    alive,
  );
server(
  "HELLO of another version of the page is refused with VERSION_UNSUPPORTED, whatever else it " +
    "lacks",
  "hawser-first",
  open,
  send(signed, frame("HELLO", { json: { hawser: [2, 2] } })),
  refuse("VERSION_UNSUPPORTED"),
);
server(
  "HELLO of another version of the page is refused with VERSION_UNSUPPORTED, whatever form its " +
    "members have",
  "hawser-first",
  open,
  send(
    signed,
    hello({ members: { hawser: [2, 2], protocol: 1, limits: null, messages: {}, features: null } }),
  ),
  refuse("VERSION_UNSUPPORTED"),
);
for (const value of [2, 3])
  client(
    `WELCOME of the version ${value} of the page ends the session with VERSION_UNSUPPORTED`,
    "hawser",
    ...called,
    send(signed, welcome({ members: { hawser: value } })),
    close("VERSION_UNSUPPORTED"),
  );
for (const value of [null, 0, -1, 1.5, "1", [1, 1]] as Json[])
  client(
    `WELCOME whose hawser is ${show(value)} is a violation`,
    "hawser",
    ...called,
    send(signed, welcome({ members: { hawser: value } })),
    violation,
  );
client(
  "WELCOME of another version of the page ends the session with VERSION_UNSUPPORTED, whatever " +
    "else it lacks",
  "hawser-first",
  ...called,
  send(signed, frame("WELCOME", { json: { hawser: 2 } })),
  close("VERSION_UNSUPPORTED"),
);
server(
  "HELLO without features is refused as one of a draft, with VERSION_UNSUPPORTED",
  "features-draft",
  open,
  send(signed, hello({ without: ["features"] })),
  refuse("VERSION_UNSUPPORTED"),
);
client(
  "WELCOME without features is one of a draft, and ends the session with VERSION_UNSUPPORTED",
  "features-draft",
  ...called,
  send(signed, welcome({ without: ["features"] })),
  close("VERSION_UNSUPPORTED"),
);
server(
  "Features that the server does not know are not taken",
  "features",
  greet({ members: { features: ["zebra", "a".repeat(64)] }, theirs: { features: [] } }),
  alive,
);
server(
  "A client may offer 32 features",
  "features",
  greet({ members: { features: Array.from({ length: 32 }, (_, n) => `f${n}`) } }),
  alive,
);

// Versions of the contract.
for (const [what, members, fits] of [
  ["version 2 that accepts 1 to 2", { version: 2, accepts: [1, 2] }, true],
  ["version 2 that accepts 2", { version: 2, accepts: [2, 2] }, true],
  ["version 4 that accepts 3 to 4", { version: 4, accepts: [3, 4] }, true],
  ["version 4 that accepts 4", { version: 4, accepts: [4, 4] }, false],
  ["version 1 that accepts 1 to 3", { version: 1, accepts: [1, 3] }, false],
  ["version 1 that accepts 1", { version: 1, accepts: [1, 1] }, false],
  ["version 9 that accepts 1 to 9", { version: 9, accepts: [1, 9] }, true],
  ["version 3 that accepts 3 to 8", { version: 3, accepts: [3, 8] }, true],
] as const) {
  if (fits) {
    server(`A client of ${what} is welcome`, "versions", greet({ members }), ...echo("mine1"));
    client(`A server of ${what} is taken`, "versions", greet({ members }), ...echo("mine1"));
  } else {
    server(
      `A client of ${what} is refused with PROTOCOL_MISMATCH`,
      "versions",
      open,
      send(signed, hello({ members })),
      refuse("PROTOCOL_MISMATCH"),
    );
    client(
      `A server of ${what} ends the session with PROTOCOL_MISMATCH`,
      "versions",
      ...called,
      send(signed, welcome({ members })),
      close("PROTOCOL_MISMATCH"),
    );
  }
}
for (const protocol of ["other", "", "hawser-conformance ", "Hawser-conformance", "toString"]) {
  server(
    `A client of the contract ${JSON.stringify(protocol)} is refused with PROTOCOL_MISMATCH`,
    "versions",
    open,
    send(signed, hello({ members: { protocol } })),
    refuse("PROTOCOL_MISMATCH"),
  );
  client(
    `A server of the contract ${JSON.stringify(protocol)} ends the session with PROTOCOL_MISMATCH`,
    "versions",
    ...called,
    send(signed, welcome({ members: { protocol } })),
    close("PROTOCOL_MISMATCH"),
  );
}
const without = (name: string): Json =>
  messageList.filter((entry) => (entry as readonly Json[])[0] !== name);
const changed = (name: string, ...entry: Json[]): Json =>
  messageList.map((one) => ((one as readonly Json[])[0] === name ? entry : one));
for (const [what, messages] of [
  ["lacks a message", without("echo")],
  ["has one more", [...messageList, ["more", "event", "json", ""]]],
  ["has another type", changed("echo", "echo", "event", "json", "")],
  ["has another codec", changed("echo", "echo", "request", "text", "")],
  ["has another digest", changed("strict", "strict", "request", "json", "0000000000000000")],
  ["has no messages", []],
] as const) {
  server(
    `A list of the same version that ${what} is refused with CONTRACT_DIFFERS`,
    "contract-differs",
    open,
    send(signed, hello({ members: { messages } })),
    refuse("CONTRACT_DIFFERS"),
  );
  client(
    `A server's list of the same version that ${what} ends the session with CONTRACT_DIFFERS`,
    "contract-differs",
    ...called,
    send(signed, welcome({ members: { messages } })),
    close("CONTRACT_DIFFERS"),
  );
  server(
    `A list of another version that ${what} is taken`,
    "contract-other-version",
    greet({ members: { messages, version: 2, accepts: [2, 2] } }),
    alive,
  );
}

// Who is let in, and in which order it is judged.
server(
  "A client that the server's program refuses is told AUTH_REFUSED",
  "auth",
  open,
  send(signed, hello({ members: { auth: { refuse: true } } })),
  refuse("AUTH_REFUSED"),
);
server(
  "A client that the server's program sends away is told OVERLOADED",
  "auth",
  open,
  send(signed, hello({ members: { auth: { busy: true } } })),
  refuse("OVERLOADED"),
);
server(
  "Another contract is told before auth is judged",
  "judgement-order",
  open,
  send(signed, hello({ members: { auth: { refuse: true }, protocol: "other" } })),
  refuse("PROTOCOL_MISMATCH"),
);
server(
  "The form of HELLO is told before another contract",
  "judgement-order",
  open,
  send(signed, hello({ members: { protocol: "other", limits: null } })),
  refuse("HELLO_INVALID"),
);
server(
  "auth is judged before the lists are compared",
  "judgement-auth",
  open,
  send(signed, hello({ members: { auth: { refuse: true }, messages: [] } })),
  refuse("AUTH_REFUSED"),
);

// REFUSE and CLOSE for the client.
for (const code of [
  "AUTH_REFUSED",
  "VERSION_UNSUPPORTED",
  "PROTOCOL_MISMATCH",
  "CONTRACT_DIFFERS",
  "HELLO_INVALID",
  "SOMETHING_NEW",
]) {
  client(
    `A client that is refused with ${code} ends the stream without CLOSE`,
    "refused",
    ...called,
    send(signed, frame("REFUSE", { json: { code, message: "" } })),
    end,
  );
}
for (const code of ["OVERLOADED", "DRAINING"])
  client(
    `A client that is refused with ${code} tries again`,
    "refused",
    ...called,
    send(signed, frame("REFUSE", { json: { code, message: "" } })),
    end,
    greet(),
    alive,
  );
client(
  "A CLOSE in WELCOME's place is as a REFUSE",
  "refused",
  ...called,
  send(signed, frame("CLOSE", { json: { code: "AUTH_REFUSED", message: "" } })),
  end,
);
for (const [what, spec] of [
  ["no JSON", { text: "{}x" }],
  ["a list", { json: [] }],
  ["without a code", { json: { message: "" } }],
] as const)
  client(
    `A REFUSE that is ${what} ends the stream without CLOSE`,
    "refused",
    ...called,
    send(signed, frame("REFUSE", spec)),
    finish,
    end,
  );

// What stands in WELCOME's place.
for (const kind of [
  "HELLO",
  "PING",
  "PONG",
  "DRAIN",
  "ACK",
  "REJECT",
  "CREDIT",
  "WINDOW",
  "REQUEST",
  "RESULT",
  "FAIL",
  "CANCEL",
  "STREAM",
  "ITEM",
  "END",
  "EVENT",
  "LANE",
  "STOP",
  "00",
  "19",
  "3F",
  "82",
]) {
  client(
    `${kind} in WELCOME's place is a violation`,
    "welcome-first",
    ...called,
    send(signed, frame(kind, { hex: "00".repeat(8) })),
    violation,
  );
}
for (const length of [0, 4, 16_390, 65_542, 0xffff_ffff])
  client(
    `A frame of the length ${length} in WELCOME's place is a violation`,
    "hello-length",
    ...called,
    send(signed, { hex: length.toString(16).padStart(8, "0") + "02" }),
    violation,
  );
for (const [what, spec] of [
  ["no JSON", { text: "{" }],
  ["a list", { json: [] }],
  ["null", { json: null }],
  ["an object without members", { json: {} }],
  ["not UTF-8", { hex: "7B22FF223A317D" }],
  ["JSON behind a byte order mark", { hex: "EFBBBF7B7D" }],
] as const)
  client(
    `WELCOME that is ${what} is a violation`,
    "json",
    ...called,
    send(signed, frame("WELCOME", spec)),
    violation,
  );
client(
  "WELCOME twice is a violation",
  "handshake-frames",
  ...called,
  send(signed, welcome({}), welcome({})),
  violation,
);
for (const kind of ["40", "7F", "C5"]) {
  client(
    `The ignorable kind ${kind} before WELCOME is ignored`,
    "ignorable",
    ...called,
    send(signed, frame(kind, { id: 9, fill: 200 }), welcome({})),
    alive,
  );
  client(
    `The ignorable kind ${kind} of 16 385 bytes before WELCOME is a violation`,
    "ignorable",
    ...called,
    send(signed, frame(kind, { fill: 16_385 })),
    violation,
  );
}
client(
  "An ignorable frame of 16 384 bytes before WELCOME is ignored",
  "ignorable",
  ...called,
  send(signed, frame("66", { fill: 16_384 }), welcome({})),
  alive,
);

// Lists apart.
const unlisted: Greeting = { without: ["messages"] };
const listed = frame("MESSAGES", { json: messageList });
const wanted: readonly Step[] = [
  open,
  send(signed, hello(unlisted)),
  { expectGreeting: { kind: "WANT" } },
];
server(
  "A server that knows no list asks for it with WANT, and takes MESSAGES",
  "want",
  ...wanted,
  send(listed),
  expect({ kind: "WELCOME" }),
  alive,
);
server(
  "MESSAGES may come in pieces",
  "want",
  ...wanted,
  send(frame("MESSAGES", { json: messageList, pieces: [1, 100, 7] })),
  expect({ kind: "WELCOME" }),
  alive,
  ...echo("mine1"),
);
server(
  "MESSAGES with another list is refused with CONTRACT_DIFFERS",
  "want",
  ...wanted,
  send(frame("MESSAGES", { json: [] })),
  refuse("CONTRACT_DIFFERS"),
);
for (const [what, spec] of [
  ["no JSON", { text: "[" }],
  ["an object", { json: {} }],
  ["empty", {}],
  ["a list of what is none", { json: [1] }],
  [
    "a list with a name twice",
    {
      json: [
        ["a", "event", "json", ""],
        ["a", "event", "json", ""],
      ],
    },
  ],
] as const)
  server(
    `MESSAGES that is ${what} is refused with HELLO_INVALID`,
    "want",
    ...wanted,
    send(frame("MESSAGES", spec)),
    refuse("HELLO_INVALID"),
  );
server(
  "A piece of MESSAGES of 16 385 bytes is refused with HELLO_INVALID",
  "want",
  ...wanted,
  send(frame("MESSAGES", { fill: 16_385, more: true })),
  refuse("HELLO_INVALID"),
);
server(
  "MESSAGES of more than 1 048 576 bytes is refused with HELLO_INVALID",
  "want",
  ...wanted,
  send(frame("MESSAGES", { text: " ".repeat(16_384), more: true, times: 65 })),
  refuse("HELLO_INVALID"),
);
server(
  "An empty piece of MESSAGES is refused with HELLO_INVALID",
  "want",
  ...wanted,
  send(frame("MESSAGES", { more: true })),
  refuse("HELLO_INVALID"),
);
for (const [kind, spec] of [
  ["PING", { hex: "00".repeat(8) }],
  ["REQUEST", { id: 1, name: 0, json: 1 }],
  ["HELLO", { json: {} }],
  ["DRAIN", {}],
  ["WANT", {}],
] as const)
  server(
    `${kind} in place of MESSAGES is refused with HELLO_INVALID`,
    "want",
    ...wanted,
    send(frame(kind, spec)),
    refuse("HELLO_INVALID"),
  );
server("A stream that ends in place of MESSAGES ends", "want", ...wanted, finish, end);
server(
  "Equal fingerprints stand for equal lists: neither side sends its own",
  "fingerprint",
  greet({}, "one"),
  greet(
    {
      members: { fingerprint: "${fingerprint}" },
      without: ["messages"],
      theirs: { messages: { $absent: true } },
    },
    "two",
  ),
  alive,
);
client(
  "A client asked with WANT answers with MESSAGES",
  "want",
  ...called,
  send(signed, frame("WANT")),
  expect({ kind: "MESSAGES" }),
  send(welcome({})),
  alive,
);
client(
  "WANT twice is a violation",
  "want",
  ...called,
  send(signed, frame("WANT"), frame("WANT")),
  violation,
);
client(
  "WANT with a payload is a violation",
  "want",
  ...called,
  send(signed, frame("WANT", { hex: "00" })),
  violation,
);
client(
  "The server's list may come in MESSAGES before WELCOME",
  "want",
  ...called,
  send(signed, listed, welcome(unlisted)),
  alive,
);
client(
  "The server's list may come in pieces of MESSAGES before WELCOME",
  "want",
  ...called,
  send(signed, frame("MESSAGES", { json: messageList, pieces: [300, 2] }), welcome(unlisted)),
  alive,
);
client(
  "MESSAGES twice is a violation",
  "want",
  ...called,
  send(signed, listed, listed, welcome(unlisted)),
  violation,
);
client(
  "WELCOME with another fingerprint and no list is a violation",
  "want",
  ...called,
  send(signed, welcome({ members: { fingerprint: "0000000000000000" }, without: ["messages"] })),
  violation,
);
for (const [what, spec] of [
  ["no JSON", { text: "[" }],
  ["an object", { json: {} }],
  ["a list of what is none", { json: [1] }],
] as const)
  client(
    `MESSAGES from the server that is ${what} is a violation`,
    "want",
    ...called,
    send(signed, frame("MESSAGES", spec), welcome(unlisted)),
    violation,
  );
client(
  "A piece of the server's MESSAGES of 16 385 bytes is a violation",
  "want",
  ...called,
  send(signed, frame("MESSAGES", { fill: 16_385, more: true })),
  violation,
);
client(
  "MESSAGES of more than 1 048 576 bytes from the server is a violation",
  "want",
  ...called,
  send(signed, frame("MESSAGES", { text: " ".repeat(16_384), more: true, times: 65 })),
  violation,
);

// After the handshake.
server(
  "A client may call at once behind WELCOME",
  "ready",
  greet(),
  send(request("mine1", "echo", 1), stream("mine2", "count", { to: 0 })),
  { expect: [result("mine1", 1), { kind: "END", id: "mine2" }], anyOrder: true },
  alive,
);
client(
  "A server may call at once behind WELCOME",
  "ready",
  ...called,
  send(signed, welcome({}), request("mine1", "echo", 1)),
  expect(result("mine1", 1)),
  alive,
);
