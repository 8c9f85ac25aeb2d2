// A connection that is killed again and again, at any byte: 20 000 events at least once in each
// direction, both at once, and each of them is handled exactly once and in order. HAWSER_TRIAL_SEED
// repeats a run.

import assert from "node:assert/strict";
import net from "node:net";
import process from "node:process";
import { describe, it } from "node:test";
import { connect, type SessionClient } from "@hawser/client";
import { defineProtocol, type Outcome, type } from "@hawser/protocol";
import { Random } from "@hawser/protocol/testing";
import { createServer, type SessionSocket } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { turns } from "../conversation.ts";
import { Fixture } from "../transports.ts";

const EVENTS = 20_000;
const KILLS = 500;
const seed = Number(process.env["HAWSER_TRIAL_SEED"] ?? Date.now() % 2 ** 31);

interface Note {
  readonly number: number;
  readonly filling: string;
}

const contract = defineProtocol({
  name: "kills",
  version: 1,
  events: {
    up: { payload: type<Note>(), delivery: "at-least-once", from: "client" },
    down: { payload: type<Note>(), delivery: "at-least-once", from: "server" },
  },
});

/**
 * How one connection ends: after so many events that are handled, or bytes that one side has sent;
 * and which ends are told.
 */
interface Kill {
  readonly after: "down" | "handled" | "up";
  readonly count: number;
  readonly told: "both" | "client" | "server";
}

/**
 * Stands between client and server and kills by plan. Unlike `faultProxy()`, it can leave one end
 * in the belief that it is connected.
 */
class Killer {
  /** Connections that were killed, by what counted and who was told. */
  readonly killed = new Map<string, number>();
  /** Called after each kill. */
  onKill: () => void = () => undefined;
  readonly #random: Random;
  readonly #upstream: net.NetConnectOpts;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #left = KILLS;
  #plan: Kill | null = null;
  #kill: (() => void) | null = null;
  #counted = { up: 0, down: 0, handled: 0 };

