import { expect, test } from "vitest";
import { Inbox } from "../../src/wire/inbox.ts";
import { latin } from "../notation.ts";

const text = (bytes: Uint8Array, start: number, end: number): string =>
  String.fromCharCode(...bytes.subarray(start, end));

/** An inbox, and what has been taken from it. */
function inboxAndTaken(): { inbox: Inbox<{ note: string }>; taken: string[] } {
  const taken: string[] = [];
  return {
    inbox: new Inbox(
      (bytes, start, end) => taken.push(text(bytes, start, end)),
      ({ note }) => taken.push(`!${note}`),
    ),
    taken,
  };
}

function takeAll(inbox: Inbox<{ note: string }>): void {
  while (inbox.length > 0) inbox.take();
}

test("Inbox gives payloads and notes in the order in which they were put", () => {
  const { inbox, taken } = inboxAndTaken();
  inbox.put(latin("xaby"), 1, 3);
  inbox.putNote({ note: "one" });
  inbox.put(latin(""), 0, 0);
  inbox.put(latin("c"), 0, 1);
  inbox.putNote({ note: "two" });
  expect(inbox.length).toBe(5);
  takeAll(inbox);
  expect(taken).toEqual(["ab", "!one", "", "c", "!two"]);
});

test("Inbox.put() copies: the chunk may be overwritten", () => {
  const { inbox, taken } = inboxAndTaken();
  const chunk = latin("abc");
  inbox.put(chunk, 0, 3);
  chunk.fill(0);
  takeAll(inbox);
  expect(taken).toEqual(["abc"]);
});

test(
  "Inbox.take() gives a range that stays valid while more is put, also when the storage grows or " +
    "the last one is taken",
  () => {
    const seen: string[] = [];
    const use = (bytes: Uint8Array, start: number, end: number): void => {
      if (seen.length < 4) inbox.put(new Uint8Array(500).fill(0x78), 0, 500);
      seen.push(text(bytes, start, end));
    };
    const inbox = new Inbox<{ note: string }>(use, () => undefined);
    inbox.put(latin("a"), 0, 1);
    inbox.put(latin("b"), 0, 1);
    takeAll(inbox);
    expect(seen.map((one) => one.slice(0, 1))).toEqual(["a", "b", "x", "x", "x", "x"]);
  },
);

test("Inbox.clear() forgets, also in the middle, and the inbox goes on", () => {
  const { inbox, taken } = inboxAndTaken();
  inbox.put(latin("a"), 0, 1);
  inbox.put(latin("b"), 0, 1);
  inbox.take();
  inbox.clear();
  expect(inbox.length).toBe(0);
  inbox.put(latin("c"), 0, 1);
  takeAll(inbox);
  expect(taken).toEqual(["a", "c"]);
});

test(
  "Inbox.putOfChunk() copies the rest of a chunk once, and keeps its order with what is put " +
    "otherwise",
  () => {
    const { inbox, taken } = inboxAndTaken();
    const chunk = latin("0123456789");
    inbox.put(latin("first"), 0, 5);
    inbox.putOfChunk(chunk, 2, 4);
    inbox.putNote({ note: "one" });
    inbox.put(latin("between"), 0, 7);
    inbox.putOfChunk(chunk, 6, 6);
    inbox.putOfChunk(chunk, 7, 9);
    inbox.endChunk();
    chunk.fill(0x78); // its owner's again
    inbox.putOfChunk(chunk, 0, 2);
    inbox.endChunk();
    expect(inbox.length).toBe(7);
    takeAll(inbox);
    expect(taken).toEqual(["first", "23", "!one", "between", "", "78", "xx"]);
  },
);
