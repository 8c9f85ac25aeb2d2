// Hawser's client against the Python server behind the proxy of `trial.py server`:
//
//   node trial-client.ts PORT COUNT SEED
//
// Prints "calls ended" when only events are left: whoever started both writes a line to the proxy's
// input then, and it closes no more connections. Prints one line of accounts at the end, and exits 0
// only if every account is right.

import process from "node:process";
import { connect, type SessionClient } from "@hawser/client";
import { isHawserError } from "@hawser/protocol";
import { Random } from "@hawser/protocol/testing";
import { narrow, trial } from "./trial-contract.ts";

const [port = "0", count = "0", seed = "0"] = process.argv.slice(2);
const random = new Random(Number(seed));
const wrong: string[] = [];
const sent = new Map<string, number[]>();
const heard = new Map<string, number[]>();
const events: Promise<void>[] = [];
const tally: Record<string, number> = {};
const keys = ["a", "b", "c", "slow", ""];
let missing = 0;
let changed: () => void = () => undefined;

/** The first connection may be killed in its handshake. */
async function dial(): Promise<SessionClient<typeof trial>> {
  for (;;) {
    try {
      return await connect(trial, `tcp://127.0.0.1:${port}`, {
        ...narrow,
        reconnect: { initialMs: 2, maxMs: 20 },
        heartbeatMs: 1_000,
        heartbeatTimeoutMs: 1_000,
      });
    } catch (error) {
      const codes = ["CONNECTION_RESET", "HELLO_INVALID", "NOT_HAWSER", "SESSION_LOST"];
      if (!isHawserError(error) || !codes.includes(error.code)) throw error;
    }
  }
}

const client = await dial();
client.lifecycle.on("ready", ({ resumed }) => {
  if (!resumed) wrong.push("the session was not resumed");
});
client.on("heard", ({ key, n }) => {
  heard.set(key, [...(heard.get(key) ?? []), n]);
  missing--;
  changed();
});

function check(what: string, got: unknown, expected: unknown): void {
  if (JSON.stringify(got) === JSON.stringify(expected)) return;
  const [came, wanted] = [got, expected].map((value) => JSON.stringify(value).slice(0, 100));
  wrong.push(`${what}: ${came ?? ""} came, and ${wanted ?? ""} was expected`);
}

/** Emits an event of a lane, and expects that it is delivered, and heard once and in its place. */
function tell(name: "keyed" | "note", key: string, n: number): void {
  sent.set(key, [...(sent.get(key) ?? []), n]);
  missing++;
  const fill = "n".repeat(random.pick([0, 10, 300, 1_000]));
  events.push(
    client.emit(name, { key, n, fill }).then((outcome) => {
      check(`${name} ${String(n)}`, outcome, "delivered");
    }),
  );
}

async function converse(n: number): Promise<void> {
  const kind = random.pick([
    ...(["note", "keyed", "keyed", "keyed", "bad", "typing"] as const),
    ...(["echo", "add", "count", "cancel", "sum", "mirror"] as const),
  ]);
  tally[kind] = (tally[kind] ?? 0) + 1;
  switch (kind) {
    case "note":
      tell("note", "note", n);
      return;
    case "keyed":
      // Of the slow lane few: each takes its handler 20 ms.
      tell(
        "keyed",
        random.below(50) === 0 ? "slow" : random.pick(keys.filter((key) => key !== "slow")),
        n,
      );
      return;
    case "bad":
      events.push(
        client.emit("bad", { key: "", n }).then(
          (outcome) => void wrong.push(`bad ${String(n)} is ${outcome}`),
          (error: unknown) => {
            const code = isHawserError(error) ? error.code : String(error);
            check(`bad ${String(n)}`, code, "REMOTE_HANDLER_FAILED");
          },
        ),
      );
      return;
    case "typing":
      void client.emit("typing", String(n)).catch(() => undefined); // at most once
      return;
    case "echo": {
      const value = { n, x: "e".repeat(random.pick([0, 100, 5_000])) };
      check(`echo ${String(n)}`, await client.request("echo", value), value);
      return;
    }
    case "add":
      check(`add ${String(n)}`, await client.request("add", { a: n, b: 1 }), n + 1);
      return;
    case "count":
    case "cancel": {
      const items: number[] = [];
      const to = random.below(60);
      for await (const item of client.stream("count", { to })) {
        items.push(item);
        if (kind === "cancel" && random.below(4) === 0) break;
      }
      const all = Array.from({ length: kind === "count" ? to : items.length }, (_, at) => at + 1);
      check(`count ${String(n)}`, items, all);
      return;
    }
    default: {
      const stream = client.stream(kind);
      const given = Array.from({ length: random.below(30) }, () => random.below(1_000));
      const reading = (async () => {
        const items: unknown[] = [];
        for await (const item of stream) items.push(item);
        return items;
      })();
      reading.catch(() => undefined); // it is awaited below
      for (const item of given) {
        stream.send(item);
        await stream.writable();
      }
      stream.end();
      const sum = given.reduce((total, item) => total + item, 0);
      check(`${kind} ${String(n)}`, await reading, kind === "sum" ? [sum] : given);
    }
  }
}

async function work(first: number): Promise<void> {
  for (let n = first; n < Number(count); n += 12) {
    try {
      await client.ready; // a call without a connection fails at once, and tests nothing
      await converse(n);
    } catch (error) {
      const codes = ["NOT_SENT", "SESSION_LOST", "CONNECTION_RESET", "NOT_READY"];
      if (!isHawserError(error) || !codes.includes(error.code))
        wrong.push(`conversation ${String(n)}: ${String(error)}`);
      tally["lost"] = (tally["lost"] ?? 0) + 1;
    }
  }
}

const watchdog = setTimeout(
  () => {
    const left = `${String(missing)} events are not heard, state ${client.state}`;
    console.log(`stuck: ${JSON.stringify(tally)}, ${left}`);
    process.exit(1);
  },
  60_000 + Number(count) * 30,
);
await Promise.all(Array.from({ length: 12 }, (_, first) => work(first)));
console.log("calls ended");
await Promise.all(events);
while (missing > 0) await new Promise<void>((resolve) => (changed = resolve));
for (const [key, numbers] of sent) check(`lane ${key}`, heard.get(key), numbers);
clearTimeout(watchdog);
const verdict = wrong.length === 0 ? "exact" : "wrong";
console.log(`${verdict} ${JSON.stringify(tally)} ${wrong.slice(0, 5).join("; ")}`);
process.exit(wrong.length === 0 ? 0 : 1);
