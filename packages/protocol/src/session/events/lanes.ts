/**
 * Event lanes: where this side's events wait, and what the peer lets each lane send (PROTOCOL.md
 * §5). Owns the lanes' accounts, and how many are kept. Must not know events, or their numbers.
 *
 * A lane is kept while it has something to send, or less credit than it began with; any other is as
 * a new one.
 *
 * @module
 */
import { Lane, type LaneOwner, type Outbox } from "../outbox.ts";

/**
 * Lanes that may owe credit at once. When so many do, the others wait until one has its window
 * back.
 */
export const MAX_OWING_LANES = 65_536;

/** A lane of events that is not the common one. */
export class EventLane extends Lane {
  readonly #lanes: EventLanes;
  /** True if its credit is below the peer's `laneWindowBytes`. */
  owes = false;
  /** Number of its events that are being sent again, in the common lane's queue. */
  replays = 0;

  constructor(id: number, owner: LaneOwner, credit: number, lanes: EventLanes) {
    super(id, owner, credit, true);
    this.#lanes = lanes;
  }

  override get open(): boolean {
    return super.open && !this.held && this.#lanes.common.credit > 0 && this.#mayOwe;
  }

  override get movable(): boolean {
    return super.movable && (this.out > 0 || this.#mayOwe);
  }

  get #mayOwe(): boolean {
    return this.owes || this.#lanes.hasRoom;
  }
}

/** The lanes of one connection. */
export class EventLanes {
  /** The common lane, whose credit is the account of all events. */
  readonly common: Lane;
  readonly #owner: LaneOwner;
  readonly #outbox: Outbox;
  /** The credit that each lane begins with; Infinity: the peer does not count. */
  readonly #window: number;
  readonly #maxOwing: number;
  readonly #lanes = new Map<number, EventLane>();
  #owing = 0;
  /** True while events are sent again: no other lane may move. */
  #isHeld = false;

  constructor(
    owner: LaneOwner,
    outbox: Outbox,
    eventWindow: number,
    laneWindow: number,
    maxOwing: number = MAX_OWING_LANES,
  ) {
    this.#owner = owner;
    this.#outbox = outbox;
    this.#window = laneWindow;
    this.#maxOwing = maxOwing;
    this.common = new Lane(0, owner, eventWindow, true);
    outbox.events = this.common;
  }

  /** Number of lanes that are kept, besides the common one. */
  get size(): number {
    return this.#lanes.size;
  }

  /** True if one more lane may owe credit. */
  get hasRoom(): boolean {
    return this.#owing < this.#maxOwing;
  }

  /** All lanes that have something to send, or owe credit; the common one first. */
  get all(): readonly Lane[] {
    return [this.common, ...this.#lanes.values()];
  }

  /** The lane of this number, if it is kept. */
  get(id: number): Lane | undefined {
    return id === 0 ? this.common : this.#lanes.get(id);
  }

  /** The lane of this number, made now if need be. */
  find(id: number): Lane {
    return id === 0 ? this.common : this.#find(id);
  }

  /** The lane of an event that is sent again: it is kept until `replayed`. */
  replay(id: number): EventLane {
    const lane = this.#find(id);
    lane.replays++;
    return lane;
  }

  replayed(lane: Lane): void {
    if (lane instanceof EventLane) lane.replays--;
    this.update(lane);
  }

  /** While events are sent again no other lane moves. */
  hold(): void {
    this.#isHeld = true;
    for (const lane of this.#lanes.values()) lane.held = true;
  }

  release(): void {
    this.#isHeld = false;
    for (const lane of this.#lanes.values()) this.#outbox.release(lane);
  }

  /** Counts an event that went straight into the output. */
  spend(lane: Lane, cost: number): void {
    lane.credit -= cost;
    if (lane === this.common) return;
    this.common.credit -= cost;
    this.update(lane);
  }

  /** Credit or queue of a lane has changed: a lane that is as a new one is forgotten. */
  update(lane: Lane): void {
    if (!(lane instanceof EventLane)) return;
    const owes = lane.credit < this.#window;
    if (owes !== lane.owes) this.#owe(lane, owes);
    if (!owes && lane.queue.length === 0 && lane.replays === 0) this.#lanes.delete(lane.id);
  }

  /**
   * The peer gives a lane credit. Of a lane that is as a new one nothing is kept: what it is given
   * above its window it may not use. False: that is more than an account may have.
   */
  credit(id: number, bytes: number, most: number): boolean {
    const lane = this.#lanes.get(id);
    if (this.#window === Infinity) return true; // it has no account
    if ((lane?.credit ?? this.#window) + bytes > most) return false;
    if (lane === undefined) return true;
    this.#outbox.credit(lane, bytes);
    if (lane.replays > 0) this.#outbox.credit(this.common, 0); // its event may be the next there
    this.update(lane);
    return true;
  }

  #find(id: number): EventLane {
    let lane = this.#lanes.get(id);
    if (lane === undefined) {
      lane = new EventLane(id, this.#owner, this.#window, this);
      lane.held = this.#isHeld;
      this.#lanes.set(id, lane);
    }
    return lane;
  }

  #owe(lane: EventLane, owes: boolean): void {
    const wasFull = this.#owing === this.#maxOwing;
    lane.owes = owes;
    this.#owing += owes ? 1 : -1;
    if (owes || !wasFull) return;
    // those that waited for room
    for (const waiting of this.#lanes.values()) this.#outbox.credit(waiting, 0);
  }
}
