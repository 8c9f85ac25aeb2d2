// The transition table, cell by cell: a session is brought into each state, and given each input.
import { expect, test } from "vitest";
import { ByteWriter } from "../../src/bytes/writer.ts";
import type { Side } from "../../src/contract/contract.ts";
import { frameRules } from "../../src/session/frames/frames.ts";
import {
  type Cell,
  frameRows,
  type Input,
  isConnected,
  publicState,
  type State,
  states,
  transitions,
} from "../../src/session/transitions.ts";
import {
  frame,
  head,
  hello,
  joined,
  KIND,
  linesOf,
  NAME,
  SIGNATURE,
  SESSION,
  u32,
  u64,
  welcome,
} from "./by-hand.ts";
import { End, greet } from "./ends.ts";

const inputs = Object.keys(transitions) as Input[];

/** What brings a session of a side into a state; a server never shakes hands, its greeter does. */
function reach(state: State, side: Side): End | null {
  const end = new End(side);
  end.output = new ByteWriter();
  const { session } = end;
  const drain = frame(KIND.DRAIN, 0);
  if (state === "new") return end;
  if (state === "closed") {
    session.close();
    return end;
  }
  if (side === "client") session.attach(end.output, 0);
  if (state === "handshake") return side === "client" ? end : null;
  if (side === "client") session.receive(joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome())), 0);
  else
    session.welcome(
      end.output,
      greet(end.kind, joined(SIGNATURE, frame(KIND.HELLO, 0, hello()))).hello,
      false,
      0,
    );
  // Something is open in every connected state, so that a side that is asked to leave has a reason
  // to stay.
  if (side === "client") end.open("say", 1);
  if (side === "client") end.open("count", 1);
  else
    session.receive(
      joined(
        frame(KIND.REQUEST, 1, head(NAME.say), "1"),
        frame(KIND.STREAM, 3, head(NAME.talk, 8)),
      ),
      0,
    );
  if (state === "draining" || state === "parting") session.drain();
  if (state === "leaving" || state === "parting") session.receive(drain, 0);
  if (state === "lost") session.lost(0);
  return end;
}

/**
 * What gives a session an input; null: a session of this side has no such input, or not by itself.
 */
function give(input: Input, end: End, state: State): (() => void) | null {
  const { session } = end;
  const { side } = session;
  const receive =
    (bytes: Uint8Array): (() => void) =>
    () => {
      session.receive(state === "handshake" ? joined(SIGNATURE, bytes) : bytes, 0);
    };
  const resume = (): void => {
    session.welcome(
      end.output,
      greet(
        end.kind,
        joined(
          SIGNATURE,
          frame(
            KIND.HELLO,
            0,
            hello({ resume: { session: session.id === "" ? SESSION : session.id, received: 0 } }),
          ),
        ),
      ).hello,
      true,
      0,
    );
  };
  const byId = side === "client" ? 1 : 2; // what this side opened
  switch (input) {
    case "attach":
      return side === "client"
        ? () => {
            session.attach(new ByteWriter(), 0);
          }
        : null;
    case "welcome":
      return side === "server"
        ? () => {
            session.welcome(
              end.output,
              greet(end.kind, joined(SIGNATURE, frame(KIND.HELLO, 0, hello()))).hello,
              false,
              0,
            );
          }
        : null;
    case "resume":
      return side === "server" ? resume : null;
    case "lost":
      return () => {
        session.lost(0);
      };
    case "close":
      return () => {
        session.close();
      };
    case "drain":
      return () => {
        session.drain();
      };
    case "open":
      return () => {
        end.open(side === "client" ? "say" : "ask", 2);
      };
    case "emit":
      return () => {
        end.emit("tick", 2);
      };
    case "retain":
      return () => {
        end.emit("note", 2);
      };
    case "violation":
      return receive(frame(0x3f, 0));
    case "silence":
      return isConnected(state)
        ? () => {
            session.tick(15_000);
            session.tick(25_000);
          }
        : receive(frame(KIND.CLOSE, 0, '{"code":"HEARTBEAT_LOST","message":""}'));
    case "over":
      return receive(frame(KIND.CLOSE, 0, '{"code":"NORMAL","message":""}'));
    case "retry":
      return state === "handshake" || state === "new" || state === "lost" || state === "closed"
        ? receive(frame(KIND.REFUSE, 0, '{"code":"OVERLOADED","message":""}'))
        : null;
    case "CLOSE":
      return null; // it is "over" or "silence"
    case "REFUSE":
      return state === "handshake"
        ? null
        : receive(frame(KIND.REFUSE, 0, '{"code":"OVERLOADED","message":""}'));
    case "HELLO":
      return receive(frame(KIND.HELLO, 0, hello()));
    case "WELCOME":
      return receive(frame(KIND.WELCOME, 0, welcome()));
    case "WANT":
      return receive(frame(KIND.WANT, 0));
    case "MESSAGES":
      return receive(frame(KIND.MESSAGES, 0, "[]"));
    case "PING":
      return receive(frame(KIND.PING, 0, u64(1)));
    case "PONG":
      return () => {
        if (isConnected(state)) session.tick(15_000);
        receive(frame(KIND.PONG, 0, u64(1)))();
      };
    case "DRAIN":
      return receive(frame(KIND.DRAIN, 0));
    case "ACK":
      return receive(frame(KIND.ACK, 0, u64(0)));
    case "REJECT":
      return () => {
        if (isConnected(state)) end.emit("note", 1);
        receive(frame(KIND.REJECT, 0, u64(1), '{"code":"OVERLOADED","message":""}'))();
      };
    case "WINDOW":
      return receive(frame(KIND.WINDOW, 0, u32(5)));
    case "LANE":
      return receive(frame(KIND.LANE, 7, u32(5)));
    case "CREDIT":
      return receive(frame(KIND.CREDIT, 0, u32(5)));
    case "REQUEST":
      return receive(
        frame(KIND.REQUEST, byId === 1 ? 4 : 5, head(side === "client" ? NAME.ask : NAME.say), "1"),
      );
    case "STREAM":
      return receive(frame(KIND.STREAM, byId === 1 ? 4 : 5, head(NAME.talk), "1"));
    case "EVENT":
      return receive(frame(KIND.EVENT, 0, head(NAME.tick), "1"));
    case "STOP":
      return receive(frame(KIND.STOP, 2 / byId + 40));
    case "CANCEL":
      return receive(frame(KIND.CANCEL, 2 / byId + 40));
    case "RESULT":
    case "FAIL":
      // Only what this side has opened is answered: the client's `say` 1 is.
      return side === "server" && isConnected(state)
        ? null
        : receive(
            input === "RESULT"
              ? frame(KIND.RESULT, 1, "1")
              : frame(KIND.FAIL, 1, '{"code":"OVERLOADED","message":""}'),
          );
    case "ITEM":
    case "END":
      // Of the client's stream, which has id 3.
      return receive(input === "ITEM" ? frame(KIND.ITEM, 3, "1") : frame(KIND.END, 3));
  }
}

