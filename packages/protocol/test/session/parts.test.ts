// The parts of a session by themselves: frames in golden bytes, heads, traces, the outbox, queues
// and slots.
import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { bytes } from "../../src/codec/codec.ts";
import { defineProtocol } from "../../src/contract/contract.ts";
import { HawserError } from "../../src/errors.ts";
import { formatFailure } from "../../src/session/frames/failure.ts";
import { Fifo } from "../../src/session/fifo.ts";
import * as frames from "../../src/session/frames/frames.ts";
import { Head, writeHead } from "../../src/session/frames/head.ts";
import { nativeSessions } from "../../src/session/native.ts";
import { plain } from "../../src/session/quote.ts";
import { Slots } from "../../src/session/calls/slots.ts";
import type { SessionKind } from "../../src/session/types.ts";
import { type } from "../../src/contract/schema.ts";
import { isTrace, readTrace, writeTrace } from "../../src/session/frames/trace.ts";
import { hex, toHex } from "../notation.ts";
import { framesOf, joined } from "./by-hand.ts";
import { brief, readyPair } from "./ends.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const trace = "0a f7 65 19 16 cd 43 dd 84 48 eb 21 1c 80 31 9c b7 ad 6b 71 69 20 33 31 01";

function written(write: (output: ByteWriter) => void): string {
  const output = new ByteWriter();
  write(output);
  return toHex(output.copy());
}

