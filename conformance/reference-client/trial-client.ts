// Hawser's client against `fake_server.py` behind the proxy of `trial.py server`: node
// trial-client.ts PORT COUNT SEED. Prints "calls ended" when only events are left: whoever started
// both writes a line to the proxy's input then, and it closes no more connections. Prints one line
// of accounts at the end, and exits 0 only if every account is right.

import process from "node:process";
import { connect, type SessionClient } from "@hawser/client";
import { isHawserError } from "@hawser/protocol";
import { Random } from "@hawser/protocol/testing";
import { conformance } from "../session-contracts.ts";

const [port = "0", count = "0", seed = "0"] = process.argv.slice(2);
const random = new Random(Number(seed));
const wrong: string[] = [];
const notes: string[] = [];
const said: string[] = [];
const events: Promise<void>[] = [];
const tally: Record<string, number> = {};

/** The first connection may be killed in its handshake. */
async function dial(): Promise<SessionClient<typeof conformance>> {
  for (;;) {
    try {
      return await connect(conformance, `tcp://127.0.0.1:${port}`, {
        reconnect: { initialMs: 2, maxMs: 20 },
        heartbeatMs: 1_000,
        heartbeatTimeoutMs: 1_000,
        windowBytes: 700,
        eventWindowBytes: 1_500,
        connectionWindowBytes: 1_000,
      });
    } catch (error) {
      if (
        !isHawserError(error) ||
        !["CONNECTION_RESET", "HELLO_INVALID", "NOT_HAWSER", "SESSION_LOST"].includes(error.code)
      )
        throw error;
    }
  }
}

const client = await dial();
let heard: () => void = () => undefined;
client.on("said", ({ text }) => {
  said.push(text);
  heard();
});

function check(what: string, got: unknown, expected: unknown): void {
  if (JSON.stringify(got) !== JSON.stringify(expected))
    wrong.push(
      `${what}: ${JSON.stringify(got).slice(0, 100)} came, and ` +
        `${JSON.stringify(expected).slice(0, 100)} was expected`,
    );
}

async function converse(n: number): Promise<void> {
  const kind = random.pick([
    "note",
    "note",
    "note",
    "bad",
    "echo",
    "add",
    "count",
    "sum",
    "mirror",
    "cancel",
  ] as const);
  tally[kind] = (tally[kind] ?? 0) + 1;
  switch (kind) {
    case "note": {
      const text = `${String(n)} ${"n".repeat(random.pick([0, 10, 300, 1_000]))}`;
      notes.push(text);
      events.push(
        client.emit("note", { text }).then((outcome) => {
          check(`note ${String(n)}`, outcome, "delivered");
        }),
      );
      return;
    }
    case "bad":
      events.push(
        client.emit("bad", n).then(
          (outcome) => void wrong.push(`bad ${String(n)} is ${outcome}`),
          (error: unknown) => {
            check(
              `bad ${String(n)}`,
              isHawserError(error) ? error.code : String(error),
              "REMOTE_HANDLER_FAILED",
            );
          },
        ),
      );
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
      check(
        `count ${String(n)}`,
        items,
        items.map((_, at) => at + 1),
      );
      if (kind === "count") check(`count ${String(n)}`, items.length, to);
      return;
    }
    default: {
      const stream = client.stream(kind);
      const sent = Array.from({ length: random.below(30) }, () => random.below(1_000));
      const reading = (async () => {
        const items: unknown[] = [];
        for await (const item of stream) items.push(item);
        return items;
      })();
      reading.catch(() => undefined); // it is awaited below
      for (const item of sent) {
        stream.send(item);
        await stream.writable();
      }
      stream.end();
      check(
        `${kind} ${String(n)}`,
        await reading,
        kind === "sum" ? [sent.reduce((sum, item) => sum + item, 0)] : sent,
      );
    }
  }
}

async function work(first: number): Promise<void> {
  for (let n = first; n < Number(count); n += 12) {
    try {
      await client.ready; // a call without a connection fails at once, and tests nothing
      await converse(n);
    } catch (error) {
      if (
        !isHawserError(error) ||
        !["NOT_SENT", "SESSION_LOST", "CONNECTION_RESET", "NOT_READY"].includes(error.code)
      )
        wrong.push(`conversation ${String(n)}: ${String(error)}`);
      tally["lost"] = (tally["lost"] ?? 0) + 1;
    }
  }
}

const watchdog = setTimeout(
  () => {
    console.log(
      `stuck: ${JSON.stringify(tally)}, ${String(said.length)} of ${String(notes.length)} ` +
        `notes, state ${client.state}`,
    );
    process.exit(1);
  },
  60_000 + Number(count) * 30,
);
await Promise.all(Array.from({ length: 12 }, (_, first) => work(first)));
console.log("calls ended");
await Promise.all(events);
while (said.length < notes.length) await new Promise<void>((resolve) => (heard = resolve));
check("the notes that were handled", said, notes);
clearTimeout(watchdog);
console.log(
  `${wrong.length === 0 ? "exact" : "wrong"} ${JSON.stringify(tally)} ` +
    wrong.slice(0, 5).join("; "),
);
process.exit(wrong.length === 0 ? 0 : 1);
