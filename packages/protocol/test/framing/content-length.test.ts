import { describe, expect, it } from "vitest";
import { contentLength } from "../../src/mod.ts";
import { verifyFraming } from "../../src/testing/mod.ts";
import { encoded, latin1, onlyFault, outcome, partials, toHex } from "../every-cut.ts";

const framing = contentLength();

/** A stream of one frame with these headers. */
const block = (headers: string[], payload = "{}"): string =>
  `${headers.map((header) => `${header}\r\n`).join("")}\r\n${payload}`;
const malformedAt = (offset: number) => ({
  frames: [],
  faults: [`FRAME_MALFORMED at ${String(offset)}`],
});

describe("contentLength()", () => {
  it("keeps the contract of a framing", { timeout: 60_000 }, () => {
    const streams = [
      block(["content-length: 2", "X-A: \t\xff"]),
      block(["Content-Type: a/b; charset=utf8", "Content-Length: 0"], ""),
    ];
    verifyFraming(
      framing,
      ["", "{}", "\r\n\r\n", "Content-Length: 1", "x".repeat(300)].map(latin1),
      { streams: streams.map(latin1) },
    );
  });

  it("writes one header, in the bytes of the Language Server Protocol", () => {
    expect(encoded(framing, "{}", "0123456789")).toBe(
      toHex(latin1("Content-Length: 2\r\n\r\n{}Content-Length: 10\r\n\r\n0123456789")),
    );
  });

  it.each([
    [["Content-Length: 2"]],
    [["content-length: 2"]],
    [["CONTENT-LENGTH: 2"]],
    [["Content-Length: 2", "Content-Type: application/vscode-jsonrpc; charset=utf-8"]],
    [["Content-Type: application/vscode-jsonrpc; charset=utf8", "Content-Length: 2"]],
    [["Content-Length: 2", 'content-type: a/b; x=y;CHARSET="UTF-8"']],
    [["Content-Length: 2", "Content-Type: application/json"]],
    [["X-Trace: 1", "!#$%&'*+-.^_`|~: \t\x80\xff: \"", "Empty: ", "Content-Length: 2"]],
  ])("reads a frame after the headers %j", (headers) => {
    expect(outcome(framing, block(headers) + block(headers))).toEqual({
      frames: ["{}", "{}"],
      faults: [],
    });
  });

  it.each([
    ["", 0],
    ["7abc", 1],
    ["0x7", 1],
    ["007", 1],
    ["00", 1],
    ["+7", 0],
    ["-5", 0],
    [" 7", 0],
    ["7 ", 1],
    ["7\t", 1],
    ["7.0", 1],
    ["7e0", 1],
    ["7,7", 1],
    ["7, 7", 1],
    ["7_0", 1],
    ["1000000000", 9],
    ["18446744073709551616", 9],
    ["\xd9\xa7", 0],
    ["seven", 0],
  ])("rejects the length %j at its byte %i", (value, at) => {
    expect(outcome(framing, block([`Content-Length: ${value}`]))).toEqual(malformedAt(16 + at));
  });

  it(
    "rejects headers without Content-Length at the empty line, and a second Content-Length at " +
      "its first byte",
    () => {
      expect(outcome(framing, "\r\n")).toEqual(malformedAt(0));
      expect(outcome(framing, block(["X: y"]))).toEqual(malformedAt(6));
      expect(outcome(framing, block(["Content-Length: 2", "content-length: 2"]))).toEqual(
        malformedAt(19),
      );
    },
  );

  it("rejects each byte that breaks a header's grammar, at that byte", () => {
    expect(outcome(framing, "GET / HTTP/1.1\r\n\r\n")).toEqual(malformedAt(3));
    expect(outcome(framing, ": 2\r\n\r\n")).toEqual(malformedAt(0));
    expect(outcome(framing, "Content-Length\r\n\r\n")).toEqual(malformedAt(14));
    expect(outcome(framing, "Content-Length : 2\r\n\r\n")).toEqual(malformedAt(14));
    expect(outcome(framing, "Content-Length:2\r\n\r\n{}")).toEqual(malformedAt(15));
    expect(outcome(framing, "Content-Length:\r\n\r\n")).toEqual(malformedAt(15));
    expect(outcome(framing, " Content-Length: 2\r\n\r\n{}")).toEqual(malformedAt(0));
    expect(outcome(framing, "X: a\x00b\r\n\r\n")).toEqual(malformedAt(4));
    expect(outcome(framing, "X: a\x7fb\r\n\r\n")).toEqual(malformedAt(4));
    expect(outcome(framing, "X: a\rb\r\n\r\n")).toEqual(malformedAt(4));
    expect(outcome(framing, "X: a\r\r\n\r\n")).toEqual(malformedAt(4));
  });

  it("rejects a bare LF at that byte", () => {
    expect(outcome(framing, "Content-Length: 2\n\n{}")).toEqual(malformedAt(17));
    expect(outcome(framing, "Content-Length: 2\r\n\n{}")).toEqual(malformedAt(19));
    expect(outcome(framing, "\n")).toEqual(malformedAt(0));
  });

  it("rejects a charset that is not UTF-8 at its first byte", () => {
    expect(outcome(framing, "Content-Type: a; charset=latin1\r\n")).toEqual(malformedAt(25));
    expect(outcome(framing, 'Content-Type: a; charset="utf-16"\r\n')).toEqual(malformedAt(26));
    expect(outcome(framing, "Content-Type: a; charset=\r\n")).toEqual(malformedAt(25));
    expect(outcome(framing, "Content-Type: a; charset=utf-8; charset=x\r\n")).toEqual(
      malformedAt(40),
    );
  });

  it("takes 32 headers and 4096 bytes of them, and not one more", { timeout: 60_000 }, () => {
    const headers = (count: number): string[] => [
      "Content-Length: 2",
      ...Array.from({ length: count - 1 }, () => "X: y"),
    ];
    expect(outcome(framing, block(headers(32)))).toEqual({ frames: ["{}"], faults: [] });
    expect(outcome(framing, block(headers(33)))).toEqual(malformedAt(19 + 31 * 6));
    const filled = (blockBytes: number): string =>
      block(["Content-Length: 2", `X: ${"y".repeat(blockBytes - 19 - 5 - 2)}`]);
    expect(outcome(framing, filled(4096))).toEqual({ frames: ["{}"], faults: [] });
    expect(outcome(framing, filled(4097))).toEqual(malformedAt(4096));
    expect(outcome(framing, "X".repeat(5000))).toEqual(malformedAt(4096));
    expect(outcome(framing, "X".repeat(4096))).toEqual({
      frames: [],
      faults: ["FRAME_TRUNCATED at 4096"],
    });
  });

  it("counts the headers of each frame anew", () => {
    const headers = ["Content-Length: 2", ...Array.from({ length: 31 }, () => "X: y")];
    expect(outcome(framing, block(headers) + block(headers)).frames).toEqual(["{}", "{}"]);
  });

  it("rejects a frame above maxFrameBytes at its length's first digit, or passes over it", () => {
    const stream = block(["X: y", "Content-Length: 3"], "abc") + block(["Content-Length: 2"]);
    expect(outcome(framing, stream, { maxFrameBytes: 2 })).toEqual({
      frames: [],
      faults: ["FRAME_TOO_LARGE at 22"],
    });
    expect(outcome(framing, stream, { maxFrameBytes: 2, onOversize: "skip" })).toEqual({
      frames: ["{}"],
      faults: ["FRAME_TOO_LARGE at 22, passed over"],
    });
    expect(onlyFault(framing, "Content-Length: 999999999\r\n\r\n")).toMatchObject({
      size: 999_999_999,
    });
  });

  it.each([
    "C",
    "Content-Length: 2",
    "Content-Length: 2\r\n",
    "Content-Length: 2\r\n\r",
    "Content-Length: 2\r\n\r\n{",
  ])("reports a stream that ends inside a frame: %j", (stream) => {
    expect(outcome(framing, stream)).toEqual({
      frames: [],
      faults: [`FRAME_TRUNCATED at ${String(stream.length)}`],
    });
  });

  it("is partial from the first header's first byte to the payload's last", () => {
    expect(partials(framing, "Content-Length: 1\r\n\r\n{C")).toBe(`${"p".repeat(21)}-p`);
  });
});
