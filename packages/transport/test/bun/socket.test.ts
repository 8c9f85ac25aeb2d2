import { describe, expect, it } from "vitest";
import type { Address } from "../../src/address.ts";
import type {
  BunHandlers,
  BunListenOptions,
  BunRuntime,
  BunSocket,
} from "../../src/bun/runtime.ts";
import { bunAcceptor } from "../../src/bun/socket.ts";
import type { Connection } from "../../src/connection.ts";

/** Behind what was left for a later turn (clock.ts): a timer may come before it. */
const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A socket as Bun has it, whose system takes what the test says. */
class FakeSocket implements BunSocket {
  data: unknown;
  readonly remoteAddress: string | undefined = "::ffff:192.0.2.7";
  readonly remotePort = 4_711;
  readonly calls: string[] = [];
  written = "";
  /**
   * Bytes that the system takes in the next writes; all when it is empty, none more ever below 0.
   */
  takes: number[] = [];
  readonly #handlers: BunHandlers;

  constructor(options: BunListenOptions) {
    this.data = options.data;
    this.#handlers = options.socket;
  }

  write(bytes: Uint8Array): number {
    const taken = Math.min(this.takes.shift() ?? bytes.length, bytes.length);
    this.written += new TextDecoder().decode(bytes.subarray(0, Math.max(taken, 0)));
    return taken;
  }

  shutdown(): void {
    this.calls.push("shutdown");
  }

  pause(): void {
    this.calls.push("pause");
  }

  resume(): void {
    this.calls.push("resume");
  }

  close(): void {
    this.calls.push("close");
    this.#handlers.close(this);
  }
}

interface Accepted {
  readonly socket: FakeSocket;
  readonly handlers: BunHandlers;
  readonly connection: Connection;
  /** What the connection's sink is told. */
  readonly log: string[];
}

async function accepted(
  address: Address = { transport: "tcp", host: "::", port: 0 },
  opens = true,
): Promise<Accepted> {
  let options: BunListenOptions | undefined;
  const runtime: BunRuntime = {
    listen: (given) => {
      options = given;
      return {
        getsockname: (bound) => void Object.assign(bound, { address: "::", port: 99 }),
        stop: () => undefined,
      };
    },
  };
  const connections: Connection[] = [];
  const log: string[] = [];
  const sink = {
    accepted: (connection: Connection) => {
      connections.push(connection);
      if (opens) open(connection, log);
    },
    failed: () => undefined,
  };
  await bunAcceptor(address, sink, runtime)?.bind(
    address.transport === "ipc" ? { path: address.path } : { host: "::", port: 0 },
  );
  if (options === undefined) throw new Error("it does not listen");
  const socket = new FakeSocket(options);
  options.socket.open(socket);
  const [connection] = connections;
  if (connection === undefined) throw new Error("it does not accept");
  return { socket, handlers: options.socket, connection, log };
}

function open(connection: Connection, log: string[]): void {
  connection.open({
    chunk: (bytes, stays) => {
      log.push(`chunk ${new TextDecoder().decode(bytes)}${stays ? "" : ", lent"}`);
      return false;
    },
    ended: () => void log.push("ended"),
    written: () => void log.push(`written, ${String(connection.pendingBytes)} left`),
    gone: (error) => void log.push(error === null ? "gone" : `gone ${error.code}`),
  });
}

function send(connection: Connection, text: string): void {
  connection.output.append(encode(text));
  connection.output.flush();
}

