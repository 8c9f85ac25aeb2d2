import { describe, expect, it, test } from "vitest";
import {
  type ErrorCode,
  errorTable,
  HawserError,
  isHawserError,
  readHawserError,
} from "../src/errors.ts";

const codes = Object.keys(errorTable) as ErrorCode[];

test("errorTable is sorted, frozen, and says one sentence for each code", () => {
  expect(codes).toEqual([...codes].sort());
  expect(Object.isFrozen(errorTable)).toBe(true);
  for (const code of codes) expect(errorTable[code].summary, code).toMatch(/^[A-Z].{10,160}\.$/);
});

test(
  "errorTable blames the remote for what only bytes from the peer can cause, and ends the " +
    "connection",
  () => {
    for (const code of [
      "FRAME_MALFORMED",
      "FRAME_TOO_LARGE",
      "FRAME_TRUNCATED",
      "MESSAGE_INVALID",
      "BYTES_AFTER_SENTINEL",
    ] as const) {
      expect(errorTable[code]).toMatchObject({
        origin: "remote",
        scope: "connection",
        retryable: false,
      });
    }
  },
);

test("errorTable blames the local side for what can't be sent, and ends nothing but the message", () => {
  for (const code of ["PAYLOAD_FORBIDDEN", "PAYLOAD_IS_SENTINEL", "PAYLOAD_TOO_LARGE"] as const) {
    expect(errorTable[code]).toMatchObject({ origin: "local", scope: "conversation" });
  }
});

test.each(codes)("new HawserError(%s) takes origin, scope and retryable from the table", (code) => {
  const cause = new Error("below");
  const error = new HawserError(code, "what happened", { cause });
  const { origin, scope, retryable } = errorTable[code];
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: "HawserError",
    code,
    origin,
    scope,
    retryable,
    message: "what happened",
    cause,
  });
});

test("new HawserError() has no cause where none is given", () => {
  expect(Object.hasOwn(new HawserError("ABORTED", "x"), "cause")).toBe(false);
});

test("isHawserError() knows its own class, and that of another copy of the package", () => {
  class HawserErrorOfAnotherCopy extends Error {
    readonly brand = "hawser.error";
  }
  expect(isHawserError(new HawserError("ABORTED", "x"))).toBe(true);
  expect(isHawserError(new HawserErrorOfAnotherCopy())).toBe(true);
});

test.each([
  null,
  undefined,
  "hawser.error",
  7,
  {},
  { brand: "hawser.error" },
  new Error("x"),
  Object.assign(new Error("x"), { brand: "else" }),
])("isHawserError() is false for %o", (value) => {
  expect(isHawserError(value)).toBe(false);
});

describe("readHawserError() of an error of another copy of this package", () => {
  /** As another copy makes it: the brand, and no stamp. */
  const foreign = (members: object): Error =>
    Object.assign(
      new Error("no"),
      {
        brand: "hawser.error",
        code: "NAMED_ERROR",
        origin: "remote",
        scope: "conversation",
        failure: null,
        path: null,
      },
      members,
    );

  it("reads its failure and path, as far as they are of the right types", () => {
    const whole = readHawserError(
      foreign({ failure: { name: "gone", payload: 7 }, path: ["a", 1, null] }),
    );
    expect([whole?.code, whole?.failure, whole?.path]).toEqual([
      "NAMED_ERROR",
      { name: "gone", payload: 7 },
      ["a", 1],
    ]);
    const odd = readHawserError(foreign({ failure: { name: 5 }, path: "a" }));
    expect([odd?.failure, odd?.path]).toEqual([null, null]);
    expect(readHawserError(foreign({ code: "NO_SUCH_CODE" }))).toBeNull();
  });
});
