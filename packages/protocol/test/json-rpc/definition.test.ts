import { describe, expect, test } from "vitest";
import {
  bytes,
  contentLength,
  defineProtocol,
  jsonRpc,
  type JsonRpcOptions,
  lengthPrefixed,
  lines,
  type Protocol,
  raw,
  text,
} from "../../src/mod.ts";
import { type } from "../../src/contract/schema.ts";
import { desk } from "./end.ts";

const plain = { name: "plain", version: 1 };

describe("jsonRpc()", () => {
  test("is a frozen value with the contract, over contentLength() unless it is told", () => {
    const kind = jsonRpc(desk);
    expect(Object.isFrozen(kind)).toBe(true);
    expect(kind.contract).toBe(desk);
    expect(kind.name).toBe("json-rpc over contentLength");
    expect(jsonRpc(desk, { framing: lines() }).name).toBe("json-rpc over lines(any)");
    expect(jsonRpc(desk, { framing: lengthPrefixed() }).name).toMatch(
      /^json-rpc over lengthPrefixed/,
    );
  });

  test.each<[string, Protocol, JsonRpcOptions?]>([
    ["a stream", defineProtocol({ ...plain, streams: { tail: { item: type<number>() } } })],
    [
      "a codec that is not JSON",
      defineProtocol({
        ...plain,
        requests: { say: { input: type<string>(), codec: text() as never } },
      }),
    ],
    [
      "bytes",
      defineProtocol({
        ...plain,
        events: { say: { payload: type<Uint8Array>(), codec: bytes() as never } },
      }),
    ],
    ["a name of JSON-RPC itself", defineProtocol({ ...plain, requests: { "rpc.discover": {} } })],
    [
      "delivery at least once",
      defineProtocol({ ...plain, events: { letter: { delivery: "at-least-once" } } }),
    ],
    ["no framing", desk, { framing: raw() }],
    ["a code for an error that the contract does not name", desk, { errorCodes: { none: 7 } }],
    ["a code for a name of every object", desk, { errorCodes: { toString: 7 } }],
    ["a batch limit of another type", desk, { maxBatchMessages: "3" as never }],
  ])("refuses %s with a TypeError", (_, contract, options) => {
    expect(() => jsonRpc(contract, options)).toThrow(TypeError);
  });

  test.each<[string, JsonRpcOptions]>([
    ["a code that is no whole number", { errorCodes: { notFound: 1.5 } }],
    ["a code of JSON-RPC", { errorCodes: { notFound: -32_601 } }],
    ["the code of cancelled requests", { errorCodes: { notFound: -32_800 } }],
    ["the code of errors without a code", { errorCodes: { notFound: 1 } }],
    ["one code for two errors", { errorCodes: { notFound: 7, gone: 7 } }],
    ["batches of none", { maxBatchMessages: 0 }],
  ])("refuses %s with a RangeError", (_, options) => {
    expect(() => jsonRpc(desk, options)).toThrow(RangeError);
  });

  test("knows the names of the contract's errors", () => {
    const contract = defineProtocol({
      ...plain,
      requests: {
        get: { errors: { notFound: type<number>(), gone: type<undefined>() } },
        put: { errors: { full: type<undefined>() } },
        ping: {},
      },
    });
    expect(() => jsonRpc(contract, { errorCodes: { notFound: 404, full: 507 } })).not.toThrow();
    // @ts-expect-error: the contract has no error of that name
    expect(() => jsonRpc(contract, { errorCodes: { none: 404 } })).toThrow(TypeError);
    expect(jsonRpc(contract).contract.definition.requests.put.errors).toHaveProperty("full");
  });

  test("takes delivery at least once for at most once, when it is told to", () => {
    expect(() =>
      jsonRpc(defineProtocol({ ...plain, events: { letter: { delivery: "at-least-once" } } }), {
        downgrade: true,
      }),
    ).not.toThrow();
  });

  test("checks the limits where a session is made", () => {
    const sink = {} as never;
    const random = (count: number): Uint8Array => new Uint8Array(count);
    expect(() =>
      jsonRpc(desk).session("client", { limits: { maxConversations: 0 }, random }, sink),
    ).toThrow(RangeError);
    expect(() =>
      jsonRpc(desk).session("client", { limits: { maxConversations: "1" as never }, random }, sink),
    ).toThrow(TypeError);
  });

  test("writes a refusal that any peer can read", () => {
    const refusal = jsonRpc(desk, { framing: contentLength() }).refusal({
      code: "DRAINING",
      message: "The server is closing",
    } as never);
    const body =
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"The server is ' +
      'closing","data":{"code":"DRAINING"}}}';
    expect(new TextDecoder().decode(refusal)).toBe(`Content-Length: ${body.length}\r\n\r\n${body}`);
  });
});
