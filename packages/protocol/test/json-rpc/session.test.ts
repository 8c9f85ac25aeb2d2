import { describe, expect, test } from "vitest";
import { HawserError, jsonRpc, lines } from "../../src/mod.ts";
import type { Greeting } from "../../src/engine.ts";
import { desk, End, failure, notification, request, success } from "./end.ts";

const text = expect.any(String) as unknown;
const kind = jsonRpc(desk, { framing: lines() });
const random = (count: number): Uint8Array => new Uint8Array(count);

function bytes(...messages: readonly object[]): Uint8Array {
  return new TextEncoder().encode(
    messages.map((message) => `${JSON.stringify(message)}\n`).join(""),
  );
}

describe("a session", () => {
  test("is ready as soon as it has a connection: nothing is written", () => {
    for (const side of ["client", "server"] as const) {
      const end = new End(side);
      expect(end.session).toMatchObject({
        side,
        state: "new",
        id: "",
        roundTripMs: null,
        peerVersion: 0,
        queuedBytes: 0,
        openCalls: 0,
      });
      end.connect();
      expect(end.session.state).toBe("ready");
      expect(end.log).toEqual(["ready"]);
      expect(end.output.length).toBe(0);
    }
  });

  test("is attached at the client, welcomed at the server, once for each connection", () => {
    const hello = { auth: undefined, resume: null, peerVersion: 0 };
    const [client, server] = [End.ready("client"), End.ready("server")];
    expect(() => {
      client.connect();
    }).toThrow(TypeError);
    expect(() => {
      server.connect();
    }).toThrow(TypeError);
    expect(() => {
      new End("server").session.attach(server.output, 0);
    }).toThrow(TypeError);
    expect(() => {
      new End("client").session.welcome(server.output, hello, false, 0);
    }).toThrow(TypeError);
    expect(() => {
      new End("server").session.welcome(server.output, hello, true, 0);
    }).toThrow(TypeError);
    expect(server.session.canResume({ ...hello, resume: { session: "", received: 0 } })).toBe(
      false,
    );
  });

  test("has no greeting to carry auth", () => {
    const end = new End("client");
    expect(() => {
      end.session.attach(end.output, 0, { token: 1 });
    }).toThrow(expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }) as Error);
    expect(end.session.state).toBe("new");
  });

  test("without a connection takes nothing", () => {
    const end = new End("client");
    expect(() => end.open("echo")).toThrow(expect.objectContaining({ code: "NOT_READY" }) as Error);
    expect(() => end.emit("bell")).toThrow(expect.objectContaining({ code: "NOT_READY" }) as Error);
    end.hear(request(1, "echo"));
    end.session.tick(1);
    end.session.lost(1);
    end.session.drain();
    expect(end.session.transmit(100)).toBe(false);
    expect(end.session.deadline()).toBe(Infinity);
    expect(end.session.state).toBe("new");
    end.session.close();
    expect(end.session.state).toBe("closed");
    expect(end.log).toEqual([]);
    expect(() => end.open("echo")).toThrow(
      expect.objectContaining({ code: "SESSION_CLOSED" }) as Error,
    );
  });
});

describe("a lost connection", () => {
  test("settles what was open on both sides", () => {
    const end = End.ready("client", { call: null });
    end.open("echo");
    end.open("echo", "x".repeat(70_000));
    end.open("echo", "not sent");
    expect(end.emit("bell")).toBe(false);
    end.hear(request(1, "echo"));
    end.session.lost(0);
    expect(end.log).toEqual([
      "echo()",
      "bell not-sent",
      "echo ! SESSION_LOST",
      "echo ! SESSION_LOST",
      "echo ! NOT_SENT",
      "echo cancelled SESSION_LOST",
    ]);
    expect(end.session).toMatchObject({ state: "lost", openCalls: 0, queuedBytes: 0 });
    expect(end.session.deadline()).toBe(Infinity);
    expect(end.calls[0]?.cancellation).toMatchObject({ code: "SESSION_LOST" });
    expect(end.calls[0]?.reply(1)).toBeNull();
    end.session.lost(0);
    expect(end.log).toHaveLength(6);
  });

  test("of a request that has left in part has not been sent", () => {
    const end = End.ready("client");
    end.open("echo", "x".repeat(70_000));
    end.open("echo", "y".repeat(1_000));
    end.output.truncate(0);
    expect(end.session.transmit(500)).toBe(true);
    expect(end.output.length).toBe(500);
    end.session.lost(0);
    expect(end.log).toEqual(["echo ! SESSION_LOST", "echo ! NOT_SENT"]);
  });

  test("is followed by another at the client: nothing goes on, and answers of old calls go nowhere", () => {
    const end = End.ready("client", { call: null });
    end.hear(request(1, "echo"));
    const call = end.open("echo");
    end.session.lost(0);
    end.log.length = 0;
    end.connect();
    expect(end.log).toEqual(["ready"]);
    end.hear(request(1, "echo"));
    end.calls[0]?.reply("old");
    call.cancel();
    expect(end.said()).toEqual([]);
    end.calls[1]?.reply("new");
    expect(end.read()).toEqual([success(1, "new")]);
    end.open("echo");
    expect(end.read()).toEqual([request(1, "echo")]);
    end.hear(success(1, "x"));
    expect(end.log.at(-1)).toBe('echo = "x"');
  });

  test("begins with a new stream: half a message of the old one is forgotten", () => {
    const end = End.ready("client");
    end.session.receive(new TextEncoder().encode('{"jsonrpc":"2.0",'), 0);
    end.session.lost(0);
    end.connect();
    expect(end.answers(request(1, "ping"))).toEqual([success(1, null)]);
  });

  test("ends a server's session, but what came is still handled", () => {
    const waiting: (() => void)[] = [];
    const end = End.ready("server", { event: (_, handled) => void waiting.push(handled) });
    end.hear(notification("note", { at: 1 }), notification("note", { at: 2 }));
    end.session.lost(0);
    expect(end.session.state).toBe("closed");
    end.session.close();
    waiting[0]?.();
    waiting[1]?.();
    expect(end.log).toEqual(['note: {"at":1}', 'note: {"at":2}']);
  });
});

