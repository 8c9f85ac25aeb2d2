// Runs one vector against a target: its steps, in order, each within a time.
// Owns what the steps mean. Must not know where vectors come from, or what becomes of the results.

import { Conversation } from "./session.ts";
import { asText, mismatch } from "./match.ts";
import { type Message, describe, Fault, readJson } from "./reader.ts";
import type { Target } from "./target.ts";
import type { FramePattern, Json, Members, Step, Tally, Vector } from "./vector.ts";
import type { Wire } from "./wire.ts";
import { content } from "./writer.ts";

/** What became of a vector. */
export interface Result {
  readonly vector: Vector;
  readonly passed: boolean;
  /** What was expected and what came; empty where it passed. */
  readonly fault: string;
  /** What the target sent, in order. */
  readonly seen: readonly string[];
}

export interface RunOptions {
  readonly waitMs: number;
  /** Bytes of each write, where the vector does not say: 0: as they are. */
  readonly cut: number;
}

/** Run one vector. */
export async function runVector(
  vector: Vector,
  target: Target,
  options: RunOptions,
): Promise<Result> {
  const conversation = new Conversation(target, options);
  let step = -1;
  try {
    for (const one of vector.steps) {
      step++;
      await take(one, conversation);
    }
    conversation.checkSilence();
    return { vector, passed: true, fault: "", seen: conversation.seen };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const which = `step ${step + 1} ${JSON.stringify(vector.steps[step]).slice(0, 300)}`;
    return { vector, passed: false, fault: `${which}: ${error.message}`, seen: conversation.seen };
  } finally {
    await conversation.close();
  }
}

async function take(step: Step, conversation: Conversation): Promise<void> {
  if ("open" in step) {
    await conversation.open(step.open);
  } else if ("greet" in step) {
    await conversation.greet(step.greet, step.as ?? "");
  } else if ("use" in step) {
    conversation.use(step.use);
  } else if ("send" in step) {
    await conversation.send(step.send, step.cut);
  } else if ("expectSignature" in step) {
    await conversation.wire.signature();
  } else if ("expectGreeting" in step) {
    await conversation.wire.signature();
    await expectOne(step.expectGreeting, conversation);
  } else if ("expect" in step) {
    await expect(step.expect, step.anyOrder === true, conversation);
  } else if ("tally" in step) {
    await tally(step.tally, conversation);
  } else if ("alive" in step) {
    await conversation.ping();
  } else if ("close" in step) {
    await closing("CLOSE", step.close, conversation);
  } else if ("refuse" in step) {
    await closing("REFUSE", step.refuse, conversation);
  } else if ("end" in step) {
    await ending(conversation);
  } else if ("endSilently" in step) {
    await ending(conversation);
    if (conversation.wire.bytes > 0)
      throw new Fault(`the target sent ${conversation.wire.bytes} bytes`);
  } else if ("finish" in step) {
    conversation.wire.finish();
  } else {
    conversation.lose();
  }
}

/** Kinds that an implementation sends when it likes: summed up where no pattern asks for them. */
const free: ReadonlySet<string> = new Set(["ACK", "CREDIT", "WINDOW", "LANE"]);

async function expect(
  patterns: readonly FramePattern[],
  anyOrder: boolean,
  conversation: Conversation,
): Promise<void> {
  if (!anyOrder) {
    for (const pattern of patterns) await expectOne(pattern, conversation);
    return;
  }
  const left = [...patterns];
  while (left.length > 0) {
    const message = await nextMessage(left.map(({ kind }) => kind).join(" or "), conversation);
    const faults = left.map((pattern) => differs(pattern, message, conversation));
    const found = faults.indexOf(null);
    if (found >= 0) left.splice(found, 1);
    else if (!free.has(message.kind))
      throw new Fault(`${describe(message)} is none of what is expected: ${faults.join("; ")}`);
  }
}

async function expectOne(pattern: FramePattern, conversation: Conversation): Promise<void> {
  for (;;) {
    const message = await nextMessage(JSON.stringify(pattern), conversation);
    const fault = differs(pattern, message, conversation);
    if (fault === null) return;
    if (free.has(message.kind)) continue;
    throw new Fault(`expected ${JSON.stringify(pattern)}, got ${describe(message)}: ${fault}`);
  }
}

async function nextMessage(what: string, conversation: Conversation): Promise<Message> {
  const arrival = await conversation.next(what);
  if (arrival === "end") throw new Fault(`the stream ended; expected ${what}`);
  return arrival;
}

