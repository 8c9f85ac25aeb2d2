import { describe, expect, test } from "vitest";
import { defineProtocol, HawserError, jsonRpc, lines, type } from "../../src/mod.ts";
import { End, failure, notification, request, success } from "./end.ts";

const text = expect.any(String) as unknown;

describe("a request of the peer", () => {
  test.each([
    ["a number", 7],
    ["zero", 0],
    ["a negative number", -1],
    ["a fraction", 1.5],
    ["the largest whole number", Number.MAX_SAFE_INTEGER],
    ["a text", "seven"],
    ["an empty text", ""],
    ["a text that looks like a number", "7"],
    ["half of a surrogate pair", "\ud83d"],
    ["__proto__", "__proto__"],
    ["null", null],
  ])("is answered under its id, as it came: %s", (_, id) => {
    const end = End.ready("server");
    expect(end.answers(request(id, "echo", { a: 1 }))).toEqual([success(id, { a: 1 })]);
    expect(end.session.openCalls).toBe(0);
  });

  test.each(["9007199254740993", "18446744073709551615", "1e400", "-1e999"])(
    "is refused when its id can't be given back exactly: %s",
    (id) => {
      const end = End.ready("server");
      expect(end.answers(`{"jsonrpc":"2.0","id":${id},"method":"echo"}`)).toEqual([
        failure(null, -32600, text),
      ]);
      expect(end.log).toEqual([]);
    },
  );

  test.each([[{ a: 1 }], [[1]], [true]])("is refused when its id is %j", (id) => {
    expect(End.ready("server").answers(request(id, "echo"))).toEqual([failure(null, -32600, text)]);
  });

  test("is answered in one text, whose members stand in this order", () => {
    const end = End.ready("server");
    end.hear(
      '{"params":[1,2],"method":"echo","id":"a","jsonrpc":"2.0","more":1}',
      request(2, "none"),
    );
    expect(end.said()).toEqual([
      '{"jsonrpc":"2.0","id":"a","result":[1,2]}',
      '{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"Method not found"}}',
    ]);
  });

  test("without an output is answered with null", () => {
    const end = End.ready("server", { call: (call) => void call.reply(undefined) });
    expect(end.answers(request(1, "ping"))).toEqual([success(1, null)]);
  });

  test.each([
    ["a name that is not known", request(1, "none"), -32601],
    ["a name of every object", request(1, "toString"), -32601],
    ["__proto__", request(1, "__proto__"), -32601],
    ["a name that only this side opens", request(1, "agent.ask", ["x"]), -32601],
    ["an event", request(1, "typing", { who: "a" }), -32601],
    ["a name with $/", request(1, "$/cancelRequest", { id: 1 }), -32601],
    ["a name of JSON-RPC itself", request(1, "rpc.discover"), -32601],
    ["no jsonrpc", { id: 1, method: "echo" }, -32600],
    ["another jsonrpc", { jsonrpc: "1.0", id: 1, method: "echo" }, -32600],
    ["jsonrpc as a number", { jsonrpc: 2, id: 1, method: "echo" }, -32600],
    ["a method that is no text", { jsonrpc: "2.0", id: 1, method: 1, params: "bar" }, -32600],
    ["no method", { jsonrpc: "2.0", id: 1 }, -32600],
    ["params that are a text", request(1, "echo", "bar"), -32600],
    ["params that are a number", request(1, "echo", 7), -32600],
    ["params that are a boolean", request(1, "echo", false), -32600],
  ])("is refused for %s", (_, message, code) => {
    const end = End.ready("server");
    expect(end.answers(message)).toEqual([failure(1, code, text)]);
    expect(end.log).toEqual([]);
  });

  test("is refused for an input that its schema does not want, with the path", () => {
    const end = End.ready("server");
    expect(end.answers(request(1, "ticket.get", { id: "7" }))).toEqual([
      failure(1, -32602, expect.stringMatching(/^Invalid params: at id: /), { path: ["id"] }),
    ]);
    expect(end.answers(request(2, "ticket.get"))).toEqual([failure(2, -32602, text, { path: [] })]);
    expect(end.answers(request(3, "add", [1, "2"]))).toEqual([
      failure(3, -32602, text, { path: [1] }),
    ]);
    expect(end.log).toEqual([]);
  });

  test("is answered in whichever order the handlers like", () => {
    const end = End.ready("server", { call: null });
    end.hear(request(1, "echo", [1, 1]), request(2, "echo", [2, 2]), request(3, "echo", [3, 3]));
    expect(end.session.openCalls).toBe(3);
    const [first, second, third] = end.calls;
    third?.reply("c");
    first?.reply("a");
    second?.reply("b");
    expect(end.read()).toEqual([success(3, "c"), success(1, "a"), success(2, "b")]);
    expect(end.session.openCalls).toBe(0);
  });

  test("is answered once", () => {
    const end = End.ready("server", { call: null });
    end.hear(request(1, "echo"));
    const [call] = end.calls;
    expect(call?.reply(1)).toBeNull();
    expect(call?.reply(2)).toBeNull();
    expect(call?.fail(new HawserError("OVERLOADED", ""))).toBeNull();
    expect(end.read()).toEqual([success(1, 1)]);
  });

  test("whose id is open already is refused; under null many may be open", () => {
    const end = End.ready("server", { call: null });
    expect(
      end.answers(
        request(1, "echo"),
        request("1", "echo"),
        request(1, "echo"),
        request(null, "echo"),
        request(null, "echo"),
      ),
    ).toEqual([failure(1, -32600, text)]);
    expect(end.session.openCalls).toBe(4);
    for (const call of end.calls) call.reply(null);
    expect(end.read()).toEqual([
      success(1, null),
      success("1", null),
      success(null, null),
      success(null, null),
    ]);
    expect(end.answers(request(1, "echo"))).toEqual([]);
  });

  test(
    "counts by the memory of its input until it is answered, in a batch as well: one alone is " +
      "always served",
    () => {
      const overloaded = (id: number): object => failure(id, -32000, text, { code: "OVERLOADED" });
      const objects = (count: number): object[] => Array.from({ length: count }, () => ({}));
      const end = End.ready("server", { call: null, limits: { maxDecodedBytes: 100_000 } });
      expect(end.answers(request(1, "echo", objects(3_000)))).toEqual([]);
      expect(end.answers(request(2, "echo", objects(500)))).toEqual([overloaded(2)]);
      end.calls[0]?.reply(1);
      expect(end.read()).toEqual([success(1, 1)]);
      const batch = [
        request(3, "echo", objects(900)),
        ...Array.from({ length: 99 }, (_, at) => request(100 + at, "echo", [at])),
      ];
      end.hear(batch);
      for (const call of end.calls)
        if (Array.isArray(call.input) && call.input.length === 1) call.reply(0);
      // what the large member takes, and not a hundredth of the batch
      expect(end.answers(request(4, "echo", objects(500)))).toEqual([overloaded(4)]);
    },
  );

  test("above maxConversations is refused as overloaded, also while a cancelled handler runs on", () => {
    const end = End.ready("server", { call: null, limits: { maxConversations: 2 } });
    const overloaded = (id: number): object => failure(id, -32000, text, { code: "OVERLOADED" });
    expect(end.answers(request(1, "echo"), request(2, "echo"), request(3, "echo"))).toEqual([
      overloaded(3),
    ]);
    expect(end.answers(notification("$/cancelRequest", { id: 1 }), request(4, "echo"))).toEqual([
      overloaded(4),
    ]);
    end.calls[0]?.fail(new HawserError("CALL_CANCELLED", ""));
    expect(end.answers(request(5, "echo"))).toEqual([failure(1, -32800, text)]);
  });

  test("above maxInputBytes is refused as overloaded, alone or in a batch, unless it is alone", () => {
    const end = End.ready("server", { call: null, limits: { maxInputBytes: 600 } });
    const long = "x".repeat(200);
    const overloaded = (id: number): object => failure(id, -32000, text, { code: "OVERLOADED" });
    expect(
      end.answers(
        request(1, "echo", [long]),
        request(2, "echo", [long]),
        request(3, "echo", [long]),
      ),
    ).toEqual([overloaded(3)]);
    expect(end.answers([request(4, "echo", [long]), request(5, "echo", [long])])).toEqual([
      [overloaded(4), overloaded(5)],
    ]);
    for (const call of end.calls) call.reply(null);
    expect(end.read()).toEqual([success(1, null), success(2, null)]);
    expect(end.answers(request(6, "echo", ["y".repeat(900)]), request(7, "echo", [long]))).toEqual([
      overloaded(7),
    ]);
    end.calls.at(-1)?.reply(null);
    expect(end.answers(request(8, "echo", [long]), request(9, "echo", [long]))).toEqual([
      success(6, null),
    ]);
  });

  test("is no conversation of items", () => {
    const end = End.ready("server", { call: null });
    end.hear(request(1, "echo"));
    const [call] = end.calls;
    expect(() => call?.send(1)).toThrow(TypeError);
    expect(() => {
      call?.end();
    }).toThrow(TypeError);
    call?.consume(1);
    expect(call).toMatchObject({ deadlineMs: Infinity, trace: null, cancellation: null });
  });
});

