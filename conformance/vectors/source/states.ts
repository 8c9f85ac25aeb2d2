// Vectors of the conversation table of PROTOCOL.md §4: each frame in each state of a conversation.
// `!`: a violation; `.`: ignored; a list of steps: what comes.

import {
  alive,
  echo,
  expect,
  fail,
  frame,
  greet,
  inAnyOrder,
  item,
  log,
  request,
  result,
  send,
  stream,
  TAG,
  Vectors,
  violation,
} from "./build.ts";
import type { FrameSpec, Step } from "../../runner/vector.ts";

export const states = new Vectors();

const id = "mine1";
/** A frame of each kind of a conversation, of mine1 (or theirs1). */
const every = (of: string): Readonly<Record<string, FrameSpec>> => ({
  REQUEST: request(of, "echo", 1),
  STREAM: stream(of, "count", { to: 0 }),
  RESULT: frame("RESULT", { id: of, json: 1 }),
  FAIL: frame("FAIL", { id: of, json: { code: "OVERLOADED", message: "" } }),
  CANCEL: frame("CANCEL", { id: of }),
  ITEM: frame("ITEM", { id: of, json: 1 }),
  END: frame("END", { id: of }),
  CREDIT: frame("CREDIT", { id: of, bytes: 1 }),
  STOP: frame("STOP", { id: of }),
});

type Cell = "!" | "." | readonly Step[];

/** A row of the table of PROTOCOL.md §4. */
export interface StateRow {
  /** The conversation's state, behind "A frame …". */
  readonly name: string;
  /** True if the receiver of the frame has opened it. */
  readonly isOpener: boolean;
  /** By kind: `!`, `.` or `+`. */
  readonly cells: Readonly<Record<string, string>>;
}

export const stateRows: StateRow[] = [];
/** The columns of the table. */
export const stateKinds: readonly string[] = Object.keys(every(id));

function state(
  name: string,
  before: readonly Step[],
  cells: Readonly<Record<string, Cell>>,
  of = id,
): void {
  stateRows.push({
    name,
    isOpener: of !== id,
    cells: Object.fromEntries(
      Object.entries(cells).map(([kind, cell]) => [kind, typeof cell === "string" ? cell : "+"]),
    ),
  });
  for (const [kind, spec] of Object.entries(every(of))) {
    const cell = cells[kind];
    if (cell === undefined) continue;
    const article = /^[EI]/.test(kind) ? "An" : "A";
    const end: readonly Step[] =
      cell === "!"
        ? [violation]
        : cell === "."
          ? [alive, ...echo("mine7")]
          : [...cell, alive, ...echo("mine7")];
    const what = cell === "!" ? "is a violation" : cell === "." ? "is ignored" : "is taken";
    states.any(
      `${article} ${kind} ${name} ${what}`,
      kind === "STOP"
        ? "states stop"
        : kind === "CREDIT" && cell === "!"
          ? "states credit-request"
          : "states",
      greet(),
      ...before,
      send(spec),
      ...end,
    );
  }
}

const cancelled: readonly Step[] = [expect(fail(id, "CANCELLED"))];
/**
 * What may come only behind what opens a conversation; REQUEST and STREAM where the id is taken.
 */
const nothing = { REQUEST: "!", STREAM: "!", RESULT: "!", FAIL: "!", ITEM: "!", END: "!" } as const;

