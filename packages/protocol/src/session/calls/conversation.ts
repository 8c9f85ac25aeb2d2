/**
 * What both ends of a conversation have in common: items out and in, and the credit for them
 * (PROTOCOL.md §4, §5). Owns the accounts of one conversation. Must not know who opened it, or how
 * it ends.
 *
 * @module
 */
import type { Body } from "../../codec/body.ts";
import { type Check, Issue } from "../../contract/check.ts";
import type { MessageEntry } from "../../contract/contract.ts";
import { HawserError } from "../../errors.ts";
import { Backlog } from "../backlog.ts";
import { invalid } from "../frames/failure.ts";
import { ITEM, ITEM_COST, openFrame, STOP, writeCredit, writeEmpty } from "../frames/frames.ts";
import type { Link } from "../link.ts";
import { Lane, type LaneOwner, type Waiting } from "../outbox.ts";
import { plain } from "../quote.ts";
import type { Pulled } from "../types.ts";

/** The table that takes the id back when both parts of a conversation are over. */
export interface Registry {
  release(conversation: Conversation): void;
  /** The program has answered what the peer opened: its input is not kept any more. */
  finished(call: Finished): void;
}

/** What the program has had of a call that it has answered. */
export interface Finished {
  readonly inputBytes: number;
  readonly decodedBytes: number;
}

/** The part of a call's sink that takes items. */
interface ItemSink {
  item(value: unknown, cost: number): void;
}

/**
 * Cost of the items of all streams up to which they are decoded as they come. Others wait encoded
 * until the program asks for them: JSON takes up to some 25 times its bytes in memory
 * (`[{},{},…]`).
 */
const EAGER_COST = 262_144;
/**
 * Cost of an item up to which its memory is not counted: what it takes in the hands of
 * `maxConversations` programs is little.
 */
const SMALL_COST = 512;

/** One end of a conversation. */
export abstract class Conversation implements LaneOwner {
  readonly entry: MessageEntry;
  /** 0 while the peer is not told of it: a call that waits to be opened. */
  id: number;
  protected readonly link: Link;
  protected readonly registry: Registry;
  /** The connection that it lives on. */
  readonly epoch: number;
  /** When this end gives up; Infinity: never. */
  dueMs: number;
  /** What this side sends and can't send yet; made when it is needed. */
  protected lane: Lane | null = null;
  /** The items that come; null before the first: a request has none. */
  #intake: Intake | null = null;
  /** True if `send` said false. */
  #full = false;
  /** True if this side's program takes no more items: those that come are dropped. */
  protected refuses = false;
  /** True if the peer's takes no more: those that are sent are dropped. */
  protected isRefused = false;

  constructor(entry: MessageEntry, id: number, link: Link, registry: Registry) {
    this.entry = entry;
    this.id = id;
    this.link = link;
    this.registry = registry;
    this.dueMs = Infinity;
    this.epoch = link.epoch;
  }

  #ensureIntake(): Intake {
    return (this.#intake ??= new Intake(this.link.limits.windowBytes));
  }

  abstract written(message: Waiting): void;

  /** For the program: items of this cost are taken. */
  consume(cost: number): void {
    const intake = this.#intake;
    if (!(cost > 0) || intake === null) return;
    const taken = Math.min(cost, intake.held);
    if (taken === 0) return;
    const { link } = this;
    intake.held -= taken;
    link.items.release(taken);
    if (intake.toldCost > 0) this.#take(intake, taken);
    if (!this.connected) return;
    intake.taken += taken;
    if (intake.taken * 2 < link.limits.windowBytes || !this.receives) return;
    writeCredit(link.output, this.id, intake.taken);
    intake.grant += intake.taken;
    intake.taken = 0;
    link.wrote();
  }

  /** True if the peer may still send items. */
  protected abstract get receives(): boolean;

  /** True if the connection is the one that the conversation lives on. */
  protected get connected(): boolean {
    return this.epoch === this.link.epoch;
  }

  /** The lane, made now if need be; its credit is that of items. */
  protected ensureLane(): Lane {
    return (this.lane ??= new Lane(this.id, this, this.link.peer.limits.windowBytes));
  }

  /**
   * The body of an item of this end. Runs the program's code: look at the state again before it is
   * sent.
   */
  protected encodeItem(check: Check, item: unknown): Body {
    const { entry, link } = this;
    const issue = check.outbound(item);
    if (issue !== null)
      throw invalid(
        "ITEM_INVALID",
        `Cannot send this item of "${plain(entry.name, 60)}"`,
        "local",
        issue,
      );
    return link.encode(entry, item);
  }

  /** Send an item of this end; see `send` of both kinds of call. */
  protected sendItem(body: Body): boolean {
    const { entry, link } = this;
    link.checkRoom();
    const { output } = link;
    const start = openFrame(output, ITEM, this.id);
    const cost = link.write(start, entry, body) + ITEM_COST;
    const lane = this.ensureLane();
    const { outbox } = link;
    if (outbox.isOpen(lane) && link.seal(start)) outbox.spend(lane, cost);
    else link.queue(start, ITEM, lane, cost);
    if (outbox.isOpen(lane)) {
      this.#full = false;
      return true;
    }
    this.#full = true;
    if (lane.open) outbox.starve(lane);
    return false;
  }

