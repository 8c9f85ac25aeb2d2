import { describe, expect, test } from "vitest";
import { HawserError, defineProtocol, jsonRpc, lines } from "../../src/mod.ts";
import type { SessionKind } from "../../src/engine.ts";
import { type } from "../../src/contract/schema.ts";
import { desk, End, failure, notification, request, success } from "./end.ts";

const text = expect.any(String) as unknown;

describe("a batch", () => {
  test(
    "is answered in one text, when the last of its answers is there, in the order in which they " +
      "came",
    () => {
      const end = End.ready("server", { call: null });
      end.hear([
        request(1, "echo"),
        notification("bell"),
        request("b", "echo"),
        request(null, "echo"),
      ]);
      expect(end.log).toEqual(["echo()", "bell: ", "echo()", "echo()"]);
      const [first, second, third] = end.calls;
      second?.reply("b");
      first?.fail(new HawserError("OVERLOADED", ""));
      expect(end.said()).toEqual([]);
      expect(end.session.queuedBytes).toBeGreaterThan(0);
      third?.reply(3);
      expect(end.said()).toEqual([
        '[{"jsonrpc":"2.0","id":"b","result":"b"},{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"Overloaded: ' +
          'not now","data":{"code":"OVERLOADED"}}},{"jsonrpc":"2.0","id":null,"result":3}]',
      ]);
      expect(end.session.queuedBytes).toBe(0);
    },
  );

  test("is answered from within, where the handlers answer from within", () => {
    const end = End.ready("server");
    expect(
      end.answers([request(1, "echo", { a: 1 }), request(2, "none"), request(3, "ping")]),
    ).toEqual([[success(1, { a: 1 }), failure(2, -32601, text), success(3, null)]]);
  });

  test("of one is answered with a batch of one", () => {
    expect(End.ready("server").answers([request(1, "ping")])).toEqual([[success(1, null)]]);
  });

  test("of notifications and responses alone is not answered", () => {
    const end = End.ready("server");
    end.open("echo");
    end.said();
    expect(
      end.answers([
        notification("bell"),
        notification("none"),
        success(1, 5),
        notification("$/progress"),
      ]),
    ).toEqual([]);
    expect(end.log).toEqual(["bell: ", "dropped MESSAGE_UNKNOWN", "echo = 5"]);
  });

  test("that is empty is an error, and not a batch of none", () => {
    expect(End.ready("server").answers("[]")).toEqual([failure(null, -32600, text)]);
  });

  test("of what is no request is answered one by one", () => {
    expect(End.ready("server").answers('[1,[],null,[[1]],{},"a"]')).toEqual([
      Array.from({ length: 6 }, () => failure(null, -32600, text)),
    ]);
  });

  test("that can't be read is one parse error", () => {
    const end = End.ready("server");
    expect(end.answers('[{"jsonrpc":"2.0","method":"bell"},{"jsonrpc":"2.0","method"]')).toEqual([
      failure(null, -32700, "Parse error"),
    ]);
    expect(end.log).toEqual(["dropped MESSAGE_INVALID"]);
  });

  test("above maxBatchMessages is refused whole", () => {
    const kind: SessionKind = jsonRpc(desk, { framing: lines(), maxBatchMessages: 3 });
    const end = End.ready("server", { kind });
    expect(end.answers([1, 2, 3].map(() => notification("bell")))).toEqual([]);
    expect(end.answers([1, 2, 3, 4].map((id) => request(id, "ping")))).toEqual([
      failure(null, -32600, expect.stringContaining("more than 3")),
    ]);
    expect(end.log).toEqual(["bell: ", "bell: ", "bell: "]);
    const usual = End.ready("server");
    expect(usual.answers(Array.from({ length: 1_001 }, (_, id) => request(id, "ping")))).toEqual([
      failure(null, -32600, text),
    ]);
    expect(
      (usual.answers(Array.from({ length: 1_000 }, (_, id) => request(id, "ping")))[0] as unknown[])
        .length,
    ).toBe(1_000);
  });

  test("may have a request and what cancels it", () => {
    const end = End.ready("server", {
      call: (call) => {
        if (call.entry.name === "ping") call.reply(undefined);
        else end.calls.push(call);
      },
    });
    end.hear([request(1, "echo"), notification("$/cancelRequest", { id: 1 }), request(2, "ping")]);
    expect(end.said()).toEqual([]);
    end.calls[0]?.reply("too late");
    expect(end.read()).toEqual([[success(2, null), failure(1, -32800, text)]]);
  });

  test("whose answers do not fit into maxMessageBytes: those that came too late are told so", () => {
    const end = End.ready("server", { limits: { maxMessageBytes: 1_024 }, call: null });
    end.hear([request(1, "echo"), request(2, "echo"), request(3, "echo")]);
    const [first, second, third] = end.calls;
    expect(first?.reply("x".repeat(600))).toBeNull();
    expect(second?.reply("y".repeat(600))?.code).toBe("PAYLOAD_TOO_LARGE");
    expect(third?.reply("z")).toBeNull();
    expect(end.read()).toEqual([
      [
        success(1, "x".repeat(600)),
        failure(2, -32603, text, { code: "MESSAGE_TOO_LARGE" }),
        success(3, "z"),
      ],
    ]);
  });

  test("above maxQueuedBytes of answers that wait: what comes then is refused as overloaded", () => {
    const end = End.ready("server", {
      limits: { maxMessageBytes: 4_096, maxQueuedBytes: 4_096 },
      call: null,
    });
    end.hear([request(1, "echo"), request(2, "echo")], [request(3, "echo"), request(4, "echo")]);
    expect(end.calls[0]?.reply("x".repeat(2_500))).toBeNull();
    expect(end.calls[2]?.reply("x".repeat(2_500))?.code).toBe("WRITE_BUFFER_FULL");
    end.calls[3]?.reply(4);
    expect(end.read()).toEqual([[failure(3, -32000, text, { code: "OVERLOADED" }), success(4, 4)]]);
  });

  test("that never ends while others begin ends the session: its answers are bounded", () => {
    const end = End.ready("server", {
      limits: { maxMessageBytes: 1 << 20, maxQueuedBytes: 1 << 16 },
      call: null,
    });
    const wrong = Array.from({ length: 999 }, () => 1);
    for (let id = 0; id < 10 && end.session.state === "ready"; id++)
      end.hear([request(id, "echo"), ...wrong]);
    expect(end.session.state).toBe("closed");
    expect(end.log.at(-1)).toBe("over SLOW_CONSUMER");
  });

  test("during which the session closes has no answer", () => {
    const end = End.ready("server", {
      call: (_, self) => {
        self.session.close();
      },
    });
    end.hear([request(1, "echo"), request(2, "echo"), notification("bell")]);
    expect(end.said()).toEqual([]);
    expect(end.log).toEqual(["echo()", "echo cancelled SESSION_CLOSED", "over in order"]);
  });
});

