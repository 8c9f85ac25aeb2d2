// conformance/schemas: what the engine writes in JSON is what they describe, and what it refuses to
// read is not.
import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { HawserError } from "../../src/errors.ts";
import {
  formatCancellation,
  formatClosing,
  formatFailure,
  readCancellation,
  readFailure,
} from "../../src/session/frames/failure.ts";
import { readHello, readWelcome } from "../../src/session/handshake/hello.ts";
import { utf8Encode } from "../../src/bytes/utf8-write.ts";
import {
  frame,
  framesOf,
  hello,
  joined,
  KIND,
  SIGNATURE,
  waitingClient,
  welcome,
} from "./by-hand.ts";
import { echo, End, entryOf, greet } from "./ends.ts";

const names = ["hello", "welcome", "messages", "closing", "failure", "cancel"] as const;
const ajv = new Ajv2020({
  strict: true,
  allowUnionTypes: true,
  strictRequired: false,
  strictTypes: false,
  strictTuples: false,
});
for (const name of names)
  ajv.addSchema(
    JSON.parse(
      readFileSync(
        new URL(`../../../../conformance/schemas/${name}.json`, import.meta.url),
        "utf8",
      ),
    ) as object,
  );
const form = (name: (typeof names)[number]): ValidateFunction =>
  ajv.getSchema(`${name}.json`) as ValidateFunction; // it was added

function fits(name: (typeof names)[number], text: string): boolean {
  return form(name)(JSON.parse(text));
}

/** The payload of the first frame of a kind. */
function payloadOf(bytes: Uint8Array, kind: string): string {
  return framesOf(bytes).find((each) => each.kind === kind)?.text ?? "null";
}

describe("the schemas describe", () => {
  test("what a client and a server greet with", () => {
    const client = new End("client");
    client.session.attach(client.output, 0, { token: "t" });
    const said = client.take();
    const server = new End("server");
    server.session.welcome(
      server.output,
      greet(server.kind, joined(SIGNATURE, frame(KIND.HELLO, 0, hello()))).hello,
      false,
      0,
    );
    const answered = server.take().subarray(8);
    expect([
      fits("hello", payloadOf(said.subarray(8), "HELLO")),
      fits("welcome", payloadOf(answered, "WELCOME")),
    ]).toEqual([true, true]);
    const asked = waitingClient();
    asked.session.receive(joined(SIGNATURE, frame(KIND.WANT, 0)), 0);
    expect(fits("messages", payloadOf(asked.take(), "MESSAGES"))).toBe(true);
    expect([fits("hello", hello()), fits("welcome", welcome())]).toEqual([true, true]);
  });

  test("how sessions end and calls fail", () => {
    const errors = [
      new HawserError("CALL_CANCELLED", "x"),
      new HawserError("INPUT_INVALID", "x", { path: ["a", 0], origin: "remote" }),
      new HawserError("HANDLER_FAILED", "x"),
      new HawserError("DEADLINE_EXCEEDED", "x"),
    ];
    for (const error of errors) expect(fits("failure", formatFailure(error))).toBe(true);
    expect(fits("failure", '{"code":"NAMED","message":"","name":"rude","payload":[1]}')).toBe(true);
    expect([
      fits("cancel", formatCancellation(new HawserError("DEADLINE_EXCEEDED", "x"))),
      fits("closing", formatClosing("NORMAL", "")),
    ]).toEqual([true, true]);
  });
});

describe("what the schemas refuse, the engine refuses to read:", () => {
  const limits = (JSON.parse(hello()) as { limits: object }).limits;
  const members: [string, object][] = [
    ["a hawser that is a text", { hawser: "1" }],
    ["a protocol that is a number", { protocol: 7 }],
    ["version 0", { version: 0 }],
    ["a version of 1.5", { version: 1.5 }],
    ["accepts of one", { accepts: [1] }],
    ["accepts from 0", { accepts: [0, 1] }],
    ["features that are a text", { features: "a" }],
    ["an empty feature", { features: [""] }],
    ["a feature twice", { features: ["a", "a"] }],
    ["33 features", { features: Array.from({ length: 33 }, (_, at) => String(at)) }],
    ["a fingerprint of 15 digits", { fingerprint: "0".repeat(15) }],
    ["messages that are an object", { messages: {} }],
    ["a message of three", { messages: [["a", "event", "json"]] }],
    ["a message of another type", { messages: [["a", "call", "json", ""]] }],
    ["a digest in capitals", { messages: [["a", "event", "json", "ABCDEF0123456789"]] }],
    ["no limits", { limits: undefined }],
    ["a limit below the smallest", { limits: { ...limits, maxMessageBytes: 1_023 } }],
    ["a lane window of 0", { limits: { ...limits, laneWindowBytes: 0 } }],
    ["a window above the largest", { limits: { ...limits, windowBytes: 2 ** 31 } }],
  ];
  test.each(members)("greetings with %s", (_, change) => {
    const [one, other] = [hello(change), welcome(change)];
    expect([fits("hello", one), fits("welcome", other)]).toEqual([false, false]);
    const [read, answered] = [utf8Encode(one), utf8Encode(other)];
    expect([readHello(read, 0, read.length), readWelcome(answered, 0, answered.length)]).toEqual([
      expect.any(HawserError),
      expect.any(HawserError),
    ]);
  });

  test.each<[string, object]>([
    ["an identity of 31 digits", { session: "0".repeat(31) }],
    ["no origin", { origin: undefined }],
    ["resumed that is a number", { resumed: 1 }],
    ["received below 0", { received: -1 }],
    ["resumeWindowMs above 2^32", { resumeWindowMs: 2 ** 32 }],
  ])("a WELCOME with %s", (_, change) => {
    const text = welcome(change);
    const bytes = utf8Encode(text);
    expect([fits("welcome", text), readWelcome(bytes, 0, bytes.length)]).toEqual([
      false,
      expect.any(HawserError),
    ]);
  });

  test.each(["[]", "{}", '{"code":1,"message":""}', '{"code":"CANCELLED"}'])(
    "a FAIL and a CANCEL of %s",
    (text) => {
      const bytes = utf8Encode(text);
      const entry = entryOf(new End("client").kind, echo.messages[0]?.name ?? "");
      expect([
        fits("failure", text),
        fits("cancel", text),
        fits("closing", text),
        readFailure(entry, bytes, 0, bytes.length),
        readCancellation(bytes, 0, bytes.length),
      ]).toEqual([false, false, false, null, null]);
    },
  );

  test.each([
    '{"code":"NAMED","message":""}',
    '{"code":"INPUT_INVALID","message":"","path":"a"}',
    '{"code":"INPUT_INVALID","message":"","path":[-1]}',
  ])("a FAIL of %s", (text) => {
    const bytes = utf8Encode(text);
    expect([
      fits("failure", text),
      readFailure(entryOf(new End("client").kind, "say"), bytes, 0, bytes.length),
    ]).toEqual([false, null]);
  });
});
