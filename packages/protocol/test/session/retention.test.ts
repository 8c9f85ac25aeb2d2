// What sessions without a connection keep of events: one account, and one body of what was prepared
// for many.
import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { nativeSessions } from "../../src/session/native.ts";
import { RECORD_BYTES, Retention } from "../../src/session/events/retention.ts";
import type { Outcome } from "../../src/session/types.ts";
import { frame, framesOf, hello, joined, KIND, SIGNATURE, u64 } from "./by-hand.ts";
import { echo, End, entryOf, greet } from "./ends.ts";

const kind = nativeSessions(echo);

/** Sessions of one server, each welcomed and then lost. */
function lostSessions(count: number): { retention: Retention; ends: End[] } {
  const retention = new Retention();
  const ends = Array.from({ length: count }, () => {
    const end = new End("server", { kind, retention });
    const greeting = greet(
      kind,
      joined(
        SIGNATURE,
        frame(
          KIND.HELLO,
          0,
          hello({
            limits: {
              maxMessageBytes: 100_000,
              maxPartials: 2,
              maxConversations: 4,
              windowBytes: 100,
              eventWindowBytes: 100_000,
            },
          }),
        ),
      ),
    );
    end.session.welcome(end.output, greeting.hello, false, 0);
    end.session.lost(0);
    return end;
  });
  return { retention, ends };
}

function resume(end: End): void {
  end.output = new ByteWriter();
  const greeting = greet(
    kind,
    joined(
      SIGNATURE,
      frame(
        KIND.HELLO,
        0,
        hello({
          resume: { session: end.session.id, received: 0 },
          limits: {
            maxMessageBytes: 100_000,
            maxPartials: 2,
            maxConversations: 4,
            windowBytes: 100,
            eventWindowBytes: 100_000,
          },
        }),
      ),
    ),
  );
  end.session.welcome(end.output, greeting.hello, true, 0);
}

describe("Retention", () => {
  test("counts a prepared body once, however many sessions keep it, and until the last has let it go", () => {
    const { retention, ends } = lostSessions(3);
    const event = kind.prepare(entryOf(kind, "note"), "x".repeat(998));
    for (const end of ends) end.session.emitPrepared(event, {}, null);
    expect(retention.bytes).toBe(1_000 + 3 * RECORD_BYTES);
    const [first, second, third] = ends;
    resume(first as End); // there are three
    expect(retention.bytes).toBe(1_000 + 2 * RECORD_BYTES);
    second?.session.close();
    third?.session.close();
    expect(retention.bytes).toBe(0);
  });

  test(
    "counts an event's own body with it, what was sent before the loss as well, and nothing of a " +
      "session with a connection",
    () => {
      const { retention, ends } = lostSessions(1);
      const [end] = ends as [End];
      end.session.emit(entryOf(kind, "note"), "x".repeat(98), {}, null);
      expect(retention.bytes).toBe(RECORD_BYTES + 111);
      resume(end);
      end.session.emit(entryOf(kind, "note"), "x".repeat(98), {}, null);
      expect(retention.bytes).toBe(0);
      end.session.lost(0);
      expect(retention.bytes).toBe(2 * (RECORD_BYTES + 111));
      resume(end);
      end.session.receive(frame(KIND.ACK, 0, u64(2)), 0);
      end.session.lost(0);
      expect(retention.bytes).toBe(0);
    },
  );

  test("forgets an event that is withdrawn, and keeps numbers in order behind it", () => {
    const { retention, ends } = lostSessions(1);
    const [end] = ends as [End];
    const outcomes: Outcome[] = [];
    const settled = (outcome: Outcome): void => void outcomes.push(outcome);
    end.session.emit(entryOf(kind, "note"), 1, {}, null);
    end.session.emit(entryOf(kind, "note"), 2, {}, settled);
    end.session.emit(entryOf(kind, "note"), 3, {}, null);
    const before = retention.bytes;
    end.session.withdraw(settled);
    expect([outcomes, before - retention.bytes]).toEqual([["not-sent"], RECORD_BYTES + 12]);
    resume(end);
    expect(
      framesOf(end.take().subarray(8))
        .filter(({ kind: name }) => name === "EVENT")
        .map(({ payload }) => [payload[10], String.fromCharCode(payload[11] ?? 0)]),
    ).toEqual([
      [1, "1"],
      [2, "3"],
    ]);
  });
});

test("a prepared event is sent from its one body, whole and in pieces, and again after a loss", () => {
  const { ends } = lostSessions(2);
  const event = kind.prepare(entryOf(kind, "note"), "y".repeat(80_000));
  for (const end of ends)
    end.session.emitPrepared(
      event,
      { trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
      null,
    );
  for (let round = 0; round < 2; round++) {
    for (const end of ends) {
      resume(end);
      end.session.transmit(1_000_000);
      const events = framesOf(end.take().subarray(8)).filter(({ kind: name }) => name === "EVENT");
      expect(events.map(({ more }) => more)).toEqual([true, false]);
      const payload = joined(...events.map((each) => each.payload));
      expect([
        payload.length,
        payload[2],
        new TextDecoder().decode(payload.subarray(36, 39)),
      ]).toEqual([3 + 25 + 8 + 80_002, 6, '"yy']);
      end.session.lost(0);
    }
  }
});