describe("bunAcceptor()", () => {
  const sink = { accepted: () => undefined, failed: () => undefined };
  const runtime: BunRuntime = {
    listen: () => ({ getsockname: () => undefined, stop: () => undefined }),
  };

  it("is null on another runtime, for TLS and for a file descriptor", () => {
    expect(bunAcceptor({ transport: "tcp", host: "a", port: 1 }, sink)).toBeNull();
    expect(bunAcceptor({ transport: "tls", host: "a", port: 1 }, sink, runtime)).toBeNull();
    expect(bunAcceptor({ transport: "fd", fd: 3 }, sink, runtime)).toBeNull();
    expect(bunAcceptor({ transport: "ipc", path: "\0name" }, sink, runtime)).not.toBeNull();
  });

  it("rejects with what Bun throws, and may be closed then", async () => {
    const why = Object.assign(new Error("taken"), { code: "EADDRINUSE" });
    const acceptor = bunAcceptor({ transport: "tcp", host: "a", port: 1 }, sink, {
      listen: () => {
        throw why;
      },
    });
    await expect(acceptor?.bind({ host: "a", port: 1 })).rejects.toBe(why);
    expect(() => acceptor?.close()).not.toThrow();
  });

  it("names its peers as node:net's are named", async () => {
    expect((await accepted()).connection.remote).toBe("192.0.2.7:4711");
    expect((await accepted({ transport: "ipc", path: "/run/x.sock" })).connection.remote).toBe(
      "unix:/run/x.sock#1",
    );
  });

  it("leaves what comes to the system until a connection is opened", async () => {
    const { socket, connection, log } = await accepted(undefined, false);
    expect(socket.calls).toEqual(["pause"]);
    open(connection, log);
    expect(socket.calls).toEqual(["pause", "resume"]);
  });
});

describe("a connection that Bun accepted", () => {
  it("writes what the system takes at once, and says so within the write", async () => {
    const { socket, connection, log } = await accepted();
    send(connection, "one");
    expect([socket.written, connection.pendingBytes, log]).toEqual(["one", 0, ["written, 0 left"]]);
  });

  it("goes on with the rest of a short write when there is room, before what was sent behind it", async () => {
    const { socket, handlers, connection, log } = await accepted();
    socket.takes = [2];
    send(connection, "first.");
    send(connection, "second.");
    expect([socket.written, connection.pendingBytes, log]).toEqual(["fi", 13, []]);
    socket.takes = [1, 0, 3, 4];
    handlers.drain(socket);
    handlers.drain(socket);
    expect([socket.written, log]).toEqual(["fir", []]);
    handlers.drain(socket);
    expect([socket.written, connection.pendingBytes, log]).toEqual([
      "first.seco",
      7,
      ["written, 7 left"],
    ]);
    handlers.drain(socket);
    expect([socket.written, log]).toEqual([
      "first.second.",
      ["written, 7 left", "written, 0 left"],
    ]);
    handlers.drain(socket);
    send(connection, "third.");
    expect([socket.written, log.length]).toEqual(["first.second.third.", 3]);
  });

  it("ends its direction once, behind what waits", async () => {
    const { socket, handlers, connection } = await accepted();
    socket.takes = [1];
    connection.output.append(encode("bye"));
    connection.end();
    connection.end();
    expect(socket.calls).toEqual(["resume"]);
    handlers.drain(socket);
    expect([socket.written, socket.calls]).toEqual(["bye", ["resume", "shutdown"]]);
  });

  it("tells the peer's end once, also where Bun only closes since this end had ended", async () => {
    const { socket, handlers, connection, log } = await accepted();
    connection.end();
    handlers.data(socket, encode("last"));
    handlers.close(socket);
    expect(log).toEqual(["chunk last", "ended", "gone"]);
    const other = await accepted();
    other.handlers.end(other.socket);
    other.connection.end();
    other.handlers.close(other.socket);
    expect(other.log).toEqual(["ended", "gone"]);
  });

  it("tells no end of a connection that broke, or that is closed before the peer has ended", async () => {
    const { socket, handlers, connection, log } = await accepted();
    connection.end();
    handlers.close(socket, Object.assign(new Error("read"), { code: "ECONNRESET" }));
    expect(log).toEqual(["gone CONNECTION_RESET"]);
    const other = await accepted();
    other.handlers.close(other.socket);
    expect(other.log).toEqual(["gone"]);
  });

  it("is reset, not over, when it is closed while something waits", async () => {
    const { socket, handlers, connection, log } = await accepted();
    socket.takes = [1];
    send(connection, "not all of it");
    handlers.end(socket);
    handlers.close(socket);
    expect(log).toEqual(["ended", "gone CONNECTION_RESET"]);
    expect(connection.pendingBytes).toBe(0);
  });

  it("abort() closes it, and what follows is told later: gone, once", async () => {
    const { socket, handlers, connection, log } = await accepted();
    socket.takes = [0];
    send(connection, "lost");
    connection.abort();
    connection.abort();
    expect([socket.calls, connection.pendingBytes, log]).toEqual([["resume", "close"], 0, []]);
    await Promise.resolve();
    expect(log).toEqual(["gone"]);
    handlers.drain(socket);
    connection.end();
    expect([socket.written, socket.calls]).toEqual(["", ["resume", "close"]]);
  });

  it(
    "whose peer takes no more ever still hears what came before, and is gone a turn later, with " +
      "the reason",
    async () => {
      const { socket, handlers, connection, log } = await accepted();
      socket.takes = [-1];
      send(connection, "into the void");
      send(connection, "and more");
      handlers.data(socket, encode("why"));
      handlers.end(socket);
      expect([socket.calls, log]).toEqual([["resume"], ["chunk why"]]);
      await new Promise((resolve) => setImmediate(resolve));
      expect(socket.calls).toEqual(["resume", "close"]);
      expect(log).toEqual(["chunk why", "gone CONNECTION_RESET"]);
      expect(connection.pendingBytes).toBe(0);
    },
  );

  it("throws what its owner throws to the program", async () => {
    const { socket, handlers } = await accepted();
    const why = new Error("of the program");
    expect(() => {
      handlers.error(socket, why);
    }).toThrow(why);
  });
});

