// The runner's side of a session: its greetings, ids and variables, over one connection after
// another. Must not know steps (run.ts) or reports.

import { randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { contractName, contractVersion, messageList, runnerLimits } from "./contract.ts";
import { kinds, signature } from "./kinds.ts";
import { asText, mismatch, Variables } from "./match.ts";
import { describe, Fault, type Message, readJson } from "./reader.ts";
import type { Target } from "./target.ts";
import type { Bytes, FrameSpec, Greeting, Json } from "./vector.ts";
import { type Arrival, Wire } from "./wire.ts";
import { frame, jsonFrame, join, type Names, write } from "./writer.ts";

type Members = Record<string, Json>;

/** One connection, and what is known of it. */
interface Line {
  readonly wire: Wire;
  /** What the patterns bound: `theirs1` and so on. */
  readonly theirs: Map<string, number>;
  readonly credit: Map<string, number>;
  /** The target's names, by index. */
  names: readonly string[];
  /** The runner's. */
  own: readonly string[];
}

const ownNames = messageList.map(nameIn);

export class Conversation implements Names {
  readonly variables = new Variables();
  /** Numbers of the runner's events that the target settled, of the session at hand. */
  readonly settled = new Set<number>();
  /** CLOSE or REFUSE has ended it. */
  isOver = false;
  readonly #target: Target;
  readonly #options: { readonly waitMs: number; readonly cut: number };
  readonly #lines = new Map<string, Line>();
  #line: Line | null = null;
  /** Whether a session was begun that the target may want to resume. */
  #hasSession = false;
  /** Numbers of the target's events that came whole. */
  #received = new Set<number>();
  #pings = 0;

  constructor(target: Target, options: { readonly waitMs: number; readonly cut: number }) {
    this.#target = target;
    this.#options = options;
    this.variables.set("tag", randomBytes(8).toString("hex"));
  }

  get wire(): Wire {
    return this.#current.wire;
  }

  get seen(): readonly string[] {
    return [...this.#lines.values()].flatMap(({ wire }, index) =>
      index === 0 ? wire.seen : ["(another connection)", ...wire.seen],
    );
  }

  get #current(): Line {
    if (this.#line === null) throw new Error("The vector has no connection");
    return this.#line;
  }

  async open(name: string): Promise<void> {
    const wire = new Wire(await this.#target.open(), this.#options.waitMs);
    this.#line = { wire, theirs: new Map(), credit: new Map(), names: [], own: ownNames };
    this.#lines.set(name === "" ? `#${this.#lines.size}` : name, this.#line);
    this.isOver = false;
  }

  use(name: string): void {
    const line = this.#lines.get(name);
    if (line === undefined) throw new Error(`The vector has no connection ${JSON.stringify(name)}`);
    this.#line = line;
  }

  async greet(greeting: Greeting, name: string): Promise<void> {
    await this.open(name);
    await (this.#target.role === "server"
      ? this.#greetServer(greeting)
      : this.#greetClient(greeting));
    this.#hasSession = true;
  }

  async #greetServer(greeting: Greeting): Promise<void> {
    const line = this.#current;
    await line.wire.write(join([signature, jsonFrame("HELLO", this.fill(this.#hello(greeting)))]));
    await line.wire.signature();
    const names: Json[] = [];
    const welcome = await this.#theirGreeting("WELCOME", names);
    this.#adopt(line, welcome, names, greeting);
    const resumed = welcome["resumed"] === true;
    if (greeting.theirs === undefined && resumed !== (greeting.resume === true))
      throw new Fault(`the WELCOME says resumed: ${String(resumed)}`);
    if (!resumed) this.#forget();
    if (this.#hasSession) this.variables.set("formerSession", this.variables.get("session"));
    this.variables.set("session", welcome["session"] ?? "");
    this.variables.set("origin", welcome["origin"] ?? "");
    this.variables.set("received", welcome["received"] ?? 0);
  }

  async #greetClient(greeting: Greeting): Promise<void> {
    const line = this.#current;
    await line.wire.signature();
    const names: Json[] = [];
    const hello = await this.#theirGreeting("HELLO", names);
    if (hello["messages"] === undefined) {
      await line.wire.write(join([signature, frame(kinds["WANT"] ?? 0, 0, new Uint8Array(0))]));
      const list = await this.#nextMessage("MESSAGES");
      names.push(...(readJson(list.body) as readonly Json[]));
    }
    this.#adopt(line, hello, names, greeting);
    const before = this.#hasSession ? this.variables.get("session") : null;
    const resume = hello["resume"] as Members | undefined;
    if (
      greeting.resume === true &&
      greeting.theirs === undefined &&
      resume?.["session"] !== before
    ) {
      throw new Fault(
        `HELLO's resume is ${JSON.stringify(resume)}, not of ${JSON.stringify(before)}`,
      );
    }
    const resumed = greeting.resume === true;
    const welcome = this.#welcome(greeting);
    const rest = jsonFrame("WELCOME", this.fill(welcome));
    await line.wire.write(hello["messages"] === undefined ? rest : join([signature, rest]));
    if (!resumed) this.#forget();
    if (before !== null) this.variables.set("formerSession", before);
    this.variables.set("session", welcome["session"] ?? "");
    this.variables.set("origin", welcome["origin"] ?? "");
    this.variables.set("received", resume?.["received"] ?? 0);
  }

  /** The target's greeting; lists that come in MESSAGES before it are added to `names`. */
  async #theirGreeting(kind: string, names: Json[]): Promise<Members> {
    for (;;) {
      const message = await this.#nextMessage(kind);
      if (message.kind === "WANT") {
        await this.wire.write(jsonFrame("MESSAGES", messageList));
      } else if (message.kind === "MESSAGES") {
        names.push(...(readJson(message.body) as readonly Json[]));
      } else if (message.kind === kind) {
        const value = readJson(message.body) as Members;
        names.push(...((value["messages"] ?? []) as readonly Json[]));
        return value;
      } else {
        throw new Fault(`expected ${kind}, got ${describe(message)}`);
      }
    }
  }

  #adopt(line: Line, theirs: Members, names: readonly Json[], greeting: Greeting): void {
    line.names = names.map(nameIn);
    this.variables.set("fingerprint", theirs["fingerprint"] ?? "");
    this.variables.set("messages", names);
    this.variables.set("limits", theirs["limits"] ?? {});
    if (greeting.theirs === undefined) return;
    const fault = mismatch(greeting.theirs, theirs, this.variables);
    if (fault !== null) throw new Fault(`the target's greeting: ${fault}`);
  }

  /** A new session begins. */
  #forget(): void {
    this.settled.clear();
    this.#received = new Set();
  }

  get #highest(): number {
    let highest = 0;
    while (this.#received.has(highest + 1)) highest++;
    return highest;
  }

  async send(
    specs: readonly (Bytes | FrameSpec)[],
    cut: number = this.#options.cut,
  ): Promise<void> {
    const all = join(specs.map((spec) => write(this.#greeting(spec), this)));
    if (cut <= 0) {
      await this.wire.write(all);
      return;
    }
    for (let at = 0; at < all.length && !this.wire.hasEnded; at += cut) {
      await this.wire.write(all.subarray(at, at + cut));
      await turn();
    }
  }

  /** A frame with the runner's greeting as its text. */
  #greeting(spec: Bytes | FrameSpec): Bytes | FrameSpec {
    if (!("kind" in spec) || spec.greeting === undefined) return spec;
    const { greeting, replace = [], pad = 0, ...rest } = spec;
    const value = this.fill(
      spec.kind === "HELLO" ? this.#hello(greeting) : this.#welcome(greeting),
    );
    let text = JSON.stringify(value);
    for (const [one, other] of replace) {
      if (!text.includes(one)) throw new Error(`The greeting has no ${one}`);
      text = text.replace(one, () => other);
    }
    return { ...rest, text: text.padEnd(pad) };
  }

  #hello(greeting: Greeting): Members {
    const resume =
      greeting.resume === true
        ? {
            resume: {
              session: this.variables.get("session"),
              received: greeting.received ?? this.#highest,
            },
          }
        : {};
    return members({ hawser: [1, 1], ...introduction(greeting), ...resume }, greeting);
  }

  #welcome(greeting: Greeting): Members {
    const resumed = greeting.resume === true;
    const origin = resumed ? this.variables.get("origin") : randomBytes(16).toString("hex");
    const received = greeting.received ?? (resumed ? this.#highest : 0);
    return members(
      {
        hawser: 1,
        ...introduction(greeting),
        session: randomBytes(16).toString("hex"),
        origin,
        resumed,
        received,
        resumeWindowMs: 30_000,
      },
      greeting,
    );
  }

  peek(what: string): Promise<Arrival> {
    return this.wire.peek(what);
  }

  async next(what: string): Promise<Arrival> {
    const arrival = await this.wire.next(what);
    if (arrival !== "end") this.#note(arrival);
    return arrival;
  }

  async #nextMessage(what: string): Promise<Message> {
    const arrival = await this.wire.next(what);
    if (arrival === "end") throw new Fault(`the stream ended; expected ${what}`);
    return arrival;
  }

  #note({ kind, id, number, bytes = 0, ranges = [] }: Message): void {
    const { credit } = this.#current;
    const give = (account: string): void => {
      credit.set(account, (credit.get(account) ?? 0) + bytes);
    };
    if (kind === "CREDIT") give(id === 0 ? "events" : `stream:${id}`);
    else if (kind === "WINDOW") give("streams");
    else if (kind === "LANE") give(`lane:${id}`);
    else if (kind === "EVENT" && number !== undefined) this.#received.add(number);
    else if (kind === "ACK")
      for (const [first, last] of [[1, number ?? 0] as const, ...ranges])
        for (let n = first; n <= last; n++) this.settled.add(n);
  }

  /** What was given so far to an account of `tally`. */
  credit(account: string): number {
    const known = /^(?:mine|theirs)\d+$/.test(account) ? `stream:${this.id(account)}` : account;
    return this.#current.credit.get(known) ?? 0;
  }

  /** PING, and nothing but its PONG. */
  async ping(): Promise<void> {
    const payload = new Uint8Array(8);
    new DataView(payload.buffer).setUint32(4, ++this.#pings);
    await this.wire.write(frame(kinds["PING"] ?? 0, 0, payload));
    for (;;) {
      const arrival = await this.next("PONG");
      if (arrival === "end") throw new Fault("the stream ended; expected PONG");
      if (["ACK", "CREDIT", "WINDOW", "LANE"].includes(arrival.kind)) continue;
      if (arrival.kind !== "PONG")
        throw new Fault(`expected PONG and nothing before it, got ${describe(arrival)}`);
      if (arrival.payload.some((byte, at) => byte !== payload[at]))
        throw new Fault(`PONG answers another PING: ${describe(arrival)}`);
      return;
    }
  }

  lose(): void {
    this.wire.destroy();
  }

  /** At the end of a vector: CLOSE that came unasked is a fault. */
  checkSilence(): void {
    for (const { wire } of this.#lines.values()) {
      for (const arrival of wire.waiting) {
        if (arrival !== "end" && ["CLOSE", "REFUSE"].includes(arrival.kind))
          throw new Fault(`${describe(arrival)} came at the end`);
      }
    }
  }

  /** @see Names */
  id(name: number | string): number {
    if (typeof name === "number") return name;
    const mine = /^mine(\d+)$/.exec(name)?.[1];
    if (mine !== undefined)
      return this.#target.role === "server" ? 2 * Number(mine) - 1 : 2 * Number(mine);
    const theirs = this.#current.theirs.get(name);
    if (theirs === undefined)
      throw new Error(`The vector uses the id ${JSON.stringify(name)}, which no pattern has bound`);
    return theirs;
  }

  /** Why an id is not a pattern's, or null. The first use of `theirsN` binds it. */
  sameId(wanted: Json, id: number): string | null {
    const { theirs } = this.#current;
    if (typeof wanted === "string" && wanted.startsWith("theirs") && !theirs.has(wanted)) {
      if (id === 0 || id % 2 !== (this.#target.role === "server" ? 0 : 1))
        throw new Fault(`the target opened the id ${id}`);
      theirs.set(wanted, id);
      return null;
    }
    const number = typeof wanted === "string" || typeof wanted === "number" ? this.id(wanted) : -1;
    return number === id ? null : `its id is ${id}, not ${number}`;
  }

  /** @see Names */
  index(name: number | string): number {
    if (typeof name === "number") return name;
    const index = this.#current.own.indexOf(name);
    if (index < 0) throw new Error(`The runner's list has no ${JSON.stringify(name)}`);
    return index;
  }

  /** A name of the target's list. */
  nameOf(index: number | undefined): string | undefined {
    return index === undefined ? undefined : this.#current.names[index];
  }

  /** @see Names */
  fill<T extends Json>(value: T): T {
    return this.variables.fill(value);
  }

  /** End what is left, so that the next vector finds the target as it was. */
  async close(): Promise<void> {
    const last = this.#line?.wire;
    if (last !== undefined && !this.isOver) {
      if (!last.hasEnded) await last.leave(jsonFrame("CLOSE", { code: "NORMAL", message: "" }));
      else if (this.#target.role === "client") await this.#endSession();
    }
    for (const { wire } of this.#lines.values()) wire.destroy();
    this.#lines.clear();
  }

  /**
   * A client that lost its connection wants to go on with its session: refuse it, and it begins
   * anew.
   */
  async #endSession(): Promise<void> {
    try {
      const wire = new Wire(await this.#target.open(), this.#options.waitMs);
      await wire.leave(
        join([
          signature,
          jsonFrame("REFUSE", { code: "AUTH_REFUSED", message: "The vector is over" }),
        ]),
      );
      wire.destroy();
    } catch (error) {
      // a client that does not come back fails the next vector
      if (!(error instanceof Fault)) throw error;
    }
  }
}

/** The name of an entry of a list. */
function nameIn(entry: Json): string {
  return asText((entry as readonly Json[])[0]);
}

function introduction({ limits = {} }: Greeting): Members {
  return {
    protocol: contractName,
    version: contractVersion,
    accepts: [contractVersion, contractVersion],
    limits: { ...runnerLimits, ...limits },
    features: [],
    fingerprint: "",
    messages: messageList,
  };
}

function members(own: Members, { members: more = {}, without = [] }: Greeting): Members {
  return Object.fromEntries(
    Object.entries({ ...own, ...more }).filter(([name]) => !without.includes(name)),
  );
}