const cells = inputs.flatMap((input) =>
  states.flatMap((state) =>
    (["client", "server"] as const).map(
      (side) => [input, state, side, transitions[input][state]] as const,
    ),
  ),
);
const visited = new Set<string>();

test.each(cells)("%s in state %s of a %s: %s", (input, state, side, cell) => {
  const end = reach(state, side);
  if (end === null) return;
  const { session } = end;
  expect(session.state).toBe(publicState(state));
  const act = give(input, end, state);
  if (act === null) return;
  visited.add(`${input} ${state}`);
  end.take();
  end.told();
  const isFrame = input === input.toUpperCase();
  if (cell === "!" && !isFrame) {
    expect(act).toThrow();
    expect(session.state).toBe(publicState(state));
    return;
  }
  act();
  expect(session.state, end.log.join("; ")).toBe(publicState(after(cell, state)));
  if (cell === "!") {
    expect(end.log.at(-1)).toBe("over PROTOCOL_VIOLATION");
    expect(linesOf(end.take()).at(-1)).toContain('CLOSE 0 {"code":"PROTOCOL_VIOLATION"');
  }
  if (cell === "." && isFrame) expect([end.told(), end.take().length]).toEqual([[], 0]);
});

function after(cell: Cell, state: State): State {
  return cell === "!" ? "closed" : cell === "." ? state : cell;
}

test("every cell of the table was visited, but those that a session reaches by another name", () => {
  const missing = cells
    .map(([input, state]) => `${input} ${state}`)
    .filter((name) => !visited.has(name));
  // A CLOSE is "over" or "silence"; a REFUSE that counts is "over" or "retry"; only a handshake can
  // be tried again, and servers have none.
  expect(
    [...new Set(missing)].filter(
      (name) =>
        !/^CLOSE |^REFUSE handshake$|^(?:welcome|resume) handshake$|^retry (?:ready|draining|leaving|parting)$/.test(
          name,
        ),
    ),
  ).toEqual([]);
});

test("each kind of frame has a rule and a row, and no other has", () => {
  const kinds = frameRules
    .map((rule, kind) => [rule?.name, kind] as const)
    .filter(([name]) => name !== undefined);
  expect(Object.fromEntries(kinds)).toEqual(KIND);
  for (const [name, kind] of kinds) expect(frameRows[kind]).toBe(transitions[name as Input]);
  expect(frameRows.length).toBe(0x19);
  expect(Object.isFrozen(transitions) && Object.isFrozen(transitions.PING)).toBe(true);
});