describe("drain()", () => {
  test("closes when nothing is open, and meanwhile opens nothing", () => {
    const end = End.ready("server", { call: null });
    end.hear(request(1, "echo"));
    end.open("echo");
    end.said();
    end.session.drain();
    end.session.drain();
    expect(end.session.state).toBe("draining");
    expect(() => end.open("echo")).toThrow(
      expect.objectContaining({ code: "DRAINING", origin: "local" }) as Error,
    );
    expect(end.answers(request(2, "echo"), request(3, "none"))).toEqual([
      failure(2, -32000, text, { code: "DRAINING" }),
      failure(3, -32601, text),
    ]);
    end.emit("bell");
    end.calls[0]?.reply(1);
    expect(end.session.state).toBe("draining");
    expect(end.read()).toEqual([notification("bell"), success(1, 1)]);
    end.hear(success(1, 2));
    expect(end.session.state).toBe("closed");
    expect(end.log).toEqual(["echo()", "bell unknown", "echo = 2", "over in order"]);
  });

  test("with nothing open closes at once", () => {
    const end = End.ready("client");
    end.session.drain();
    expect(end.log).toEqual(["over in order"]);
    expect(end.output.length).toBe(0);
  });

  test("waits for events that have come", () => {
    const waiting: (() => void)[] = [];
    const end = End.ready("server", { event: (_, handled) => void waiting.push(handled) });
    end.hear(notification("bell"), notification("bell"));
    end.session.drain();
    waiting[0]?.();
    expect(end.session.state).toBe("draining");
    waiting[1]?.();
    expect(end.log).toEqual(["bell: ", "bell: ", "over in order"]);
  });

  test("ends with the call that is given up, and with the handler that is cancelled", () => {
    const end = End.ready("client");
    const call = end.open("echo");
    end.session.drain();
    call.cancel();
    expect(end.log).toEqual(["echo ! CALL_CANCELLED", "over in order"]);
    const server = End.ready("server", { call: null });
    server.hear(request(1, "echo"), notification("$/cancelRequest", { id: 1 }));
    server.session.drain();
    expect(server.session.state).toBe("draining");
    server.calls[0]?.fail(new HawserError("CALL_CANCELLED", ""));
    expect(server.session.state).toBe("closed");
    expect(server.read()).toEqual([failure(1, -32800, text)]);
  });
});

describe("close()", () => {
  test("settles everything, and says nothing that JSON-RPC has no word for", () => {
    const end = End.ready("client", { call: null });
    end.open("echo");
    end.hear(request(1, "echo"));
    end.said();
    end.session.close();
    expect(end.log).toEqual([
      "echo()",
      "echo ! SESSION_CLOSED",
      "echo cancelled SESSION_CLOSED",
      "over in order",
    ]);
    expect(end.said()).toEqual([]);
    end.session.close();
    end.calls[0]?.reply(1);
    end.hear(request(2, "echo"));
    end.session.lost(0);
    expect(end.log).toHaveLength(4);
    expect(end.said()).toEqual([]);
  });

  test("with a reason says it in an error under null", () => {
    const end = End.ready("server");
    end.session.close("AUTH_REFUSED", "Who are you?");
    expect(end.read()).toEqual([failure(null, -32000, "Who are you?", { code: "AUTH_REFUSED" })]);
    const other = End.ready("server");
    other.session.close("OVERLOADED");
    expect(other.read()).toEqual([failure(null, -32000, text, { code: "OVERLOADED" })]);
  });

  test("puts what waits into the output", () => {
    const end = End.ready("client");
    end.emit("note", "x".repeat(70_000));
    end.emit("bell");
    end.session.close();
    expect(end.said()).toHaveLength(2);
    expect(end.log).toEqual(["note unknown", "bell unknown", "over in order"]);
  });

  test("drops events that wait", () => {
    const waiting: (() => void)[] = [];
    const end = End.ready("server", { event: (_, handled) => void waiting.push(handled) });
    end.hear(notification("bell"), notification("bell"));
    end.session.close();
    waiting[0]?.();
    expect(end.log).toEqual(["bell: ", "over in order"]);
  });

  test("from within a callback stops the reading of the chunk", () => {
    const end = End.ready("server", {
      told: (what, self) => {
        if (what.startsWith("bell")) self.session.close();
      },
    });
    end.session.receive(bytes(notification("bell"), request(1, "echo"), notification("bell")), 0);
    expect(end.log).toEqual(["bell: ", "over in order"]);
    expect(end.said()).toEqual([]);
  });
});

