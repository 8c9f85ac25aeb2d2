// What must be true of a world that has come to its end.
import type { Actor, World } from "./world.ts";

/** Everything that is wrong; empty: nothing is. */
export function verdict(world: World): string[] {
  const wrong: string[] = [];
  for (const [from, to] of [
    [world.client, world.server],
    [world.server, world.client],
  ] as const) {
    wrong.push(...from.faults.map((fault) => `${from.side}: ${fault}`));
    wrong.push(...eventsOf(world, from, to), ...callsOf(from, to));
    const { session } = from;
    if (session.openCalls > 0)
      wrong.push(`${from.side}: ${String(session.openCalls)} calls are open at the end`);
    if (session.queuedBytes > 0)
      wrong.push(`${from.side}: ${String(session.queuedBytes)} bytes wait at the end`);
    if (session.state !== "closed" && session.state !== "ready")
      wrong.push(`${from.side} is ${session.state} at the end`);
  }
  return wrong;
}

function eventsOf(world: World, from: Actor, to: Actor): string[] {
  const wrong: string[] = [];
  const times = new Map<number, number>();
  for (const { id } of to.heard) times.set(id, (times.get(id) ?? 0) + 1);
  for (const { id, delivery, outcomes } of from.events) {
    const say = (what: string): void =>
      void wrong.push(
        `${from.side}: the ${delivery} event ${String(id)} ${what} (outcomes: ` +
          `${outcomes.join()}; handled ${String(times.get(id) ?? 0)} times)`,
      );
    const count = times.get(id) ?? 0;
    if (outcomes.length !== 1) say("did not settle once");
    if (outcomes[0] === "not-sent" && count > 0) say("was said not to be sent");
    if (outcomes[0] === "delivered" && count === 0) say("was said to be delivered");
    if (delivery === "passing" && count > 1) say("came twice");
    if (delivery === "kept" && count > 1 && (world.sessions === 1 || from.side === "server"))
      say("came twice in one session");
    if (
      delivery === "kept" &&
      count === 0 &&
      from.session.state === "ready" &&
      (world.sessions === 1 || from.side === "client")
    )
      say("was lost");
  }
  // In order: of each event the first time that it came, of one session; a client's also through
  // all of them.
  const order = new Map(from.events.map(({ id }, at) => [id, at]));
  let last = -1;
  const seen = new Set<number>();
  for (const { id } of to.heard) {
    const at = order.get(id) ?? -1;
    if (!seen.has(id) && at < last)
      wrong.push(`${from.side}: the event ${String(id)} came out of order`);
    if (!seen.has(id)) last = at;
    seen.add(id);
  }
  return wrong;
}

function callsOf(from: Actor, to: Actor): string[] {
  const wrong: string[] = [];
  const served = new Map(to.served.map((one) => [one.id, one]));
  for (const { id, isStream, endings, cancelled, dueMs, sent, got, ended } of from.calls) {
    const other = served.get(id);
    const say = (what: string): void =>
      void wrong.push(
        `${from.side}: the ${isStream ? "stream" : "request"} ${String(id)} ${what} ` +
          `(${endings.join()})`,
      );
    const [ending = ""] = endings;
    if (endings.length !== 1) say("did not end once");
    if (ending === "NOT_SENT" && other !== undefined) say("was served");
    if (ending === "CALL_CANCELLED" && !cancelled) say("was not cancelled here");
    if (ending === "DEADLINE_EXCEEDED" && dueMs > from.world.nowMs) say("had time left");
    if (
      ending.startsWith("result") &&
      (ending !== `result ${String(id)}` ||
        other?.finished === null ||
        other?.finished === undefined)
    )
      say("has another's answer");
    if (
      ending.startsWith("NAMED") &&
      (ending !== `NAMED ${String(id)}` || other?.finished !== "named")
    )
      say("has another's failure");
    if (ending === "REMOTE_HANDLER_FAILED" && other?.finished !== "fail") say("did not fail there");
    if (ending === "end" && other?.finished === null) say("has not ended there");
    if (
      ![
        "NOT_SENT",
        "CALL_CANCELLED",
        "DEADLINE_EXCEEDED",
        "REMOTE_HANDLER_FAILED",
        "SESSION_LOST",
        "SESSION_CLOSED",
        "DRAINING",
        "end",
        "OVERLOADED",
      ].includes(ending) &&
      !/^(?:result|NAMED) /.test(ending)
    )
      say("ended in an unknown way");
    if (other === undefined) continue;
    if (!isPrefix(got, other.sent))
      say(`got other items than were sent: ${got.join()} of ${other.sent.join()}`);
    if (!isPrefix(other.got, sent))
      say(`sent other items than came: ${other.got.join()} of ${sent.join()}`);
    if (ending === "end" && got.length !== other.sent.length && other.cancellations === 0)
      say("ended before all items had come");
    if (other.gotEnd && (!ended || other.got.length !== sent.length))
      say("was told to have ended before all items had come");
    if (other.cancellations > 1) say("was cancelled twice");
  }
  return wrong;
}

function isPrefix(part: readonly number[], whole: readonly number[]): boolean {
  return part.every((one, at) => one === whole[at]);
}
