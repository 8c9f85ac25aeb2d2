import { describe, expect, test } from "vitest";
import * as z from "zod";
import { type Check, compile, Issue } from "../../src/contract/check.ts";
import { readNullable, readParams, writeParams } from "../../src/json-rpc/params.ts";
import { type } from "../../src/contract/schema.ts";
import { Random } from "../../src/testing/random.ts";

const unchecked = compile(type<unknown>());
const number = compile(z.number());
const list = compile(z.array(z.number()));
const either = compile(z.union([z.number(), z.array(z.number())]));
const tuple = compile(z.tuple([z.number()]));
const ticket = compile(z.object({ id: z.number() }));
const maybe = compile(z.number().optional());

function read(check: Check, params: string): unknown {
  return readParams(check, params === "" ? undefined : JSON.parse(params));
}

describe("params", () => {
  test.each<[string, Check, unknown, string]>([
    ["nothing", unchecked, undefined, ""],
    ["nothing", compile(undefined), undefined, ""],
    ["nothing, that may be something", maybe, undefined, ""],
    ["null", unchecked, null, "[null]"],
    ["a number", number, 7, "[7]"],
    ["a number, that may be nothing", maybe, 7, "[7]"],
    ["a text", unchecked, "a", '["a"]'],
    ["an object", ticket, { id: 7 }, '{"id":7}'],
    ["an empty object", unchecked, {}, "{}"],
    ["an empty list", list, [], "[]"],
    ["an empty list that nobody checks", unchecked, [], "[]"],
    ["a list", list, [1, 2], "[1,2]"],
    ["a list of one, which can't be its element", list, [1], "[1]"],
    ["a tuple of one", tuple, [1], "[1]"],
    ["a list of one, which could be its element", either, [1], "[[1]]"],
    ["a list of one that nobody checks", unchecked, [1], "[[1]]"],
    ["a list of a list", unchecked, [[1]], "[[[1]]]"],
    ["a list of nothing", unchecked, [null], "[[null]]"],
    [
      "an object in a list",
      compile(z.array(z.object({ id: z.number() }))),
      [{ id: 7 }],
      '[{"id":7}]',
    ],
    ["an object in a list that nobody checks", unchecked, [{ id: 7 }], '[[{"id":7}]]'],
  ])("are the same on both sides: %s", (_, check, input, params) => {
    expect(writeParams(check, input)).toBe(params);
    expect(read(check, params)).toEqual(input);
  });

  test.each<[string, Check, string, unknown]>([
    ["null is nothing", maybe, "null", undefined],
    ["no argument is nothing, where a list is not wanted", maybe, "[]", undefined],
    ["an argument is the input, where a list is not wanted", ticket, '[{"id":7}]', { id: 7 }],
    [
      "whatever comes is dropped, where nothing is declared",
      compile(undefined),
      "[1,2]",
      undefined,
    ],
    [
      "whatever comes is dropped, where nothing is declared",
      compile(undefined),
      '{"a":1}',
      undefined,
    ],
  ])("of other programs are read so: %s", (_, check, params, input) => {
    expect(read(check, params)).toEqual(input);
  });

  test.each<[string, Check, string, (number | string)[]]>([
    ["of an object", ticket, '{"id":"7"}', ["id"]],
    ["of an object that is the only argument", ticket, '[{"id":"7"}]', ["id"]],
    ["of a list of one", list, '["7"]', [0]],
    ["of a list", list, '[1,"7"]', [1]],
    ["of a number", number, '["7"]', []],
    ["of a missing object", ticket, "", []],
    ["of arguments that are not wanted", ticket, "[1,2]", []],
  ])("that are wrong have the path in the input: %s", (_, check, params, path) => {
    const issue = read(check, params);
    expect(issue).toBeInstanceOf(Issue);
    expect((issue as Issue).path).toEqual(path);
  });

  test("go by what JSON makes of the input", () => {
    const date = new Date(0);
    expect(writeParams(unchecked, date)).toBe('["1970-01-01T00:00:00.000Z"]');
    expect(writeParams(unchecked, { toJSON: () => [1] })).toBe("[[1]]");
    expect(writeParams(unchecked, { toJSON: () => [1, 2] })).toBe("[1,2]");
    expect(writeParams(unchecked, { toJSON: () => [] })).toBe("[]");
    expect(writeParams(unchecked, [undefined])).toBe("[[null]]");
    expect(writeParams(unchecked, Number.NaN)).toBe("[null]");
    for (const input of [1n, () => 1, Symbol("a"), { a: 1n }])
      expect(() => writeParams(unchecked, input)).toThrow(
        expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }) as Error,
      );
  });

  test("are the same on both sides for any value and schema that takes it", () => {
    const random = new Random(7);
    const value = (depth: number): unknown => {
      const kind = random.below(depth === 0 ? 5 : 7);
      if (kind === 5) return Array.from({ length: random.below(3) }, () => value(depth - 1));
      if (kind === 6)
        return Object.fromEntries(
          Array.from({ length: random.below(3) }, () => [
            random.pick(["a", "b", "toString"]),
            value(depth - 1),
          ]),
        );
      return random.pick([null, true, 0, -1.5, "a", ""]);
    };
    const scalar = z.union([z.null(), z.boolean(), z.number(), z.string()]);
    const checks = [
      unchecked,
      ...[
        z.unknown(),
        z.json(),
        scalar,
        z.array(scalar),
        z.array(z.unknown()),
        z.union([scalar, z.array(scalar)]),
        z.array(z.array(z.unknown())),
        z.tuple([z.unknown()]),
      ].map((schema) => compile(schema)),
    ];
    let taken = 0;
    for (let trial = 0; trial < 5_000; trial++) {
      const input = value(3);
      const check = random.pick(checks);
      if (check.outbound(input) !== null) continue;
      taken++;
      const params = writeParams(check, input);
      expect("{[").toContain(params[0]);
      expect(JSON.stringify(read(check, params)), params).toBe(JSON.stringify(input));
    }
    expect(taken).toBeGreaterThan(1_000);
  });
});

describe("a result", () => {
  test.each<[string, Check, unknown, unknown]>([
    ["null, where it may be null", compile(z.null()), null, null],
    ["null for nothing", compile(z.undefined()), null, undefined],
    ["null where nothing is declared", compile(undefined), null, undefined],
    ["anything where nothing is declared", compile(undefined), 7, undefined],
    ["null that nobody checks", unchecked, null, null],
    ["zero", number, 0, 0],
  ])("is read so: %s", (_, check, value, output) => {
    expect(readNullable(check, value)).toBe(output);
  });

  test("that is wrong is an issue", () => {
    expect(readNullable(number, null)).toBeInstanceOf(Issue);
    expect(readNullable(number, "7")).toBeInstanceOf(Issue);
  });
});
