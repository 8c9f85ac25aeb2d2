import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { HawserError, isHawserError } from "../src/mod.ts";
import {
  asError,
  describeCaught,
  isError,
  memberOf,
  readHawserError,
  stackOf,
  withPeer,
} from "../src/engine.ts";
import { hostileValues } from "../src/testing/mod.ts";

describe("describeCaught()", () => {
  it("describes every hostile value as one short printable line, and never throws", () => {
    for (const [name, make] of Object.entries(hostileValues)) {
      const text = describeCaught(make());
      expect([
        name,
        text.length > 0 && text.length <= 160,
        /[\p{Cc}\u2028\u2029]/u.test(text),
      ]).toEqual([name, true, false]);
      expect([name, asError(make()) instanceof Error || isError(asError(make()))]).toEqual([
        name,
        true,
      ]);
      expect([name, typeof stackOf(make())]).toEqual([name, "string"]);
      expect([name, typeof isHawserError(make())]).toEqual([name, "boolean"]);
      readHawserError(make());
    }
  });

  it("takes an error's message, a string, and for others the type", () => {
    expect(describeCaught(new Error("disk full"))).toBe("disk full");
    expect(describeCaught("plain text")).toBe("plain text");
    expect(describeCaught(42n)).toBe("it threw a value of type bigint");
    expect(describeCaught(null)).toBe("it threw a value of type null");
    expect(describeCaught(Object.assign(new Error("x"), { message: { status: 500 } }))).toBe(
      "it threw an error whose message is of type object",
    );
    expect(describeCaught(Object.assign(new Error(""), { code: "ECONNREFUSED" }))).toBe(
      "it threw ECONNREFUSED without a message",
    );
    expect(describeCaught(new RangeError())).toBe("it threw RangeError without a message");
    expect(describeCaught(new AggregateError([new Error("first"), new Error("second")], ""))).toBe(
      "first",
    );
    expect(describeCaught(new Error("\u001b[2Jone\ntwo"))).toBe("[2Jone two");
    expect(describeCaught(new Error("x".repeat(10_000_000)), 20)).toBe(`${"x".repeat(19)}…`);
  });

  it("takes errors of another realm for errors", () => {
    expect(describeCaught(runInNewContext("new Error('from another realm')"))).toBe(
      "from another realm",
    );
    expect(
      describeCaught(runInNewContext("Object.assign(new Error('x'), { message: {} })")),
    ).toMatch(/whose message is of type object/);
  });

  it("an aggregate that holds itself ends", () => {
    const errors: unknown[] = [];
    const round = new AggregateError(errors, "");
    Object.defineProperty(round, "errors", { value: [round] });
    expect(describeCaught(round)).toMatch(/AggregateError/);
  });
});

describe("memberOf()", () => {
  it("is undefined where reading throws", () => {
    expect(
      memberOf(
        {
          get x(): never {
            throw new Error("no");
          },
        },
        "x",
      ),
    ).toBeUndefined();
    expect(memberOf({ x: 1 }, "x")).toBe(1);
  });
});

describe("readHawserError()", () => {
  it(
    "gives the same object where its members are data, a copy for a proxy, and null for what is " +
      "none",
    () => {
      const error = new HawserError("OVERLOADED", "later");
      expect(readHawserError(error)).toBe(error);
      const copy = readHawserError(new Proxy(error, {}));
      expect([copy === error, copy?.code, copy?.message, copy?.origin]).toEqual([
        false,
        "OVERLOADED",
        "later",
        "remote",
      ]);
      expect(readHawserError(new Error("x"))).toBeNull();
      expect(
        readHawserError(Object.assign(new Error("x"), { brand: "hawser.error", code: "NO_SUCH" })),
      ).toBeNull();
      expect(
        readHawserError(Object.assign(new Error("x"), { brand: "hawser.error", code: "toString" })),
      ).toBeNull();
      const lying = new HawserError("NAMED_ERROR", "x", {
        failure: { name: 1 as never, payload: 1 },
      });
      expect(readHawserError(lying)?.failure ?? null).toBeNull();
      const trapped = Object.defineProperty(new HawserError("OVERLOADED", "x"), "code", {
        get: () => {
          throw new Error("trap");
        },
      });
      expect(readHawserError(trapped)).toBeNull();
    },
  );
});

describe("withPeer()", () => {
  it("says whose connection an error was on, once", () => {
    const error = withPeer(new HawserError("AUTH_REFUSED", "no"), {
      remote: "127.0.0.1:1",
      transport: "tcp",
    });
    withPeer(error, { remote: "other", transport: "tcp" });
    expect(error.peer).toEqual({ remote: "127.0.0.1:1", transport: "tcp" });
    expect(
      withPeer(Object.freeze(new HawserError("ABORTED", "x")), { remote: "a", transport: "tcp" })
        .peer,
    ).toBeNull();
  });
});

it("an AggregateError without errors is described by its name", () => {
  expect(describeCaught(new AggregateError([]))).toBe("it threw AggregateError without a message");
});
