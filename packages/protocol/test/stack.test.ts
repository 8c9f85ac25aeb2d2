import { afterEach, describe, expect, it } from "vitest";
import { json, lines, text, wire } from "../src/mod.ts";
import { WireDecoder } from "../src/engine.ts";
import { HawserError } from "../src/errors.ts";
import { JsonParser, parseJson, peerError, withoutStack } from "../src/stack.ts";
import { frame, KIND, linesOf, readyServer } from "./session/by-hand.ts";
import { End as JsonRpcEnd } from "./json-rpc/end.ts";

const frames = (error: unknown): number =>
  error instanceof Error ? (error.stack ?? "").split("\n    at ").length - 1 : -1;
const utf8 = (written: string): Uint8Array => new TextEncoder().encode(written);
const before = Error.stackTraceLimit;

afterEach(() => {
  expect(Error.stackTraceLimit).toBe(before);
});

describe("errors that a peer's bytes cause", () => {
  it("peerError() makes a HawserError without a stack, and leaves the limit as it was", () => {
    const error = peerError("MESSAGE_INVALID", "no");
    expect(error).toBeInstanceOf(HawserError);
    expect([frames(error), error.code, error.message]).toEqual([0, "MESSAGE_INVALID", "no"]);
    expect(frames(new HawserError("MESSAGE_INVALID", "no"))).toBeGreaterThan(0);
    expect(() =>
      withoutStack(() => {
        throw new RangeError("mine");
      }),
    ).toThrow("mine");
  });

  it("parseJson() throws what JSON.parse throws, without a stack", () => {
    expect(parseJson('{"a":[1]}')).toEqual({ a: [1] });
    let caught: unknown;
    try {
      parseJson("{");
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(SyntaxError);
    expect(frames(caught)).toBe(0);
  });

  it("a JsonParser's errors have none while texts go on being invalid", () => {
    const parser = new JsonParser();
    const stack = (text: string): number => {
      try {
        parser.parse(text);
        return -1;
      } catch (error) {
        return Math.min(frames(error), 1);
      }
    };
    expect(["{", "{", "[", "1", "{", "{"].map(stack)).toEqual([1, 0, 0, -1, 1, 0]);
  });

  it("parses on where Error is frozen", () => {
    const descriptor = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit") ?? {
      value: 10,
      writable: true,
      configurable: true,
      enumerable: true,
    };
    Object.defineProperty(Error, "stackTraceLimit", { ...descriptor, writable: false });
    try {
      expect(parseJson("[1]")).toEqual([1]);
      expect(() => parseJson("[")).toThrow(SyntaxError);
      expect(peerError("MESSAGE_INVALID", "no").code).toBe("MESSAGE_INVALID");
    } finally {
      Object.defineProperty(Error, "stackTraceLimit", descriptor);
    }
  });

  it("a wire's fault and its cause have none", () => {
    const faults: HawserError[] = [];
    const sink = {
      message: () => undefined,
      finished: () => undefined,
      fault: (error: HawserError) => void faults.push(error),
    };
    new WireDecoder(wire({ framing: lines(), codec: json() }), {}, sink).push(utf8("{\n"));
    new WireDecoder(wire({ framing: lines(), codec: text() }), { maxFrameBytes: 3 }, sink).push(
      utf8("12345\n"),
    );
    expect(
      faults.map(({ code, stack, cause }) => [
        code,
        frames({ stack }),
        cause instanceof Error ? frames(cause) : 0,
      ]),
    ).toEqual([
      ["MESSAGE_INVALID", -1, 0],
      ["FRAME_TOO_LARGE", -1, 0],
    ]);
    expect(faults.map((error) => frames(error))).toEqual([0, 0]);
  });

  it("a session's failures have none, nor what JSON-RPC drops", () => {
    const server = readyServer();
    server.session.receive(frame(KIND.RESULT, 2, "x"), 0);
    expect(linesOf(server.take())[0]).toMatch(/^CLOSE 0 .*PROTOCOL_VIOLATION/);
    const rpc = JsonRpcEnd.ready("server");
    rpc.hear(
      "{",
      { jsonrpc: "2.0", method: "typing", params: { who: 7 } },
      { jsonrpc: "2.0", method: "unknown" },
    );
    expect(rpc.errors.map((error) => frames(error))).toEqual([0, 0, 0]);
  });
});
