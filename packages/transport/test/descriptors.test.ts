import { describe, expect, it } from "vitest";
import { affordableConnections } from "../src/mod.ts";
import { connectionsWithin } from "../src/descriptors.ts";

const limits = (soft: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units\nMax processes    ` +
  `         63000                63000                processes\nMax open files            ` +
  `${soft}                 1048576              files\n`;

describe("connectionsWithin()", () => {
  it.each([
    ["1024", 960],
    ["1048576", 1_048_512],
    ["65", 1],
    ["10", 1],
    ["unlimited", Infinity],
  ])("leaves 64 of %s descriptors for the rest", (soft, most) => {
    expect(connectionsWithin(limits(soft))).toBe(most);
  });

  it("is Infinity where the system says nothing", () => {
    expect(connectionsWithin("")).toBe(Infinity);
    expect(affordableConnections()).toBeGreaterThan(0);
  });
});
