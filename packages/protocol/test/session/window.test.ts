// The credit that the items of all streams share (PROTOCOL.md §5), and items that wait encoded
// until the program asks for them.
import { describe, expect, test } from "vitest";
import type { CallSink, InboundCall, OutboundCall } from "../../src/session/types.ts";
import {
  frame,
  framesOf,
  head,
  hello,
  joined,
  KIND,
  linesOf,
  NAME,
  readyClient,
  readyServer,
  SIGNATURE,
  small,
  u32,
  waitingClient,
  welcome,
} from "./by-hand.ts";
import { End, entryOf, greet, readyPair } from "./ends.ts";

const limits = {
  ...small,
  windowBytes: 10_000,
  connectionWindowBytes: 1_000,
  maxConversations: 100,
};

/** STREAM of `talk` with items to follow. */
const talk = (id: number): Uint8Array => frame(KIND.STREAM, id, head(NAME.talk, 8), "1");
/** ITEM whose cost is this. */
const item = (id: number, cost: number): Uint8Array =>
  frame(KIND.ITEM, id, `"${"x".repeat(cost - 18)}"`);

const nothing: CallSink = {
  result: () => undefined,
  item: () => undefined,
  end: () => undefined,
  fail: () => undefined,
  writable: () => undefined,
};

/** A server whose handlers take nothing, with streams by hand. */
function holding(
  count: number,
  options: object = {},
): { end: End; calls: InboundCall[]; costs: number[] } {
  const end = readyServer({ limits: { ...limits, ...options } });
  const costs: number[] = [];
  end.onCall = (call) => {
    call.sink = {
      item: (_value, cost) => void costs.push(cost),
      end: () => undefined,
      cancelled: () => undefined,
      writable: () => undefined,
    };
  };
  end.session.receive(joined(...Array.from({ length: count }, (_, at) => talk(1 + 2 * at))), 0);
  end.told();
  end.take();
  return { end, calls: end.calls, costs };
}

