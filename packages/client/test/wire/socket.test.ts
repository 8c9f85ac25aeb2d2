import { HawserError, lines, text, wire } from "@hawser/protocol";
import { memoryPair } from "@hawser/transport";
import { describe, expect, it } from "vitest";
import { connect, type ConnectOptions } from "../../src/mod.ts";

const echo = wire({ framing: lines(), codec: text(), sentinel: "exit" });

/** A client in memory, and the raw other end. */
async function dial(options: ConnectOptions = {}) {
  const [mine, theirs] = memoryPair();
  const peer = { received: "", ended: false, reset: false };
  theirs.open({
    chunk: (chunk) => {
      peer.received += new TextDecoder().decode(chunk);
    },
    ended: () => {
      peer.ended = true;
    },
    written: () => undefined,
    gone: (error) => {
      peer.reset = error !== null;
    },
  });
  const write = (bytes: string): void => {
    theirs.output.append(new TextEncoder().encode(bytes));
    theirs.schedule();
  };
  return { socket: await connect(echo, mine, options), peer, write, theirs };
}

const turns = async (count = 6): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
};

describe("Socket: iteration", () => {
  it("yields the messages, ends at the sentinel, and answers it", async () => {
    const { socket, peer, write, theirs } = await dial();
    write("one\ntwo\nexit\n");
    const messages: string[] = [];
    for await (const message of socket) messages.push(message);
    theirs.end();
    expect(messages).toEqual(["one", "two"]);
    expect(await socket.closed).toEqual({ reason: "sentinel", error: null });
    expect([peer.received, peer.ended]).toEqual(["exit\n", true]);
  });

  it("stops the reading while nobody pulls", async () => {
    const { socket, write, theirs } = await dial();
    for (let i = 0; i < 100; i++) {
      write(`${"x".repeat(9_999)}\n`);
      await turns(1);
    }
    expect(theirs.pendingBytes).toBeGreaterThan(500_000);
    let count = 0;
    for await (const message of socket) if (message.length === 9_999 && ++count === 100) break;
    expect(theirs.pendingBytes).toBe(0);
    socket.abort();
    await socket.closed;
  });

  it("throws the error after the messages before it, and once", async () => {
    const { socket, write } = await dial({ maxFrameBytes: 4 });
    write("ok\ntoo long\n");
    const messages: string[] = [];
    await expect(async () => {
      for await (const message of socket) messages.push(message);
    }).rejects.toMatchObject({ code: "FRAME_TOO_LARGE" });
    expect(messages).toEqual(["ok"]);
    for await (const message of socket) messages.push(message);
    expect(messages).toEqual(["ok"]);
    socket.abort();
    expect((await socket.closed).error?.code).toBe("FRAME_TOO_LARGE");
  });

  it("delivers what came before the connection was lost, then throws", async () => {
    const { socket, write, theirs } = await dial();
    write("1\n2\n3\n");
    await turns();
    theirs.abort();
    expect((await socket.closed).error?.code).toBe("CONNECTION_RESET");
    const messages: string[] = [];
    await expect(async () => {
      for await (const message of socket) messages.push(message);
    }).rejects.toMatchObject({ code: "CONNECTION_RESET" });
    expect(messages).toEqual(["1", "2", "3"]);
  });

  it("goes on in another loop after one was left early", async () => {
    const { socket, write } = await dial();
    write("1\n2\n3\nexit\n");
    for await (const message of socket) {
      expect(message).toBe("1");
      break;
    }
    const rest: string[] = [];
    for await (const message of socket) rest.push(message);
    expect(rest).toEqual(["2", "3"]);
    socket.abort();
  });

  it("serves several waiting pulls in order", async () => {
    const { socket, write } = await dial();
    const iterator = socket[Symbol.asyncIterator]();
    const pulls = [iterator.next(), iterator.next(), iterator.next()];
    write("1\n2\nexit\n");
    expect(await Promise.all(pulls)).toEqual([
      { done: false, value: "1" },
      { done: false, value: "2" },
      { done: true, value: undefined },
    ]);
    socket.abort();
  });

  it("ends without an error after abort()", async () => {
    const { socket, peer } = await dial();
    const waiting = socket[Symbol.asyncIterator]().next();
    socket.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await socket.closed).toEqual({ reason: "aborted", error: null });
    await turns();
    expect(peer.reset).toBe(true);
  });
});

describe("Socket: events", () => {
  it("flow to message listeners from when there is one, and wait again when there is none", async () => {
    const { socket, write } = await dial();
    const heard: string[] = [];
    const listener = (message: string): void => void heard.push(message);
    write("1\n");
    await turns();
    socket.on("message", listener);
    write("2\n");
    await turns();
    socket.off("message", listener);
    write("3\n");
    await turns();
    expect(heard).toEqual(["1", "2"]);
    expect((await socket[Symbol.asyncIterator]().next()).value).toBe("3");
    socket.abort();
  });

  it("once() hears one, and leaves the next for whoever comes", async () => {
    const { socket, write } = await dial();
    const heard: string[] = [];
    socket.once("message", (message) => void heard.push(message));
    write("1\n2\n");
    await turns();
    expect(heard).toEqual(["1"]);
    expect((await socket[Symbol.asyncIterator]().next()).value).toBe("2");
    socket.abort();
  });

  it("message listeners and iteration exclude each other", async () => {
    const { socket } = await dial();
    const waiting = socket[Symbol.asyncIterator]().next();
    expect(() => socket.on("message", () => undefined)).toThrow(TypeError);
    socket.abort();
    await waiting;
    const other = await dial();
    other.socket.on("message", () => undefined);
    await expect(other.socket[Symbol.asyncIterator]().next()).rejects.toThrow(TypeError);
    other.socket.abort();
  });

  it("error and close tell what closed tells", async () => {
    const { socket, theirs } = await dial();
    const events: string[] = [];
    socket
      .on("error", (error) => void events.push(error.code))
      .on("close", (closed) => void events.push(closed.reason));
    theirs.abort();
    await socket.closed;
    expect(events).toEqual(["CONNECTION_RESET", "error"]);
  });
});

describe("Socket: ending", () => {
  it("disposing ends, drops what comes, and waits until the connection is gone", async () => {
    const { socket, peer, write, theirs } = await dial();
    write("unread\n".repeat(50_000));
    await turns();
    const disposed = socket[Symbol.asyncDispose]();
    theirs.end();
    await disposed;
    expect([socket.state, peer.received]).toEqual(["closed", "exit\n"]);
    await socket[Symbol.asyncDispose]();
  });

  it("a signal aborts the connection; closed and the loop tell its reason", async () => {
    const controller = new AbortController();
    const { socket } = await dial({ signal: controller.signal });
    const waiting = socket[Symbol.asyncIterator]().next();
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED", cause: reason });
    const closed = await socket.closed;
    expect([closed.reason, (closed.error as HawserError).cause]).toEqual(["aborted", reason]);
  });

  it("a signal that is aborted already rejects with its reason", async () => {
    const reason = new Error("too late");
    await expect(
      connect(echo, memoryPair()[0], { signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
  });

  it.each([
    [{ connectTimeoutMs: 0 }, RangeError],
    [{ maxFrameBytes: "1" as never }, TypeError],
  ])("connect() refuses %j", async (options, kind) => {
    await expect(connect(echo, memoryPair()[0], options)).rejects.toThrow(kind);
  });
});