/** Why a message is not what a pattern says, or null. */
function differs(
  pattern: FramePattern,
  message: Message,
  conversation: Conversation,
): string | null {
  const { variables } = conversation;
  if (!pattern.kind.split("|").includes(message.kind)) return `it is ${message.kind}`;
  if (pattern.id !== undefined) {
    const fault = conversation.sameId(pattern.id, message.id);
    if (fault !== null) return fault;
  }
  if (pattern.name !== undefined && conversation.nameOf(message.index) !== pattern.name) {
    return `its name is ${JSON.stringify(conversation.nameOf(message.index))}`;
  }
  if (pattern.size !== undefined && message.body.length !== pattern.size)
    return `its body has ${message.body.length} bytes`;
  if (pattern.items !== undefined && ((message.flags ?? 0) & 8) !== (pattern.items ? 8 : 0))
    return `its flags are ${message.flags ?? 0}`;
  for (const member of [
    "number",
    "deadline",
    "trace",
    "origin",
    "ranges",
    "bytes",
    "pieces",
  ] as const) {
    const wanted = pattern[member];
    if (wanted === undefined) continue;
    const fault = mismatch(wanted, message[member], variables, member);
    if (fault !== null) return fault;
  }
  if (pattern.json !== undefined) {
    try {
      return mismatch(pattern.json, readJson(message.body), variables, "body");
    } catch (error) {
      if (error instanceof Fault) return error.message;
      throw error;
    }
  }
  if (pattern.text === undefined && pattern.hex === undefined && pattern.fill === undefined)
    return null;
  const wanted = content(pattern, variables);
  const same =
    wanted.length === message.body.length && wanted.every((byte, at) => byte === message.body[at]);
  return same ? null : "its body is another";
}

async function closing(
  kind: string,
  codes: string | readonly string[],
  conversation: Conversation,
): Promise<void> {
  const { wire } = conversation;
  const wanted = typeof codes === "string" ? [codes] : codes;
  await wire.signature();
  for (;;) {
    const message = await nextMessage(`${kind} ${wanted.join(" or ")}`, conversation);
    if (message.kind !== "CLOSE" && message.kind !== "REFUSE") continue;
    const { code, message: text } = object(readJson(message.body));
    if (message.kind !== kind || !wanted.includes(asText(code))) {
      throw new Fault(`expected ${kind} ${wanted.join(" or ")}, got ${describe(message)}`);
    }
    if (typeof text !== "string") throw new Fault(`the message of ${kind} is no text`);
    break;
  }
  const after = await conversation.next("the end of the stream");
  if (after !== "end") throw new Fault(`${describe(after)} came behind ${kind}`);
  conversation.isOver = true;
}

async function ending({ wire }: { wire: Wire }): Promise<void> {
  for (;;) {
    const arrival = await wire.next("the end of the stream");
    if (arrival === "end") return;
    if (arrival.kind === "CLOSE" || arrival.kind === "REFUSE")
      throw new Fault(`expected the end of the stream, got ${describe(arrival)}`);
  }
}

async function tally({ credit = {}, settled }: Tally, conversation: Conversation): Promise<void> {
  for (;;) {
    const missing = short(credit, settled, conversation);
    if (missing === null) return;
    const arrival = await conversation.peek(missing);
    if (arrival === "end") throw new Fault(`the stream ended; expected ${missing}`);
    if (!free.has(arrival.kind)) throw new Fault(`got ${describe(arrival)}; expected ${missing}`);
    await conversation.next(missing);
  }
}

/** What has not come yet, or null. @throws {Fault} when there is more than there should be */
function short(
  credit: NonNullable<Tally["credit"]>,
  settled: readonly number[] | undefined,
  conversation: Conversation,
): string | null {
  for (const [account, wanted] of Object.entries(credit)) {
    const sum = conversation.credit(account);
    const [least, most] =
      typeof wanted === "number" ? [wanted, wanted] : [wanted.atLeast, wanted.atMost ?? Infinity];
    if (sum > most) throw new Fault(`the credit of ${account} is ${sum}, above ${most}`);
    if (sum < least) return `credit of ${account}: ${least}, after ${sum}`;
  }
  if (settled === undefined) return null;
  const extra = [...conversation.settled].filter((number) => !settled.includes(number));
  if (extra.length > 0)
    throw new Fault(`${extra.join(", ")} settled; expected ${settled.join(", ")}`);
  const missing = settled.filter((number) => !conversation.settled.has(number));
  return missing.length === 0 ? null : `ACK of ${missing.join(", ")}`;
}

function object(value: Json): Members {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Members;
  throw new Fault(`${JSON.stringify(value)} is not an object`);
}