describe("the greeter", () => {
  const greet = (chunk: Uint8Array): Greeting | null => kind.greeter({ random }).receive(chunk);

  test("lets everybody in with the first bytes, and gives them back", () => {
    const chunk = bytes(request(1, "ping"));
    const greeting = greet(chunk);
    expect(greeting).toMatchObject({
      ok: true,
      hello: { auth: undefined, resume: null, peerVersion: 0 },
    });
    if (greeting?.ok !== true) throw new Error("not let in");
    chunk.fill(0);
    const end = new End("server", { kind });
    end.session.welcome(end.output, greeting.hello, false, 0);
    end.session.receive(greeting.rest, 0);
    expect(end.read()).toEqual([success(1, null)]);
  });

  test("lets in who is silent, when it is given no bytes", () => {
    expect(greet(new Uint8Array(0))).toMatchObject({ ok: true, rest: new Uint8Array(0) });
  });

  test("says that the client left", () => {
    expect(kind.greeter({ random }).end()).toMatchObject({
      code: "CONNECTION_RESET",
      scope: "session",
    });
  });
});

describe("callbacks", () => {
  test("may throw: it comes out of the call that led to it, when the rest is done", () => {
    const end = End.ready("server", {
      told: (what) => {
        if (what.startsWith("note")) throw new Error(what);
      },
    });
    const chunk = bytes(
      notification("note", { at: 1 }),
      request(1, "ping"),
      notification("note", { at: 2 }),
      notification("bell"),
    );
    expect(() => {
      end.session.receive(chunk, 0);
    }).toThrow('note: {"at":1}');
    expect(end.log).toEqual(['note: {"at":1}', "ping()", 'note: {"at":2}', "bell: "]);
    expect(end.read()).toEqual([success(1, null)]);
    end.session.receive(bytes(request(2, "ping")), 0);
    expect(end.read()).toEqual([success(2, null)]);
  });

  test.each(["wrote", "ready", "ping", "typing", "bell", "echo", "over", "dropped"])(
    "that throw leave the session whole: %s",
    (which) => {
      const end = new End("server", {
        call: null,
        told: (what) => {
          if (what.startsWith(which)) throw new Error("thrown");
        },
      });
      const trying = (act: () => void): void => {
        try {
          act();
        } catch (error) {
          expect((error as Error).message).toBe("thrown");
        }
      };
      trying(() => {
        end.connect();
      });
      trying(() => {
        end.hear([
          request(1, "ping"),
          notification("bell"),
          notification("none"),
          request(2, "none"),
        ]);
      });
      trying(() => {
        end.hear(request(3, "echo"));
      });
      trying(() => {
        end.emit("typing", { who: "a" });
      });
      const answer = { open: null as { cancel(): void } | null };
      trying(() => {
        answer.open = end.open("echo");
      });
      for (const call of end.calls)
        trying(() => {
          call.reply(call.input);
        });
      trying(() => {
        end.session.drain();
      });
      trying(() => {
        end.hear(success(1, 1));
      });
      trying(() => {
        end.session.close();
      });
      expect(end.session).toMatchObject({ state: "closed", openCalls: 0 });
      const said = end.read();
      expect(said).toContainEqual({ jsonrpc: "2.0", method: "typing", params: { who: "a" } });
      if (which !== "ping" && which !== "echo")
        expect(said).toContainEqual([failure(2, -32601, text), success(1, null)]);
      expect(end.log.filter((line) => line.startsWith("over"))).toHaveLength(1);
    },
  );

  test("are told of what was written once for each call of the driver", () => {
    let wrote = 0;
    const end = End.ready("server", {
      told: (what) => {
        if (what === "wrote") wrote++;
      },
    });
    end.session.receive(bytes(...Array.from({ length: 100 }, (_, id) => request(id, "ping"))), 0);
    expect(wrote).toBe(1);
    end.emit("bell");
    expect(wrote).toBe(2);
    end.session.receive(
      bytes(
        ...Array.from({ length: 5 }, (_, id) => request(id, "echo", { text: "x".repeat(20_000) })),
      ),
      0,
    );
    expect(wrote).toBeGreaterThan(3);
  });
});
