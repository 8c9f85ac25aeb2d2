import { bytes, type HawserError, lines, text, wire, type Wire } from "@hawser/protocol";
import {
  type Connection,
  type ConnectionLimitOptions,
  memoryPair,
  resolveConnectionLimits,
  Ticker,
} from "@hawser/transport";
import { ManualClock } from "@hawser/transport/testing";
import { type Closed, WireSocket } from "../src/mod.ts";

/** Tasks of later turns, run when the test says so. */
export class Turns {
  readonly #tasks: (() => void)[] = [];

  readonly schedule = (task: () => void): void => {
    this.#tasks.push(task);
  };

  /** Run turns, and the ticks and promises between them, until nothing is left to do. */
  async settle(): Promise<void> {
    do {
      this.#tasks.shift()?.();
      await new Promise<void>((resolve) => {
        process.nextTick(resolve);
      });
    } while (this.#tasks.length > 0);
  }
}

/** A peer that reads and writes bytes, and remembers. */
export class RawPeer {
  readonly connection: Connection;
  received = "";
  readonly chunks: string[] = [];
  readonly events: string[] = [];

  constructor(connection: Connection) {
    this.connection = connection;
    connection.open({
      chunk: (chunk) => {
        const bytes = new TextDecoder("latin1").decode(chunk);
        this.chunks.push(bytes);
        this.received += bytes;
      },
      ended: () => void this.events.push("ended"),
      written: () => undefined,
      gone: (error) => void this.events.push(error === null ? "closed" : `closed ${error.code}`),
    });
  }

  write(bytesOrText: string | Uint8Array): void {
    this.connection.output.append(
      typeof bytesOrText === "string" ? new TextEncoder().encode(bytesOrText) : bytesOrText,
    );
    this.connection.schedule();
  }
}

export const textLines: Wire<string> = wire({ framing: lines(), codec: text(), sentinel: "exit" });
export const plainLines: Wire<string> = wire({ framing: lines(), codec: text() });
export const byteLines: Wire<Uint8Array> = wire({ framing: lines(), codec: bytes() });

/** A socket under test, its raw peer, and the time, all moved by hand. */
export interface SocketAndPeer<In, Out> {
  readonly socket: WireSocket<In, Out>;
  readonly peer: RawPeer;
  readonly turns: Turns;
  readonly clock: ManualClock;
  /** The socket's events, as text. */
  readonly log: string[];
  readonly messages: In[];
  readonly closed: () => Closed | null;
}

/**
 * Make a {@link SocketAndPeer} with a server's limits; `failed` is what its owner does with an
 * error.
 */
export function socketAndPeer<In, Out>(
  of: Wire<In, Out>,
  options: ConnectionLimitOptions & { onFull?: "close" | "throw"; windowBytes?: number } = {},
  failed: (error: HawserError) => Promise<unknown> | undefined = () => undefined,
): SocketAndPeer<In, Out> {
  const turns = new Turns();
  const clock = new ManualClock();
  const ticker = new Ticker(clock);
  const [mine, theirs] = memoryPair({
    schedule: turns.schedule,
    windowBytes: options.windowBytes ?? 65_536,
  });
  const log: string[] = [];
  const messages: In[] = [];
  let closed: Closed | null = null;
  const socket = new WireSocket<In, Out>(
    of,
    mine,
    {
      limits: resolveConnectionLimits(options, "server"),
      ticker,
      onFull: options.onFull ?? "close",
    },
    {
      message: (message) => void messages.push(message),
      finished: (how) => void log.push(`finished ${how}`),
      failed: (error) => {
        try {
          return failed(error);
        } finally {
          log.push(`failed ${error.code}`);
        }
      },
      writable: () => void log.push("writable"),
      closed: (how) => {
        ticker.delete(socket);
        closed = how;
        log.push(`closed ${how.reason}`);
      },
    },
  );
  const peer = new RawPeer(theirs);
  ticker.add(socket);
  socket.open();
  return { socket, peer, turns, clock, log, messages, closed: (): Closed | null => closed };
}
