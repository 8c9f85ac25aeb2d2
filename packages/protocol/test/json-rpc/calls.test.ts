import { describe, expect, test } from "vitest";
import * as z from "zod";
import { HawserError, defineProtocol, jsonRpc, type JsonRpcOptions, lines } from "../../src/mod.ts";
import { type } from "../../src/contract/schema.ts";
import { desk, End, failure, notification, success } from "./end.ts";

describe("open()", () => {
  test("sends a request, and tells the answer", () => {
    const end = End.ready("client");
    end.open("add", [1, 2]);
    end.open("ticket.get", { id: 7 });
    end.open("ping");
    end.open("echo", "größe");
    expect(end.session.openCalls).toBe(4);
    expect(end.said()).toEqual([
      '{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}',
      '{"jsonrpc":"2.0","id":2,"method":"ticket.get","params":{"id":7}}',
      '{"jsonrpc":"2.0","id":3,"method":"ping"}',
      '{"jsonrpc":"2.0","id":4,"method":"echo","params":["größe"]}',
    ]);
    expect(
      end.answers(
        success(3, null),
        success(1, 3),
        success(4, "x"),
        success(2, { id: 7, title: "rope", more: 1 }),
      ),
    ).toEqual([]);
    expect(end.log).toEqual([
      "ping = nothing",
      "add = 3",
      'echo = "x"',
      'ticket.get = {"id":7,"title":"rope"}',
    ]);
    expect(end.session.openCalls).toBe(0);
  });

  test("throws where the input is not what the schema wants, or can't be sent, and sends nothing", () => {
    const end = End.ready("client", { limits: { maxMessageBytes: 1_024 } });
    const thrown = (act: () => unknown): unknown => {
      try {
        act();
      } catch (error) {
        return error;
      }
      return null;
    };
    expect(thrown(() => end.open("ticket.get", { id: "7" }))).toMatchObject({
      code: "INPUT_INVALID",
      origin: "local",
      path: ["id"],
    });
    expect(thrown(() => end.open("echo", 1n))).toMatchObject({ code: "PAYLOAD_FORBIDDEN" });
    expect(thrown(() => end.open("echo", () => 1))).toMatchObject({ code: "PAYLOAD_FORBIDDEN" });
    expect(thrown(() => end.open("echo", "x".repeat(1_024)))).toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    });
    expect(thrown(() => end.open("echo", "ö".repeat(490)))).toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    });
    expect(thrown(() => end.open("typing", { who: "a" }))).toBeInstanceOf(TypeError);
    expect(thrown(() => end.open("agent.ask", "x"))).toBeInstanceOf(TypeError);
    const other = defineProtocol({ name: "other", version: 1, requests: { echo: {} } }).find(
      "echo",
    );
    if (other === undefined) throw new Error("no echo");
    expect(
      thrown(() => end.session.open(other, undefined, {}, end.callSink("echo"))),
    ).toBeInstanceOf(TypeError);
    expect(end.said()).toEqual([]);
    end.open("echo", 1);
    expect(end.said()).toEqual(['{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}']);
  });

  test("of either side has ids of its own", () => {
    const [client, server] = [
      End.ready("client", { call: null }),
      End.ready("server", { call: null }),
    ];
    client.open("echo", { from: "client" });
    server.open("echo", { from: "server" });
    const [fromClient, fromServer] = [client.said(), server.said()];
    server.hear(...fromClient);
    client.hear(...fromServer);
    server.calls[0]?.reply(1);
    client.calls[0]?.reply(2);
    client.hear(...server.said());
    server.hear(...client.said());
    expect(client.log).toEqual(['echo({"from":"server"})', "echo = 1"]);
    expect(server.log).toEqual(['echo({"from":"client"})', "echo = 2"]);
  });

  test("sends no items", () => {
    const call = End.ready("client").open("echo");
    expect(() => call.send(1)).toThrow(TypeError);
    call.end();
    call.consume(1);
    expect(call.entry.name).toBe("echo");
  });
});