describe("frames in golden bytes", () => {
  const golden: [string, (output: ByteWriter) => void, string][] = [
    [
      "HELLO",
      (output) => {
        frames.writeText(output, frames.HELLO, 0, "{}");
      },
      "00 00 00 07 01 00 00 00 00 7b 7d",
    ],
    [
      "WELCOME",
      (output) => {
        frames.writeText(output, frames.WELCOME, 0, "{}");
      },
      "00 00 00 07 02 00 00 00 00 7b 7d",
    ],
    [
      "REFUSE",
      (output) => {
        frames.writeText(output, frames.REFUSE, 0, "{}");
      },
      "00 00 00 07 03 00 00 00 00 7b 7d",
    ],
    [
      "PING",
      (output) => {
        frames.writeNumbered(output, frames.PING, 258);
      },
      "00 00 00 0d 04 00 00 00 00 00 00 00 00 00 00 01 02",
    ],
    [
      "PONG",
      (output) => {
        frames.writeFrame(output, frames.PONG, 0, hex("ff 01 02 03 04 05 06 07 08 ff"), 1, 9);
      },
      "00 00 00 0d 05 00 00 00 00 01 02 03 04 05 06 07 08",
    ],
    [
      "DRAIN",
      (output) => {
        frames.writeEmpty(output, frames.DRAIN, 0);
      },
      "00 00 00 05 06 00 00 00 00",
    ],
    [
      "CLOSE",
      (output) => {
        frames.writeText(output, frames.CLOSE, 0, '"ü"');
      },
      "00 00 00 09 07 00 00 00 00 22 c3 bc 22",
    ],
    [
      "ACK",
      (output) => {
        frames.writeNumbered(output, frames.ACK, Number.MAX_SAFE_INTEGER);
      },
      "00 00 00 0d 08 00 00 00 00 00 1f ff ff ff ff ff ff",
    ],
    [
      "REJECT",
      (output) => {
        frames.writeNumbered(output, frames.REJECT, 2 ** 32, "{}");
      },
      "00 00 00 0f 09 00 00 00 00 00 00 00 01 00 00 00 00 7b 7d",
    ],
    [
      "CREDIT",
      (output) => {
        frames.writeCredit(output, 0x01020304, 0xffff_fffe);
      },
      "00 00 00 09 0a 01 02 03 04 ff ff ff fe",
    ],
    [
      "CANCEL",
      (output) => {
        frames.writeEmpty(output, frames.CANCEL, 0xffff_ffff);
      },
      "00 00 00 05 13 ff ff ff ff",
    ],
    [
      "END",
      (output) => {
        frames.writeEmpty(output, frames.END, 7);
      },
      "00 00 00 05 16 00 00 00 07",
    ],
  ];
  test.each(golden)("%s", (_, write, expected) => {
    expect(written(write)).toBe(expected);
  });

  test("REQUEST, RESULT, FAIL, CANCEL, STREAM, ITEM, END and EVENT, as sessions write them", () => {
    const pair = readyPair();
    pair.client.open("say", "a", { timeoutMs: 300, trace: TRACE });
    pair.client.open("talk", undefined).send("b");
    pair.client.emit("note", "c", TRACE);
    pair.client.emit("tick", "d");
    expect(toHex(pair.client.output.copy())).toBe(
      [
        `00 00 00 28 10 00 00 00 01 00 03 03 00 00 01 2c ${trace} 22 61 22`,
        "00 00 00 08 14 00 00 00 03 00 05 08",
        "00 00 00 08 15 00 00 00 03 22 62 22",
        `00 00 00 2c 17 00 00 00 00 00 00 06 ${trace} 00 00 00 00 00 00 00 01 22 63 22`,
        "00 00 00 0b 17 00 00 00 00 00 01 00 22 64 22",
      ].join(" "),
    );
    pair.flush();
    const [say, talk] = pair.server.calls;
    pair.server.take();
    say?.reply("e");
    talk?.end();
    expect(toHex(pair.server.take())).toBe(
      "00 00 00 08 11 00 00 00 01 22 65 22 00 00 00 05 16 00 00 00 03",
    );
  });

  test("a message of 65 536 bytes is one frame, and of 65 537 two pieces", () => {
    for (const [letters, sizes] of [
      [65_531, [65_536]],
      [65_532, [65_536, 1]],
      [131_067, [65_536, 65_536]],
    ] as const) {
      const pair = readyPair();
      pair.client.open("say", "x".repeat(letters)); // and a head of 3, and two quotes
      pair.client.session.transmit(1e9);
      const found = framesOf(pair.client.take());
      expect(found.map(({ payload }) => payload.length)).toEqual(sizes);
      expect(found.map(({ more }) => more)).toEqual(sizes.map((_, at) => at < sizes.length - 1));
    }
  });

  test("numbers are read as they were written, and those above 2^53 are above all others", () => {
    for (const value of [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      const bytes = new Uint8Array(8);
      frames.writeU32(bytes, 2, value);
      expect(frames.readU32(bytes, 2)).toBe(value);
      frames.writeU64(bytes, 0, value * 4096 + 5);
      expect(frames.readU64(bytes, 0)).toBe(value * 4096 + 5);
    }
    expect(frames.readU64(hex("ff ff ff ff ff ff ff ff"), 0)).toBeGreaterThan(
      Number.MAX_SAFE_INTEGER,
    );
    expect([frames.kindName(frames.REQUEST | frames.MORE), frames.kindName(0xff)]).toEqual([
      "REQUEST",
      "kind 0xff",
    ]);
  });
});

describe("Head", () => {
  test.each([
    [frames.REQUEST, 0, null, 0, false],
    [frames.REQUEST, 0xffff_ffff, TRACE, 0, false],
    [frames.STREAM, 1, null, 0, true],
    [frames.STREAM, 0, TRACE, 0, true],
    [frames.EVENT, 0, TRACE, 77, false],
    [frames.EVENT, 0, null, 2 ** 40, false],
  ] as const)(
    "reads what writeHead() wrote: %d %d %s %d %s",
    (kind, deadlineMs, text, number, items) => {
      const output = new ByteWriter();
      writeHead(output, 513, deadlineMs, text, number, items);
      const bytes = joined(Uint8Array.of(9), output.copy(), Uint8Array.of(9));
      const head = new Head();
      expect(head.read(kind, bytes, 1, bytes.length)).toBeNull();
      expect(head).toMatchObject({
        name: 513,
        deadlineMs,
        trace: text,
        number,
        items,
        body: bytes.length - 1,
      });
      expect(bytes.length - 2).toBeLessThanOrEqual(frames.MAX_HEAD);
      for (let end = 1; end < bytes.length - 1; end++)
        expect(head.read(kind, bytes, 1, end)).toBe("a head is cut short");
    },
  );

  test("is of no other kind", () => {
    expect(new Head().read(frames.ITEM, hex("00 00 01 00 00 00 01"), 0, 7)).toBe(
      "flags 0x01, which it can't have",
    );
  });
});

describe("a trace context", () => {
  test("is 25 bytes, and the text again", () => {
    expect(
      written((output) => {
        writeTrace(TRACE, output);
      }),
    ).toBe(trace);
    expect(readTrace(hex(`ff ${trace} ff`), 1)).toBe(TRACE);
  });

  test.each([
    "",
    "00",
    TRACE.toUpperCase(),
    `${TRACE}-`,
    TRACE.replace("00-", "01-"),
    `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
    `00-0af7651916cd43dd8448eb211c80319c-${"0".repeat(16)}-01`,
    ` ${TRACE}`,
  ])("is not %o", (text) => {
    expect(isTrace(text)).toBe(false);
  });

  test("of zeros is none", () => {
    expect(readTrace(new Uint8Array(25), 0)).toBeNull();
  });
});

describe("Fifo", () => {
  test("gives back what was put in, in order, also when it is long", () => {
    const fifo = new Fifo<{ at: number }>();
    let next = 0;
    for (let at = 0; at < 10_000; at++) {
      fifo.push({ at });
      if (at % 3 === 2) expect(fifo.shift()?.at).toBe(next++);
    }
    expect([fifo.length, fifo.first?.at, fifo.at(5)?.at]).toEqual([10_000 - next, next, next + 5]);
    while (fifo.length > 0) expect(fifo.shift()?.at).toBe(next++);
    expect([next, fifo.first, fifo.shift(), fifo.length]).toEqual([
      10_000,
      undefined,
      undefined,
      0,
    ]);
  });

  test("can be cut, copied and cleared", () => {
    const fifo = new Fifo<{ at: number }>();
    for (let at = 0; at < 5; at++) fifo.push({ at });
    fifo.shift();
    expect(fifo.toArray().map(({ at }) => at)).toEqual([1, 2, 3, 4]);
    expect(fifo.cut(1).map(({ at }) => at)).toEqual([2, 3, 4]);
    expect(fifo.toArray().map(({ at }) => at)).toEqual([1]);
    fifo.clear();
    expect(fifo.length).toBe(0);
  });
});

test("Slots keep near and far ids of either side", () => {
  for (const first of [1, 2]) {
    const slots = new Slots<{ id: number }>();
    const ids = [first + 8, first, first + 8190, first + 100_000, 0xffff_fffe + (first % 2)];
    for (const id of ids) slots.set(id, { id });
    for (const id of ids) expect(slots.at(id)?.id).toBe(id);
    expect([
      slots.at(first + 2),
      slots.at(first + 100_002),
      slots.size,
      slots.delete(first, { id: first }),
    ]).toEqual([null, null, 5, false]);
    const item = slots.at(first);
    expect(item !== null && slots.delete(first, item)).toBe(true);
    const far = slots.at(first + 100_000);
    expect(far !== null && slots.delete(first + 100_000, far)).toBe(true);
    expect(
      slots
        .clear()
        .map(({ id }) => id)
        .sort((one, other) => one - other),
    ).toEqual(
      ids.filter((id) => id !== first && id !== first + 100_000).sort((one, other) => one - other),
    );
    expect([slots.size, slots.at(first + 8)]).toEqual([0, null]);
  }
});

test("plain() keeps a peer's text short and on one line", () => {
  expect(plain(" a\r\n\u2028b\u0000c ")).toBe("a b c");
  expect(plain("x".repeat(500)).length).toBe(120);
  expect(plain("\ud800")).toBe("\ufffd");
});

test("formatFailure() leaves out a path that does not fit", () => {
  const error = (path: string[]): HawserError =>
    new HawserError("INPUT_INVALID", "wrong", { path });
  expect(formatFailure(error(["a", "b"]))).toBe(
    '{"code":"INPUT_INVALID","message":"wrong","path":["a","b"]}',
  );
  expect(formatFailure(error(["x".repeat(1000)]))).toBe(
    '{"code":"INPUT_INVALID","message":"wrong"}',
  );
});

describe("a long message of bytes({ copy: false })", () => {
  const long = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => at % 251);
  const kindOf = (copy: boolean): SessionKind =>
    nativeSessions(
      defineProtocol({
        name: "octets",
        version: 1,
        requests: {
          put: { input: type<Uint8Array>(), output: type<Uint8Array>(), codec: bytes({ copy }) },
        },
        streams: {
          pour: { item: type<Uint8Array>(), send: type<Uint8Array>(), codec: bytes({ copy }) },
        },
      }),
    );

  test.each([65_533, 65_534, 65_536, 65_537, 131_069, 131_070, 131_072, 200_001])(
    "of %d bytes is the same frames as a copied one, in each place",
    (length) => {
      const [uncopied, copied] = [false, true].map((copy) => {
        const pair = readyPair({ kind: kindOf(copy) });
        pair.server.onCall = (call) => {
          if (call.entry.name === "put") call.reply(call.input);
          else call.send(long(length));
        };
        pair.client.open("put", long(length));
        const pour = pair.client.open("pour");
        pour.send(long(length));
        pour.end();
        const sent: string[] = [];
        for (let turn = 0; turn < 20; turn++) {
          for (const [from, to] of [
            [pair.client, pair.server],
            [pair.server, pair.client],
          ] as const) {
            from.session.transmit(65_536);
            const chunk = from.take();
            sent.push(toHex(chunk));
            to.session.receive(chunk, 0);
          }
        }
        const told = pair.client.told().filter((line) => line !== "pour writable");
        expect(told.sort()).toEqual([
          `pour item ${brief(long(length))}`,
          `put result ${brief(long(length))}`,
        ]);
        expect(pair.client.session.queuedBytes + pair.server.session.queuedBytes).toBe(0);
        return sent.join(" ");
      });
      expect(uncopied === copied).toBe(true);
    },
  );

  test("is read when it leaves; a copied one when it is sent", () => {
    for (const copy of [false, true]) {
      const pair = readyPair({ kind: kindOf(copy) });
      const message = long(300_000);
      pair.server.onCall = (call) => {
        expect((call.input as Uint8Array).at(-1)).toBe(copy ? 299_999 % 251 : 255);
      };
      pair.client.open("put", message);
      message.fill(255);
      pair.flush();
      expect(pair.server.calls.length).toBe(1);
    }
  });

  test("that there is no room for leaves nothing behind", () => {
    const pair = readyPair({
      kind: kindOf(false),
      limits: { maxQueuedBytes: 100_000, maxMessageBytes: 150_000 },
    });
    const { client } = pair;
    expect(() => client.open("put", long(120_000))).toThrow(
      expect.objectContaining({ code: "WRITE_BUFFER_FULL" }),
    );
    expect(() => client.open("put", long(150_001))).toThrow(
      expect.objectContaining({ code: "PAYLOAD_TOO_LARGE" }),
    );
    expect([client.output.length, client.session.queuedBytes, client.session.openCalls]).toEqual([
      0, 0, 0,
    ]);
    pair.server.onCall = (call) => void call.reply(call.input);
    client.open("put", long(10));
    pair.flush();
    expect(client.told()).toEqual([`put result ${brief(long(10))}`]);
  });
});
