// What a decoder and the two sessions do when the budget of a turn is spent: stop at a message's
// end, keep the rest, go on in order.
import { describe, expect, it } from "vitest";
import type { ReadBudget } from "../../src/wire/budget.ts";
import { lines, text, wire } from "../../src/mod.ts";
import { WireDecoder } from "../../src/engine.ts";
import { frame, framesOf, joined, KIND, NAME, readyServer, u32, u64 } from "../session/by-hand.ts";
import { End as JsonRpcEnd } from "../json-rpc/end.ts";

/** A budget of so many messages. */
function messages(count: number): ReadBudget {
  return { spend: () => --count <= 0 };
}

const utf8 = (written: string): Uint8Array => new TextEncoder().encode(written);

describe("WireDecoder: the budget", () => {
  it("stops after the message that spends it, and goes on with goOn()", () => {
    const got: string[] = [];
    let left = 2;
    const budget: ReadBudget = { spend: () => --left <= 0 };
    const decoder = new WireDecoder(
      wire({ framing: lines(), codec: text(), sentinel: "exit" }),
      { maxFrameBytes: 4, onOversize: "skip" },
      {
        message: (message) => void got.push(message),
        finished: (how) => void got.push(`<${how}>`),
        fault: (error) => void got.push(`<${error.code}>`),
      },
      budget,
    );
    const chunk = utf8("1\n2\n12345\n3\nexit\n");
    decoder.push(chunk);
    chunk.fill(0);
    expect([got, decoder.yielded, decoder.waiting]).toEqual([["1", "2"], true, 2]);
    decoder.release(); // the owner's, which does not know of the budget
    expect(got).toHaveLength(2);
    left = 1;
    decoder.goOn();
    expect([got.slice(2), decoder.yielded]).toEqual([["<FRAME_TOO_LARGE>"], true]);
    left = 9;
    decoder.goOn();
    expect([got.slice(3), decoder.yielded, decoder.waiting]).toEqual([
      ["3", "<sentinel>"],
      false,
      0,
    ]);
  });
});

describe("NativeSession: the budget", () => {
  const ping = (number: number): Uint8Array => frame(KIND.PING, 0, u64(number));

  it("stops between two frames, keeps a copy of the rest, and answers in order", () => {
    const end = readyServer();
    const chunk = joined(...Array.from({ length: 10 }, (_, i) => ping(i)), ping(10).subarray(0, 5));
    expect(end.session.receive(chunk, 0, messages(3))).toBe(true);
    chunk.fill(0xff); // its owner's again
    expect(framesOf(end.take())).toHaveLength(3);
    expect(() => end.session.receive(ping(11), 0)).toThrow(/goOn/);
    expect(end.session.goOn(0, messages(4))).toBe(true);
    expect(end.session.goOn(0, messages(9))).toBe(false);
    expect(end.session.receive(ping(10).subarray(5), 0)).toBe(false);
    const numbers = framesOf(end.take()).map(
      ({ kind, payload }) => `${kind} ${String(payload[7])}`,
    );
    expect(numbers).toEqual(Array.from({ length: 8 }, (_, i) => `PONG ${String(i + 3)}`));
  });

  it(
    "says false when the last frame of a chunk spends it, and forgets the rest with the " +
      "connection",
    () => {
      const end = readyServer();
      expect(end.session.receive(ping(1), 0, messages(1))).toBe(false);
      expect(end.session.receive(joined(ping(1), ping(2)), 0, messages(1))).toBe(true);
      end.session.lost(0);
      expect(end.session.goOn(0, messages(9))).toBe(false);
      const broken = readyServer();
      expect(
        broken.session.receive(joined(frame(KIND.RESULT, 2, ""), ping(2)), 0, messages(1)),
      ).toBe(false);
      expect(broken.session.state).toBe("closed");
    },
  );

  it("counts a frame that began in an earlier chunk", () => {
    const end = readyServer();
    const request = frame(KIND.REQUEST, 1, joined(u32(NAME.say), Uint8Array.of(0)));
    end.session.receive(request.subarray(0, 3), 0, messages(1));
    expect(end.session.receive(joined(request.subarray(3), ping(1)), 0, messages(1))).toBe(true);
  });
});

describe("JsonRpcSession: the budget", () => {
  const line = (method: string, id?: number): string =>
    `${JSON.stringify({ jsonrpc: "2.0", method, ...(id === undefined ? {} : { id }) })}\n`;

  it("stops after a text, keeps what came behind it, and goes on in order", () => {
    const end = JsonRpcEnd.ready("server", { call: (call) => void call.reply(undefined) });
    const chunk = utf8(
      line("ping", 1) + line("ping", 2) + "{\n" + line("ping", 3) + line("ping", 4),
    );
    expect(end.session.receive(chunk, 0, messages(2))).toBe(true);
    chunk.fill(0);
    const id = (answer: unknown): unknown => (answer as { id: unknown }).id;
    expect(end.read().map(id)).toEqual([1, 2]);
    expect(end.session.goOn(0, messages(1))).toBe(true);
    expect(end.read().map(id)).toEqual([null]);
    expect(end.session.goOn(0, messages(9))).toBe(false);
    expect(end.read().map(id)).toEqual([3, 4]);
  });

  it("counts each member of a batch, and a fatal fault comes after what waited", () => {
    const end = JsonRpcEnd.ready("server", {
      call: (call) => void call.reply(undefined),
      limits: { maxMessageBytes: 1_024 },
    });
    const chunk = utf8(`[1,1,1]\n${line("ping", 1)}${"x".repeat(2_000)}\n${line("ping", 2)}`);
    expect(end.session.receive(chunk, 0, messages(3))).toBe(true);
    expect(end.session.state).toBe("ready");
    expect(end.session.goOn(0, messages(9))).toBe(false);
    expect(end.session.state).toBe("closed");
    expect(end.read()).toHaveLength(3);
  });
});