describe("an answer", () => {
  test.each([
    ["an output that its schema does not want", success(1, { id: "7" }), "OUTPUT_INVALID"],
    ["no output", success(1, null), "OUTPUT_INVALID"],
    ["neither a result nor an error", { jsonrpc: "2.0", id: 1, error: null }, "MESSAGE_INVALID"],
    [
      "both",
      { jsonrpc: "2.0", id: 1, result: { id: 1, title: "" }, error: { code: 1, message: "" } },
      "MESSAGE_INVALID",
    ],
    ["another jsonrpc", { id: 1, result: { id: 1, title: "" } }, "MESSAGE_INVALID"],
    ["an error that is none", { jsonrpc: "2.0", id: 1, error: "no" }, "REMOTE_HANDLER_FAILED"],
    [
      "an error whose code is no number",
      { jsonrpc: "2.0", id: 1, error: { code: "a", message: "" } },
      "REMOTE_HANDLER_FAILED",
    ],
  ])("with %s fails the call", (_, message, code) => {
    const end = End.ready("client");
    end.open("ticket.get", { id: 7 });
    end.said();
    expect(end.answers(message)).toEqual([]);
    expect(end.log).toEqual([`ticket.get ! ${code}`]);
    expect(end.errors[0]).toMatchObject({ scope: "conversation" });
    expect(end.session.openCalls).toBe(0);
  });

  test("may have the member that it does not need, as null", () => {
    const end = End.ready("client");
    end.open("echo");
    end.open("echo");
    end.hear(
      { jsonrpc: "2.0", id: 1, result: 5, error: null },
      { jsonrpc: "2.0", id: 2, result: null, error: { code: -32601, message: "" } },
    );
    expect(end.log).toEqual(["echo = 5", "echo ! MESSAGE_UNKNOWN"]);
  });

  test.each([
    ["an id that was never given", success(9, 1)],
    ["the id as a text", success("1", 1)],
    ["a fraction", success(1.5, 1)],
    ["null", failure(null, -32700, "Parse error")],
    ["no id", { jsonrpc: "2.0", result: 1 }],
    ["an object", success({}, 1)],
  ])("to nothing is told of and never answered: %s", (_, message) => {
    const end = End.ready("client");
    end.open("echo");
    end.said();
    expect(end.answers(message)).toEqual([]);
    expect(end.log).toEqual(["dropped MESSAGE_INVALID"]);
    expect(end.session.openCalls).toBe(1);
  });

  test("without result and error settles the request: it is undefined where the contract allows that", () => {
    const end = End.ready("client");
    end.open("ping");
    end.open("echo");
    end.open("ticket.get", { id: 7 });
    end.open("echo");
    end.said();
    expect(
      end.answers(
        { jsonrpc: "2.0", id: 1 },
        { jsonrpc: "2.0", id: 2 },
        { jsonrpc: "2.0", id: 3 },
        { id: 4 },
        { jsonrpc: "2.0", id: 4 },
      ),
    ).toEqual([]);
    expect(end.log).toEqual([
      "ping = nothing",
      "echo = nothing",
      "ticket.get ! OUTPUT_INVALID",
      "echo ! MESSAGE_INVALID",
      "dropped MESSAGE_INVALID",
    ]);
    expect(end.session.openCalls).toBe(0);
  });

  test("in a batch, without result and error, settles its request, too", () => {
    const end = End.ready("client");
    end.open("ping");
    end.said();
    expect(end.answers([{ jsonrpc: "2.0", id: 1 }])).toEqual([]);
    expect(end.log).toEqual(["ping = nothing"]);
  });

  test("comes once: the second is told of", () => {
    const end = End.ready("client");
    end.open("echo");
    end.hear(success(1, 1), success(1, 2), failure(1, 1, ""));
    expect(end.log).toEqual(["echo = 1", "dropped MESSAGE_INVALID", "dropped MESSAGE_INVALID"]);
  });

  test("that was given back for something unreadable says what the peer said", () => {
    const end = End.ready("client");
    end.hear(
      failure(null, -32700, "Parse\u0000error\nat 1"),
      failure(null, -32000, "x".repeat(100_000)),
      { jsonrpc: "2.0", id: null, error: 7 },
    );
    expect(end.errors[0]?.message).toBe(
      "The peer sent the error -32700 for something that it could not read: Parse error at 1",
    );
    for (const error of end.errors) expect(error.message.length).toBeLessThan(256);
  });

  test.each<[object, Partial<HawserError>]>([
    [failure(1, -32601, "Method not found"), { code: "MESSAGE_UNKNOWN", origin: "remote" }],
    [
      failure(1, -32602, "Invalid params", { path: ["a", 1] }),
      { code: "INPUT_INVALID", origin: "local", path: ["a", 1] },
    ],
    [failure(1, -32602, "Invalid params", { path: "a" }), { code: "INPUT_INVALID", path: null }],
    [
      failure(1, -32602, "Invalid params", {
        path: [{}, 1, null, ...Array<string>(100).fill("a")],
      }),
      { code: "INPUT_INVALID", path: [1, ...Array<string>(29).fill("a")] },
    ],
    [failure(1, -32602, "Invalid params", null), { code: "INPUT_INVALID", path: null }],
    [failure(1, -32800, "Cancelled"), { code: "CALL_CANCELLED", origin: "remote" }],
    [failure(1, -32603, "Internal error"), { code: "REMOTE_HANDLER_FAILED" }],
    [
      failure(1, -32603, "Internal error", { code: "OUTPUT_INVALID" }),
      { code: "OUTPUT_INVALID", origin: "remote" },
    ],
    [
      failure(1, -32603, "Internal error", { code: "MESSAGE_TOO_LARGE" }),
      { code: "MESSAGE_TOO_LARGE", origin: "remote" },
    ],
    [
      failure(1, -32000, "", { code: "OVERLOADED" }),
      { code: "OVERLOADED", origin: "remote", retryable: true },
    ],
    [
      failure(1, -32000, "", { code: "DRAINING" }),
      { code: "DRAINING", origin: "remote", retryable: true },
    ],
    [
      failure(1, -32000, "", { code: "DEADLINE_EXCEEDED" }),
      { code: "DEADLINE_EXCEEDED", origin: "remote" },
    ],
    [
      failure(1, -32000, "", { code: "AUTH_REFUSED" }),
      { code: "AUTH_REFUSED", scope: "conversation" },
    ],
    [failure(1, -32000, "execution reverted"), { code: "REMOTE_HANDLER_FAILED" }],
    [failure(1, -32000, "", { code: "ABORTED" }), { code: "REMOTE_HANDLER_FAILED" }],
    [failure(1, -32000, "", { code: "__proto__" }), { code: "REMOTE_HANDLER_FAILED" }],
    [failure(1, -32700, "Parse error"), { code: "REMOTE_HANDLER_FAILED" }],
    [failure(1, -32600, "Invalid Request"), { code: "REMOTE_HANDLER_FAILED" }],
    [
      failure(1, 404, "Not found", { any: 1 }),
      {
        code: "REMOTE_HANDLER_FAILED",
        message: '"ticket.get" was answered with error 404: Not found',
      },
    ],
    [
      failure(1, 404, 7),
      { code: "REMOTE_HANDLER_FAILED", message: '"ticket.get" was answered with error 404' },
    ],
    [
      failure(1, 1, "notFound", { name: "notFound", payload: { id: 7 } }),
      { code: "NAMED_ERROR", failure: { name: "notFound", payload: { id: 7 } } },
    ],
    [
      failure(1, 1, "gone", { name: "gone" }),
      { code: "NAMED_ERROR", failure: { name: "gone", payload: undefined } },
    ],
    [
      failure(1, 1, "notFound", { name: "notFound", payload: { id: "7" } }),
      { code: "OUTPUT_INVALID", path: ["id"], origin: "remote" },
    ],
    [failure(1, 1, "other", { name: "other", payload: 1 }), { code: "REMOTE_HANDLER_FAILED" }],
    [failure(1, 1, "toString", { name: "toString" }), { code: "REMOTE_HANDLER_FAILED" }],
    [failure(1, 1, "no data"), { code: "REMOTE_HANDLER_FAILED" }],
  ])("with an error is read as what it stands for: %j", (message, expected) => {
    const end = End.ready("client");
    end.open("ticket.get", { id: 7 });
    end.hear(message);
    expect(end.errors[0]).toMatchObject({ scope: "conversation", ...expected });
    expect(end.errors[0]?.message.length).toBeLessThan(256);
    const { error } = message as { error: unknown };
    if (end.errors[0]?.code !== "NAMED_ERROR" && end.errors[0]?.path?.[0] !== "id")
      expect(end.errors[0]?.cause).toEqual(error);
  });

  test("with a code that the contract's error was given is that error", () => {
    const kind = jsonRpc(desk, { framing: lines(), errorCodes: { notFound: -32_002, gone: 410 } });
    const client = End.ready("client", { kind });
    client.open("ticket.get", { id: 7 });
    client.open("ticket.get", { id: 8 });
    client.open("echo");
    client.hear(
      failure(1, -32_002, "none of that id", { id: 7 }),
      failure(2, 410, "Gone"),
      failure(3, 410, "not of this request"),
    );
    expect(client.errors.map(({ code, failure: named }) => [code, named])).toEqual([
      ["NAMED_ERROR", { name: "notFound", payload: { id: 7 } }],
      ["NAMED_ERROR", { name: "gone", payload: undefined }],
      ["REMOTE_HANDLER_FAILED", null],
    ]);
    const server = End.ready("server", {
      kind,
      call: (call) => void call.fail({ name: "notFound", payload: { id: 7 } }),
    });
    server.hear('{"jsonrpc":"2.0","id":1,"method":"ticket.get","params":{"id":7}}');
    expect(server.said()).toEqual([
      '{"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"notFound","data":{"id":7}}}',
    ]);
  });
});