  /** The peer gives credit for items. */
  credited(bytes: number): void {
    const { link } = this;
    const lane = this.ensureLane();
    if (lane.credit + bytes > 0x7fff_ffff) {
      link.violate("FLOW_VIOLATION", "gave more credit than 2147483647 bytes");
      return;
    }
    link.outbox.credit(lane, bytes);
    link.pump();
    this.checkWritable();
  }

  /** @see LaneOwner */
  widened(): void {
    this.checkWritable();
  }

  /** After the lane has moved: tell who waits. */
  protected checkWritable(): void {
    const { lane } = this;
    if (!this.#full || lane?.open !== true) return;
    if (!this.link.outbox.isOpen(lane)) {
      this.link.outbox.starve(lane);
      return;
    }
    this.#full = false;
    try {
      this.tellWritable();
    } catch (error) {
      this.link.caught(error);
    }
  }

  protected abstract tellWritable(): void;

  /** STOP has come. */
  abstract stopped(): void;

  /** Drops what is taken no more, and tells the peer so. */
  protected refuseItems(): void {
    this.refuses = true;
    this.drop();
    writeEmpty(this.link.output, STOP, this.id);
    this.link.wrote();
  }

  protected tellRefused(sink: { refused?(): void } | null): void {
    try {
      sink?.refused?.();
    } catch (error) {
      this.link.caught(error);
    }
  }

  /** An item may begin; false: the session is ended for it. */
  mayBegin(): boolean {
    const { grant } = this.#ensureIntake();
    if (grant > 0 && this.link.items.open) return true;
    this.link.violate(
      "FLOW_VIOLATION",
      `sent an item without credit${grant > 0 ? " for all streams" : ""}`,
    );
    return false;
  }

  /**
   * Takes an item that has come and is counted: tells the program now, or when it asks. Returns why
   * not, where it is invalid.
   */
  protected take(
    check: Check,
    sink: ItemSink,
    bytes: Uint8Array,
    start: number,
    end: number,
    cost: number,
  ): Issue | null {
    const { link } = this;
    const intake = this.#ensureIntake();
    if (
      intake.backlog === null &&
      (intake.isAwaited || link.items.held - link.undecoded <= EAGER_COST)
    ) {
      const weight = cost > SMALL_COST ? link.hands.weigh(this.entry.codec, bytes, start, end) : 0;
      if (weight === 0 || link.hands.fits(weight)) {
        intake.isAwaited = false;
        return this.#give(intake, check, sink, bytes, start, end, cost, weight);
      }
      if (intake.isAwaited) link.hunger(this);
    }
    intake.backlog ??= new Backlog();
    intake.backlog.push(bytes, start, end);
    link.undecoded += cost;
    return null;
  }

  /**
   * Tells the program, which is done with those before, the oldest item that waits encoded. Returns
   * true, or false where none waits, or `"later"` where there is no memory for it yet, or why it is
   * invalid.
   */
  protected giveNext(check: Check, sink: ItemSink): Issue | Pulled {
    const intake = this.#ensureIntake();
    if (intake.toldCost > 0) this.#take(intake, 0, true);
    const { backlog } = intake;
    intake.isAwaited = true;
    if (backlog === null) return false;
    const { link } = this;
    backlog.peek();
    const { bytes, start, end } = backlog;
    const cost = end - start + ITEM_COST;
    const weight =
      cost > SMALL_COST && !intake.isLoose
        ? link.hands.weigh(this.entry.codec, bytes, start, end)
        : 0;
    if (weight > 0 && !link.hands.fits(weight)) {
      link.hunger(this);
      return "later";
    }
    intake.isAwaited = false;
    backlog.shift();
    if (!intake.isLoose) link.undecoded -= cost;
    if (backlog.count === 0) intake.backlog = null;
    return this.#give(intake, check, sink, bytes, start, end, cost, weight) ?? true;
  }

  /** There is memory for an item that the program waits for. */
  feed(): void {
    const intake = this.#intake;
    if (intake?.isAwaited === true && intake.backlog !== null) this.feedNext();
  }

  protected abstract feedNext(): void;

  /**
   * For the program: it takes none of the items that have come, and is done with those that it
   * took.
   */
  drop(): void {
    const intake = this.#intake;
    if (intake === null) return;
    if (intake.toldCost > 0) this.#take(intake, 0, true);
    this.dropWaiting();
  }

  /**
   * The program has taken an item of this cost, and is done with the one before; or `all` of those
   * that were told.
   */
  #take(intake: Intake, cost: number, all = false): void {
    const done = all ? intake.toldCost : Math.min(intake.inHand, intake.toldCost);
    intake.inHand = cost > SMALL_COST ? cost : 0;
    if (done === 0) return;
    const bytes = intake.toldBytes * (done / intake.toldCost);
    intake.toldCost -= done;
    intake.toldBytes -= bytes;
    this.link.putDown(bytes);
  }

