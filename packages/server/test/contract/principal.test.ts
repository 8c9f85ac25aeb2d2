import { describe, expect, it } from "vitest";
import { isSameContext, isSamePrincipal } from "../../src/contract/principal.ts";

class User {
  readonly name = "alice";
}

describe("isSameContext()", () => {
  it("compares plain data by value, and objects of classes by identity", () => {
    const user = new User();
    const same: [unknown, unknown][] = [
      [1, 1],
      ["a", "a"],
      [undefined, undefined],
      [NaN, NaN],
      [{ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }],
      [user, user],
      [[], []],
    ];
    const other: [unknown, unknown][] = [
      [1, 2],
      [{}, null],
      [{ a: 1 }, { a: 1, b: undefined }],
      [{ a: 1 }, { b: 1 }],
      [new User(), new User()],
      [[], {}],
      [new Map(), new Map()],
      [{ a: user }, { a: new User() }],
      [() => 1, () => 1],
    ];
    for (const [one, two] of same)
      expect([one, two, isSameContext(one, two)]).toEqual([one, two, true]);
    for (const [one, two] of other) expect(isSameContext(one, two)).toBe(false);
  });

  it("is false for what can't be read, or never ends", () => {
    const trap = (): object =>
      Object.defineProperty({}, "x", {
        enumerable: true,
        get: () => {
          throw new Error("no");
        },
      });
    expect(isSameContext(trap(), trap())).toBe(false);
    const [one, two]: Record<string, unknown>[] = [{}, {}];
    if (one !== undefined && two !== undefined) {
      one["self"] = one;
      two["self"] = two;
    }
    expect(isSameContext(one, two)).toBe(false);
  });
});

describe("isSamePrincipal()", () => {
  it("compares as isSameContext(), but undefined and NaN stand for nobody", () => {
    for (const one of [undefined, NaN]) expect(isSamePrincipal(one, one)).toBe(false);
    for (const one of [null, "", 0, "one", { id: 7 }])
      expect(isSamePrincipal(one, typeof one === "object" && one !== null ? { ...one } : one)).toBe(
        true,
      );
    expect(isSamePrincipal("one", "two")).toBe(false);
  });
});