describe("cancel()", () => {
  test("settles at once, tells the peer, and hears no more", () => {
    const end = End.ready("client");
    const call = end.open("echo");
    end.said();
    call.cancel();
    call.cancel();
    expect(end.log).toEqual(["echo ! CALL_CANCELLED"]);
    expect(end.said()).toEqual(['{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}']);
    end.hear(failure(1, -32800, "cancelled"));
    expect(end.log).toHaveLength(1);
    end.hear(success(1, "late"));
    expect(end.log.slice(1)).toEqual(["dropped MESSAGE_INVALID"]);
    expect(end.session.openCalls).toBe(0);
  });

  test.each<[JsonRpcOptions["cancelMethod"], string, object]>([
    [undefined, "$/cancelRequest", { id: 1 }],
    ["$/cancelRequest", "$/cancelRequest", { id: 1 }],
    ["notifications/cancelled", "notifications/cancelled", { requestId: 1 }],
    [{ method: "cancel", id: "which" }, "cancel", { which: 1 }],
  ])(
    "tells the peer with the method of cancelMethod %j, and a peer's is heard",
    (cancelMethod, method, params) => {
      const kind = jsonRpc(desk, { framing: lines(), downgrade: true, cancelMethod });
      const client = End.ready("client", { kind });
      client.open("echo").cancel();
      expect(client.read()[1]).toEqual({ jsonrpc: "2.0", method, params });
      const server = End.ready("server", { kind, call: null });
      server.hear('{"jsonrpc":"2.0","id":1,"method":"echo"}', { jsonrpc: "2.0", method, params });
      expect(server.calls[0]?.cancellation?.code).toBe("CALL_CANCELLED");
      server.hear({ jsonrpc: "2.0", method, params: {} });
      expect(server.log.at(-1)).toBe("dropped MESSAGE_INVALID");
    },
  );

  test.each<[unknown, RegExp]>([
    [
      "cancel",
      /cancelMethod "cancel": it is "\$\/cancelRequest", "notifications\/cancelled", or \{ method, id \}/,
    ],
    [7, /cancelMethod/],
    [null, /cancelMethod/],
    [{ method: "x" }, /its method is/],
    [{ method: "", id: "id" }, /its method is/],
    [{ method: "x", id: "id", more: 1 }, /has no option "more"/],
  ])("can't be told with cancelMethod %j", (cancelMethod, message) => {
    expect(() => jsonRpc(desk, { downgrade: true, cancelMethod: cancelMethod as never })).toThrow(
      message,
    );
  });

  test("has a method that is no event of the contract", () => {
    const contract = defineProtocol({
      name: "x",
      version: 1,
      events: { "$/cancelRequest": {}, "notifications/cancelled": {} },
    });
    expect(() => jsonRpc(contract)).toThrow(TypeError);
    expect(() => jsonRpc(contract, { cancelMethod: "notifications/cancelled" })).toThrow(TypeError);
    expect(() => jsonRpc(contract, { cancelMethod: { method: "cancel", id: "id" } })).not.toThrow();
  });

  test("gives the reason that it was given", () => {
    const end = End.ready("client");
    end.open("echo").cancel(new HawserError("ABORTED", "for a reason"));
    expect(end.errors[0]).toMatchObject({ code: "ABORTED", message: "for a reason" });
  });

  test("after the answer is ignored", () => {
    const end = End.ready("client");
    const call = end.open("echo");
    end.said();
    end.hear(success(1, 1));
    call.cancel();
    expect(end.said()).toEqual([]);
    expect(end.log).toEqual(["echo = 1"]);
  });

  test("remembers maxConversations ids whose answers may still come", () => {
    const end = End.ready("client", { limits: { maxConversations: 3 } });
    for (let id = 1; id <= 5; id++) end.open("echo").cancel();
    end.log.length = 0;
    for (let id = 1; id <= 5; id++) end.hear(success(id, 1));
    expect(end.log).toEqual(["dropped MESSAGE_INVALID", "dropped MESSAGE_INVALID"]);
  });

  test("of a request that has not left takes it back", () => {
    const end = End.ready("client");
    end.open("echo", "x".repeat(70_000));
    const call = end.open("echo", "not sent");
    expect(end.session.queuedBytes).toBeGreaterThan(0);
    call.cancel();
    expect(end.session.queuedBytes).toBe(0);
    expect(end.said()).toHaveLength(1);
    expect(end.session.transmit(65_536)).toBe(false);
    expect(end.said()).toEqual([]);
    expect(end.log).toEqual(["echo ! CALL_CANCELLED"]);
  });
});

