// The JSON-RPC engine without our sockets: vscode-jsonrpc at the other end of a pair of streams, as
// server and as client.

import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { ByteWriter, defineProtocol, jsonRpc, type } from "@hawser/protocol";
import type {
  InboundCall,
  InboundEvent,
  MessageEntry,
  Session,
  SessionSink,
  Side,
} from "@hawser/protocol/engine";
import {
  type CancellationToken,
  CancellationTokenSource,
  createMessageConnection,
  ErrorCodes,
  type MessageConnection,
  NotificationType,
  ParameterStructures,
  RequestType,
  RequestType2,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-jsonrpc/node";

const desk = defineProtocol({
  name: "desk",
  version: 1,
  requests: {
    "ticket.get": {
      input: type<{ id: number }>(),
      output: type<{ title: string }>(),
      errors: { notFound: type<{ id: number }>(), closed: type<undefined>() },
      from: "both",
    },
    add: { input: type<[number, number]>(), output: type<number>(), from: "both" },
    greet: { input: type<string>(), output: type<string>(), from: "both" },
    shutdown: { from: "both" },
    wait: { from: "both" },
  },
  events: {
    opened: { payload: type<{ uri: string; text: string }>() },
    said: { payload: type<string>() },
    exit: {},
  },
});
const kind = jsonRpc(desk, { errorCodes: { closed: -32_002 } });

/** An engine on a pair of streams, the least that drives one. */
class Engine implements SessionSink {
  readonly session: Session;
  readonly events: string[] = [];
  readonly #output = new ByteWriter();
  readonly #writable: PassThrough;
  readonly #handle: (call: InboundCall) => void;

  constructor(
    side: Side,
    readable: PassThrough,
    writable: PassThrough,
    handle: (call: InboundCall) => void,
  ) {
    this.#writable = writable;
    this.#handle = handle;
    this.session = kind.session(side, { random: (bytes) => new Uint8Array(bytes) }, this);
    if (side === "client") {
      this.session.attach(this.#output, 0);
    } else {
      const greeting = kind
        .greeter({ random: (bytes) => new Uint8Array(bytes) })
        .receive(new Uint8Array(0));
      assert(greeting?.ok === true);
      this.session.welcome(this.#output, greeting.hello, false, 0);
    }
    readable.on("data", (chunk: Buffer) => {
      this.session.receive(chunk, 0);
    });
  }

  request(name: string, input?: unknown, signal?: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = this.session.open(
        this.#entry(name),
        input,
        {},
        {
          result: resolve,
          fail: reject,
          item: () => undefined,
          end: () => undefined,
          writable: () => undefined,
        },
      );
      signal?.addEventListener("abort", () => {
        call.cancel();
      });
    });
  }

  emit(name: string, payload?: unknown): void {
    this.session.emit(this.#entry(name), payload, {}, null);
  }

  wrote(): void {
    queueMicrotask(() => {
      const bytes = this.#output.copy();
      this.#output.truncate(0);
      if (bytes.length > 0) this.#writable.write(bytes);
      if (this.session.transmit(65_536) || this.#output.length > 0) this.wrote();
    });
  }

  call(call: InboundCall): void {
    this.#handle(call);
  }

  event(event: InboundEvent): void {
    const { entry, payload } = event;
    this.events.push(
      payload === undefined ? entry.name : `${entry.name} ${JSON.stringify(payload)}`,
    );
    event.handled();
  }

  dropped(error: Error): void {
    this.events.push(`dropped: ${error.message}`);
  }

  ready(): void {
    this.events.push("ready");
  }

  writable(): void {
    // Nothing here waits.
  }

  draining(): void {
    // JSON-RPC has no word for it.
  }

  over(): void {
    this.#writable.end();
  }

  #entry(name: string): MessageEntry {
    const entry = desk.find(name);
    assert(entry !== undefined);
    return entry;
  }
}

/** What the desk's handlers do, on either side. */
function handle(call: InboundCall): void {
  const { entry, input } = call;
  if (entry.name === "add")
    call.reply((input as readonly number[]).reduce((one, other) => one + other));
  else if (entry.name === "greet") call.reply(`Hello ${String(input)}`);
  else if (entry.name === "shutdown") call.reply(undefined);
  else if (entry.name === "ticket.get") {
    const { id } = input as { id: number };
    if (id === 404) call.fail({ name: "notFound", payload: { id } });
    else if (id === 410) call.fail({ name: "closed", payload: undefined });
    else call.reply({ title: "rope ".repeat(id) });
  } else {
    call.sink = {
      cancelled: (error) => void call.fail(error),
      item: () => undefined,
      end: () => undefined,
      writable: () => undefined,
    };
  }
}

/**
 * Both ends, connected; the engine as server or as client, which makes no difference to JSON-RPC.
 */
function pair(side: Side): { engine: Engine; connection: MessageConnection } {
  const [there, back] = [new PassThrough(), new PassThrough()];
  const connection = createMessageConnection(
    new StreamMessageReader(back),
    new StreamMessageWriter(there),
  );
  return { engine: new Engine(side, there, back, handle), connection };
}

for (const side of ["server", "client"] as const) {
  describe(`vscode-jsonrpc and the engine as ${side}`, () => {
    it("call: named and positional parameters, one, none, a hundred at once, half a megabyte", async () => {
      const { connection } = pair(side);
      connection.listen();
      assert.deepEqual(await connection.sendRequest("ticket.get", { id: 1 }), { title: "rope " });
      assert.equal(await connection.sendRequest("add", 1, 2), 3);
      assert.equal(
        await connection.sendRequest(new RequestType2<number, number, number, void>("add"), 3, 4),
        7,
      );
      assert.equal(await connection.sendRequest("greet", "größe"), "Hello größe");
      assert.equal(
        await connection.sendRequest(
          new RequestType<string, string, void>("greet", ParameterStructures.byPosition),
          "you",
        ),
        "Hello you",
      );
      assert.equal(await connection.sendRequest("shutdown"), null);
      assert.deepEqual(
        await Promise.all(
          Array.from({ length: 100 }, (_, one) => connection.sendRequest("add", one, 1)),
        ),
        Array.from({ length: 100 }, (_, one) => one + 1),
      );
      assert.equal(
        (await connection.sendRequest<{ title: string }>("ticket.get", { id: 100_000 })).title
          .length,
        500_000,
      );
      connection.dispose();
    });

    it("fail: with the contract's errors, by code or by name, and with JSON-RPC's own", async () => {
      const { connection } = pair(side);
      connection.listen();
      await assert.rejects(connection.sendRequest("ticket.get", { id: 404 }), {
        code: 1,
        message: "notFound",
        data: { name: "notFound", payload: { id: 404 } },
      });
      await assert.rejects(connection.sendRequest("ticket.get", { id: 410 }), {
        code: -32_002,
        message: "closed",
      });
      await assert.rejects(connection.sendRequest("none"), { code: ErrorCodes.MethodNotFound });
      connection.dispose();
    });

    it("cancel: the handler stops, and the call ends with LSP's code", async () => {
      const { engine, connection } = pair(side);
      connection.listen();
      const source = new CancellationTokenSource();
      const waiting = connection.sendRequest("wait", source.token);
      const failed = assert.rejects(waiting, { code: -32_800 });
      assert.equal(await connection.sendRequest("add", 1, 2), 3);
      assert.equal(engine.session.openCalls, 1);
      source.cancel();
      await failed;
      assert.equal(engine.session.openCalls, 0);
      connection.dispose();
    });

    it("notify", async () => {
      const { engine, connection } = pair(side);
      connection.listen();
      await connection.sendNotification("opened", { uri: "file:///a", text: "größe" });
      await connection.sendNotification(new NotificationType<string>("said"), "hello");
      await connection.sendNotification("exit");
      await connection.sendNotification("none", {});
      await connection.sendRequest("shutdown");
      assert.deepEqual(engine.events.slice(0, 4), [
        "ready",
        'opened {"uri":"file:///a","text":"größe"}',
        'said "hello"',
        "exit",
      ]);
      assert.match(engine.events[4] ?? "", /^dropped: .*"none"/);
      connection.dispose();
    });

    it("are called: results, errors, cancelling, notifications", async () => {
      const { engine, connection } = pair(side);
      const heard: unknown[] = [];
      connection.onRequest("add", (one: number, other: number) => one + other);
      connection.onRequest("greet", (who: string) => `Hello ${who}`);
      connection.onRequest("shutdown", () => undefined);
      connection.onRequest("ticket.get", ({ id }: { id: number }) => {
        if (id === 7) return { title: "rope" };
        if (id === 404)
          throw new ResponseError(1, "notFound", { name: "notFound", payload: { id } });
        if (id === 410) throw new ResponseError(-32_002, "Closed");
        throw new Error("the handler's own");
      });
      const began = new Promise<void>((resolve) => {
        connection.onRequest(
          "wait",
          (token: CancellationToken) =>
            new Promise((_, reject) => {
              resolve();
              token.onCancellationRequested(() => {
                reject(new ResponseError(-32_800, "cancelled"));
              });
            }),
        );
      });
      connection.onNotification("opened", (payload) => void heard.push(payload));
      connection.onNotification("said", (payload) => void heard.push(payload));
      connection.listen();
      assert.equal(await engine.request("add", [1, 2]), 3);
      assert.equal(await engine.request("greet", "you"), "Hello you");
      assert.equal(await engine.request("shutdown"), undefined);
      assert.deepEqual(await engine.request("ticket.get", { id: 7 }), { title: "rope" });
      await assert.rejects(engine.request("ticket.get", { id: 404 }), {
        code: "NAMED_ERROR",
        failure: { name: "notFound", payload: { id: 404 } },
      });
      await assert.rejects(engine.request("ticket.get", { id: 410 }), {
        code: "NAMED_ERROR",
        failure: { name: "closed", payload: undefined },
      });
      await assert.rejects(engine.request("ticket.get", { id: 0 }), {
        code: "REMOTE_HANDLER_FAILED",
      });
      const aborting = new AbortController();
      const waiting = assert.rejects(engine.request("wait", undefined, aborting.signal), {
        code: "CALL_CANCELLED",
        origin: "local",
      });
      await began;
      aborting.abort();
      await waiting;
      engine.emit("opened", { uri: "file:///a", text: "b" });
      engine.emit("said", "hello");
      await engine.request("shutdown");
      assert.deepEqual(heard, [{ uri: "file:///a", text: "b" }, "hello"]);
      assert.deepEqual(engine.events, ["ready"]);
      connection.dispose();
    });

    it("that do not know a method say so to each other", async () => {
      const { engine, connection } = pair(side);
      connection.listen();
      await assert.rejects(engine.request("add", [1, 2]), {
        code: "MESSAGE_UNKNOWN",
        origin: "remote",
      });
      connection.dispose();
    });
  });
}
