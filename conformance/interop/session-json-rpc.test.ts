// createServer(jsonRpc(contract)) and connect(jsonRpc(contract)), and at the other end programs
// that know nothing of Hawser: vscode-jsonrpc as client and as server, nc; and each other.

import assert from "node:assert/strict";
import { once } from "node:events";
import {
  createServer as createPlainServer,
  connect as connectPlain,
  type Socket as PlainSocket,
} from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { connect, type SessionClient } from "@hawser/client";
import {
  contentLength,
  defineProtocol,
  type Framing,
  type HawserError,
  jsonRpc,
  type JsonRpcSessions,
  lines,
  type,
} from "@hawser/protocol";
import { createServer, type SessionServer } from "@hawser/server";
import { formatAddress, memoryPair } from "@hawser/transport";
import {
  CancellationTokenSource,
  createMessageConnection,
  type MessageConnection,
  ResponseError,
  SocketMessageReader,
  SocketMessageWriter,
} from "vscode-jsonrpc/node";
import { object } from "../session-contracts.ts";
import { Fixture } from "../transports.ts";
import { findNc, run } from "./echo-programs.ts";

const { skip: noNc, halfClose } = findNc();

const desk = defineProtocol({
  name: "desk",
  version: 1,
  requests: {
    "ticket.get": {
      input: object({ id: "number" }),
      output: type<{ title: string }>(),
      errors: { notFound: object({ id: "number" }), gone: type<undefined>() },
    },
    add: { input: type<[number, number]>(), output: type<number>() },
    echo: { input: type<unknown>(), output: type<unknown>() },
    broken: {},
    wait: { output: type<string>() },
    ask: { input: type<string>(), output: type<string>() },
    question: { input: type<string>(), output: type<string>(), from: "server" },
  },
  events: {
    opened: { payload: object({ uri: "string" }) },
    news: { payload: type<string>(), from: "server" },
    "news.wanted": { from: "client" },
  },
});
type Desk = typeof desk;

/** A desk that listens, and what went on there. */
class Served {
  readonly kind: JsonRpcSessions<Desk["definition"]>;
  readonly server: SessionServer<Desk>;
  readonly log: string[] = [];
  readonly errors: HawserError[] = [];
  /** Resolves when a handler of `wait` has begun, and when it was cancelled. */
  readonly waiting: PromiseWithResolvers<undefined> = Promise.withResolvers<undefined>();
  readonly cancelled: PromiseWithResolvers<undefined> = Promise.withResolvers<undefined>();

  constructor(fixture: Fixture, framing: Framing) {
    this.kind = jsonRpc(desk, { framing, errorCodes: { gone: -32_002 } });
    this.server = createServer(
      this.kind,
      {
        "ticket.get": ({ id }, { fail }) =>
          id === 404
            ? fail("notFound", { id })
            : id === 410
              ? fail("gone", undefined)
              : { title: `ticket ${id}` },
        add: ([one, other]) => one + other,
        echo: (value) => value,
        broken() {
          throw new Error("the password is 1234");
        },
        wait: (_, { signal }) =>
          new Promise<never>((_resolve, reject) => {
            this.waiting.resolve(undefined);
            signal.addEventListener("abort", () => {
              this.cancelled.resolve(undefined);
              reject(signal.reason as Error);
            });
          }),
        ask: (question, { socket }) => socket.request("question", question),
        opened: ({ uri }) => void this.log.push(`opened ${uri}`),
        "news.wanted": (_, { socket }) => {
          socket.join("readers");
          this.server.to("readers").emit("news", "rope is cheap");
        },
      },
      { error: (error) => void this.errors.push(error) },
    );
    fixture.own({ close: () => this.server.close({ deadlineMs: 0 }) });
  }

  async listen(fixture: Fixture): Promise<string> {
    return formatAddress(
      await this.server.listen(`unix:${join(fixture.directory(), "desk.sock")}`),
    );
  }
}