describe("requests above maxConversations", () => {
  test("wait for their turn, and leave in order; one that is cancelled or late is never sent", () => {
    const end = End.ready("client", { limits: { maxConversations: 2, maxQueuedCalls: 4 } });
    const ids = (): unknown[] =>
      end
        .read()
        .map((message) => [
          (message as { id?: number }).id,
          (message as { params?: unknown[] }).params?.[0],
        ]);
    for (const input of ["a", "b"]) end.open("echo", input);
    const [third] = [
      end.open("echo", "c"),
      end.open("echo", "d", 100),
      end.open("echo", "e"),
      end.open("echo", "f"),
    ];
    expect(() => end.open("echo", "g")).toThrow(
      expect.objectContaining({ code: "OVERLOADED", origin: "local" }),
    );
    expect([ids(), end.session.openCalls, end.session.deadline()]).toEqual([
      [
        [1, "a"],
        [2, "b"],
      ],
      6,
      100,
    ]);
    third.cancel();
    end.session.tick(100);
    expect([end.log, ids()]).toEqual([["echo ! CALL_CANCELLED", "echo ! DEADLINE_EXCEEDED"], []]);
    end.hear(success(1, 1), success(2, 2));
    expect(ids()).toEqual([
      [3, "e"],
      [4, "f"],
    ]);
    end.hear(success(3, 3), success(4, 4));
    expect([end.log.slice(2), end.session.openCalls, end.session.queuedBytes]).toEqual([
      ["echo = 1", "echo = 2", "echo = 3", "echo = 4"],
      0,
      0,
    ]);
  });

  test("wait above maxInputBytes, too, and one that is alone does not", () => {
    const end = End.ready("client", { limits: { maxInputBytes: 1_000 } });
    for (const size of [600, 600, 1, 5_000]) end.open("echo", "x".repeat(size));
    for (const id of [1, 2, 3, 4]) {
      const said = end.read().map((request) => (request as { id?: unknown }).id);
      expect(said).toEqual([[1], [2, 3], [], [4]][id - 1]);
      end.hear(success(id, id));
    }
    expect([end.log.length, end.session.openCalls, end.session.queuedBytes]).toEqual([4, 0, 0]);
  });

  test("are bounded in bytes, and not sent when the connection is lost", () => {
    const end = End.ready("client", { limits: { maxConversations: 1, maxQueuedBytes: 1_000 } });
    for (const input of ["a", "b"]) end.open("echo", input);
    end.said();
    expect(() => end.open("echo", "x".repeat(1_000))).toThrow(
      expect.objectContaining({ code: "WRITE_BUFFER_FULL" }),
    );
    end.session.lost(0, new HawserError("CONNECTION_RESET", "gone"));
    expect(end.log).toEqual(["echo ! SESSION_LOST", "echo ! NOT_SENT"]);
    expect((end.errors[0]?.cause as HawserError).code).toBe("CONNECTION_RESET");
    expect(end.session.openCalls).toBe(0);
  });

  test("are all answered, however many there are", () => {
    const client = End.ready("client", { limits: { maxQueuedBytes: 2 ** 24 } });
    for (let i = 0; i < 5_000; i++) client.open("echo", i);
    const server = End.ready("server", { call: (call) => void call.reply(call.input) });
    while (client.session.openCalls > 0) {
      server.hear(...client.said());
      client.hear(...server.said());
      client.session.transmit(65_536);
    }
    expect(client.log).toEqual(Array.from({ length: 5_000 }, (_, i) => `echo = ${String(i)}`));
  });
});

