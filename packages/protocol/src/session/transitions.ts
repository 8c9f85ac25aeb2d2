/**
 * The states of a session and what each input makes of them, as one table. Owns which input may
 * come when. Must not know what an input does besides (session.ts) or how a frame looks
 * (frames.ts).
 *
 * @module
 */
import * as frames from "./frames/frames.ts";
import type { SessionState } from "./types.ts";

/**
 * Where a session stands.
 *
 *     new         nothing has happened
 *     handshake   client: the HELLO is written, the answer has not come
 *     ready       conversations open and close
 *     draining    this side has sent DRAIN
 *     leaving     the peer has
 *     parting     both have
 *     lost        there is no connection; the session may go on with another
 *     closed      over for good
 */
export type State =
  "closed" | "draining" | "handshake" | "leaving" | "lost" | "new" | "parting" | "ready";

/** The states in the order of the table's columns. */
export const states: readonly State[] = Object.freeze([
  "new",
  "handshake",
  "ready",
  "draining",
  "leaving",
  "parting",
  "lost",
  "closed",
] as const);

/**
 * What becomes of a state: another, the same, or one of two refusals.
 *
 *     !   must not be: of a frame a PROTOCOL_VIOLATION, of a command an error or nothing
 *     .   does not matter: nothing happens
 */
export type Cell = State | "!" | ".";

// One letter for each column: what the row's input makes of that state. "=": it stays.
const letters: Readonly<Record<string, Cell>> = Object.freeze({
  n: "new",
  h: "handshake",
  r: "ready",
  d: "draining",
  l: "leaving",
  p: "parting",
  o: "lost",
  c: "closed",
  "!": "!",
  ".": ".",
});

/**
 * What may happen to a session: a command of the driver, a decision of the engine, or a frame of
 * the peer by its kind's name.
 */
export type Input =
  | "attach"
  | "close"
  | "drain"
  | "emit"
  | "lost"
  | "open"
  | "resume"
  | "retain"
  | "welcome"
  | "over"
  | "retry"
  | "silence"
  | "violation"
  | "ACK"
  | "CANCEL"
  | "CLOSE"
  | "CREDIT"
  | "DRAIN"
  | "END"
  | "EVENT"
  | "FAIL"
  | "HELLO"
  | "ITEM"
  | "PING"
  | "PONG"
  | "LANE"
  | "MESSAGES"
  | "REFUSE"
  | "REJECT"
  | "REQUEST"
  | "RESULT"
  | "STOP"
  | "STREAM"
  | "WANT"
  | "WELCOME"
  | "WINDOW";

const table: Readonly<Record<Input, string>> = Object.freeze({
  //                  n h r d l p o c      new handshake ready draining leaving parting lost closed
  // the driver
  attach: "           h ! ! ! ! ! h !",
  welcome: "          r ! ! ! ! ! ! !", //  a new session
  // one that goes on, also from a connection that nobody knew to be lost
  resume: "           ! ! r r r r r !",
  lost: "             . o o o o o . .",
  close: "            c c c c c c c .",
  drain: "            . . d . p . . .",
  open: "             ! ! = ! ! ! ! !",
  emit: "             ! ! = = = = ! !", //  at most once
  retain: "           = = = = = = = !", //  at least once
  // the engine
  violation: "        . c c c c c . .",
  silence: "          . o o o o o . .",
  over: "             . c c c c c . .", //  a refusal, a CLOSE, or nothing left to do
  retry: "            . o . . . . . .", //  a refusal that may pass
  // the peer
  HELLO: "            . ! ! ! ! ! . .",
  WELCOME: "          . r ! ! ! ! . .",
  WANT: "             . = ! ! ! ! . .",
  MESSAGES: "         . = ! ! ! ! . .",
  REFUSE: "           . = ! ! ! ! . .",
  PING: "             . ! = = = = . .",
  PONG: "             . ! = = = = . .",
  DRAIN: "            . ! l p = = . .",
  CLOSE: "            . = = = = = . .",
  ACK: "              . ! = = = = . .",
  REJECT: "           . ! = = = = . .",
  CREDIT: "           . ! = = = = . .",
  WINDOW: "           . ! = = = = . .",
  LANE: "             . ! = = = = . .",
  // after its own DRAIN the peer opens nothing; what had begun goes on (inbound.ts)
  REQUEST: "          . ! = = ! ! . .",
  RESULT: "           . ! = = = = . .",
  FAIL: "             . ! = = = = . .",
  CANCEL: "           . ! = = = = . .",
  STREAM: "           . ! = = ! ! . .", //  likewise
  STOP: "             . ! = = = = . .",
  ITEM: "             . ! = = = = . .",
  END: "              . ! = = = = . .",
  EVENT: "            . ! = = = = . .",
});

/** Each input's row: what it makes of each state. */
export const transitions: Readonly<Record<Input, Readonly<Record<State, Cell>>>> = readTable();

function readTable(): Record<Input, Readonly<Record<State, Cell>>> {
  // filled for each input of the table
  const rows = {} as Record<Input, Readonly<Record<State, Cell>>>;
  for (const [input, cells] of Object.entries(table)) {
    const row = cells
      .trim()
      .split(" ")
      .map((letter, at) => (letter === "=" ? states[at] : letters[letter]));
    rows[input as Input] = Object.freeze(
      Object.fromEntries(states.map((state, at) => [state, row[at]])),
    ) as Readonly<Record<State, Cell>>; // one cell for each state
  }
  return Object.freeze(rows);
}

/** The row of each kind of frame by its number; a hole where there is none. */
export const frameRows: readonly (Readonly<Record<State, Cell>> | undefined)[] = Object.freeze(
  frames.frameRules.map((rule) =>
    rule === undefined ? undefined : transitions[rule.name as Input],
  ), // each kind has a row of its name
);

/**
 * The states in which everything after the handshake may come: what the frames' rows say, for the
 * path that does not look them up.
 */
export function isConnected(state: State): boolean {
  return transitions.PING[state] === state;
}

/** A state as it looks from outside. */
export function publicState(state: State): SessionState {
  return state === "leaving" || state === "parting" ? "draining" : state;
}
