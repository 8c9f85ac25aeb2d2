import { describe, expect, test } from "vitest";
import { checkNone, checkOptions, describeValue, nearestName } from "../src/arguments.ts";
import { nativeSessions, resolveFrameLimits } from "../src/engine.ts";
import * as protocol from "../src/mod.ts";
import { verifyFraming } from "../src/testing/mod.ts";

const {
  bytes,
  cobs,
  contentLength,
  decodeChunks,
  defineFraming,
  delimited,
  describeProtocol,
  dotStuffed,
  encodeFrames,
  fixedLength,
  json,
  jsonRpc,
  jsonSequence,
  lengthPrefixed,
  libraryCodec,
  lines,
  mllp,
  netstring,
  octetCounted,
  raw,
  slip,
  text,
  type,
  varintPrefixed,
  wire,
} = protocol;

/** Values that are of no use as an object of options. */
const notOptions: readonly unknown[] = [
  null,
  0,
  4,
  NaN,
  true,
  "",
  "crlf",
  Symbol("s"),
  1n,
  () => ({}),
  [],
  ["a"],
  new Uint8Array(2),
];
/** Values that are neither text nor bytes. */
const notBytes: readonly unknown[] = [
  undefined,
  null,
  0,
  44,
  300,
  NaN,
  true,
  1n,
  Symbol("s"),
  () => "a",
  [],
  [44],
  [",", ";"],
  ["\n"],
  {},
  { length: 1, 0: 44 },
  new ArrayBuffer(2),
  new Uint16Array([44]),
  new DataView(new ArrayBuffer(1)),
  new String(","),
  /,/,
  "\ud800",
  "a\udc00b",
];
const notFramings: readonly unknown[] = [
  undefined,
  null,
  4,
  "lines",
  lines,
  [],
  {},
  { name: "x" },
  { decoder: () => 0, encoder: () => 0 },
  text(),
  new Uint8Array(1),
  Symbol("s"),
];
const notCodecs: readonly unknown[] = [
  undefined,
  null,
  4,
  "text",
  text,
  json,
  [],
  {},
  { encode: () => 0, decode: () => 0 },
  lines(),
  new Uint8Array(1),
  Symbol("s"),
];
const notContracts: readonly unknown[] = [
  undefined,
  null,
  4,
  "desk",
  protocol.defineProtocol,
  [],
  {},
  { name: "desk", version: 1 },
  lines(),
];

const desk = protocol.defineProtocol({ name: "desk", version: 1, requests: { add: {} } });

/** A function of the public interface, with an argument of the wrong shape in one of its places. */
type Wrong = readonly [name: string, call: (value: never) => unknown, values: readonly unknown[]];