// What the runner opens.
state("for a conversation that was never opened", [], {
  ...nothing,
  REQUEST: [expect(result(id, 1))],
  STREAM: [expect({ kind: "END", id })],
  CANCEL: ".",
  CREDIT: ".",
  STOP: ".",
});
state(
  "behind the first piece of a REQUEST",
  [send(frame("REQUEST", { id, name: "echo", text: "1", more: true }))],
  {
    ...nothing,
    REQUEST: [expect(fail(id, "INPUT_INVALID"))],
    CANCEL: cancelled,
    CREDIT: "!",
    STOP: "!",
  },
);
state(
  "for a REQUEST that is open",
  [send(request(id, "wait", { tag: TAG })), ...log("mine2", "waiting")],
  { ...nothing, CANCEL: cancelled, CREDIT: "!", STOP: "!" },
);
state("for a REQUEST that has its RESULT", [send(request(id, "echo", 0)), expect(result(id, 0))], {
  ...nothing,
  REQUEST: [expect(result(id, 1))],
  STREAM: [expect({ kind: "END", id })],
  CANCEL: ".",
  CREDIT: ".",
  STOP: ".",
});
state(
  "for a REQUEST that has its FAIL",
  [send(request(id, "throw", 0)), expect(fail(id, "HANDLER_FAILED"))],
  {
    ...nothing,
    REQUEST: [expect(result(id, 1))],
    STREAM: [expect({ kind: "END", id })],
    CANCEL: ".",
    CREDIT: ".",
    STOP: ".",
  },
);
state(
  "behind CANCEL of a REQUEST that was answered",
  [send(request(id, "wait", { tag: TAG }), frame("CANCEL", { id })), ...cancelled],
  {
    ...nothing,
    REQUEST: [expect(result(id, 1))],
    STREAM: [expect({ kind: "END", id })],
    CANCEL: ".",
    CREDIT: ".",
    STOP: ".",
  },
);
state(
  "for a REQUEST whose deadline has passed",
  [send(request(id, "wait", { tag: TAG }, { deadline: 1 })), expect(fail(id, "DEADLINE_EXCEEDED"))],
  {
    ...nothing,
    REQUEST: [expect(result(id, 1))],
    STREAM: [expect({ kind: "END", id })],
    CANCEL: ".",
    CREDIT: ".",
    STOP: ".",
  },
);
const ignoresCancel: readonly Step[] = [
  send(request(id, "stubborn", { tag: TAG })),
  ...log("mine2", "waiting"),
  send(frame("CANCEL", { id })),
];
const released: readonly Step[] = [
  send(request("mine2", "release", { tag: TAG })),
  inAnyOrder({ kind: "RESULT", id: "mine2" }, { kind: "FAIL|RESULT", id }),
];
state("behind CANCEL of a REQUEST whose handler goes on", ignoresCancel, {
  REQUEST: "!",
  STREAM: "!",
  CREDIT: "!",
  STOP: "!",
  RESULT: "!",
  FAIL: "!",
  ITEM: "!",
  END: "!",
  CANCEL: released,
});