describe("a handler that fails", () => {
  test.each<[HawserError, object]>([
    [
      new HawserError("HANDLER_FAILED", "the password is 1234"),
      failure(1, -32603, "Internal error"),
    ],
    [new HawserError("PAYLOAD_FORBIDDEN", "x"), failure(1, -32603, "Internal error")],
    [new HawserError("CALL_CANCELLED", "x"), failure(1, -32800, "Request cancelled")],
    [new HawserError("MESSAGE_UNKNOWN", "x"), failure(1, -32601, "Method not found")],
    [new HawserError("INPUT_INVALID", "x"), failure(1, -32602, "Invalid params")],
    [
      new HawserError("INPUT_INVALID", "x", { path: ["a", 0] }),
      failure(1, -32602, "Invalid params", { path: ["a", 0] }),
    ],
    [new HawserError("OVERLOADED", "x"), failure(1, -32000, text, { code: "OVERLOADED" })],
    [new HawserError("DRAINING", "x"), failure(1, -32000, text, { code: "DRAINING" })],
    [
      new HawserError("DEADLINE_EXCEEDED", "x"),
      failure(1, -32000, text, { code: "DEADLINE_EXCEEDED" }),
    ],
    [new HawserError("AUTH_REFUSED", "x"), failure(1, -32000, text, { code: "AUTH_REFUSED" })],
  ])("is told by its code, and never by its text: %s", (error, expected) => {
    const end = End.ready("server", {
      call: (call) => {
        expect(call.fail(error)).toBeNull();
      },
    });
    expect(end.answers(request(1, "echo"))).toEqual([expected]);
  });

  test("with an error of the contract is told by name and payload", () => {
    const end = End.ready("server", {
      call: (call) => {
        expect(call.fail({ name: "notFound", payload: { id: 7 } })).toBeNull();
      },
    });
    end.hear(request(1, "ticket.get", { id: 7 }));
    expect(end.said()).toEqual([
      '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"notFound","data":{"name":"notFound","payload":{"id":7}}}}',
    ]);
    const gone = End.ready("server", {
      call: (call) => void call.fail({ name: "gone", payload: undefined }),
    });
    expect(gone.answers(request(1, "ticket.get", { id: 7 }))).toEqual([
      failure(1, 1, "gone", { name: "gone" }),
    ]);
  });

  test.each([
    [
      "an error that the contract does not name",
      { name: "toString", payload: 1 },
      "OUTPUT_INVALID",
    ],
    [
      "a payload that its schema does not want",
      { name: "notFound", payload: { id: "7" } },
      "OUTPUT_INVALID",
    ],
    ["a payload that JSON has no text for", { name: "gone", payload: 1n }, "PAYLOAD_FORBIDDEN"],
  ])("with %s is told as failed, and here why", (_, failed, code) => {
    const end = End.ready("server", {
      call: (call) => {
        expect(call.fail(failed)?.code).toBe(code);
      },
    });
    expect(end.answers(request(1, "ticket.get", { id: 7 }))).toEqual([
      failure(1, -32603, text, code === "OUTPUT_INVALID" ? { code } : undefined),
    ]);
    expect(end.session.openCalls).toBe(0);
  });

  test.each([
    [
      "an output that its schema does not want",
      { id: 7 },
      "OUTPUT_INVALID",
      -32603,
      { code: "OUTPUT_INVALID" },
    ],
    [
      "an output that JSON has no text for",
      { id: 7, title: "a", big: 1n },
      "PAYLOAD_FORBIDDEN",
      -32603,
      undefined,
    ],
    [
      "an output above maxMessageBytes",
      { id: 7, title: "x".repeat(1_024) },
      "PAYLOAD_TOO_LARGE",
      -32603,
      { code: "MESSAGE_TOO_LARGE" },
    ],
  ])(
    "with %s: the peer is told that there is no answer, and this side why",
    (_, output, code, number, data) => {
      const end = End.ready("server", {
        limits: { maxMessageBytes: 1_024 },
        call: (call) => {
          expect(call.reply(output)?.code).toBe(code);
        },
      });
      expect(end.answers(request(1, "ticket.get", { id: 7 }))).toEqual([
        failure(1, number, text, data),
      ]);
      expect(end.session.openCalls).toBe(0);
    },
  );

  test(
    "after the peer has cancelled is not told: the peer hears that it was cancelled, when the " +
      "handler is through",
    () => {
      const end = End.ready("server", { call: null });
      expect(
        end.answers(request("a", "echo"), notification("$/cancelRequest", { id: "a" })),
      ).toEqual([]);
      expect(end.log).toEqual(["echo()", "echo cancelled CALL_CANCELLED"]);
      const [call] = end.calls;
      expect(call?.cancellation).toMatchObject({ code: "CALL_CANCELLED", origin: "remote" });
      expect(call?.reply("too late")).toBeNull();
      expect(end.read()).toEqual([failure("a", -32800, "Request cancelled")]);
      expect(end.session.openCalls).toBe(0);
    },
  );
});