  /** Releases what has come and is not taken. */
  protected dropWaiting(): void {
    const intake = this.#intake;
    if (intake === null) return;
    const { backlog, held } = intake;
    intake.backlog = null;
    if (backlog !== null && !intake.isLoose)
      this.link.undecoded -= backlog.size + backlog.count * ITEM_COST;
    if (held > 0) this.discard(held);
  }

  /**
   * A conversation that this side opened is over. What has come of it grows no more, and is kept by
   * the program's own stream alone: it may be taken at any time or never, and must not hold up
   * other streams.
   */
  protected letGo(): void {
    const intake = this.#intake;
    if (intake === null || intake.isLoose) return;
    if (intake.toldCost > 0) this.#take(intake, 0, true);
    const { backlog, held } = intake;
    if (backlog !== null) this.link.undecoded -= backlog.size + backlog.count * ITEM_COST;
    intake.isLoose = true;
    intake.held = 0;
    if (held > 0) this.link.items.release(held);
  }

  /** Releases items that are not given to the program. */
  protected discard(cost: number): void {
    const intake = this.#intake;
    if (intake === null || intake.isLoose) return;
    intake.held -= cost;
    this.link.items.release(cost);
  }

  #give(
    intake: Intake,
    check: Check,
    sink: ItemSink,
    bytes: Uint8Array,
    start: number,
    end: number,
    cost: number,
    weight: number,
  ): Issue | null {
    const value = readBody(this.link, this.entry, check, bytes, start, end);
    const { issue } = this.link;
    if (issue !== null) {
      this.discard(cost);
      return issue;
    }
    if (weight > 0) {
      intake.toldCost += cost;
      intake.toldBytes += weight;
      this.link.hands.hold(weight);
    }
    try {
      sink.item(value, cost);
    } catch (error) {
      this.link.caught(error);
    }
    return null;
  }

  /** Count an item that came, of so many bytes; returns its cost. */
  protected count(bytes: number): number {
    const cost = bytes + ITEM_COST;
    const intake = this.#ensureIntake();
    intake.grant -= cost;
    intake.held += cost;
    this.link.items.hold(cost);
    return cost;
  }
}

/** What one end knows of the items that come to it. */
class Intake {
  /** What the peer may still send. */
  grant: number;
  /** Cost of what has come and is not taken. */
  held = 0;
  /** Cost of what was taken and not yet given back. */
  taken = 0;
  /** Items that have come and are not decoded; made when it is needed. */
  backlog: Backlog | null = null;
  /** True while the program waits for an item, and none waits for it. */
  isAwaited = false;
  /** True once what has come is the program's own affair, and counts no more: see `letGo`. */
  isLoose = false;
  /**
   * Of the larger items that were told: their cost and memory, until the program is done with them;
   * and the cost of the one that it took last.
   */
  toldCost = 0;
  toldBytes = 0;
  inHand = 0;

  constructor(windowBytes: number) {
    this.grant = windowBytes;
  }
}

/**
 * What a body stands for: the value; or `link.issue` is what is wrong with it. `JSON`'s kin have no
 * text for nothing but the empty one.
 */
export function readBody(
  link: Link,
  entry: MessageEntry,
  check: Check,
  bytes: Uint8Array,
  start: number,
  end: number,
): unknown {
  link.issue = null;
  if (check.kind === "nothing") return undefined;
  const { codec } = entry;
  let value: unknown;
  if (start < end || !emptyIsNothing(codec.name)) {
    try {
      value =
        bytes === link.joined && codec.adopt !== undefined
          ? codec.adopt(bytes, start, end)
          : codec.decode(bytes, start, end);
    } catch {
      // what the codec threw may quote the payload
      link.issue = new Issue([], `is not what ${codec.name}() reads`);
      return undefined;
    }
  }
  return check.kind === "unchecked" ? value : check.inbound(value, link);
}

function emptyIsNothing(codec: string): boolean {
  return codec === "json" || codec === "msgpack" || codec === "cbor";
}

/**
 * What a caller is told of a call that the session leaves open, by whether the peer may have seen
 * it.
 */
export type LossReason = (entry: MessageEntry, sent: boolean) => HawserError;

/** What it is told where nobody closed the session here: `what` is why it ended. */
export function lossReason(what: string, cause?: HawserError): LossReason {
  const options = cause === undefined ? {} : { cause };
  return (entry, sent) => {
    const text = `${what} while "${plain(entry.name, 60)}" was open`;
    return sent
      ? new HawserError(
          "SESSION_LOST",
          `${text}: whether the peer has handled it is not known`,
          options,
        )
      : new HawserError("NOT_SENT", `${text}, before it had been sent`, options);
  };
}