describe("a deadline", () => {
  test("is kept here: the call fails, and the peer is told to stop", () => {
    const end = End.ready("client");
    expect(end.session.deadline()).toBe(Infinity);
    end.open("echo", 1, 1_000);
    end.nowMs = 100;
    end.open("echo", 2, 500);
    end.open("echo", 3);
    end.said();
    expect(end.session.deadline()).toBe(600);
    end.session.tick(599);
    expect(end.log).toEqual([]);
    end.session.tick(600);
    expect(end.log).toEqual(["echo ! DEADLINE_EXCEEDED"]);
    expect(end.errors[0]).toMatchObject({ origin: "local" });
    expect(end.said()).toEqual(['{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":2}}']);
    expect(end.session.deadline()).toBe(1_000);
    end.hear(success(1, 1), success(2, 1));
    expect(end.log).toEqual(["echo ! DEADLINE_EXCEEDED", "echo = 1"]);
    end.session.tick(5_000);
    expect(end.session.deadline()).toBe(Infinity);
    expect(end.session.openCalls).toBe(1);
  });

  test("that has passed already settles at the next tick, and not from within", () => {
    const end = End.ready("client");
    end.open("echo", 1, 0);
    expect(end.log).toEqual([]);
    expect(end.session.deadline()).toBe(0);
    end.session.tick(0);
    expect(end.log).toEqual(["echo ! DEADLINE_EXCEEDED"]);
  });

  test("counts from the last instant that the session was told", () => {
    const end = End.ready("client");
    end.session.tick(50);
    end.session.open(end.entry("echo"), 1, { timeoutMs: 10 }, end.callSink("echo"));
    expect(end.session.deadline()).toBe(60);
  });
});