const sending: readonly Step[] = [
  send(stream(id, "hang", { tag: TAG }, { items: true })),
  ...log("mine2", "waiting"),
];
const quiet: readonly Step[] = [send(stream(id, "hang", { tag: TAG })), ...log("mine2", "waiting")];
const done: readonly Step[] = [
  send(request("mine2", "release", { tag: TAG })),
  inAnyOrder({ kind: "RESULT", id: "mine2" }, item(id, "released"), { kind: "END", id }),
];
const stopping: readonly Step[] = [
  send(request("mine2", "release", { tag: TAG })),
  inAnyOrder({ kind: "RESULT", id: "mine2" }, { kind: "END|FAIL", id }),
];
const ending: readonly Step[] = [...done, send(frame("END", { id }))];
const stopped: readonly Step[] = [
  send(request("mine2", "release", { tag: TAG })),
  inAnyOrder({ kind: "RESULT", id: "mine2" }, { kind: "END|FAIL", id }),
  send(frame("END", { id })),
];
state(
  "behind the first piece of a STREAM",
  [send(frame("STREAM", { id, name: "count", text: "{", more: true }))],
  {
    ...nothing,
    STREAM: [expect(fail(id, "INPUT_INVALID"))],
    CANCEL: cancelled,
    CREDIT: [send(frame("STREAM", { id, text: '"to":0}' })), expect({ kind: "END", id })],
    STOP: [send(frame("STREAM", { id, text: '"to":0}' })), expect({ kind: "END|FAIL", id })],
  },
);
state("for a STREAM with flag 08", sending, {
  ...nothing,
  CANCEL: cancelled,
  ITEM: ending,
  END: done,
  CREDIT: ending,
  STOP: stopped,
});
state("for a STREAM without flag 08", quiet, {
  ...nothing,
  CANCEL: cancelled,
  CREDIT: done,
  STOP: stopping,
});
state("behind the opener's END", [...sending, send(frame("END", { id }))], {
  ...nothing,
  CANCEL: cancelled,
  CREDIT: done,
  STOP: stopping,
});
state(
  "behind the first piece of an ITEM",
  [...sending, send(frame("ITEM", { id, text: "1", more: true }))],
  {
    REQUEST: "!",
    STREAM: "!",
    RESULT: "!",
    FAIL: "!",
    END: "!",
    CANCEL: cancelled,
    ITEM: ending,
    CREDIT: [send(frame("ITEM", { id })), ...ending],
    STOP: [send(frame("ITEM", { id })), ...stopped],
  },
);
state("behind CANCEL of a STREAM", [...sending, send(frame("CANCEL", { id })), ...cancelled], {
  ...nothing,
  REQUEST: [expect(result(id, 1))],
  STREAM: [expect({ kind: "END", id })],
  CANCEL: ".",
  CREDIT: ".",
  STOP: ".",
});
state(
  "behind the responder's END of a STREAM with flag 08",
  [send(stream(id, "take", { n: 0 }, { items: true })), expect(item(id, []), { kind: "END", id })],
  {
    ...nothing,
    ITEM: [alive, send(frame("END", { id }))],
    END: ".",
    CANCEL: ".",
    CREDIT: [alive, send(frame("END", { id }))],
    STOP: [alive, send(frame("END", { id }))],
  },
);
state(
  "behind the responder's FAIL of a STREAM with flag 08",
  [
    send(stream(id, "broken", { after: 0, how: "throw" }, { items: true })),
    expect(fail(id, "HANDLER_FAILED")),
  ],
  {
    ...nothing,
    ITEM: [alive, send(frame("END", { id }))],
    END: ".",
    CANCEL: ".",
    CREDIT: [alive, send(frame("END", { id }))],
    STOP: [alive, send(frame("END", { id }))],
  },
);
state(
  "behind the END of both",
  [
    send(stream(id, "collect", null, { items: true }), frame("END", { id })),
    expect(item(id, 0), { kind: "END", id }),
  ],
  {
    ...nothing,
    REQUEST: [expect(result(id, 1))],
    STREAM: [expect({ kind: "END", id })],
    CANCEL: ".",
    CREDIT: ".",
    STOP: ".",
  },
);
state(
  "behind the END of a STREAM without flag 08",
  [send(stream(id, "count", { to: 0 })), expect({ kind: "END", id })],
  {
    ...nothing,
    REQUEST: [expect(result(id, 1))],
    STREAM: [expect({ kind: "END", id })],
    CANCEL: ".",
    CREDIT: ".",
    STOP: ".",
  },
);

