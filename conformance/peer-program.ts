// What the conformance program does with the vectors' messages (vectors/README.md), on Hawser's
// server and client.

import { connect } from "@hawser/client";
import { HawserError, isHawserError } from "@hawser/protocol";
import { createServer, type SessionServer } from "@hawser/server";
import { peerContract, type Pull, type Told } from "./peer-contract.ts";

/** What the vectors count on. */
const limits = {
  maxMessageBytes: 100_000,
  maxPartials: 2,
  maxConversations: 8,
  windowBytes: 1_000,
  eventWindowBytes: 2_000,
  laneWindowBytes: 500,
  connectionWindowBytes: 1_500,
  maxInputBytes: 250_000,
  heartbeatMs: 60_000,
  frameTimeoutMs: 60_000,
} as const;

/** A server, as the handlers' sockets are too. */
interface Socket {
  emit(name: string, payload: unknown): Promise<string>;
  request(name: string, input: unknown, options: CallOptions): Promise<unknown>;
  stream(name: string, input: unknown, options: CallOptions): Stream;
}

interface CallOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

interface Stream extends AsyncIterable<unknown> {
  send(item: unknown): boolean;
  end(): void;
  writable(): Promise<void>;
}

interface Context {
  readonly socket: unknown;
  readonly signal: AbortSignal;
  readonly items: AsyncIterable<unknown>;
  readonly fail: (name: "rude", payload: unknown) => never;
}

/**
 * What is kept by tag: of all sessions of the process, so that a vector can ask on another
 * connection.
 */
class Memory {
  readonly #logs = new Map<string, string[]>();
  readonly #readers = new Set<() => void>();
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #calls = new Map<string, AbortController>();

