// Payloads that are not what the contract says, both ways and at both ends: refused with the path
// at the sender before a byte leaves, which the peer by hand sees, and at the receiver, which the
// peer by hand tries; and payloads that are meant to do harm, which do none.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect, type SessionClient, type SessionConnectOptions } from "@hawser/client";
import { defineProtocol, type HawserError, type } from "@hawser/protocol";
import type { ReadFrame } from "@hawser/protocol/testing";
import {
  createServer,
  type SessionHandlers,
  type SessionServer,
  type SessionServerOptions,
} from "@hawser/server";
import { z } from "zod";
import { turns, until } from "./conversation.ts";
import { failure, SessionFixture, taken } from "./sessions.ts";
import {
  head,
  HandPeer,
  introduction,
  KIND,
  message,
  numberOf,
  roomy,
  SIGNATURE,
  u64,
  utf8,
} from "./trial-peer.ts";

const order = z.object({ item: z.string(), counts: z.array(z.number()) });
const receipt = z.object({ id: z.number() });

/** Everything that has a payload, from both sides. */
const post = defineProtocol({
  name: "post",
  version: 1,
  requests: {
    place: { input: order, output: receipt, errors: { soldOut: receipt }, from: "both" },
    loose: { input: type<unknown>(), output: type<unknown>(), from: "both" },
  },
  streams: { feed: { input: order, item: receipt, send: order, from: "both" } },
  events: {
    noted: { payload: order, delivery: "at-least-once" },
    ticked: { payload: order },
  },
});

const good = { item: "rope", counts: [1, 2] };
const bad = { item: "rope", counts: [1, "two"] } as never;
const badReceipt = { id: "SECRET" } as never;
const large = { maxMessageBytes: 4 * 1_048_576, maxQueuedBytes: 32 * 1_048_576 };

type Post = typeof post;

/** What a side does with what the other opens; `answer` is what it answers with. */
function handlers(calls: string[], answer: () => { id: number }): SessionHandlers<Post, undefined> {
  return {
    place: () => {
      calls.push("place");
      return answer();
    },
    loose: (value) => {
      calls.push("loose");
      return value;
    },
    async *feed(_, { items }) {
      calls.push("feed");
      yield answer();
      for await (const item of items) calls.push(`item ${item.item}`);
    },
    noted: ({ item }) => void calls.push(`noted ${item}`),
    ticked: ({ item }) => void calls.push(`ticked ${item}`),
  };
}

/** An engine's end of a connection whose other end is by hand. */
interface Ends {
  readonly peer: HandPeer;
  readonly calls: string[];
  /** What the engine's side was told beside its calls. */
  readonly errors: HawserError[];
  /** The id that the peer may open its next conversation with. */
  readonly id: () => number;
  readonly request: (name: "loose" | "place", input: never) => Promise<unknown>;
  readonly stream: (input: never) => AsyncIterable<unknown> & {
    send(item: never): boolean;
    finished(): Promise<void>;
    return(): Promise<unknown>;
  };
  readonly emit: (name: "noted" | "ticked", payload: never) => Promise<unknown>;
}

