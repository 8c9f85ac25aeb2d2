import { describe, expect, test } from "vitest";
import { contentLength, encodeFrames, jsonRpc, jsonSequence, lines } from "../../src/mod.ts";
import { allCuts, chunksOf, randomCuts, singleBytes, twoPieces } from "../../src/testing/cuts.ts";
import { Random } from "../../src/testing/random.ts";
import { desk, End, failure, notification, request, success } from "./end.ts";

const text = expect.any(String) as unknown;
const encode = (message: string): Uint8Array => new TextEncoder().encode(message);

describe("what can't be read", () => {
  test.each<[string, Uint8Array]>([
    ["no JSON", encode("GET / HTTP/1.1\n")],
    ["an empty line", encode("\n")],
    ["a line of spaces", encode("   \n")],
    ["half a text", encode('{"jsonrpc":"2.0","id":1,"method":"pi\n')],
    ["two texts on a line", encode('{"jsonrpc":"2.0","id":1,"method":"ping"}{}\n')],
    ["bytes that are not UTF-8", Uint8Array.of(0x22, 0xff, 0x22, 0x0a)],
    ["a byte order mark", encode('\ufeff{"jsonrpc":"2.0","id":1,"method":"ping"}\n')],
    ["a null byte", encode('{"jsonrpc":"2.0","id":1,"method":"ping\0"}\n')],
    ["single quotes", encode("{'jsonrpc':'2.0'}\n")],
    ["NaN", encode('{"jsonrpc":"2.0","id":NaN,"method":"ping"}\n')],
  ])("is answered with a parse error, and the connection goes on: %s", (_, chunk) => {
    const end = End.ready("server");
    end.session.receive(chunk, 0);
    expect(end.read()).toEqual([failure(null, -32700, "Parse error")]);
    expect(end.log).toEqual(["dropped MESSAGE_INVALID"]);
    expect(end.answers(request(1, "ping"))).toEqual([success(1, null)]);
  });

  test("over contentLength() is answered and goes on, too", () => {
    const end = End.ready("server", {}, contentLength());
    end.session.receive(
      encode(
        `Content-Length: 5\r\n\r\n{"a":Content-Length: 40\r\nContent-Type: ` +
          "application/vscode-jsonrpc; " +
          `charset=utf-8\r\n\r\n{"jsonrpc":"2.0","id":1,"method":"ping"}`,
      ),
      0,
    );
    expect(end.read()).toEqual([failure(null, -32700, text), success(1, null)]);
  });

  test("as a framing that passes over it is answered, and the connection goes on", () => {
    const end = End.ready("server", {}, jsonSequence({ onMalformed: "skip" }));
    end.session.receive(
      encode(`noise\x1e{"jsonrpc":\x1e{"jsonrpc":"2.0","id":1,"method":"ping"}\n`),
      0,
    );
    expect(end.read()).toEqual([
      failure(null, -32700, text),
      failure(null, -32700, text),
      success(1, null),
    ]);
    expect(end.log).toEqual(["dropped FRAME_MALFORMED", "dropped FRAME_MALFORMED", "ping()"]);
  });

  test("as a framing ends the session, with an answer that says so", () => {
    const end = End.ready("server", { call: null }, contentLength());
    const call = end.open("echo");
    end.said();
    end.session.receive(encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), 0);
    expect(end.read()).toEqual([failure(null, -32700, text)]);
    expect(end.log).toEqual(["echo ! SESSION_LOST", "over FRAME_MALFORMED"]);
    expect(end.session.state).toBe("closed");
    call.cancel();
    end.hear(request(1, "ping"));
    expect(end.said()).toEqual([]);
  });

  test.each([lines(), contentLength()])(
    "above maxMessageBytes ends the session: $name",
    (framing) => {
      const limits = { maxMessageBytes: 1_024 };
      const fits = JSON.stringify(request(1, "ping")).padEnd(1_024);
      const end = End.ready("server", { limits }, framing);
      for (const chunk of chunksOf(
        encodeFrames(framing, [encode(fits), encode(`${fits} `), encode(fits)]),
        [100, 700],
      ))
        end.session.receive(chunk, 0);
      expect(end.read()).toEqual([
        success(1, null),
        failure(null, -32600, expect.stringContaining("1024")),
      ]);
      expect(end.log).toEqual(["ping()", "over MESSAGE_TOO_LARGE"]);
    },
  );
});