describe("the credit of all streams, where items come in", () => {
  test("is announced in both greetings, with the bytes that inputs may have", () => {
    const client = waitingClient({ limits });
    client.session.lost(0);
    client.session.attach(client.output, 0);
    expect(new TextDecoder().decode(client.take())).toContain(
      '"connectionWindowBytes":1000,"laneWindowBytes":65536,"maxInputBytes":16777216}',
    );
    const server = new End("server", { limits: { ...limits, maxInputBytes: Infinity } });
    server.session.welcome(
      server.output,
      greet(server.kind, joined(SIGNATURE, frame(KIND.HELLO, 0, hello()))).hello,
      false,
      0,
    );
    expect(new TextDecoder().decode(server.take())).toContain(
      '"connectionWindowBytes":1000,"laneWindowBytes":65536,"maxInputBytes":4294967295}',
    );
  });

  test("is spent by the items of every stream, and what begins without it ends the session", () => {
    const { end } = holding(3);
    // it may go below zero by the last
    end.session.receive(joined(item(1, 500), item(3, 400), item(5, 101)), 0);
    expect(end.session.state).toBe("ready");
    end.session.receive(item(1, 20), 0);
    expect(linesOf(end.take()).at(-1)).toBe(
      'CLOSE 0 {"code":"FLOW_VIOLATION","message":"The peer sent an item without credit for ' +
        'all streams"}',
    );
  });

  test("is given back in halves of the window, as programs take items", () => {
    const { end, calls, costs } = holding(2);
    end.session.receive(joined(item(1, 400), item(3, 500)), 0);
    calls[0]?.consume(costs[0] ?? 0);
    expect(linesOf(end.take())).toEqual([]); // less than half
    calls[1]?.consume(costs[1] ?? 0);
    expect(linesOf(end.take())).toEqual(["WINDOW 0 00000384"]);
    calls[1]?.consume(500); // there is nothing more to be taken
    expect(linesOf(end.take())).toEqual([]);
  });

  const ways: [string, (end: End, calls: InboundCall[]) => void][] = [
    [
      "is cancelled and answered",
      (end, [call]) => {
        end.session.receive(frame(KIND.CANCEL, 1), 0);
        call?.fail({ name: "rude", payload: null });
      },
    ],
    [
      "is answered with items untaken",
      (_end, [call]) => {
        call?.end();
      },
    ],
    [
      "fails",
      (_end, [call]) => {
        call?.fail({ name: "rude", payload: null });
      },
    ],
    [
      "is past its deadline, and answered",
      (end, [call]) => {
        end.session.tick(10);
        call?.end();
      },
    ],
    [
      "is cut off by an item that is invalid",
      (end, [call]) => {
        end.session.receive(frame(KIND.ITEM, 1, "{"), 0);
        call?.end();
      },
    ],
    [
      "ends, and is answered",
      (end, [call]) => {
        end.session.receive(frame(KIND.END, 1), 0);
        call?.end();
      },
    ],
  ];
  test.each(ways)("is given back in full when a stream %s", (_, way) => {
    const { end, calls } = holding(0);
    end.session.receive(
      joined(frame(KIND.STREAM, 1, head(NAME.talk, 9), u32(5), "1"), item(1, 600)),
      0,
    );
    end.take();
    way(end, calls);
    expect(
      linesOf(end.take()).some(
        (line) => line.startsWith("WINDOW 0 ") && parseInt(line.slice(9), 16) >= 600,
      ),
      end.session.state,
    ).toBe(true);
  });

  test("is given back for items that come when nobody wants them any more", () => {
    const { end, calls } = holding(1);
    calls[0]?.end();
    end.take();
    end.session.receive(item(1, 700), 0);
    expect(linesOf(end.take())).toEqual(["WINDOW 0 000002bc"]);
  });

  test(
    "counts an item in pieces once, when it is whole, though other items have spent the credit " +
      "meanwhile",
    () => {
      const { end } = holding(2);
      const piece = (kind: number, text: string): Uint8Array => frame(kind, 1, text);
      end.session.receive(
        joined(piece(KIND.ITEM | 0x80, '"xx'), item(3, 1_000), piece(KIND.ITEM, 'xx"')),
        0,
      );
      expect([end.session.state, end.told().slice(-1)]).toEqual(["ready", []]);
      end.session.receive(frame(KIND.ITEM | 0x80, 3, '"'), 0);
      expect(end.session.state).toBe("closed");
    },
  );

  test("comes back when a stream that this side opened is over, whether its items are taken or not", () => {
    for (const way of ["ended", "lost"] as const) {
      const end = readyServer({ limits });
      const taken: number[] = [];
      const calls = [0, 1].map(() =>
        end.session.open(
          entryOf(end.kind, "talk"),
          1,
          {},
          { ...nothing, item: (_value, cost) => void taken.push(cost) },
        ),
      );
      for (const call of calls) call.end();
      end.take();
      end.session.receive(joined(item(2, 400), item(4, 700)), 0);
      expect(linesOf(end.take())).toEqual([]);
      if (way === "ended") {
        end.session.receive(joined(frame(KIND.END, 2), frame(KIND.END, 4)), 0);
        expect(linesOf(end.take())).toEqual(["WINDOW 0 0000044c"]);
      } else {
        end.session.lost(0);
        const { hello: read } = greet(
          end.kind,
          joined(
            SIGNATURE,
            frame(KIND.HELLO, 0, hello({ resume: { session: end.session.id, received: 0 } })),
          ),
        );
        end.output.truncate(0);
        end.session.welcome(end.output, read, true, 0);
        expect(new TextDecoder().decode(end.take())).toContain('"connectionWindowBytes":1000,');
      }
      // late, and counted no more
      for (const [at, call] of calls.entries()) call.consume(taken[at] ?? 0);
      end.session.receive(new Uint8Array(0), 0);
      expect(linesOf(end.take())).toEqual([]);
    }
  });
});