describe("payloads that are not what the contract says", () => {
  const fixture = new SessionFixture("tcp");

  async function serve(
    answer: () => { id: number },
    options: SessionServerOptions<Post, undefined> = {},
  ): Promise<{ server: SessionServer<Post, undefined>; calls: string[]; errors: HawserError[] }> {
    const calls: string[] = [];
    const errors: HawserError[] = [];
    const server = createServer(post, handlers(calls, answer), {
      ...options,
      error: (error) => void errors.push(error),
    });
    fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
    await server.listen("tcp://127.0.0.1:0");
    return { server, calls, errors };
  }

  const ends: Record<
    "client" | "server",
    (answer: () => { id: number }, limits?: object) => Promise<Ends>
  > = {
    async server(answer, limits = {}) {
      const { server, calls, errors } = await serve(answer, limits);
      const peer = await HandPeer.greet(fixture, server.address(), post, {
        limits: { ...roomy, maxMessageBytes: 4 * 1_048_576 },
      });
      const [socket] = server.sockets;
      assert(socket !== undefined);
      let id = -1;
      return {
        peer,
        calls,
        errors,
        id: () => (id += 2),
        request: (name, input) => socket.request(name, input),
        stream: (input) => socket.stream("feed", input),
        emit: (name, payload) => socket.emit(name, payload),
      };
    },
    async client(answer, limits = {}) {
      const calls: string[] = [];
      const errors: HawserError[] = [];
      const { address, accepted } = await HandPeer.listen(fixture);
      const options: SessionConnectOptions<Post> = {
        ...limits,
        handlers: handlers(calls, answer) as never,
        reconnect: false,
      }; // the two differ in their contexts, which these do not use
      const connecting = connect(post, address, options);
      const peer = await accepted();
      await peer.welcome(post, { limits: { ...roomy, maxMessageBytes: 4 * 1_048_576 } });
      const client: SessionClient<Post> = await connecting;
      client.lifecycle.on("error", (error) => void errors.push(error));
      fixture.own({
        abort: () => {
          client.abort();
        },
      });
      let id = 0;
      return {
        peer,
        calls,
        errors,
        id: () => (id += 2),
        request: (name, input) => client.request(name, input),
        stream: (input) => client.stream("feed", input),
        emit: (name, payload) => client.emit(name, payload),
      };
    },
  };

  /** What the peer says of a failed conversation. */
  function failureOf({ kind, text }: ReadFrame): { code: string; path?: unknown; message: string } {
    assert.equal(kind, "FAIL");
    return JSON.parse(text) as ReturnType<typeof failureOf>; // as PROTOCOL.md §6 says
  }

  for (const side of ["client", "server"] as const) {
    it(`are refused where a ${side} sends them, with the path, and not a byte of them leaves`, async () => {
      const { peer, request, stream, emit } = await ends[side](() => ({ id: 1 }));
      const opened = stream(good as never);
      await peer.hearOf("STREAM");
      const before = peer.bytes.length;
      const wrong = { code: "INPUT_INVALID", origin: "local", path: ["counts", 1] };
      await assert.rejects(request("place", bad), wrong);
      await assert.rejects(request("place", undefined as never), {
        code: "INPUT_INVALID",
        path: [],
      });
      assert.throws(() => stream(bad), wrong);
      await assert.rejects(async () => emit("noted", bad), { ...wrong, code: "EVENT_INVALID" });
      await assert.rejects(async () => emit("ticked", bad), { ...wrong, code: "EVENT_INVALID" });
      assert.throws(() => opened.send(bad), { ...wrong, code: "ITEM_INVALID" });
      const cycle: unknown[] = [];
      cycle.push(cycle);
      for (const value of [10n, cycle, () => 1, Symbol("x"), { toJSON: () => undefined }])
        await assert.rejects(request("loose", value as never), { code: "PAYLOAD_FORBIDDEN" });
      await assert.rejects(request("loose", "x".repeat(4 * 1_048_576) as never), {
        code: "PAYLOAD_TOO_LARGE",
      });
      await turns(20);
      assert.equal(peer.bytes.length, before);
      // What comes next is the next good message, whole.
      opened.send(good as never);
      const { text } = await peer.hearOf("ITEM");
      assert.deepEqual(JSON.parse(text), good);
      await Promise.all([opened.return(), failure(opened.finished())]);
    });

    it(
      `are not sent where a handler of a ${side} answers with them: its peer hears ` +
        "HANDLER_FAILED alone, and it hears the path",
      async () => {
        const { peer, errors, id } = await ends[side](() => badReceipt);
        for (const [kind, name] of [
          [KIND.REQUEST, "place"],
          [KIND.STREAM, "feed"],
        ] as const) {
          errors.length = 0;
          peer.say(message(kind, id(), head(numberOf(post, name)), JSON.stringify(good)));
          const { code, path } = failureOf((await peer.hear()) as ReadFrame);
          assert.deepEqual([code, path], ["HANDLER_FAILED", undefined]);
          await until(() => errors.length > 0);
          const [{ path: where, cause }] = errors as [HawserError];
          assert.deepEqual(where ?? (cause as HawserError).path, ["id"]);
        }
        assert(!Buffer.from(peer.bytes).includes("SECRET"));
      },
    );

    it(`are refused where a ${side} gets them, with the path, and reach no handler`, async () => {
      const { peer, calls, errors, id } = await ends[side](() => ({ id: 1 }));
      const bodies: readonly (readonly [Uint8Array, readonly unknown[]])[] = [
        [utf8(JSON.stringify(bad)), ["counts", 1]],
        [utf8('{"counts":[]}'), ["item"]],
        [utf8("null"), []],
        [utf8(""), []],
        [utf8("{"), []],
        [utf8('{"item":"a","counts":[]} x'), []],
        [Uint8Array.of(0x22, 0xc3, 0x28, 0x22), []],
        [Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d), []],
      ];
      let number = 0;
      for (const [body, path] of bodies) {
        for (const [kind, name] of [
          [KIND.REQUEST, "place"],
          [KIND.STREAM, "feed"],
        ] as const) {
          peer.say(message(kind, id(), head(numberOf(post, name)), body));
          const failed = failureOf((await peer.hear()) as ReadFrame);
          assert.deepEqual([failed.code, failed.path], ["INPUT_INVALID", path]);
        }
        // In the middle of a stream: the items before it have been taken.
        calls.length = 0;
        const stream = id();
        peer.say(
          message(KIND.STREAM, stream, head(numberOf(post, "feed"), 8), JSON.stringify(good)),
          message(KIND.ITEM, stream, JSON.stringify(good)),
        );
        await peer.hearOf("ITEM");
        await until(() => calls.length === 2);
        peer.say(
          message(KIND.ITEM, stream, body),
          message(KIND.ITEM, stream, JSON.stringify(good)),
        );
        const failed = failureOf((await peer.hear()) as ReadFrame);
        assert.deepEqual([failed.code, failed.path], ["ITEM_INVALID", path]);
        peer.say(message(KIND.END, stream));
        assert.deepEqual(calls, ["feed", "item rope"]);
        errors.length = 0;
        peer.say(
          message(KIND.EVENT, 0, head(numberOf(post, "noted"), 4), u64(++number), body),
          message(KIND.EVENT, 0, head(numberOf(post, "ticked")), body),
        );
        const rejected = await peer.hearOf("REJECT");
        assert.deepEqual(rejected.payload.subarray(0, 8), u64(number));
        const { code, path: where } = JSON.parse(rejected.text.slice(8)) as HawserError;
        assert.deepEqual([code, where], ["INPUT_INVALID", path]);
        assert.deepEqual((await peer.hearOf("ACK")).payload, u64(number));
        await until(() => errors.length === 2);
        assert.deepEqual(
          errors.map((error) => [error.code, error.path]),
          [
            ["EVENT_INVALID", path],
            ["EVENT_INVALID", path],
          ],
        );
        assert.deepEqual(calls, ["feed", "item rope"]);
      }
    });

    it(
      `are refused where a ${side} gets them as answers, with the path, and the peer is told to ` +
        "stop",
      async () => {
        const { peer, request, stream } = await ends[side](() => ({ id: 1 }));
        for (const [body, path] of [
          ['{"id":"7"}', ["id"]],
          ["", []],
          ["}", []],
        ] as const) {
          const answer = failure(request("place", good as never));
          const asked = await peer.hearOf("REQUEST");
          peer.say(message(KIND.RESULT, asked.id, body));
          const error = await answer;
          assert.deepEqual(
            [error.code, error.origin, error.path],
            ["OUTPUT_INVALID", "remote", path],
          );
          const opened = stream(good as never);
          const items = failure(taken(opened));
          const streamed = await peer.hearOf("STREAM");
          peer.say(
            message(KIND.ITEM, streamed.id, '{"id":1}'),
            message(KIND.ITEM, streamed.id, body),
            message(KIND.ITEM, streamed.id, '{"id":2}'),
          );
          const invalid = await items;
          assert.deepEqual(
            [invalid.code, invalid.origin, invalid.path],
            ["ITEM_INVALID", "remote", path],
          );
          assert.equal((await peer.hearOf("CANCEL")).id, streamed.id);
          peer.say(message(KIND.FAIL, streamed.id, '{"code":"CANCELLED","message":""}'));
          const named = failure(request("place", good as never));
          peer.say(
            message(
              KIND.FAIL,
              (await peer.hearOf("REQUEST")).id,
              JSON.stringify({ code: "NAMED", message: "", name: "soldOut", payload: { id: "7" } }),
            ),
          );
          assert.deepEqual([(await named).code, (await named).path], ["OUTPUT_INVALID", ["id"]]);
        }
      },
    );
  }
});