  constructor(random: Random, upstream: net.NetConnectOpts) {
    this.#random = random;
    this.#upstream = upstream;
    this.#server = net.createServer((client) => {
      this.#join(client, net.connect(this.#upstream));
    });
  }

  get count(): number {
    return KILLS - this.#left;
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    // it listens on TCP
    return `tcp://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
  }

  /** An event was handled, at either end. */
  handled(): void {
    this.#count("handled", 1);
  }

  /**
   * Nothing more is to be handled before the next kill: a plan that waits for it would wait for
   * ever, since a connection's share may be smaller than it.
   */
  idle(): void {
    if (this.#plan !== null) this.#count(this.#plan.after, Infinity);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: net.Socket, server: net.Socket): void {
    this.#counted = { up: 0, down: 0, handled: 0 };
    this.#plan = this.#left > 0 ? this.#nextPlan() : null;
    this.#kill = () => {
      const told = this.#plan?.told ?? "both";
      if (told !== "server") client.destroy();
      if (told !== "client") server.destroy();
    };
    this.#carry(client, server, "up");
    this.#carry(server, client, "down");
  }

  #carry(from: net.Socket, to: net.Socket, direction: "down" | "up"): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on("error", () => undefined);
    from.on("data", (chunk: Buffer) => {
      const { after, count } = this.#plan ?? {};
      const isCurrent = !to.destroyed && !from.destroyed;
      // What is before the byte that kills still arrives, so that frames are cut anywhere.
      if (
        isCurrent &&
        after === direction &&
        this.#counted[direction] + chunk.length >= (count ?? 0)
      ) {
        to.write(chunk.subarray(0, (count ?? 0) - this.#counted[direction]), () => {
          this.#count(direction, chunk.length);
        });
        from.pause();
        return;
      }
      if (isCurrent) this.#count(direction, chunk.length);
      if (to.writable && !to.write(chunk)) {
        from.pause();
        to.once("drain", () => from.resume());
      }
    });
    from.on("end", () => to.end());
    from.on("close", () => {
      this.#sockets.delete(from);
      if (from.errored !== null) to.destroy();
    });
  }

  #nextPlan(): Kill {
    const random = this.#random;
    const after = random.pick(["handled", "handled", "up", "down"] as const);
    // Where the client alone is told, it takes its session from a connection that the server
    // believes in; where the server alone is, the client's heartbeat has to find out, which takes
    // its time.
    const told = random.below(50) === 0 ? "server" : random.below(5) === 0 ? "client" : "both";
    return {
      after,
      count: after === "handled" ? 1 + random.below(79) : 1 + random.below(1_500),
      told,
    };
  }

  #count(what: "down" | "handled" | "up", count: number): void {
    this.#counted[what] += count;
    const plan = this.#plan;
    if (plan?.after !== what || this.#counted[what] < plan.count) return;
    const key =
      `${plan.after === "handled" ? "after events" : "within bytes"}, ` +
      `${plan.told === "both" ? "both ends" : `the ${plan.told} alone`} told`;
    this.killed.set(key, (this.killed.get(key) ?? 0) + 1);
    this.#left--;
    this.#kill?.();
    this.#plan = this.#kill = null;
    this.onKill();
  }
}

/** One direction: what was emitted with what outcome, and what was handled. */
class Flow {
  emitted = 0;
  handled = 0;
  readonly outcomes = new Map<Outcome, number>();
  readonly #promises: Promise<void>[] = [];
  readonly #random: Random;
  readonly #emit: (note: Note) => Promise<Outcome>;
  readonly #killer: Killer;

  constructor(random: Random, killer: Killer, emit: (note: Note) => Promise<Outcome>) {
    this.#random = random;
    this.#killer = killer;
    this.#emit = emit;
  }

  /** Emit up to a number. */
  emitTo(number: number): void {
    while (this.emitted < number) {
      const note = { number: this.emitted++, filling: "x".repeat(this.#random.below(60)) };
      this.#promises.push(
        this.#emit(note).then((outcome) => {
          this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
        }),
      );
    }
  }

  /** Handle one; some take turns of the event loop. */
  readonly handle = ({ number }: Note): Promise<void> | undefined => {
    assert.equal(number, this.handled, "out of order, lost, or handled twice");
    this.handled++;
    this.#killer.handled();
    return this.#random.below(10) === 0 ? turns(this.#random.below(3)) : undefined;
  };

  async settled(): Promise<void> {
    await Promise.all(this.#promises);
  }
}

describe("a connection that is killed", () => {
  const fixture = new Fixture();

  it(
    `${KILLS} times during ${EVENTS} events each way loses none of them, repeats none, and ` +
      "keeps their order",
    { timeout: 90_000 },
    async (t) => {
      t.diagnostic(`seed ${seed}`);
      const [plans, moments, ups, downs] = [0, 1, 2, 3].map((each) => new Random(seed + each)) as [
        Random,
        Random,
        Random,
        Random,
      ]; // one for each
      const begun = performance.now();
      const broken: unknown[] = [];
      let served: SessionSocket<typeof contract, undefined> | null = null;
      let sessions = 0;
      const server = createServer(
        contract,
        { up: (note) => up.handle(note) },
        {
          open(socket) {
            sessions++;
            served = socket;
          },
          error: (error) => {
            if (error.code === "HANDLER_FAILED") broken.push(error.cause);
          },
        },
      );
      fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
      const address = await server.listen("tcp://127.0.0.1:0");
      assert.equal(address.transport, "tcp");
      const killer = fixture.own(
        new Killer(plans, {
          host: "127.0.0.1",
          port: Number(formatAddress(address).split(":").at(-1)),
        }),
      );
      let client: SessionClient<typeof contract> | null = null;
      const emitDown = (note: Note): Promise<Outcome> => {
        assert(served !== null);
        return served.emit("down", note);
      };
      const emitUp = (note: Note): Promise<Outcome> => {
        assert(client !== null);
        return client.emit("up", note);
      };
      const up: Flow = new Flow(ups, killer, emitUp);
      const down: Flow = new Flow(downs, killer, emitDown);
      const target = await killer.listen();
      client = await connect(contract, target, {
        reconnect: { initialMs: 1, maxMs: 4, fromStart: true },
        heartbeatMs: 100,
        heartbeatTimeoutMs: 100,
        handshakeTimeoutMs: 300,
        handlers: { down: down.handle },
      });
      // more than one, where a first attempt took longer than its handshake may
      const opened = sessions;
      const counts = { ready: 0, resumed: 0, disconnected: 0, failedAttempts: 0 };
      for (const name of ["ready", "resumed", "disconnected"] as const)
        client.lifecycle.on(name, () => counts[name]++);
      client.lifecycle.on("error", (error) => {
        if (error.code === "HANDLER_FAILED") broken.push(error.cause);
        else counts.failedAttempts++;
      });
      fixture.own({
        abort: () => {
          client.abort();
        },
      });
      // Each connection has its share of the events, emitted at once when the one before is killed,
      // or when the session has resumed.
      const share = (): void => {
        const to = Math.ceil((EVENTS * (killer.count + 1)) / (KILLS + 1));
        up.emitTo(to);
        down.emitTo(to);
      };
      killer.onKill = () => {
        if (moments.below(2) === 0) share();
      };
      client.lifecycle.on("resumed", share);
      share();
      let end = "";
      client.lifecycle.on("close", ({ error }) => (end = error?.message ?? "closed"));
      while (broken.length === 0 && end === "" && (up.handled < EVENTS || down.handled < EVENTS)) {
        await turns(10);
        if (
          counts.resumed === counts.disconnected &&
          up.handled === up.emitted &&
          down.handled === down.emitted
        )
          killer.idle();
      }
      assert.deepEqual([broken, end], [[], ""]);
      await Promise.all([up.settled(), down.settled()]);
      const seconds = (performance.now() - begun) / 1_000;
      const kinds = [...killer.killed].sort().map(([kind, count]) => `${count} ${kind}`);
      t.diagnostic(
        `${killer.count} kills (${kinds.join("; ")}), ${counts.resumed} resumptions, ` +
          `${counts.failedAttempts} attempts that failed, in ${seconds.toFixed(1)} s`,
      );
      assert.equal(killer.count, KILLS);
      assert.deepEqual([...up.outcomes], [["delivered", EVENTS]]);
      assert.deepEqual([...down.outcomes], [["delivered", EVENTS]]);
      assert.deepEqual([up.handled, down.handled], [EVENTS, EVENTS]);
      assert.deepEqual([sessions, counts.ready], [opened, 0]);
      assert.equal(counts.resumed, counts.disconnected);
      assert.equal((await client.close()).reason, "closed");
    },
  );
});