const factories: readonly Wrong[] = [
  ...Object.entries({ bytes, lengthPrefixed, lines, mllp, slip }).map(([name, factory]): Wrong => [
    name,
    factory as Wrong[1],
    notOptions,
  ]),
  ...Object.entries({
    cobs,
    contentLength,
    dotStuffed,
    json,
    jsonSequence,
    netstring,
    octetCounted,
    raw,
    text,
    type,
    varintPrefixed,
  }).map(([name, factory]): Wrong => [name, factory as Wrong[1], notOptions]),
  ["delimited", delimited, notBytes],
  [
    "fixedLength",
    fixedLength,
    [undefined, null, "4", NaN, 1.5, 0, -1, 2 ** 31, Infinity, 4n, true, [4], {}, Symbol("s")],
  ],
  ["defineFraming", defineFraming, [undefined, ...notOptions, {}, lines]],
  [
    "libraryCodec",
    (library: never) => libraryCodec("msgpack", library),
    [undefined, null, 4, "msgpack", true, [], {}, () => 0, Symbol("s")],
  ],
  [
    "libraryCodec's name",
    (name: never) => libraryCodec(name, { encode: () => new Uint8Array(), decode: () => 0 }),
    [undefined, null, 4, "", [], {}, Symbol("s")],
  ],
  [
    "wire",
    wire,
    [undefined, ...notOptions, {}, lines(), text(), { framing: lines() }, { codec: text() }],
  ],
  ["wire's framing", (framing: never) => wire({ framing, codec: text() }), notFramings],
  ["wire's codec", (codec: never) => wire({ framing: lines(), codec }), notCodecs],
  [
    "wire's sentinel",
    (sentinel: never) => wire({ framing: lines(), codec: text(), sentinel }),
    notBytes.slice(1),
  ],
  [
    "wire's suffix",
    (suffix: never) => wire({ framing: raw(), codec: text(), sentinel: { suffix } }),
    notBytes,
  ],
  [
    "wire's escape",
    (escape: never) => wire({ framing: lines(), codec: text(), sentinel: "exit", escape }),
    notBytes.slice(1),
  ],
  ["decodeChunks' framing", (framing: never) => decodeChunks(framing, []), notFramings],
  [
    "decodeChunks' chunks",
    (chunks: never) => decodeChunks(lines(), chunks),
    [undefined, null, 4, "text", new Uint8Array(3), [1], ["a"], [null], [new ArrayBuffer(2)]],
  ],
  [
    "decodeChunks' limits",
    (limits: never) => decodeChunks(lines(), [], limits),
    [...notOptions, { maxFrameByte: 3 }],
  ],
  ["encodeFrames' framing", (framing: never) => encodeFrames(framing, []), notFramings],
  [
    "encodeFrames' payloads",
    (payloads: never) => encodeFrames(lines(), payloads),
    [undefined, null, 4, "text", new Uint8Array(3), [1], ["a"], [null]],
  ],
  [
    "resolveFrameLimits",
    resolveFrameLimits,
    [
      ...notOptions,
      { maxFrameByte: 3 },
      { maxFrameBytes: "3" },
      { onOversize: 1 },
      Object.freeze({ maxFrameBytes: 3, onOversize: "drop" }),
    ],
  ],
  ["jsonRpc's contract", (contract: never) => jsonRpc(contract), notContracts],
  [
    "jsonRpc's options",
    (options: never) => jsonRpc(desk, options),
    [...notOptions, { frame: lines() }],
  ],
  ["jsonRpc's framing", (framing: never) => jsonRpc(desk, { framing }), notFramings.slice(1)],
  ["jsonRpc's downgrade", (downgrade: never) => jsonRpc(desk, { downgrade }), [null, 1, "yes", {}]],
  ["jsonRpc's errorCodes", (errorCodes: never) => jsonRpc(desk, { errorCodes }), [null, 1, "x"]],
  ["nativeSessions", nativeSessions, notContracts],
  ["describeProtocol", describeProtocol, notContracts],
  [
    "verifyFraming's framing",
    (framing: never) => {
      verifyFraming(framing, [new Uint8Array(1)]);
    },
    notFramings,
  ],
  [
    "verifyFraming's options",
    (options: never) => {
      verifyFraming(lines(), [new Uint8Array(1)], options);
    },
    [...notOptions, { sed: 1 }],
  ],
];