describe("hostile JSON", () => {
  test("nested a million deep harms nothing", () => {
    const limits = { maxMessageBytes: 8 << 20 };
    const depth = 1_000_000;
    const nested = "[".repeat(depth) + "]".repeat(depth);
    const end = End.ready("server", {
      limits,
      call: (call) => {
        end.calls.push(call);
      },
    });
    expect(end.answers(nested)).toEqual([[failure(null, -32600, text)]]);
    expect(
      end.answers(`{"jsonrpc":"2.0","id":1,"method":"ticket.get","params":${nested}}`),
    ).toEqual([failure(1, -32602, text, { path: [] })]);
    expect(end.answers(`{"jsonrpc":"2.0","id":${nested},"method":"ping"}`)).toEqual([
      failure(null, -32600, text),
    ]);
    expect(end.answers(`{"jsonrpc":${nested},"id":2,"method":"ping"}`)).toEqual([
      failure(2, -32600, text),
    ]);
    expect(
      end.answers(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":${nested}}}`),
    ).toEqual([]);
    // Unchecked, it reaches the handler as it is: nothing here walks through it.
    const session = End.ready("server", {
      limits,
      call: (call) => {
        expect(call.reply(call.input)?.code).toBe("PAYLOAD_FORBIDDEN");
      },
    });
    session.session.receive(
      encode(`{"jsonrpc":"2.0","id":3,"method":"none","params":${nested}}\n`),
      0,
    );
    expect(session.read()).toEqual([failure(3, -32601, text)]);
  });

  test("nested deep in an answer harms nothing", () => {
    const end = End.ready("client", { limits: { maxMessageBytes: 8 << 20 } });
    end.open("ticket.get", { id: 1 });
    end.open("ticket.get", { id: 1 });
    end.said();
    const nested = "[".repeat(100_000) + "]".repeat(100_000);
    end.hear(
      `{"jsonrpc":"2.0","id":1,"result":${nested}}`,
      `{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":${nested},"data":{"path":${nested}}}}`,
      `{"jsonrpc":"2.0","id":null,"error":${nested}}`,
    );
    expect(end.log).toEqual([
      "ticket.get ! OUTPUT_INVALID",
      "ticket.get ! INPUT_INVALID",
      "dropped MESSAGE_INVALID",
    ]);
  });

  test.each<[string, string, unknown[]]>([
    [
      "__proto__ as a message",
      '{"__proto__":{"jsonrpc":"2.0","id":1,"method":"ping"}}',
      [failure(null, -32600, text)],
    ],
    [
      "__proto__ beside a request",
      '{"jsonrpc":"2.0","id":1,"method":"ping","__proto__":{"method":"none"}}',
      [success(1, null)],
    ],
    [
      "constructor as params",
      '{"jsonrpc":"2.0","id":1,"method":"ticket.get","params":{"constructor":1}}',
      [failure(1, -32602, text, { path: ["id"] })],
    ],
    [
      "duplicate ids: the last",
      '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
      [success(2, null)],
    ],
    [
      "duplicate methods: the last",
      '{"jsonrpc":"2.0","id":1,"method":"none","method":"ping"}',
      [success(1, null)],
    ],
    [
      "a method of a megabyte",
      `{"jsonrpc":"2.0","id":1,"method":"${"x".repeat(1 << 19)}"}`,
      [failure(1, -32601, text)],
    ],
    [
      "an id of half a megabyte",
      `{"jsonrpc":"2.0","id":"${"x".repeat(1 << 19)}","method":"ping"}`,
      [success("x".repeat(1 << 19), null)],
    ],
    [
      "a huge number",
      '{"jsonrpc":"2.0","id":1,"method":"echo","params":{"n":1e999999}}',
      [success(1, { n: null })],
    ],
    [
      "a method and a result",
      '{"jsonrpc":"2.0","id":1,"method":"ping","result":1}',
      [success(1, null)],
    ],
    [
      "a null method and a result",
      '{"jsonrpc":"2.0","id":1,"method":null,"result":1}',
      [failure(1, -32600, text)],
    ],
    ["a text", '"ping"', [failure(null, -32600, text)]],
    ["null", "null", [failure(null, -32600, text)]],
    ["a number", "7", [failure(null, -32600, text)]],
  ])("harms nothing: %s", (_, message, expected) => {
    const end = End.ready("server");
    expect(end.answers(message)).toEqual(expected);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(end.session.state).toBe("ready");
  });

  test("__proto__ in an input reaches the handler as a member, and the answer as one", () => {
    const end = End.ready("server");
    end.hear('{"jsonrpc":"2.0","id":1,"method":"echo","params":{"__proto__":{"admin":true}}}');
    expect(end.said()).toEqual(['{"jsonrpc":"2.0","id":1,"result":{"__proto__":{"admin":true}}}']);
  });

  test("that repeats ids, cancels and answers at random settles each request once, and never throws", () => {
    const random = new Random(11);
    const values = [
      null,
      0,
      1,
      -1,
      1.5,
      "",
      "1",
      true,
      {},
      [],
      [1],
      { id: 1 },
      { who: "a" },
      { code: 1 },
    ];
    const methods = [
      "echo",
      "ping",
      "typing",
      "bell",
      "note",
      "none",
      "$/cancelRequest",
      "$/x",
      "rpc.x",
      "__proto__",
      7,
      null,
    ];
    for (let round = 0; round < 50; round++) {
      let opened = 0;
      const end = End.ready("server", {
        limits: { maxConversations: 8 },
        call: null,
        event: (_, handled) => {
          if (random.below(4) > 0) handled();
        },
      });
      for (let step = 0; step < 200; step++) {
        const member = (name: string, one: readonly unknown[], chance: number): object =>
          random.below(10) < chance ? { [name]: random.pick(one) } : {};
        const message = (): unknown =>
          random.below(20) === 0
            ? random.pick(values)
            : {
                ...member("jsonrpc", ["2.0", "2.0", "2.0", "1.0", 2], 9),
                ...member("id", values, 7),
                ...member("method", methods, 8),
                ...member("params", values, 5),
                ...member("result", values, 1),
                ...member("error", values, 1),
              };
        end.hear(
          JSON.stringify(
            random.below(5) === 0 ? Array.from({ length: random.below(4) }, message) : message(),
          ),
        );
        if (random.below(3) === 0)
          end.calls.splice(random.below(end.calls.length + 1), 1)[0]?.reply(1);
        if (random.below(10) === 0) {
          end.open("echo");
          opened++;
        }
      }
      for (const call of end.calls) call.reply(1);
      expect(end.session.state).toBe("ready");
      for (const answer of end.read().flat()) expect(answer).toMatchObject({ jsonrpc: "2.0" });
      end.session.close();
      expect(end.log.filter((line) => /^echo [=!]/.test(line))).toHaveLength(opened);
    }
  });
});

describe("a peer that asks and does not read", () => {
  test.each([
    "not JSON",
    JSON.stringify(request(1, "none")),
    "[]",
    JSON.stringify(request(1, "ping")),
    JSON.stringify({ jsonrpc: "2.0", id: "x".repeat(1_000) }),
  ])("is left when its answers pass maxQueuedBytes: %s", (message) => {
    const end = End.ready("server", { limits: { maxQueuedBytes: 100_000 } });
    const chunk = encode(`${message}\n`.repeat(100));
    for (let count = 0; count < 1_000 && end.session.state === "ready"; count++)
      end.session.receive(chunk, 0);
    expect(end.session.state).toBe("closed");
    expect(end.log.at(-1)).toBe("over SLOW_CONSUMER");
    expect(end.output.length + end.session.queuedBytes).toBeLessThan(300_000);
  });

  test("refuses more of this side's own with WRITE_BUFFER_FULL, and the session goes on", () => {
    const end = End.ready("client", { limits: { maxQueuedBytes: 100_000 } });
    const note = "x".repeat(10_000);
    let taken = 0;
    const full = expect.objectContaining({ code: "WRITE_BUFFER_FULL" }) as Error;
    expect(() => {
      for (; taken < 100; taken++) end.emit("note", note);
    }).toThrow(full);
    expect(taken).toBe(9);
    expect(() => end.open("echo", note)).toThrow(full);
    expect(end.log).toEqual(Array.from({ length: 7 }, () => "note unknown"));
    while (end.session.transmit(65_536)) end.output.truncate(0);
    expect(end.log.slice(7)).toEqual(["note unknown", "note unknown", "writable"]);
    end.output.truncate(0);
    expect(end.emit("note", note)).toBe(true);
  });

  test("gets what waits in order and cut as the output has room", () => {
    const end = End.ready("client");
    for (let at = 0; at < 30; at++) end.emit("note", { at, fill: "x".repeat(10_000) });
    expect(end.session.queuedBytes).toBeGreaterThan(200_000);
    const bytes: Uint8Array[] = [];
    let more = true;
    while (more) {
      bytes.push(end.output.copy());
      end.output.truncate(0);
      more = end.session.transmit(1_000);
      expect(end.output.length).toBeLessThanOrEqual(1_000);
    }
    bytes.push(end.output.copy());
    const whole = bytes.map((chunk) => new TextDecoder().decode(chunk)).join("");
    expect(
      whole
        .trimEnd()
        .split("\n")
        .map((line) => (JSON.parse(line) as { params: { at: number } }).params.at),
    ).toEqual(Array.from({ length: 30 }, (_, at) => at));
    expect(end.session.queuedBytes).toBe(0);
    expect(end.log.filter((line) => line === "writable")).toHaveLength(1);
    expect(end.session.transmit(1_000)).toBe(false);
  });

  test("is left at once where the framing can't carry what it must be told", () => {
    const seal = (): never => {
      throw new Error("no");
    };
    const framing = { ...lines(), encoder: () => ({ headerBytes: 0, seal }) };
    const end = End.ready("server", { kind: jsonRpc(desk, { framing }) });
    end.hear("not JSON");
    expect(end.log.at(-1)).toBe("over PAYLOAD_FORBIDDEN");
    expect(end.output.length).toBe(0);
  });
});

describe("every cut", () => {
  const stream = [
    request("é", "echo", ["größe"]),
    [request(2, "ping"), notification("bell")],
    notification("typing", { who: "𝄞" }),
    success(1, { id: 1, title: "ö" }),
  ].map((message) => encode(JSON.stringify(message)));
  const expected = [
    'echo("größe")',
    "ping()",
    "bell: ",
    'typing: {"who":"𝄞"}',
    'ticket.get = {"id":1,"title":"ö"}',
    "dropped MESSAGE_INVALID",
    "ping()",
  ];
  const more = [encode("{"), encode(JSON.stringify(request(3, "ping")))];

  test.each([lines(), lines({ ending: "crlf" }), lines({ ending: "any" }), contentLength()])(
    "of a stream over $name comes to the same",
    (framing) => {
      const bytes = encodeFrames(framing, [...stream, ...more]);
      const random = new Random(5);
      const said = new Set<string>();
      for (const cut of [
        [],
        singleBytes(bytes.length),
        ...twoPieces(bytes.length),
        ...randomCuts(bytes.length, 50, random),
      ]) {
        const end = End.ready(
          "client",
          {
            kind: jsonRpc(desk, { framing }),
            call: (call) => void call.reply(call.entry.name === "ping" ? undefined : call.input),
          },
          framing,
        );
        end.open("ticket.get", { id: 1 });
        for (const chunk of chunksOf(bytes, cut)) {
          const copy = new Uint8Array(chunk);
          end.session.receive(copy, 0);
          copy.fill(0xee);
        }
        expect(end.log, `cut at ${cut.join(" ")}`).toEqual(expected);
        said.add(end.said().join("\n"));
      }
      expect(said.size).toBe(1);
    },
  );

  test("of a short text comes to the same", () => {
    const bytes = encode('[1]\n"\u00e9"\n{}\n7\n');
    const said = new Set<string>();
    for (const cut of allCuts(bytes.length)) {
      const end = End.ready("server");
      for (const chunk of chunksOf(bytes, cut)) end.session.receive(chunk, 0);
      said.add(end.said().join("\n"));
    }
    expect(said.size).toBe(1);
  });
});