describe("a large chunk on Bun", () => {
  const large = encode("a".repeat(65_536) + "b".repeat(65_536) + "c");

  /** A connection whose sink pauses at each chunk. */
  async function pausing(): Promise<Accepted> {
    const ends = await accepted(undefined, false);
    ends.connection.open({
      chunk: (bytes) => {
        ends.log.push(`${new TextDecoder().decode(bytes.subarray(0, 1))}*${String(bytes.length)}`);
        ends.connection.pause();
        return false;
      },
      ended: () => void ends.log.push("ended"),
      written: () => undefined,
      gone: (error) => void ends.log.push(error === null ? "gone" : `gone ${error.code}`),
    });
    return ends;
  }

  it("reaches the sink in parts of 64 KiB, and none after pause() until resume()", async () => {
    const { socket, handlers, connection, log } = await pausing();
    handlers.data(socket, large);
    expect(log).toEqual(["a*65536"]);
    connection.resume();
    await nextTurn();
    expect(log).toEqual(["a*65536", "b*65536"]);
    connection.resume();
    await nextTurn();
    expect(log).toEqual(["a*65536", "b*65536", "c*1"]);
    connection.resume();
    expect(socket.calls.at(-1)).toBe("resume");
  });

  it("is told before the end and the close that followed it", async () => {
    const { socket, handlers, connection, log } = await pausing();
    handlers.data(socket, large);
    handlers.end(socket);
    handlers.close(socket);
    expect(log).toEqual(["a*65536"]);
    for (let part = 0; part < 2; part++) {
      connection.resume();
      await nextTurn();
    }
    expect(log).toEqual(["a*65536", "b*65536", "c*1", "ended", "gone"]);
  });

  it("is dropped with abort(), and with a reset", async () => {
    const aborted = await pausing();
    aborted.handlers.data(aborted.socket, large);
    aborted.connection.abort();
    await nextTurn();
    expect(aborted.log).toEqual(["a*65536", "gone"]);
    const broken = await pausing();
    broken.handlers.data(broken.socket, large);
    broken.handlers.close(broken.socket, Object.assign(new Error("reset"), { code: "ECONNRESET" }));
    expect(broken.log).toEqual(["a*65536", "gone CONNECTION_RESET"]);
  });
});