describe("the examples of the specification", () => {
  const contract = defineProtocol({
    name: "examples",
    version: 1,
    requests: {
      subtract: {
        input: type<[number, number] | { minuend: number; subtrahend: number }>(),
        output: type<number>(),
      },
      sum: { input: type<number[]>(), output: type<number>() },
      get_data: { output: type<unknown>() },
    },
    events: {
      update: { payload: type<number[]>() },
      notify_hello: { payload: type<number>() },
      notify_sum: { payload: type<number[]>() },
    },
  });
  const kind = jsonRpc(contract, { framing: lines() });
  const end = (): End =>
    End.ready("server", {
      kind,
      call: (call) => {
        const input = call.input as
          readonly number[] | { minuend: number; subtrahend: number } | undefined;
        if (input === undefined) call.reply(["hello", 5]);
        else if ("minuend" in input) call.reply(input.minuend - input.subtrahend);
        else if (call.entry.name === "sum") call.reply(input.reduce((sum, each) => sum + each, 0));
        else call.reply(input.reduce((one, other) => one - other));
      },
    });
  const invalid = failure(null, -32600, expect.stringMatching(/^Invalid Request/));

  test.each<[string, string, unknown[]]>([
    [
      "positional parameters",
      '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
      [success(1, 19)],
    ],
    [
      "positional parameters",
      '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
      [success(2, -19)],
    ],
    [
      "named parameters",
      '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, ' +
        '"id": 3}',
      [success(3, 19)],
    ],
    [
      "named parameters",
      '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, ' +
        '"id": 4}',
      [success(4, 19)],
    ],
    ["a notification", '{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', []],
    ["a notification that is not known", '{"jsonrpc": "2.0", "method": "foobar"}', []],
    [
      "a method that does not exist",
      '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
      [failure("1", -32601, "Method not found")],
    ],
    [
      "invalid JSON",
      '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
      [failure(null, -32700, "Parse error")],
    ],
    ["an invalid request", '{"jsonrpc": "2.0", "method": 1, "params": "bar"}', [invalid]],
    [
      "a batch of invalid JSON",
      '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},{"jsonrpc": "2.0", ' +
        '"method"]',
      [failure(null, -32700, "Parse error")],
    ],
    ["an empty array", "[]", [invalid]],
    ["an invalid batch, but not empty", "[1]", [[invalid]]],
    ["an invalid batch", "[1,2,3]", [[invalid, invalid, invalid]]],
    [
      "a batch",
      '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},{"jsonrpc": "2.0", ' +
        '"method": "notify_hello", "params": [7]},{"jsonrpc": "2.0", "method": "subtract", ' +
        '"params": [42,23], "id": "2"},{"foo": "boo"},{"jsonrpc": "2.0", "method": "foo.get", ' +
        '"params": {"name": "myself"}, "id": "5"},{"jsonrpc": "2.0", "method": "get_data", "id": ' +
        '"9"}]',
      [
        [
          success("1", 7),
          success("2", 19),
          invalid,
          failure("5", -32601, "Method not found"),
          success("9", ["hello", 5]),
        ],
      ],
    ],
    [
      "a batch of notifications",
      '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},{"jsonrpc": "2.0", ' +
        '"method": "notify_hello", "params": [7]}]',
      [],
    ],
  ])("%s: %s", (_, message, expected) => {
    expect(end().answers(message)).toEqual(expected);
  });
});