/** vscode-jsonrpc on a socket. */
function speak(fixture: Fixture, socket: PlainSocket): MessageConnection {
  const connection = createMessageConnection(
    new SocketMessageReader(socket),
    new SocketMessageWriter(socket),
  );
  // of what is still written when the fixture breaks the socket off
  connection.onError(() => undefined);
  fixture.own({
    close: () => {
      connection.dispose();
      socket.destroy();
    },
  });
  return connection;
}

async function dial(fixture: Fixture, address: string): Promise<MessageConnection> {
  const socket = connectPlain(address.replace("unix:", ""));
  await once(socket, "connect");
  return speak(fixture, socket);
}

describe("a server of jsonRpc()", () => {
  const fixture = new Fixture("unix");

  it(
    "is called by vscode-jsonrpc: results, errors, cancelling, events and calls in both " +
      "directions",
    async () => {
      const served = new Served(fixture, contentLength());
      const connection = await dial(fixture, await served.listen(fixture));
      connection.onRequest("question", (question: string) => `${question}? Yes.`);
      const news = new Promise((resolve) => connection.onNotification("news", resolve));
      connection.listen();
      assert.deepEqual(await connection.sendRequest("ticket.get", { id: 7 }), {
        title: "ticket 7",
      });
      assert.equal(await connection.sendRequest("add", 1, 2), 3);
      assert.deepEqual(
        await Promise.all(
          Array.from({ length: 500 }, (_, one) => connection.sendRequest("add", [one, 1])),
        ),
        Array.from({ length: 500 }, (_, one) => one + 1),
      );
      assert.equal(
        (await connection.sendRequest<string>("echo", "x".repeat(900_000))).length,
        900_000,
      );
      await assert.rejects(connection.sendRequest("ticket.get", { id: 404 }), {
        code: 1,
        data: { name: "notFound", payload: { id: 404 } },
      });
      await assert.rejects(connection.sendRequest("ticket.get", { id: 410 }), { code: -32_002 });
      await assert.rejects(connection.sendRequest("ticket.get", { id: "7" }), {
        code: -32_602,
        data: { path: ["id"] },
      });
      await assert.rejects(connection.sendRequest("none"), { code: -32_601 });
      await assert.rejects(connection.sendRequest("broken"), {
        code: -32_603,
        message: "Internal error",
      });
      assert.equal(served.errors.length, 1);
      const source = new CancellationTokenSource();
      const cancelled = assert.rejects(connection.sendRequest("wait", source.token), {
        code: -32_800,
      });
      await served.waiting.promise;
      source.cancel();
      await Promise.all([cancelled, served.cancelled.promise]);
      assert.equal(await connection.sendRequest("ask", "Is it true"), "Is it true? Yes.");
      await connection.sendNotification("opened", { uri: "file:///a" });
      await connection.sendNotification("news.wanted");
      assert.equal(await news, "rope is cheap");
      assert.deepEqual(served.log, ["opened file:///a"]);
    },
  );

  it("drains: what is open is answered, then the connection closes", async () => {
    const served = new Served(fixture, contentLength());
    const connection = await dial(fixture, await served.listen(fixture));
    const closed = new Promise<void>((resolve) => connection.onClose(resolve));
    const asked = Promise.withResolvers<undefined>();
    const answer = Promise.withResolvers<string>();
    connection.onRequest("question", () => {
      asked.resolve(undefined);
      return answer.promise;
    });
    connection.listen();
    const asking = connection.sendRequest("ask", "Well");
    await asked.promise;
    const closing = served.server.close();
    await assert.rejects(connection.sendRequest("add", 1, 2), {
      code: -32_000,
      data: { code: "DRAINING" },
    });
    answer.resolve("Well.");
    assert.equal(await asking, "Well.");
    await closed;
    assert.deepEqual(await closing, { drained: 1, forced: 0 });
  });

  it("cancels its handlers when the client is gone", async () => {
    const served = new Served(fixture, contentLength());
    const socket = connectPlain((await served.listen(fixture)).replace("unix:", ""));
    await once(socket, "connect");
    const connection = speak(fixture, socket);
    connection.listen();
    connection.sendRequest("wait").catch(() => undefined);
    await served.waiting.promise;
    socket.destroy();
    await served.cancelled.promise;
  });

  it(
    "is asked by nc, line by line: requests, a batch, something that is no JSON",
    { skip: noNc },
    async () => {
      const served = new Served(fixture, lines());
      const address = await served.listen(fixture);
      const input = [
        '{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}',
        '{"jsonrpc":"2.0","method":"opened","params":{"uri":"file:///nc"}}',
        "Hello?",
        '[{"jsonrpc":"2.0","id":"a","method":"echo","params":["größe"]},{"jsonrpc":"2.0","id":2,"method":"none"}]',
      ];
      const nc = run(
        fixture,
        "nc",
        [...halfClose, "-U", address.replace("unix:", "")],
        `${input.join("\n")}\n`,
      );
      assert.equal(await nc.exited, 0);
      assert.deepEqual(nc.stdout.split("\n"), [
        '{"jsonrpc":"2.0","id":1,"result":3}',
        '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}',
        '[{"jsonrpc":"2.0","id":"a","result":"größe"},{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"Method ' +
          'not found"}}]',
        "",
      ]);
      assert.deepEqual(served.log, ["opened file:///nc"]);
    },
  );

  it("speaks first to nc, who says nothing", { skip: noNc }, async () => {
    const kind = jsonRpc(desk, { framing: lines() });
    const refuse = (): never => {
      throw new Error("not asked");
    };
    const server = createServer(
      kind,
      {
        "ticket.get": refuse,
        add: refuse,
        echo: refuse,
        broken: refuse,
        wait: refuse,
        ask: refuse,
      },
      { open: (socket) => socket.emit("news", "hello").then(() => undefined) },
    );
    fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
    const address = formatAddress(
      await server.listen(`unix:${join(fixture.directory(), "news.sock")}`),
    );
    const nc = run(fixture, "nc", ["-U", address.replace("unix:", "")]);
    await nc.said(/^\{"jsonrpc":"2\.0","method":"news","params":\["hello"\]\}\n$/);
    nc.kill();
  });
});