/** Own members of what every object has. */
function prototypes(): unknown {
  return [Object, Array, String, Number, Boolean, Function, Map, Promise].map(({ prototype }) =>
    Reflect.ownKeys(prototype as object),
  );
}

describe("payloads that are meant to do harm", () => {
  const fixture = new SessionFixture("tcp");
  const deep = 1_000_000;
  const clean = prototypes();

  const bodies: Readonly<Record<string, string>> = {
    "__proto__ as a member": '{"item":"rope","counts":[1],"__proto__":{"polluted":1,"id":1}}',
    "__proto__ alone": '{"__proto__":{"item":"rope","counts":[1],"polluted":1}}',
    "constructor and prototype":
      '{"item":"rope","counts":[1],"constructor":{"prototype":{"polluted":1}},"toString":1,"then":{"then":1}}',
    "a million nested arrays": `${"[".repeat(deep)}${"]".repeat(deep)}`,
    "nested arrays in a field": `{"item":"rope","counts":${"[".repeat(10_000)}${"]".repeat(10_000)}}`,
    "nested objects": `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`,
    "a million nested arrays that do not end": "[".repeat(deep),
    "numbers that are too large, too small, too long": `{"item":"rope","counts":[1e999,-1e999,1e-999,-0,12345678901234567890123,${"9".repeat(100_000)},0.${"1".repeat(100_000)}]}`,
    "members that are there twice":
      '{"item":1,"item":"rope","counts":"none","counts":[1],"counts":[2]}',
    "texts with halves of characters, zeros and separators":
      '{"item":"\\ud800\\u0000\\u2028\\udfff","counts":[]}',
    "a hundred thousand members": `{"item":"rope","counts":[],${Array.from({ length: 100_000 }, (_, i) => `"m${i}":${i}`).join(",")}}`,
    "a body of numbers alone": "1".repeat(1_000_000),
  };

  for (const [what, body] of Object.entries(bodies)) {
    it(`do none to a server: ${what}`, async () => {
      const seen: unknown[] = [];
      const server = createServer(
        post,
        {
          ...handlers([], () => ({ id: 1 })),
          place(input) {
            seen.push(input);
            return { id: 1 };
          },
          // to write a million brackets takes Bun seconds
          loose: (value) => (Array.isArray(value) ? "a list" : value),
        },
        large,
      );
      fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
      await server.listen("tcp://127.0.0.1:0");
      const peer = await HandPeer.greet(fixture, server.address(), post);
      for (const name of ["place", "loose"]) {
        peer.say(message(KIND.REQUEST, 1, head(numberOf(post, name)), body));
        const answer = await answered(peer);
        if (answer.kind === "FAIL") assert.match(answer.text, /"(INPUT_INVALID|HANDLER_FAILED)"/);
      }
      peer.say(message(KIND.EVENT, 0, head(numberOf(post, "noted"), 4), u64(1), body));
      await peer.hearOf("ACK");
      peer.say(message(KIND.REQUEST, 1, head(numberOf(post, "loose")), '"still here"'));
      assert.equal((await answered(peer)).text, '"still here"');
      for (const input of seen) assert.equal(Object.getPrototypeOf(input), Object.prototype);
      assertClean();
    });

    it(`do none to a client, as answer, error, item and event: ${what}`, async () => {
      const { client, peer } = await welcomed();
      const loose = client.request("loose", 1).then(
        () => "RESULT",
        (error: unknown) => (error as HawserError).code, // it rejects with nothing else
      );
      peer.say(message(KIND.RESULT, (await peer.hearOf("REQUEST")).id, body));
      assert.match(await loose, /^(RESULT|OUTPUT_INVALID)$/);
      if (!what.endsWith("do not end")) {
        const place = failure(client.request("place", good));
        peer.say(
          message(
            KIND.FAIL,
            (await peer.hearOf("REQUEST")).id,
            `{"code":"NAMED","message":"","name":"soldOut","payload":${body}}`,
          ),
        );
        assert.equal((await place).code, "OUTPUT_INVALID");
      }
      const items = failure(taken(client.stream("feed", good)));
      const { id } = await peer.hearOf("STREAM");
      peer.say(message(KIND.ITEM, id, body));
      assert.equal((await items).code, "ITEM_INVALID");
      peer.say(
        message(KIND.FAIL, id, '{"code":"CANCELLED","message":""}'),
        message(KIND.EVENT, 0, head(numberOf(post, "ticked")), body),
      );
      const after = client.request("loose", "still here");
      peer.say(message(KIND.RESULT, (await peer.hearOf("REQUEST")).id, '"still here"'));
      assert.equal(await after, "still here");
      assertClean();
    });
  }

  it("do none to a client as what a FAIL says besides", async () => {
    const { client, peer } = await welcomed();
    for (const failed of [
      '{"code":"NAMED","message":"","name":"__proto__"}',
      '{"code":"constructor","message":"toString","path":["__proto__","a",1],"__proto__":{"polluted":1}}',
    ]) {
      const place = failure(client.request("place", good));
      peer.say(message(KIND.FAIL, (await peer.hearOf("REQUEST")).id, failed));
      assert.equal((await place).code, "REMOTE_HANDLER_FAILED");
    }
    assert.equal(client.state, "ready");
    assertClean();
  });

  it("do none to either as a greeting", async () => {
    const hostile = '"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}';
    const server = createServer(
      post,
      handlers([], () => ({ id: 1 })),
      {
        authenticate({ auth }): undefined {
          assert.deepEqual(auth, { name: "a" });
        },
      },
    );
    fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
    await server.listen("tcp://127.0.0.1:0");
    const peer = await HandPeer.dial(fixture, server.address());
    const text = JSON.stringify({ hawser: [1, 1], ...introduction(post), auth: { name: "a" } });
    peer.say(SIGNATURE, message(KIND.HELLO, 0, text.replace(/^\{/, `{${hostile},"hawser":1,`)));
    await peer.hearOf("WELCOME");
    const names = ["__proto__", "constructor", "toString"].map((name) => [
      name,
      "request",
      "json",
      "",
    ]);
    const { messages } = introduction(post);
    const other = await HandPeer.dial(fixture, server.address());
    other.say(
      SIGNATURE,
      message(
        KIND.HELLO,
        0,
        JSON.stringify({
          hawser: [1, 1],
          ...introduction(post),
          auth: { name: "a" },
          messages: [...messages, ...names],
        }),
      ),
    );
    assert.match((await other.hearOf("REFUSE")).text, /CONTRACT_DIFFERS/);
    assertClean();
  });

  async function welcomed(): Promise<{ client: SessionClient<Post>; peer: HandPeer }> {
    const { address, accepted } = await HandPeer.listen(fixture);
    const connecting = connect(post, address, {
      ...large,
      reconnect: false,
      handlers: handlers([], () => ({ id: 1 })) as never,
    }); // as above
    const peer = await accepted();
    await peer.welcome(post);
    const client = await connecting;
    fixture.own({
      abort: () => {
        client.abort();
      },
    });
    return { client, peer };
  }

  function assertClean(): void {
    assert.deepEqual(prototypes(), clean);
    assert.equal(Reflect.get({}, "polluted"), undefined);
  }
});

/**
 * The answer to the request 1, joined where it comes in pieces; the credit between is of no matter.
 */
async function answered(peer: HandPeer): Promise<ReadFrame> {
  for (let text = ""; ;) {
    const next = await peer.hear();
    assert(next !== null, "the server has ended");
    if (next.kind !== "RESULT" && next.kind !== "FAIL") continue;
    text += next.text;
    if (!next.more) return { ...next, text };
  }
}
