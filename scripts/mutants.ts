/**
 * Mutants: faults that are planted in the session engine, one at a time, to see whether the vectors
 * find them (mutations.ts). Owns the list. Each changes one reaction: a cell of a table of states,
 * or what a rule of PROTOCOL.md asks for.
 *
 * @module
 */

/** One planted fault. */
export interface Mutant {
  /** The engine's wrong behaviour with it. */
  readonly what: string;
  /** The file, below `packages/`. */
  readonly file: string;
  /** The text that stands there once, and what it becomes. */
  readonly find: string;
  readonly replace: string;
}

const session = (file: string, what: string, find: string, replace: string): Mutant => ({
  what,
  file: `protocol/src/session/${file}`,
  find,
  replace,
});

/**
 * A cell of the table of a session's states: a row has new, handshake, ready, draining, leaving,
 * parting, lost and closed.
 */
function cell(frame: string, row: string, wrong: string, what: string): Mutant {
  const label = `  ${frame}: "`.padEnd(22);
  return session("transitions.ts", what, label + row, label + wrong);
}

/** The faults, by what they break. */
export const mutants: readonly Mutant[] = Object.freeze([
  // The states of a session.
  cell(
    "PING",
    ". ! = = = = . .",
    ". ! = ! = = . .",
    "PING while this side drains ends the session",
  ),
  cell("ACK", ". ! = = = = . .", ". = = = = = . .", "ACK before WELCOME is taken"),
  cell("DRAIN", ". ! l p = = . .", ". ! = p = = . .", "DRAIN is ignored"),
  cell("WELCOME", ". r ! ! ! ! . .", ". r = ! ! ! . .", "a second WELCOME is taken"),
  cell("HELLO", ". ! ! ! ! ! . .", ". ! = ! ! ! . .", "a second HELLO is taken"),
  cell("REFUSE", ". = ! ! ! ! . .", ". = = ! ! ! . .", "REFUSE behind WELCOME is taken"),
  cell(
    "REQUEST",
    ". ! = = ! ! . .",
    ". ! = = = ! . .",
    "a REQUEST behind its sender's DRAIN is served",
  ),
  cell(
    "STREAM",
    ". ! = = ! ! . .",
    ". ! = = = ! . .",
    "a STREAM behind its sender's DRAIN is served",
  ),
  cell(
    "EVENT",
    ". ! = = = = . .",
    ". ! = = ! = . .",
    "an EVENT behind its sender's DRAIN ends the session",
  ),
  cell(
    "RESULT",
    ". ! = = = = . .",
    ". ! = = ! = . .",
    "a RESULT behind its sender's DRAIN ends the session",
  ),
  cell("WANT", ". = ! ! ! ! . .", ". = = ! ! ! . .", "WANT behind WELCOME is taken"),
  cell("MESSAGES", ". = ! ! ! ! . .", ". = = ! ! ! . .", "MESSAGES behind WELCOME is taken"),
  // The states of a conversation.
  session(
    "calls/calls.ts",
    "CREDIT for a request is ignored",
    'link.violate("PROTOCOL_VIOLATION", "gave credit for a request");',
    "return;",
  ),
  session(
    "calls/calls.ts",
    "STOP of a request is ignored",
    'this.#link.violate("PROTOCOL_VIOLATION", "refused the items of a request");',
    "return;",
  ),
  session(
    "calls/calls.ts",
    "CANCEL from the responder is ignored",
    'this.#link.violate("PROTOCOL_VIOLATION", "cancelled a conversation that it did not open");',
    "return;",
  ),
  session(
    "calls/calls.ts",
    "CANCEL that can't be read is ignored",
    'this.#link.violate("PROTOCOL_VIOLATION", "sent a CANCEL that is not {code, message}");',
    "return;",
  ),
  session(
    "calls/calls.ts",
    "CANCEL between the pieces of a REQUEST is not answered",
    'this.#fail(id, peerError("CALL_CANCELLED", "cancelled before it had come whole"));',
    "return;",
  ),
  session(
    "calls/calls.ts",
    "an id that is in use is opened again",
    ": this.#incoming.at(id) !== null\n",
    ": this.#incoming.at(id) === undefined\n",
  ),
  session(
    "calls/calls.ts",
    "an id of this side's own parity is opened by the peer",
    "const wrong = this.#isOurs(id)\n",
    "const wrong = this.#isOurs(id) && id < 0\n",
  ),
  session(
    "calls/calls.ts",
    "one conversation more than maxConversations is opened",
    "this.#begun.size >= link.limits.maxConversations",
    "this.#begun.size > link.limits.maxConversations",
  ),
  session(
    "calls/calls.ts",
    "CREDIT for a STREAM that has begun is forgotten",
    "else if (begun !== undefined) begun.credit += credit;",
    "",
  ),
  session(
    "calls/calls.ts",
    "STOP for a STREAM that has begun is forgotten",
    "else if (begun !== undefined) begun.isStopped = true;",
    "",
  ),
  session(
    "calls/calls.ts",
    "RESULT of a stream is taken",
    "const fits = kind === FAIL || ",
    "const fits = kind === FAIL || kind === RESULT || ",
  ),
  session(
    "calls/calls.ts",
    "an ITEM of a request is taken",
    'if (call === null || isOpen !== true || call.entry.type !== "stream") {',
    "if (call === null || isOpen !== true) {",
  ),
  session(
    "calls/calls.ts",
    "END behind END is ignored",
    "      else this.#notOpen(kind, id);\n",
    "",
  ),
  session(
    "calls/calls.ts",
    "a RESULT for what is not open is ignored",
    "    this.#notOpen(kind, id);\n    return null;\n",
    "    return null;\n",
  ),
  session(
    "calls/calls.ts",
    "a name outside the list is answered, and no violation",
    "if (offered !== null) this.#tellContract(id, head, offered);\n      else\n",
    "if (offered !== null) this.#tellContract(id, head, offered);\n" +
      '      else this.#refuse(id, head, peerError("MESSAGE_UNKNOWN", "no such message"));\n' +
      "      if (head.name < 0)\n",
  ),
  session(
    "calls/calls.ts",
    "an input that is invalid is told as another failure",
    '"INPUT_INVALID",\n        `The input',
    '"OUTPUT_INVALID",\n        `The input',
  ),
  session(
    "calls/incoming.ts",
    "a handler is not told that its call is cancelled",
    'else if (this.#local === "open") this.#cancel(reason);\n',
    'else if (reason.code === "") this.#cancel(reason);\n',
  ),
  session(
    "calls/incoming.ts",
    "the deadline of a call passes unnoticed",
    'if (this.#local === "open")\n      this.#cancel(\n        peerError("DEADLINE_EXCEEDED"',
    'if (this.#local === "over")\n      this.#cancel(\n        peerError("DEADLINE_EXCEEDED"',
  ),
  session(
    "calls/incoming.ts",
    "items are sent though the opener refuses them",
    "!this.isRefused && this.connected",
    "this.connected",
  ),
  session(
    "calls/incoming.ts",
    "what is answered is freed before the opener has ended",
    'if (this.#remote === "over") this.registry.release(this);',
    "this.registry.release(this);",
  ),
  session(
    "calls/incoming.ts",
    "an item that is invalid is passed over",
    "if (issue !== null) this.#cancel(this.#itemInvalid(issue));",
    "",
  ),
  session(
    "calls/outgoing.ts",
    "an opener whose stream has ended says neither END nor CANCEL",
    "    else this.#abandon();\n    return this.#take();",
    "    return this.#take();",
  ),
  session(
    "calls/outgoing.ts",
    "an opener goes on with items that are refused",
    "    this.#endItems();\n    this.tellRefused",
    "    this.tellRefused",
  ),
  session(
    "calls/outgoing.ts",
    "a FAIL that can't be read is ignored",
    '      this.link.violate("PROTOCOL_VIOLATION", "sent a FAIL that is not {code, message}");\n',
    "",
  ),
  session(
    "calls/outgoing.ts",
    "CANCEL does not say why",
    'reason === undefined ? "" : formatCancellation(reason)',
    '""',
  ),
  session(
    "calls/conversation.ts",
    "items beyond the credit of all streams are taken",
    "if (grant > 0 && this.link.items.open) return true;",
    "if (grant > 0) return true;",
  ),
  session(
    "calls/conversation.ts",
    "items beyond the stream's credit are taken",
    "if (grant > 0 && this.link.items.open) return true;",
    "if (this.link.items.open) return true;",
  ),
  session(
    "calls/conversation.ts",
    "credit above 2^31 - 1 is taken",
    "if (lane.credit + bytes > 0x7fff_ffff) {",
    "if (bytes < 0) {",
  ),
  session(
    "calls/conversation.ts",
    "credit is not given back",
    "    writeCredit(link.output, this.id, intake.taken);\n",
    "",
  ),
  session(
    "calls/conversation.ts",
    "an item costs its body alone",
    "const cost = bytes + ITEM_COST;",
    "const cost = bytes;",
  ),
  // Frames and pieces.
  session(
    "inbound.ts",
    "an ignorable kind ends the session",
    "if (rule === undefined && (kind & IGNORABLE) !== 0) return true;",
    "",
  ),
  session(
    "inbound.ts",
    "a frame that may not be cut is taken in pieces",
    " ||\n      (kind !== whole && !rule.cut)\n",
    "\n",
  ),
  session(
    "inbound.ts",
    "credit of 0 bytes is taken",
    "if (credit === 0) this.#violate",
    "if (credit < 0) this.#violate",
  ),
  session(
    "inbound.ts",
    "END between the pieces of an ITEM is taken",
    "} else if (this.#pieces.any && whole === END && this.#pieces.has(id)) {",
    "} else if (id < 0) {",
  ),
  session(
    "inbound.ts",
    "an id where there is none is ignored",
    '(rule.id === "zero" && id !== 0) || ',
    "",
  ),
  session(
    "inbound.ts",
    "a payload of the wrong size is taken",
    "} else if (size < rule.min || size > rule.max) {",
    "} else if (size < 0) {",
  ),
  session(
    "frames/pieces.ts",
    "an empty piece is taken",
    "if (kind !== whole && start === end) {",
    "if (start > end) {",
  ),
  session(
    "frames/pieces.ts",
    "one unfinished message more than maxPartials is begun",
    "this.#partials.size >= this.#link.limits.maxPartials",
    "this.#partials.size > this.#link.limits.maxPartials",
  ),
  session(
    "frames/head.ts",
    "flags that are not defined are ignored",
    "if ((flags & ~allowed(kind)) !== 0 || ",
    "if (",
  ),
  session(
    "frames/head.ts",
    "a deadline of 0 is taken",
    "if (this.deadlineMs === 0) return",
    "if (this.deadlineMs < 0) return",
  ),
  // Events.
  session(
    "events/receiver.ts",
    "a gap in the numbers is taken",
    "if (!isInOrder && (number > 0 || wasAny) && !this.#isNext(number)) {",
    "if (!this.#isNext(number) && number < 0) {",
  ),
  session(
    "events/receiver.ts",
    "a duplicate is handled again",
    "if (this.#came.has(number)) {",
    "if (number < 0) {",
  ),
  session(
    "events/receiver.ts",
    "rejections are not sent again",
    "    for (const { number, text } of this.#rejections)\n" +
      "      writeNumbered(this.#link.output, REJECT, number, text);\n",
    "",
  ),
  session(
    "events/receiver.ts",
    "what was acknowledged is not acknowledged again",
    "    this.#acked = 0;\n    for (const [first, last] of",
    "    for (const [first, last] of",
  ),
  session(
    "events/receiver.ts",
    "a failure is not rejected",
    "if (error !== null) this.#reject(acked, error);",
    "",
  ),
  session(
    "events/receiver.ts",
    "events beyond their credit are taken",
    "const hasCredit = this.#window.open;",
    "const hasCredit = this.#link.epoch >= 0;",
  ),
  session(
    "events/receiver.ts",
    "the credit of a duplicate is not given back",
    "      this.#window.release(cost); // a duplicate\n",
    "",
  ),
  session(
    "events/emitter.ts",
    "an ACK of what was not sent is ignored",
    '      this.#link.violate("PROTOCOL_VIOLATION", "acknowledged an event that was not sent");\n',
    "",
  ),
  session(
    "events/emitter.ts",
    "a REJECT of what was not sent is ignored",
    '      this.#link.violate("PROTOCOL_VIOLATION", "rejected an event that was not sent");\n',
    "",
  ),
  session(
    "events/emitter.ts",
    "what the peer has is sent again",
    "if (number <= received) continue;",
    "",
  ),
  session(
    "events/emitter.ts",
    "an event goes out without credit",
    "if (lane.open && link.fits(start)) {",
    "if (link.fits(start)) {",
  ),
  session(
    "events/receiver.ts",
    "events of a lane beyond its credit are taken",
    "(this.#lanes.get(id)?.owed ?? 0) < this.#link.limits.laneWindowBytes",
    "id > 0",
  ),
  session(
    "events/receiver.ts",
    "all events are handled in one lane",
    "    if (id === 0) return this.#common;\n    let lane",
    "    if (id >= 0) return this.#common;\n    let lane",
  ),
  session(
    "events/receiver.ts",
    "a lane's credit is not given back",
    "      writeGrant(this.#link.output, LANE, id, due);\n",
    "",
  ),
  session(
    "events/receiver.ts",
    "what is handled above a gap is not told",
    "    if (number > this.#handled.upTo) this.#untold.add(number);\n",
    "",
  ),
  session(
    "events/emitter.ts",
    "ranges of an ACK are not read",
    "const told: readonly NumberRange[] = [[this.#settledNumbers.upTo + 1, number], ...ranges];",
    "const told: readonly NumberRange[] = [[this.#settledNumbers.upTo + 1, number]];",
  ),
  session(
    "events/emitter.ts",
    "ranges that touch are taken",
    "const isApart = first > below + 1 && last >= first;",
    "const isApart = first > below && last >= first;",
  ),
  session(
    "events/retained.ts",
    "an event's identity is another in each session",
    "if (this.number > 0) this.first ??= { origin, number: this.number };",
    "if (this.number > 0) this.first = { origin, number: this.number };",
  ),
  session(
    "events/retained.ts",
    "an event that is sent again does not say its identity",
    "if (this.number > 0) this.first ??= { origin, number: this.number };",
    "",
  ),
  session(
    "events/lanes.ts",
    "a lane sends beyond its credit",
    "this.#window = laneWindow;",
    "this.#window = laneWindow * 1_000;",
  ),
  // Sessions and greetings.
  session(
    "session.ts",
    "the identity stays the same",
    "    this.#id = hexadecimal(random(16));\n    if (!resumed)",
    "    if (!resumed) this.#id = hexadecimal(random(16));\n    if (!resumed)",
  ),
  session(
    "session.ts",
    "a former identity is good for ever",
    "    this.#takesFormer = false; // whatever comes",
    "    // whatever comes",
  ),
  session(
    "session.ts",
    "the former identity is spent with the WELCOME",
    "    this.#takesFormer = resumed;\n",
    "",
  ),
  session(
    "session.ts",
    "the connection that is replaced is not told",
    "    writeText(\n      this.#link.output,\n      CLOSE,\n      0,\n" +
      '      formatClosing("SESSION_REPLACED", "resumed on another connection"),\n    );\n',
    "",
  ),
  session(
    "session.ts",
    "a PONG that answers nothing is ignored",
    '      link.violate("PROTOCOL_VIOLATION", "sent a PONG that answers no PING");\n',
    "",
  ),
  session(
    "session.ts",
    "WANT twice is answered twice",
    "    if (this.#isWanted) {",
    "    if (this.#isWanted && this.#id === null) {",
  ),
  session(
    "session.ts",
    "a session is resumed for a client that takes less",
    "      this.#takesAsMuch(hello.limits) &&\n",
    "",
  ),
  session(
    "session.ts",
    "a WELCOME with events that were not sent is taken",
    '? this.#id !== "" && this.#emitter.canHave(received) :',
    '? this.#id !== "" :',
  ),
  session(
    "handshake/hello.ts",
    "a draft's HELLO is taken for one that is broken",
    '    if (members["features"] === undefined) return draft("The client", "this server");\n',
    "",
  ),
  session(
    "handshake/hello.ts",
    "a limit below the smallest is taken",
    'maxMessageBytes: limit("maxMessageBytes", 1_024, MAX_U32),',
    'maxMessageBytes: limit("maxMessageBytes", 0, MAX_U32),',
  ),
  session(
    "handshake/greeter.ts",
    "lists are not compared",
    "    if (error === null) hello.listed(new ForeignView(this.#contract, messages));\n    " +
      "return error;",
    "    hello.listed(new ForeignView(this.#contract, messages));\n    return error === null ? " +
      "error : null;",
  ),
  session(
    "handshake/compare.ts",
    "a digest that differs is passed over",
    'entry.digest !== message.digest\n    ? "shape"\n',
    "entry.digest !== message.digest\n    ? null\n",
  ),
]);
