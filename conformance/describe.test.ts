// The contract as data, asked of a server that offers it: who may ask, what comes, and that one can
// call the server with it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect as connectTo, fetchContract } from "@hawser/client";
import {
  contractSchema,
  defineProtocol,
  HawserError,
  jsonRpc,
  protocolFromSchema,
  type,
} from "@hawser/protocol";
import type { Hello } from "@hawser/protocol";
import {
  frame,
  framesOf,
  head,
  joined,
  KIND,
  type ReadFrame,
  SIGNATURE,
} from "@hawser/protocol/testing";
import { createServer } from "@hawser/server";
import type { AddressInput } from "@hawser/transport";
import { rawBytes, until } from "./conversation.ts";
import { failure, SessionFixture } from "./sessions.ts";
import { transports } from "./transports.ts";

const math = defineProtocol({
  name: "math",
  version: 3,
  accepts: [2, 3],
  requests: { double: { input: type<number>(), output: type<number>() } },
  streams: { count: { input: type<number>(), item: type<number>() } },
  events: { note: { payload: type<string>(), from: "client", delivery: "at-least-once" } },
});
const handlers = {
  double: (value: number) => 2 * value,
  *count(to: number) {
    for (let i = 1; i <= to; i++) yield i;
  },
  note: () => undefined,
};

for (const transport of transports) {
  describe(`describe() over ${transport}`, () => {
    const fixture = new SessionFixture(transport);

    it("gives the contract's document where the server offers it, and null where it does not", async () => {
      const offering = await fixture.serveContract(math, handlers, { offerContract: true });
      const client = await offering.connect();
      assert.deepEqual(await client.describe(), JSON.parse(JSON.stringify(contractSchema(math))));
      assert.equal(await client.request("double", 2), 4, "what is asked next is answered as ever");
      const closed = await fixture.serveContract(math, handlers);
      assert.equal(await (await closed.connect()).describe(), null);
    });

    it("gives a contract in many pieces, to many who ask at once, again after a resumption", async () => {
      const names = Array.from({ length: 350 }, (_, i) => `message-${String(i)}`);
      const large = defineProtocol({
        name: "large",
        version: 1,
        requests: Object.fromEntries(
          names.map((name) => [
            name,
            {
              input: type<string>(),
              errors: Object.fromEntries(
                names.slice(0, 16).map((error) => [error, type<string>()]),
              ),
            },
          ]),
        ),
      });
      const given = Object.fromEntries(names.map((name) => [name, () => undefined]));
      const { connect, server } = await fixture.serveContract(large, given, {
        offerContract: true,
      });
      const client = await connect({ reconnect: { initialMs: 1 } });
      const expected = JSON.parse(JSON.stringify(contractSchema(large))) as unknown;
      assert(JSON.stringify(expected).length > 100_000);
      for (const one of await Promise.all(Array.from({ length: 20 }, () => client.describe())))
        assert.deepEqual(one, expected);
      const [socket] = server.sockets;
      let resumed = 0;
      client.lifecycle.on("resumed", () => resumed++);
      socket?.abort();
      await until(() => resumed === 1);
      assert.deepEqual(await client.describe(), expected);
      const small = await failure((await connect({ maxMessageBytes: 65_536 })).describe());
      assert.equal(
        small.code,
        "REMOTE_HANDLER_FAILED",
        "a document that the client can't take is the server's failure",
      );
    });

    it("rejects without a connection, and when it is aborted", async () => {
      const { connect, server } = await fixture.serveContract(math, handlers, {
        offerContract: true,
      });
      const client = await connect({ reconnect: { initialMs: 60_000 }, queue: { policy: "hold" } });
      assert.equal(
        (await failure(client.describe({ signal: AbortSignal.abort() }))).code,
        "CALL_CANCELLED",
      );
      for (const socket of server.sockets) socket.abort();
      await until(() => client.state === "disconnected");
      assert.equal((await failure(client.describe())).code, "NOT_READY");
      await client.close();
      assert.equal((await failure(client.describe())).code, "SESSION_CLOSED");
    });
  });
}

describe("the contract of a server whose source one does not have", () => {
  const fixture = new SessionFixture("tcp");

  async function serve(offerContract: boolean): Promise<AddressInput> {
    const server = createServer(math, handlers, {
      offerContract,
      authenticate: ({ auth }: Hello) => {
        if (auth !== "key") throw new HawserError("AUTH_REFUSED", "Give a key");
      },
      error: () => undefined,
    });
    fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
    return server.listen("tcp://localhost:0");
  }

  it(
    "fetchContract() gets it by its name alone, and protocolFromSchema() lets one call, stream " +
      "and emit",
    async () => {
      const address = await serve(true);
      const document = await fetchContract("math", address, { auth: "key" });
      const contract = protocolFromSchema(document);
      assert.equal(contract.fingerprint, math.fingerprint);
      const client = await connectTo(contract, address, { auth: "key" });
      assert.equal(await client.request("double", 21), 42);
      const items: unknown[] = [];
      for await (const item of client.stream("count", 3)) items.push(item);
      assert.deepEqual(items, [1, 2, 3]);
      assert.equal(await client.emit("note", "hello"), "delivered");
      await client.close();
    },
  );

  it("fetchContract() says that there is none, that the name is another, that it was not let in", async () => {
    assert.equal(await fetchContract("math", await serve(false), { auth: "key" }), null);
    const address = await serve(true);
    assert.equal(
      (await failure(fetchContract("maths", address, { auth: "key" }))).code,
      "PROTOCOL_MISMATCH",
    );
    assert.equal((await failure(fetchContract("math", address))).code, "AUTH_REFUSED");
  });

  it("is null over JSON-RPC", async () => {
    const spoken = jsonRpc(defineProtocol({ name: "math", version: 3, requests: { ping: {} } }));
    const server = createServer(spoken, { ping: () => undefined }, { offerContract: true });
    fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
    const client = await connectTo(spoken, await server.listen("tcp://localhost:0"));
    assert.equal(await client.describe(), null);
    await client.close();
  });

  it("createServer() takes offerContract as true or false", () => {
    assert.throws(() => createServer(math, handlers, { offerContract: "yes" as never }), {
      name: "TypeError",
      message: /offerContract "yes": it is true or false/,
    });
  });
});