  note(tag: string, entry: string): void {
    this.#logs.set(tag, [...(this.#logs.get(tag) ?? []), entry]);
    for (const look of this.#readers) look();
  }

  /** Resolves with the entries of a tag when there are at least so many. */
  log(tag: string, least: number): Promise<readonly string[]> {
    return new Promise((resolve) => {
      const look = (): void => {
        const entries = this.#logs.get(tag) ?? [];
        if (entries.length < least) return;
        this.#readers.delete(look);
        resolve(entries);
      };
      this.#readers.add(look);
      look();
    });
  }

  /** Resolves when `release` is called, or the signal is aborted. */
  wait(tag: string, signal: AbortSignal | null): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.set(tag, [...(this.#waiting.get(tag) ?? []), resolve]);
      signal?.addEventListener("abort", () => {
        resolve();
      });
    });
  }

  release(tag: string): void {
    for (const resolve of this.#waiting.get(tag) ?? []) resolve();
    this.#waiting.delete(tag);
  }

  /** What `cancel` aborts. */
  controller(tag: string | undefined): AbortController {
    const controller = new AbortController();
    if (tag !== undefined) this.#calls.set(tag, controller);
    return controller;
  }

  cancel(tag: string): void {
    this.#calls.get(tag)?.abort();
  }
}

/** The handlers of either side. */
function makeHandlers(memory: Memory) {
  const told = async (payload: Told): Promise<void> => {
    memory.note(payload.tag, `begin ${payload.n}`);
    if (payload.then === "wait") await memory.wait(payload.tag, null);
    if (payload.then === "fail") throw new Error("The event says so");
    memory.note(payload.tag, `end ${payload.n}`);
  };
  return {
    echo: (value: unknown) => value,
    blob: (value: Uint8Array) => value,
    make: (size: Uint8Array) => new Uint8Array(Number(new TextDecoder().decode(size))).fill(0x61),
    fail: (payload: unknown, { fail }: Context): never => fail("rude", payload),
    throw: (): never => {
      throw new Error("The request says so");
    },
    async wait({ tag }: { tag: string }, { signal }: Context) {
      memory.note(tag, "waiting");
      await memory.wait(tag, signal);
      memory.note(tag, signal.aborted ? `cancelled ${wireCode(signal.reason)}` : "released");
      return "released";
    },
    async stubborn({ tag }: { tag: string }) {
      memory.note(tag, "waiting");
      await memory.wait(tag, null);
      return "released";
    },
    release: ({ tag }: { tag: string }) => {
      memory.release(tag);
    },
    strict: ({ a }: { a: number }) => a,
    log: ({ tag, least = 0 }: { tag: string; least?: number }) => memory.log(tag, least),
    emit: ({ name, payloads }: { name: string; payloads: Told[] }, { socket }: Context) => {
      for (const payload of payloads) {
        const { tag, n } = payload;
        (socket as Socket).emit(name, payload).then(
          (outcome) => {
            memory.note(tag, `${outcome} ${n}`);
          },
          (error: unknown) => {
            memory.note(tag, `${wireCode(error)} ${n}`);
          },
        );
      }
    },
    async call(
      {
        name,
        input,
        tag,
        timeoutMs,
      }: { name: string; input?: unknown; tag?: string; timeoutMs?: number },
      { socket }: Context,
    ) {
      try {
        const options = {
          signal: memory.controller(tag).signal,
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
        };
        return { result: await (socket as Socket).request(name, input, options) };
      } catch (error) {
        return failure(error);
      }
    },
    cancel: ({ tag }: { tag: string }) => {
      memory.cancel(tag);
    },
    pull: (pull: Pull, { socket }: Context) => openStream(pull, socket as Socket, memory),
    drain: (_: unknown, { socket }: Context) => {
      // Not part of the interface: a server drains all its sessions, and a vector only its own.
      (socket as { drain?(nowMs: number): void }).drain?.(performance.now());
    },
    async *count({ to }: { to: number }) {
      for (let n = 1; n <= to; n++) yield await Promise.resolve(n);
    },
    async *chunks(input: Uint8Array) {
      const [items = 0, size = 0] = new TextDecoder().decode(input).split(" ").map(Number);
      for (let n = 0; n < items; n++) yield await Promise.resolve(new Uint8Array(size).fill(0x61));
    },
    async *mirror(_: unknown, { items }: Context) {
      yield* items;
    },
    async *collect(_: unknown, { items }: Context) {
      let sum = 0;
      for await (const item of items) sum += item as number;
      yield sum;
    },
    async *take({ n, tag }: { n: number; tag?: string }, { items }: Context) {
      const iterator = items[Symbol.asyncIterator]();
      const taken: unknown[] = [];
      while (taken.length < n) {
        const next = await iterator.next();
        if (next.done === true) break;
        taken.push(next.value);
        if (tag !== undefined) memory.note(tag, `took ${JSON.stringify(next.value)}`);
      }
      yield taken;
    },
    async *hang({ tag }: { tag: string }, { signal }: Context) {
      memory.note(tag, "waiting");
      await memory.wait(tag, signal);
      memory.note(tag, signal.aborted ? `cancelled ${wireCode(signal.reason)}` : "released");
      yield "released";
    },
    async *broken({ after, how }: { after: number; how: string }, { fail }: Context) {
      for (let n = 1; n <= after; n++) yield await Promise.resolve(n);
      if (how === "name") fail("rude", { after });
      throw new Error("The stream says so");
    },
    note: told,
    hint: told,
    keyed: told,
    audit: told,
    blot: () => undefined,
  };
}

async function openStream(
  { name, input, tag, take = Infinity, send = [], end = false, timeoutMs }: Pull,
  socket: Socket,
  memory: Memory,
) {
  const items: unknown[] = [];
  try {
    const { signal } = memory.controller(tag);
    const stream = socket.stream(name, input, {
      signal,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    const sending = (async () => {
      let hasRoom = true;
      for (const item of send) {
        if (!hasRoom) await stream.writable();
        hasRoom = stream.send(item);
      }
      if (end) stream.end();
    })();
    sending.catch(() => undefined);
    if (items.length >= take) return { items, ended: false };
    for await (const item of stream) {
      items.push(item);
      if (items.length >= take) return { items, ended: false };
    }
    return { items, ended: true };
  } catch (error) {
    return { items, ...failure(error) };
  }
}

/** How a call failed, in the words of the page. */
function failure(error: unknown): object {
  const code = wireCode(error);
  if (!isHawserError(error) || error.failure === null)
    return { code, ...(isHawserError(error) && error.path !== null ? { path: error.path } : {}) };
  return { code, name: error.failure.name, payload: error.failure.payload ?? null };
}

const wireCodes: Readonly<Record<string, string>> = {
  NAMED_ERROR: "NAMED",
  REMOTE_HANDLER_FAILED: "HANDLER_FAILED",
  MESSAGE_UNKNOWN: "UNKNOWN_MESSAGE",
  CALL_CANCELLED: "CANCELLED",
};

function wireCode(error: unknown): string {
  if (!isHawserError(error)) return String(error);
  return wireCodes[error.code] ?? error.code;
}

/** Who a client says it is: `{user}`; `{refuse: true}` is not let in. */
function authenticate({ auth }: { auth: unknown }): { user: string } {
  const {
    user = "nobody",
    refuse,
    busy,
  } = (auth ?? {}) as { user?: string; refuse?: boolean; busy?: boolean };
  if (refuse === true) throw new HawserError("AUTH_REFUSED", "The client asks to be refused");
  if (busy === true) throw new HawserError("OVERLOADED", "The client asks to be sent away");
  return { user };
}

/** Start the server. */
export async function startServer(): Promise<{ readonly port: number; close(): Promise<void> }> {
  const memory = new Memory();
  const handlers = makeHandlers(memory);
  const server = createServer(
    peerContract,
    handlers as never,
    { ...limits, authenticate, error: () => undefined } as never,
  ) as unknown as SessionServer<typeof peerContract>;
  const address = await server.listen("tcp://127.0.0.1:0");
  return {
    port: "port" in address ? address.port : 0,
    async close() {
      await server.close({ deadlineMs: 0 });
    },
  };
}

/** Connect to a port, and begin anew whenever the session is over. */
export function startClient(port: number): { close(): void } {
  const memory = new Memory();
  let isClosed = false;
  const controller = new AbortController();
  const again = async (): Promise<void> => {
    while (!isClosed) {
      try {
        const connecting = connect(peerContract, `tcp://127.0.0.1:${port}`, {
          ...limits,
          handlers: makeHandlers(memory) as never,
          reconnect: { initialMs: 1, maxMs: 20, fromStart: true },
          signal: controller.signal,
        });
        const client = await connecting;
        client.lifecycle.on("error", () => undefined);
        await client.closed;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 5)); // refused: the next session begins
      }
    }
  };
  void again();
  return {
    close() {
      isClosed = true;
      controller.abort();
    },
  };
}