describe("$/cancelRequest", () => {
  test("of a request that is not open is ignored: it crossed the answer", () => {
    const end = End.ready("server");
    expect(
      end.answers(
        notification("$/cancelRequest", { id: 1 }),
        request(1, "echo", {}),
        notification("$/cancelRequest", { id: 1 }),
      ),
    ).toEqual([success(1, {})]);
    expect(end.log).toEqual(["echo({})"]);
  });

  test('tells 1 from "1"', () => {
    const end = End.ready("server", { call: null });
    end.hear(request(1, "echo"), notification("$/cancelRequest", { id: "1" }));
    expect(end.calls[0]?.cancellation).toBeNull();
  });

  test("comes once to the handler", () => {
    const end = End.ready("server", { call: null });
    end.hear(
      request(1, "echo"),
      notification("$/cancelRequest", { id: 1 }),
      notification("$/cancelRequest", { id: 1 }),
    );
    expect(end.log.filter((line) => line.includes("cancelled"))).toHaveLength(1);
  });

  test.each([[undefined], [null], [[1]], [{}], [{ id: {} }], [{ id: 1e300 }]])(
    "without an id that may be one is dropped: %j",
    (params) => {
      const end = End.ready("server");
      expect(end.answers(notification("$/cancelRequest", params))).toEqual([]);
      expect(end.log).toEqual(["dropped MESSAGE_INVALID"]);
    },
  );
});