describe("emit()", () => {
  test("sends a notification, whose outcome is not known", () => {
    const end = End.ready("client");
    expect(end.emit("typing", { who: "a" })).toBe(true);
    expect(end.emit("bell")).toBe(true);
    expect(end.emit("note", null)).toBe(true);
    expect(end.said()).toEqual([
      '{"jsonrpc":"2.0","method":"typing","params":{"who":"a"}}',
      '{"jsonrpc":"2.0","method":"bell"}',
      '{"jsonrpc":"2.0","method":"note","params":[null]}',
    ]);
    expect(end.log).toEqual(["typing unknown", "bell unknown", "note unknown"]);
  });

  test("throws where the payload or the entry is wrong, and sends nothing", () => {
    const end = End.ready("client");
    expect(() => end.emit("typing", { who: 1 })).toThrow(
      expect.objectContaining({ code: "EVENT_INVALID", path: ["who"] }) as Error,
    );
    expect(() => end.emit("note", 1n)).toThrow(
      expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }) as Error,
    );
    expect(() => end.emit("echo", 1)).toThrow(TypeError);
    expect(() => end.emit("server.news", "x")).toThrow(TypeError);
    expect(end.said()).toEqual([]);
    expect(end.log).toEqual([]);
  });

  test("of an event that was prepared sends what emit() sends", () => {
    const kind = jsonRpc(desk, { framing: lines() });
    const [one, other] = [End.ready("server", { kind }), End.ready("server", { kind })];
    const event = kind.prepare(one.entry("server.news"), "größe");
    expect(event.entry).toBe(one.entry("server.news"));
    for (const end of [one, other]) {
      expect(end.session.emitPrepared(event, {}, null)).toBe(true);
      end.emit("server.news", "größe");
      const [prepared, emitted] = end.said();
      expect(prepared).toBe(emitted);
    }
    expect(() => End.ready("client", { kind }).session.emitPrepared(event, {}, null)).toThrow(
      TypeError,
    );
    expect(() => kind.prepare(one.entry("typing"), { who: 1 })).toThrow(
      expect.objectContaining({ code: "EVENT_INVALID" }) as Error,
    );
    const other2 = defineProtocol({ name: "other", version: 1, events: { typing: {} } }).find(
      "typing",
    );
    if (other2 === undefined) throw new Error("no typing");
    expect(() => kind.prepare(other2, undefined)).toThrow(TypeError);
  });

  test("at least once is at most once, where that was said", () => {
    const contract = defineProtocol({
      name: "post",
      version: 1,
      events: {
        letter: { payload: z.string(), delivery: "at-least-once" },
        card: { payload: type<string>() },
      },
    });
    const end = End.ready("client", {
      kind: jsonRpc(contract, { framing: lines(), downgrade: true }),
    });
    expect(end.emit("letter", "a")).toBe(true);
    expect(end.log).toEqual(["letter unknown"]);
    end.session.lost(0);
    expect(() => end.emit("letter", "b")).toThrow(
      expect.objectContaining({ code: "NOT_READY" }) as Error,
    );
  });

  test("goes in both directions", () => {
    const end = End.ready("server");
    end.emit("server.news", "x");
    end.emit("typing", { who: "s" });
    const client = End.ready("client");
    client.hear(...end.said(), notification("bell"));
    expect(client.log).toEqual(['server.news: "x"', 'typing: {"who":"s"}', "bell: "]);
  });
});