// What the target opens.
const their = "theirs1";
const called: readonly Step[] = [
  send(request("mine1", "call", { name: "echo", input: 1 })),
  expect({ kind: "REQUEST", id: their }),
];
const wrong = { REQUEST: "!", STREAM: "!", CANCEL: "!" } as const;
state(
  "for the target's REQUEST",
  called,
  {
    ...wrong,
    RESULT: [expect(result("mine1", { result: 1 }))],
    FAIL: [expect(result("mine1", { code: "OVERLOADED" }))],
    ITEM: "!",
    END: "!",
    CREDIT: "!",
    STOP: "!",
  },
  their,
);
state(
  "for the target's REQUEST that was answered",
  [...called, send(result(their, 0)), expect(result("mine1", { result: 0 }))],
  { ...wrong, RESULT: "!", FAIL: "!", ITEM: "!", END: "!", CREDIT: ".", STOP: "." },
  their,
);
state(
  "behind the first piece of a RESULT",
  [...called, send(frame("RESULT", { id: their, text: "1", more: true }))],
  {
    ...wrong,
    RESULT: [expect({ kind: "RESULT", id: "mine1", json: { result: 11 } })],
    FAIL: "!",
    ITEM: "!",
    END: "!",
    CREDIT: "!",
    STOP: "!",
  },
  their,
);
const target08 = (input: object): readonly Step[] => [
  send(request("mine1", "pull", { name: "mirror", input: null, tag: TAG, ...input })),
  expect({ kind: "STREAM", id: their }),
];
const pulled: readonly Step[] = [
  send(request("mine1", "pull", { name: "count", input: { to: 1 } })),
  expect({ kind: "STREAM", id: their }),
];
state(
  "for the target's STREAM without flag 08",
  pulled,
  {
    ...wrong,
    RESULT: "!",
    FAIL: [expect(result("mine1", { items: [], code: "OVERLOADED" }))],
    END: [expect(result("mine1", { items: [], ended: true }))],
    ITEM: [send(frame("END", { id: their })), expect(result("mine1", { items: [1], ended: true }))],
    CREDIT: ".",
    STOP: ".",
  },
  their,
);
state(
  "behind the END of the target's STREAM without flag 08",
  [...pulled, send(frame("END", { id: their })), expect({ kind: "RESULT", id: "mine1" })],
  { ...wrong, RESULT: "!", FAIL: "!", ITEM: "!", END: "!", CREDIT: ".", STOP: "." },
  their,
);
state(
  "behind the FAIL of the target's STREAM without flag 08",
  [
    ...pulled,
    send(frame("FAIL", { id: their, json: { code: "OVERLOADED", message: "" } })),
    expect({ kind: "RESULT", id: "mine1" }),
  ],
  { ...wrong, RESULT: "!", FAIL: "!", ITEM: "!", END: "!", CREDIT: ".", STOP: "." },
  their,
);
state(
  "for the target's STREAM with flag 08",
  target08({}),
  {
    ...wrong,
    RESULT: "!",
    FAIL: [
      inAnyOrder(
        { kind: "END|CANCEL", id: their },
        { kind: "RESULT", id: "mine1", json: { code: "OVERLOADED" } },
      ),
    ],
    END: [
      inAnyOrder(
        { kind: "END|CANCEL", id: their },
        { kind: "RESULT", id: "mine1", json: { ended: true } },
      ),
    ],
    CREDIT: ".",
    STOP: [expect({ kind: "END", id: their })],
    ITEM: [
      send(frame("END", { id: their })),
      inAnyOrder(
        { kind: "END|CANCEL", id: their },
        { kind: "RESULT", id: "mine1", json: { items: [1] } },
      ),
    ],
  },
  their,
);
state(
  "behind the END of the target's STREAM with flag 08",
  [
    ...target08({}),
    send(frame("END", { id: their })),
    inAnyOrder({ kind: "END|CANCEL", id: their }, { kind: "RESULT", id: "mine1" }),
  ],
  { ...wrong, RESULT: "!", FAIL: "!", ITEM: "!", END: "!", CREDIT: ".", STOP: "." },
  their,
);
state(
  "behind the target's END",
  [...target08({ send: [1], end: true }), expect(item(their, 1), { kind: "END", id: their })],
  {
    ...wrong,
    RESULT: "!",
    FAIL: [expect({ kind: "RESULT", id: "mine1", json: { code: "OVERLOADED" } })],
    END: [expect({ kind: "RESULT", id: "mine1", json: { ended: true } })],
    CREDIT: ".",
    STOP: ".",
    ITEM: [
      send(frame("END", { id: their })),
      expect({ kind: "RESULT", id: "mine1", json: { items: [1], ended: true } }),
    ],
  },
  their,
);
state(
  "behind the target's CANCEL",
  [
    ...target08({}),
    send(request("mine2", "cancel", { tag: TAG })),
    inAnyOrder(
      { kind: "RESULT", id: "mine2" },
      { kind: "RESULT", id: "mine1" },
      { kind: "CANCEL", id: their },
    ),
  ],
  {
    ...wrong,
    RESULT: "!",
    FAIL: ".",
    END: ".",
    ITEM: [alive, send(frame("END", { id: their }))],
    CREDIT: [alive, send(frame("END", { id: their }))],
    STOP: [alive, send(frame("END", { id: their }))],
  },
  their,
);
