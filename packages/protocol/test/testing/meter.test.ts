import { expect, test } from "vitest";
import { meter } from "../../src/testing/meter.ts";

const bytes = Uint8Array.from({ length: 100 }, (_, at) => at);

test.each<[string, number, (array: Uint8Array) => unknown]>([
  ["nothing", 0, (array) => array.length],
  ["an element read", 1, (array) => array[5]],
  ["an element beyond the end", 1, (array) => array[500]],
  ["an element written", 1, (array) => (array[5] = 7)],
  ["a view", 0, (array) => array.subarray(10, 20)],
  ["an element of a view", 1, (array) => array.subarray(10, 20)[3]],
  ["a search that finds", 11, (array) => array.indexOf(10)],
  ["a search from a place", 6, (array) => array.indexOf(10, 5)],
  ["a search in vain", 90, (array) => array.indexOf(255, 10)],
  ["includes, from which no place is known", 100, (array) => array.includes(10)],
  ["a slice", 10, (array) => array.slice(10, 20)],
  [
    "set",
    30,
    (array) => {
      array.set(array.subarray(0, 30), 5);
    },
  ],
  ["fill", 20, (array) => array.fill(0, 10, 30)],
  ["fill to the end", 100, (array) => array.fill(0)],
  ["copyWithin", 20, (array) => array.copyWithin(0, 10, 30)],
  ["another method", 100, (array) => array.lastIndexOf(3)],
  ["an allocation", 50, () => new Uint8Array(50)],
  ["a copy", 100, (array) => new Uint8Array(array)],
  ["of and from", 5, (array) => [Uint8Array.of(1, 2), Uint8Array.from([...array.subarray(0, 3)])]],
  ["an element of a new array", 51, () => new Uint8Array(50)[3]],
])("meter() counts the bytes that are touched: %s", (_, steps, use) => {
  expect(meter((counted) => use(counted(bytes.slice()))).steps).toBe(steps);
});

test("meter() tells the largest array that was made, and how many", () => {
  expect(meter(() => [new Uint8Array(7), new Uint8Array(3), new Uint8Array(0)])).toMatchObject({
    largestBytes: 7,
    arrays: 2,
  });
});

test("meter() gives arrays that are arrays: instanceof, constants, methods that return the array", () => {
  meter((counted) => {
    const array = counted(bytes.slice());
    expect(array instanceof Uint8Array).toBe(true);
    expect(new Uint8Array(2) instanceof Uint8Array).toBe(true);
    expect(Uint8Array.BYTES_PER_ELEMENT).toBe(1);
    expect(array.fill(3).subarray(0, 2)[1]).toBe(3);
    expect([...array.subarray(0, 2)]).toEqual([3, 3]);
  });
});

test("meter() puts the global back, also when something is thrown", () => {
  const original = globalThis.Uint8Array;
  expect(() =>
    meter(() => {
      throw new Error("inside");
    }),
  ).toThrow("inside");
  expect(globalThis.Uint8Array).toBe(original);
});