describe("$contract on the wire", () => {
  const fixture = new SessionFixture("tcp");
  const CONTRACT = 0xffff;

  /** A client by hand that offers these features. */
  async function greet(
    offerContract: boolean,
    features: unknown,
  ): Promise<{ frames: () => ReadFrame[]; send(bytes: Uint8Array): void }> {
    const server = createServer(math, handlers, { offerContract, error: () => undefined });
    fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
    const socket = fixture.own(await connectTo(rawBytes, await server.listen("tcp://localhost:0")));
    const limits = {
      maxMessageBytes: 1_048_576,
      maxPartials: 4,
      maxConversations: 4,
      windowBytes: 65_536,
      eventWindowBytes: 65_536,
    };
    const messages = math.messages.map((entry) => [
      entry.name,
      entry.type,
      entry.codec.name,
      entry.digest,
    ]);
    socket.send(
      joined(
        SIGNATURE,
        frame(
          KIND.HELLO,
          0,
          JSON.stringify({
            hawser: [1, 1],
            protocol: "math",
            version: 3,
            accepts: [3, 3],
            features,
            messages,
            limits,
          }),
        ),
      ),
    );
    let came: Uint8Array = new Uint8Array(0);
    void (async () => {
      for await (const chunk of socket) came = joined(came, chunk);
    })().catch(() => undefined);
    const frames = (): ReadFrame[] => {
      let end = SIGNATURE.length;
      while (end + 4 <= came.length) {
        const next = end + 4 + new DataView(came.buffer, came.byteOffset + end).getUint32(0);
        if (next > came.length) break;
        end = next;
      }
      return framesOf(came.subarray(SIGNATURE.length, end));
    };
    await until(() => frames().length > 0);
    return { frames, send: (bytes) => void socket.send(bytes) };
  }

  const features = ({ frames }: { frames: () => ReadFrame[] }): unknown =>
    (JSON.parse(frames()[0]?.text ?? "null") as { features?: unknown }).features;

  it("is agreed where both offer it, among features that are not known", async () => {
    assert.deepEqual(features(await greet(true, ["later", "contract"])), ["contract"]);
    assert.deepEqual(features(await greet(true, [])), []);
    assert.deepEqual(features(await greet(false, ["contract"])), []);
  });

  it("is answered with the document, whatever the request's body, and its id is free again", async () => {
    const peer = await greet(true, ["contract"]);
    for (const body of ["", "{}", "no json"])
      peer.send(frame(KIND.REQUEST, 1, head(CONTRACT), body));
    await until(() => peer.frames().length === 4);
    const [, ...answers] = peer.frames();
    for (const { kind, id, text } of answers)
      assert.deepEqual(
        [kind, id, JSON.parse(text)],
        ["RESULT", 1, JSON.parse(JSON.stringify(contractSchema(math)))],
      );
  });

  for (const [what, offer, names, kind, name] of [
    ["where the server does not offer it", false, ["contract"], KIND.REQUEST, CONTRACT],
    ["where the client did not", true, [], KIND.REQUEST, CONTRACT],
    ["as a stream", true, ["contract"], KIND.STREAM, CONTRACT],
    ["by the number below", true, ["contract"], KIND.REQUEST, CONTRACT - 1],
  ] as const) {
    it(`is a PROTOCOL_VIOLATION ${what}`, async () => {
      const peer = await greet(offer, names);
      peer.send(frame(kind, 1, head(name)));
      await until(() => peer.frames().length === 2);
      assert.deepEqual(
        [
          peer.frames()[1]?.kind,
          (JSON.parse(peer.frames()[1]?.text ?? "{}") as { code?: string }).code,
        ],
        ["CLOSE", "PROTOCOL_VIOLATION"],
      );
    });
  }

  for (const [what, given] of [
    ["no list", "contract"],
    ["null", null],
    ["a feature that is no text", [1]],
    ["a feature that is empty", [""]],
    ["a feature of 65 bytes", ["x".repeat(63) + "é"]],
    ["a feature twice", ["a", "b", "a"]],
    ["33 features", Array.from({ length: 33 }, (_, i) => String(i))],
  ] as const) {
    it(`features: ${what} is HELLO_INVALID`, async () => {
      const peer = await greet(true, given);
      assert.deepEqual(
        [
          peer.frames()[0]?.kind,
          (JSON.parse(peer.frames()[0]?.text ?? "{}") as { code?: string }).code,
        ],
        ["REFUSE", "HELLO_INVALID"],
      );
    });
  }

  it("features: 32 of 64 bytes are taken", async () => {
    assert.deepEqual(
      features(
        await greet(true, [
          "contract",
          ...Array.from({ length: 31 }, (_, i) => `${String(i).padStart(2, "0")}${"é".repeat(31)}`),
        ]),
      ),
      ["contract"],
    );
  });
});