describe("the credit of all streams, where items go out", () => {
  const peer = {
    maxMessageBytes: 100_000,
    maxPartials: 2,
    maxConversations: 100,
    windowBytes: 10_000,
    eventWindowBytes: 100,
    connectionWindowBytes: 100,
    maxInputBytes: 1000,
  };
  const streams = (count: number): { client: End; calls: OutboundCall[] } => {
    const client = waitingClient({ limits });
    client.session.receive(joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ limits: peer }))), 0);
    const calls = Array.from({ length: count }, (_, at) => client.open("talk", 1, {}, String(at)));
    client.told();
    client.take();
    return { client, calls };
  };
  const items = (client: End): string =>
    framesOf(client.take())
      .map(({ kind, id, text }) => (kind === "ITEM" ? `${String(id)}${text.slice(0, 4)}` : kind))
      .join(" ");

  test("lets items wait, though their streams have credit; and tells when there is room", () => {
    const { client, calls } = streams(2);
    expect(calls[0]?.send("x".repeat(82))).toBe(false); // 100
    expect(calls[1]?.send("y")).toBe(false);
    expect([items(client), client.told()]).toEqual(['1"xxx', []]);
    client.session.receive(frame(KIND.WINDOW, 0, u32(100)), 0);
    expect([items(client), client.told()]).toEqual(['3"y"', ["0 writable", "1 writable"]]);
  });

  test("is shared fairly: streams take turns, whoever waited first", () => {
    const { client, calls } = streams(3);
    for (const call of calls) for (let count = 0; count < 3; count++) call.send("x".repeat(82));
    expect(items(client)).toBe('1"xxx');
    const order = [];
    for (let round = 0; round < 8; round++) {
      client.session.receive(frame(KIND.WINDOW, 0, u32(100)), 0);
      order.push(items(client));
    }
    expect(order.join(" ").replaceAll('"xxx', "")).toBe("1 3 5 1 3 5 3 5"); // the first item of stream 1 went at once
  });

  test("stops no call, no answer, no event and no end", () => {
    const { client, calls } = streams(2);
    calls[0]?.send("x".repeat(100));
    calls[1]?.send("y".repeat(100));
    client.take();
    client.open("say", 1);
    client.emit("tick", 1);
    calls[0]?.end();
    calls[1]?.end(); // behind its item
    expect(items(client)).toBe("REQUEST EVENT END");
    client.session.receive(frame(KIND.WINDOW, 0, u32(300)), 0);
    expect(items(client)).toBe('3"yyy END');
  });

  test("comes back for an item that CANCEL cuts off", () => {
    const { client, calls } = streams(3);
    client.session.receive(frame(KIND.WINDOW, 0, u32(1)), 0);
    calls[0]?.send("x".repeat(90_000)); // begins with 101, and waits for room with its second piece
    calls[1]?.send("y");
    expect(items(client)).toBe('1"xxx');
    calls[0]?.cancel();
    client.session.transmit(65_536);
    expect(items(client)).toBe('CANCEL 3"y"');
  });

  test("above 2147483647 ends the session; a peer that announces none does not count", () => {
    const { client } = streams(0);
    client.session.receive(frame(KIND.WINDOW, 0, u32(0x7fff_ffff)), 0);
    expect(client.told()).toEqual(["over FLOW_VIOLATION"]);
    const other = readyClient();
    other.session.receive(frame(KIND.WINDOW, 0, u32(0x7fff_ffff)), 0);
    expect(other.session.state).toBe("ready");
    const call = other.open("talk", 1);
    expect(call.send("x".repeat(50))).toBe(true); // windowBytes alone
  });

  test("is the same account on both sides, whatever is cancelled, dropped, late or cut", () => {
    const pair = readyPair({
      limits: {
        windowBytes: 1_000,
        connectionWindowBytes: 3_000,
        maxConversations: 50,
        maxPartials: 3,
      },
    });
    let count = 0;
    pair.server.onCall = (call) => {
      if (count++ % 3 === 0) call.end();
    };
    for (let round = 0; round < 200; round++) {
      const call = pair.client.open("talk", round);
      for (let at = 0; at < 4; at++) call.send("x".repeat((round * 37 + at * 501) % 1_500));
      if (round % 4 === 0) call.send("z".repeat(200_000));
      if (round % 5 === 0) pair.server.session.receive(pair.client.take(), 0);
      if (round % 7 === 0) pair.client.told();
      if (round % 2 === 0) call.cancel();
      else call.end();
      pair.flush(round % 3 === 0 ? 777 : undefined);
      for (const served of pair.server.calls.splice(0)) served.end();
      pair.flush();
    }
    expect([
      pair.client.session.state,
      pair.client.session.openCalls,
      pair.server.session.openCalls,
    ]).toEqual(["ready", 0, 0]);
    const last = pair.client.open("talk", 0);
    // nothing of the window has been lost
    for (let at = 0; at < 2; at++) expect(last.send("x".repeat(400))).toBe(true);
  });
});
