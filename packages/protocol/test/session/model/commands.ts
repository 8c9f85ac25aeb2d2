// What may happen in the world of the model-based test.
import fc from "fast-check";
import type { Side } from "../../../src/contract/contract.ts";
import type { Manner, World } from "./world.ts";

/**
 * The model has no state of its own: what must hold is held against what happened, at the end
 * (verdict.ts).
 */
export type Model = Readonly<Record<string, never>>;

class Step implements fc.Command<Model, World> {
  readonly #text: string;
  readonly #act: (world: World) => void;

  constructor(text: string, act: (world: World) => void) {
    this.#text = text;
    this.#act = act;
  }

  check(): boolean {
    return true;
  }

  run(_model: Model, world: World): void {
    this.#act(world);
    world.collect();
  }

  toString(): string {
    return this.#text;
  }
}

const side = fc.constantFrom<Side>("client", "server");
const nth = fc.nat({ max: 5 });
const manner = fc.constantFrom<Manner>("reply", "reply", "later", "fail", "named", "large");
/** Mostly short; sometimes more than a window, rarely more than a frame. */
const filling = fc.oneof(
  { weight: 12, arbitrary: fc.nat({ max: 40 }) },
  { weight: 3, arbitrary: fc.integer({ min: 100, max: 400 }) },
  { weight: 1, arbitrary: fc.integer({ min: 66_000, max: 140_000 }) },
);
const part = fc.oneof(
  { weight: 3, arbitrary: fc.nat({ max: 60 }) },
  { weight: 1, arbitrary: fc.constant(Infinity) },
);

const x = (count: number): string => "x".repeat(count);

const steps = {
  emit: fc.tuple(side, fc.constantFrom("kept" as const, "passing" as const), filling).map(
    ([who, delivery, size]) =>
      new Step(`${who} emits ${delivery} (${String(size)})`, (world) => {
        world.of(who).emit(delivery, x(size));
      }),
  ),
  open: fc
    .tuple(
      side,
      fc.boolean(),
      manner,
      filling,
      fc.option(fc.integer({ min: 1, max: 900 }), { nil: undefined }),
    )
    .map(
      ([who, isStream, how, size, timeoutMs]) =>
        new Step(
          `${who} opens a ${isStream ? "stream" : "request"} (${how}, ${String(size)}, ` +
            `${String(timeoutMs)} ms)`,
          (world) => {
            world.of(who).open(isStream, how, x(size), timeoutMs);
          },
        ),
    ),
  item: fc.tuple(side, nth, filling).map(
    ([who, which, size]) =>
      new Step(`${who} sends an item with ${String(which)} (${String(size)})`, (world) => {
        world.of(who).send(which, x(size));
      }),
  ),
  endItems: fc.tuple(side, nth).map(
    ([who, which]) =>
      new Step(`${who} ends the items of ${String(which)}`, (world) => {
        world.of(who).endItems(which);
      }),
  ),
  cancel: fc.tuple(side, nth).map(
    ([who, which]) =>
      new Step(`${who} cancels ${String(which)}`, (world) => {
        world.of(who).cancel(which);
      }),
  ),
  finish: fc.tuple(side, nth, manner).map(
    ([who, which, how]) =>
      new Step(`${who} finishes ${String(which)} (${how})`, (world) => {
        if (how !== "later") world.of(who).finish(which, how);
      }),
  ),
  handlers: fc.tuple(side, fc.constantFrom("now" as const, "later" as const, "fail" as const)).map(
    ([who, how]) =>
      new Step(`${who} handles events ${how}`, (world) => {
        world.of(who).handlers = how;
      }),
  ),
  takes: fc.tuple(side, fc.constantFrom("now" as const, "later" as const)).map(
    ([who, how]) =>
      new Step(`${who} takes items ${how}`, (world) => {
        world.of(who).takes = how;
      }),
  ),
  reacts: fc.tuple(side, fc.integer({ min: 1, max: 9 })).map(
    ([who, times]) =>
      new Step(`${who} answers ${String(times)} callbacks from within`, (world) => {
        world.of(who).reactions = times;
      }),
  ),
  catchUp: side.map(
    (who) =>
      new Step(`${who} catches up`, (world) => {
        world.of(who).catchUp();
      }),
  ),
  deliver: fc.tuple(side, part).map(
    ([to, count]) =>
      new Step(`${String(count)} bytes come to the ${to}`, (world) => {
        world.deliver(to, count);
      }),
  ),
  settle: fc.constant(null).map(
    () =>
      new Step("everything comes through", (world) => {
        world.settle();
      }),
  ),
  pump: fc.constant(null).map(
    () =>
      new Step("the outputs have left", (world) => {
        world.pump();
      }),
  ),
  time: fc.integer({ min: 1, max: 700 }).map(
    (ms) =>
      new Step(`${String(ms)} ms pass`, (world) => {
        world.pass(ms);
      }),
  ),
  cut: fc.tuple(fc.constantFrom<Side | "both">("both", "both", "client", "server"), part, part).map(
    ([who, toServer, toClient]) =>
      new Step(
        `the connection is lost (${String(toServer)} and ${String(toClient)} bytes come ` +
          `through); ${who} notices`,
        (world) => {
          world.cut(who, toServer, toClient);
        },
      ),
  ),
  connect: fc.constant(null).map(
    () =>
      new Step("the client connects", (world) => {
        world.connect();
      }),
  ),
  reconnect: fc.constant(null).map(
    () =>
      new Step("the connection is lost, and made again", (world) => {
        world.cut("both", 0, 0);
        world.connect();
        world.settle();
      }),
  ),
  forget: fc.constant(null).map(
    () =>
      new Step("the server forgets the session", (world) => {
        world.forgets = true;
      }),
  ),
  drain: side.map(
    (who) =>
      new Step(`${who} drains`, (world) => {
        world.of(who).session.drain();
      }),
  ),
  close: side.map(
    (who) =>
      new Step(`${who} closes`, (world) => {
        world.of(who).session.close();
      }),
  ),
};

const weights: Readonly<Record<keyof typeof steps, number>> = {
  emit: 14,
  open: 14,
  item: 24,
  endItems: 4,
  cancel: 4,
  finish: 6,
  handlers: 3,
  takes: 3,
  reacts: 4,
  catchUp: 4,
  deliver: 18,
  settle: 10,
  pump: 2,
  time: 4,
  cut: 2,
  connect: 2,
  reconnect: 1,
  forget: 1,
  drain: 1,
  close: 1,
};

/** Runs of steps; what ends the session is rare, so that most runs have time. */
export const runs: fc.Arbitrary<Iterable<fc.Command<Model, World>>> = fc.commands(
  Object.entries(weights).flatMap(([name, weight]) =>
    Array.from({ length: weight }, () => steps[name as keyof typeof steps]),
  ), // the names are the keys of `steps`
  { maxCommands: 80, size: "max" },
);