describe("a notification", () => {
  test("is an event", () => {
    const end = End.ready("server");
    expect(
      end.answers(
        notification("typing", { who: "a" }),
        notification("bell"),
        notification("bell", []),
        notification("note", [1, 2]),
        notification("note", ["x"]),
      ),
    ).toEqual([]);
    expect(end.log).toEqual([
      'typing: {"who":"a"}',
      "bell: ",
      "bell: ",
      "note: [1,2]",
      'note: "x"',
    ]);
  });

  test("of a server is one that servers may emit", () => {
    const end = End.ready("client");
    end.hear(notification("server.news", ["x"]));
    expect(end.log).toEqual(['server.news: "x"']);
  });

  test.each([
    ["a name that is not known", notification("none"), "MESSAGE_UNKNOWN"],
    ["a request without an id", notification("echo"), "MESSAGE_UNKNOWN"],
    ["an event that only this side emits", notification("server.news", ["x"]), "MESSAGE_UNKNOWN"],
    [
      "a payload that its schema does not want",
      notification("typing", { who: 1 }),
      "EVENT_INVALID",
    ],
  ])("is dropped and told of, and never answered: %s", (_, message, code) => {
    const end = End.ready("server");
    expect(end.answers(message)).toEqual([]);
    expect(end.log).toEqual([`dropped ${code}`]);
    expect(end.errors[0]?.message.length).toBeLessThan(256);
  });

  test("whose name begins with $/ is sent and heard where the contract has it", () => {
    const contract = defineProtocol({
      name: "editor",
      version: 1,
      events: { "$/progress": { payload: type<unknown>() } },
    });
    const kind = jsonRpc(contract, { framing: lines() });
    const [client, server] = [End.ready("client", { kind }), End.ready("server", { kind })];
    client.emit("$/progress", { token: 1 });
    const [said] = client.said();
    expect(said).toBe('{"jsonrpc":"2.0","method":"$/progress","params":{"token":1}}');
    server.hear(said ?? "", notification("$/setTrace"));
    expect(server.log).toEqual(['$/progress: {"token":1}']);
    for (const section of ["requests", "streams"])
      expect(() =>
        defineProtocol({ name: "editor", version: 1, [section]: { "$/x": {} } } as never),
      ).toThrow(TypeError);
    expect(() => defineProtocol({ name: "editor", version: 1, events: { $x: {} } })).toThrow(
      TypeError,
    );
  });

  test("whose name begins with $/ and is not known is ignored", () => {
    const end = End.ready("server");
    expect(
      end.answers(notification("$/progress", { token: 1 }), notification("$/setTrace")),
    ).toEqual([]);
    expect(end.log).toEqual([]);
  });

  test("that is no request of JSON-RPC 2.0 is answered under null: nobody knows that it is one", () => {
    expect(
      End.ready("server").answers({ method: "bell" }, { foo: "boo" }, notification("bell", 7)),
    ).toEqual([
      failure(null, -32600, text),
      failure(null, -32600, text),
      failure(null, -32600, text),
    ]);
  });

  test("waits until the one before it is handled", () => {
    const waiting: (() => void)[] = [];
    const end = End.ready("server", { event: (_, handled) => void waiting.push(handled) });
    end.hear(
      notification("note", [1, 1]),
      notification("note", [2, 2]),
      request(1, "echo", {}),
      notification("note", [3, 3]),
    );
    expect(end.log).toEqual(["note: [1,1]", "echo({})"]);
    waiting[0]?.();
    waiting[0]?.();
    expect(end.log.at(-1)).toBe("note: [2,2]");
    waiting[1]?.();
    expect(end.log.at(-1)).toBe("note: [3,3]");
  });

  test("above eventWindowBytes of those that wait is dropped and told of", () => {
    const waiting: (() => void)[] = [];
    const end = End.ready("server", {
      limits: { eventWindowBytes: 100 },
      event: (_, handled) => void waiting.push(handled),
    });
    const note = notification("note", { at: 1 }); // 53 bytes
    for (let count = 0; count < 4; count++) end.hear(note);
    expect(end.log).toEqual(['note: {"at":1}', "dropped OVERLOADED", "dropped OVERLOADED"]);
    waiting[0]?.();
    end.hear(note);
    expect(end.log.slice(3)).toEqual(['note: {"at":1}']);
    waiting[1]?.();
    waiting[2]?.();
    expect(end.log.filter((line) => line.startsWith("note"))).toHaveLength(3);
  });

  test("comes in order and one at a time, whenever handlers are through, ten thousand at once", () => {
    const heard: unknown[] = [];
    const end = End.ready("server", {
      limits: { eventWindowBytes: 1 << 24 },
      event: (payload, handled) => {
        heard.push(payload);
        if (heard.length % 3 === 0) queueMicrotask(handled);
        else handled();
      },
    });
    const all = Array.from({ length: 10_000 }, (_, at) => ({ at }));
    end.hear(all.map((payload) => JSON.stringify(notification("note", payload))).join("\n"));
    return Promise.resolve().then(async () => {
      while (heard.length < all.length) await Promise.resolve();
      expect(heard).toEqual(all);
    });
  });
});