describe("a client of jsonRpc()", () => {
  const fixture = new Fixture("unix");

  /** A client, and vscode-jsonrpc as its server. */
  async function pair(): Promise<{ client: SessionClient<Desk>; connection: MessageConnection }> {
    const path = join(fixture.directory(), "vscode.sock");
    const server = createPlainServer().listen(path);
    fixture.own({
      close: () => {
        server.close();
      },
    });
    const accepted = once(server, "connection");
    const client = await connect(jsonRpc(desk, { errorCodes: { gone: -32_002 } }), `unix:${path}`, {
      handlers: { question: (question) => `${question}? No.` },
      reconnect: false,
    });
    fixture.own({ close: () => client.close() });
    const [socket] = (await accepted) as [PlainSocket];
    return { client, connection: speak(fixture, socket) };
  }

  it(
    "calls vscode-jsonrpc: results, errors, deadlines, cancelling, events and calls in both " +
      "directions",
    async () => {
      const { client, connection } = await pair();
      const heard: unknown[] = [];
      connection.onRequest("add", (one: number, other: number) => one + other);
      connection.onRequest("ticket.get", ({ id }: { id: number }) => {
        if (id === 404)
          throw new ResponseError(1, "notFound", { name: "notFound", payload: { id } });
        if (id === 410) throw new ResponseError(-32_002, "Gone");
        if (id === 500) throw new Error("the handler's own");
        return { title: `ticket ${id}` };
      });
      connection.onRequest("wait", () => new Promise(() => undefined));
      connection.onRequest("ask", (question: string) =>
        connection.sendRequest("question", question),
      );
      connection.onNotification("opened", (payload) => void heard.push(payload));
      connection.listen();
      assert.deepEqual(await client.request("ticket.get", { id: 7 }), { title: "ticket 7" });
      assert.deepEqual(
        await Promise.all(Array.from({ length: 500 }, (_, one) => client.request("add", [one, 1]))),
        Array.from({ length: 500 }, (_, one) => one + 1),
      );
      await assert.rejects(client.request("ticket.get", { id: 404 }), {
        code: "NAMED_ERROR",
        failure: { name: "notFound", payload: { id: 404 } },
      });
      await assert.rejects(client.request("ticket.get", { id: 410 }), {
        code: "NAMED_ERROR",
        failure: { name: "gone", payload: undefined },
      });
      await assert.rejects(client.request("ticket.get", { id: 500 }), {
        code: "REMOTE_HANDLER_FAILED",
      });
      await assert.rejects(client.request("echo", 1), { code: "MESSAGE_UNKNOWN" });
      await assert.rejects(client.request("wait", undefined, { timeoutMs: 20 }), {
        code: "DEADLINE_EXCEEDED",
      });
      const aborting = new AbortController();
      const aborted = assert.rejects(
        client.request("wait", undefined, { signal: aborting.signal }),
        {
          code: "CALL_CANCELLED",
        },
      );
      aborting.abort();
      await aborted;
      assert.equal(await client.request("ask", "Is it true"), "Is it true? No.");
      assert.equal(await client.emit("opened", { uri: "file:///b" }), "unknown");
      const news = new Promise((resolve) => client.on("news", resolve));
      await connection.sendNotification("news", "rope is dear");
      assert.equal(await news, "rope is dear");
      await client.request("add", [1, 2]);
      assert.deepEqual(heard, [{ uri: "file:///b" }]);
    },
  );

  it("fails what is open when the server is gone", async () => {
    const { client, connection } = await pair();
    connection.onRequest("wait", () => {
      connection.dispose();
      connection.end();
    });
    connection.listen();
    await assert.rejects(client.request("wait"), { code: "SESSION_LOST" });
    assert.equal((await client.closed).reason, "error");
  });

  for (const framing of [lines(), contentLength()]) {
    it(
      `and a server of jsonRpc() over ${framing.name} keep the contract, as over Hawser's own ` +
        "protocol",
      async () => {
        const served = new Served(fixture, framing);
        const [near, far] = memoryPair();
        served.server.accept(near);
        const client = await connect(served.kind, far, {
          handlers: { question: (question) => `${question}? Perhaps.` },
        });
        fixture.own({ close: () => client.close() });
        assert.deepEqual(await client.request("ticket.get", { id: 7 }), { title: "ticket 7" });
        await assert.rejects(client.request("ticket.get", { id: 404 }), {
          code: "NAMED_ERROR",
          failure: { name: "notFound", payload: { id: 404 } },
        });
        await assert.rejects(client.request("ticket.get", { id: 410 }), {
          code: "NAMED_ERROR",
          failure: { name: "gone", payload: undefined },
        });
        for (const value of [null, 0, "", [], [1], [[1]], [1, 2], {}, { a: [null] }])
          assert.deepEqual(await client.request("echo", value), value);
        assert.equal(await client.request("ask", "Is it true"), "Is it true? Perhaps.");
        const aborting = new AbortController();
        const aborted = assert.rejects(
          client.request("wait", undefined, { signal: aborting.signal }),
          { code: "CALL_CANCELLED" },
        );
        await served.waiting.promise;
        aborting.abort();
        await Promise.all([aborted, served.cancelled.promise]);
        const news = new Promise((resolve) => client.on("news", resolve));
        await client.emit("news.wanted");
        assert.equal(await news, "rope is cheap");
      },
    );
  }

  it("comes back when the connection was lost, as a new session", async () => {
    const served = new Served(fixture, lines());
    const address = await served.listen(fixture);
    const client = await connect(served.kind, address, {
      handlers: { question: (question) => question },
      reconnect: { initialMs: 1 },
    });
    fixture.own({ close: () => client.close() });
    const waiting = assert.rejects(client.request("wait"), { code: "SESSION_LOST" });
    await served.waiting.promise;
    const back = new Promise((resolve) => client.lifecycle.on("ready", resolve));
    for (const socket of served.server.sockets) socket.abort();
    await waiting;
    await back;
    assert.equal(await client.request("add", [1, 2]), 3);
  });
});