describe.each(factories)("%s()", (_name, call, values) => {
  test.each(values.map((value) => [describeValue(value), value] as const))(
    "refuses %s with a TypeError or RangeError that says what it takes",
    (_text, value) => {
      const attempt = (): unknown => call(value as never);
      expect(attempt).toThrow(/^.+ (?:takes?|is|use|without|can't|no|needs|not iterable)\b/s);
      const error = caught(attempt);
      expect(error instanceof TypeError || error instanceof RangeError, String(error)).toBe(true);
      expect((error as Error).message).not.toMatch(
        /^Cannot (?:read|destructure|convert)|is not a function|of undefined|of null/,
      );
    },
  );
});

test.each<[string, (options: never) => unknown, string, string]>([
  ["lines", lines, "endign", "ending"],
  ["slip", slip, "leadingend", "leadingEnd"],
  ["mllp", mllp, "skipbetween", "skipBetween"],
  ["lengthPrefixed", lengthPrefixed, "byte", "bytes"],
  ["bytes", bytes, "cpoy", "copy"],
  [
    "wire",
    (more: object) => wire({ framing: lines(), codec: text(), ...more }),
    "sentinal",
    "sentinel",
  ],
  ["defineFraming", (more: object) => defineFraming({ ...lines(), ...more }), "encode", "encoder"],
  ["jsonRpc", (options: never) => jsonRpc(desk, options), "downgraded", "downgrade"],
])("%s() refuses the option %j… and names the nearest", (name, factory, misspelt, meant) => {
  expect(() => factory({ [misspelt]: undefined } as never)).toThrow(
    `${name}() has no option "${misspelt}": did you mean "${meant}"? It takes `,
  );
});

test("every framing and codec that mod.ts exports is in the table above", () => {
  const tested = new Set(factories.map(([name]) => name.split("'")[0]));
  const makes = (value: unknown): boolean => {
    if (typeof value !== "function") return false;
    try {
      const made = (value as () => unknown)();
      return typeof made === "object" && made !== null && ("decoder" in made || "decode" in made);
    } catch {
      return false; // it takes arguments: delimited(), fixedLength(), libraryCodec() and others
    }
  };
  const made = Object.entries(protocol as Record<string, unknown>).filter(([, value]) =>
    makes(value),
  );
  expect(made.length).toBeGreaterThan(12);
  expect(made.map(([name]) => name).filter((name) => !tested.has(name))).toEqual([]);
});

test("a factory takes undefined for its options, or for no argument", () => {
  expect(lines(undefined).name).toBe("lines(any)");
  expect((text as (value: undefined) => { name: string })(undefined).name).toBe("text");
  expect(() => {
    checkNone("x()", [undefined]);
  }).not.toThrow();
});

test.each([
  ["maxFrameByte", "maxFrameBytes"],
  ["MAXFRAMEBYTES", "maxFrameBytes"],
  ["idelTimeoutMs", "idleTimeoutMs"],
  ["on", null],
  ["", null],
  ["x".repeat(100_000), null],
  ["__proto__", null],
])("nearestName(%j…) is %j", (name, nearest) => {
  expect(nearestName(name, ["maxFrameBytes", "onOversize", "idleTimeoutMs"])).toBe(nearest);
});

test(
  "checkOptions() looks at own names alone: an instance with methods, an object without " +
    "prototype, symbols",
  () => {
    class Options {
      ending = "lf";
      method(): void {
        /* not an option */
      }
    }
    expect(() => {
      checkOptions("x()", new Options(), ["ending"]);
    }).not.toThrow();
    expect(() => {
      checkOptions(
        "x()",
        Object.assign(Object.create(null) as object, { ending: 1, [Symbol("s")]: 2 }),
        ["ending"],
      );
    }).not.toThrow();
    expect(() => {
      checkOptions("x()", { other: 1 }, []);
    }).toThrow(new TypeError('x() has no option "other": it takes none'));
    expect(() => {
      checkOptions("x()", 5, ["a"]);
    }).toThrow(new TypeError("x() takes its options as one object, got 5: write { a: … }"));
  },
);

test("describeValue() never throws, and stays short and in one line", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const hostile = {
    toString: () => {
      throw new Error("no");
    },
    [Symbol.toPrimitive]: () => {
      throw new Error("no");
    },
  };
  for (const value of [
    proxy,
    hostile,
    Object.create(null),
    Symbol("s"),
    10n ** 500n,
    "a\nb".repeat(1_000),
    -0,
    NaN,
    undefined,
    null,
    () => 0,
    [],
    new Uint8Array(1),
  ]) {
    const described = describeValue(value);
    expect(described).not.toMatch(/\n/);
    expect(described.length).toBeLessThan(200);
  }
});

function caught(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

test("checkOptions() names an option of its own where there is none to name", () => {
  expect(() => {
    checkOptions("nothing()", 5, []);
  }).toThrow("nothing() takes its options as one object, got 5: write { name: … }");
});
