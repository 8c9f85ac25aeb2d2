import { expect, test } from "vitest";
import { ByteWriter } from "../../src/bytes/writer.ts";
import {
  decodeChunks,
  describeFault,
  encodeFrames,
  type FrameEncoder,
  type Framing,
  malformed,
  openFrame,
  sealFrame,
  tooLarge,
  truncated,
} from "../../src/framing/framing.ts";
import { lengthPrefixed } from "../../src/framing/length-prefixed.ts";
import { lines } from "../../src/framing/lines.ts";
import { hex, latin, toHex } from "../notation.ts";

test("decodeChunks() takes any iterable, gives copies, and says null when nothing is wrong", () => {
  const storage = latin("a\nbb\n");
  function* chunks(): Generator<Uint8Array> {
    yield storage.subarray(0, 1);
    yield new Uint8Array(0);
    yield storage.subarray(1);
  }
  const { frames, fault } = decodeChunks(lines(), chunks());
  storage.fill(0);
  expect(frames.map(toHex)).toEqual(["61", "62 62"]);
  expect(
    frames.every(
      (frame) => frame.constructor === Uint8Array && frame.buffer.byteLength === frame.length,
    ),
  ).toBe(true);
  expect(fault).toBeNull();
});

test("decodeChunks() copies the frames of a Buffer too", () => {
  const chunk = Buffer.from("a\n");
  const { frames } = decodeChunks(lines(), [chunk]);
  chunk.fill(0);
  expect(frames.map(toHex)).toEqual(["61"]);
});

test("decodeChunks() of nothing is nothing", () => {
  expect(decodeChunks(lines(), [])).toEqual({ frames: [], fault: null });
});

test("decodeChunks() gives the first of several faults, and the frames around it", () => {
  const { frames, fault } = decodeChunks(lines(), [latin("aaa\nb\ncccc\nd")], {
    maxFrameBytes: 2,
    onOversize: "skip",
  });
  expect(frames.map(toHex)).toEqual(["62"]);
  expect(fault).toMatchObject({ code: "FRAME_TOO_LARGE", offset: 2, fatal: false });
});

test("decodeChunks() and encodeFrames() check the limits", () => {
  expect(() => decodeChunks(lines(), [], { maxFrameBytes: 0 })).toThrow(RangeError);
  expect(() => encodeFrames(lines(), [], { maxFrameBytes: -1 })).toThrow(RangeError);
});

test("encodeFrames() of nothing is no bytes", () => {
  expect(encodeFrames(lines(), [])).toEqual(new Uint8Array(0));
});

test("encodeFrames() takes a payload at maxFrameBytes and refuses one byte more, with both numbers", () => {
  expect(toHex(encodeFrames(lengthPrefixed(), [hex("01 02")], { maxFrameBytes: 2 }))).toBe(
    "00 00 00 02 01 02",
  );
  expect(() => encodeFrames(lengthPrefixed(), [hex("01 02 03")], { maxFrameBytes: 2 })).toThrow(
    expect.objectContaining({
      code: "PAYLOAD_TOO_LARGE",
      message:
        "Cannot send a message of 3 bytes: maxFrameBytes is 2; raise it on both ends, or send less",
    }),
  );
});

test("openFrame() leaves the header's room, sealFrame() counts the payload without it", () => {
  const sealed: number[] = [];
  const encoder: FrameEncoder = { headerBytes: 3, seal: (_, start) => void sealed.push(start) };
  const output = new ByteWriter();
  output.append(hex("01 02"));
  const start = openFrame(encoder, output);
  expect([start, output.length]).toEqual([2, 5]);
  output.append(hex("0a 0b"));
  sealFrame(encoder, output, start, 2);
  expect(() => {
    sealFrame(encoder, output, start, 1);
  }).toThrow(expect.objectContaining({ code: "PAYLOAD_TOO_LARGE" }));
  expect(sealed).toEqual([2]);
});

test("tooLarge() says limit, size and who may be wrong; it is fatal unless the policy is to skip", () => {
  expect(tooLarge(7, 12, { maxFrameBytes: 10 }, true)).toEqual({
    code: "FRAME_TOO_LARGE",
    offset: 7,
    fatal: true,
    limit: 10,
    size: 12,
    detail:
      "The peer's frame has 12 bytes, maxFrameBytes is 10: raise the limit, or see whether the " +
      "peer uses this framing",
  });
  expect(tooLarge(7, 11, { maxFrameBytes: 10, onOversize: "skip" }, false)).toMatchObject({
    fatal: false,
    detail: expect.stringContaining("more than 10 bytes") as string,
  });
});

test("malformed() and truncated() are fatal", () => {
  expect(malformed(3, "wrong")).toEqual({
    code: "FRAME_MALFORMED",
    offset: 3,
    fatal: true,
    detail: "wrong",
  });
  expect(truncated(9, 4, "the end")).toEqual({
    code: "FRAME_TRUNCATED",
    offset: 9,
    fatal: true,
    size: 4,
    detail: "The stream ended inside a frame: 4 bytes of it arrived, the end is missing",
  });
});

test("describeFault() stays under 256 bytes with the largest numbers there are", () => {
  const limits = { maxFrameBytes: Number.MAX_SAFE_INTEGER };
  for (const fault of [
    tooLarge(Number.MAX_SAFE_INTEGER, 2 ** 64, limits, true),
    truncated(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, `${String(2 ** 63)} bytes`),
  ]) {
    expect(fault.detail.length).toBeLessThanOrEqual(160);
    expect(describeFault(fault)).toBe(`${fault.detail} (at byte 9007199254740991 of the stream)`);
    expect(describeFault(fault).length).toBeLessThanOrEqual(256);
  }
});

test("a framing whose decoder says nothing of `partial` is a framing", () => {
  const silent: Framing = {
    name: "silent",
    decoder: () => ({ push: () => undefined, end: () => undefined }),
    encoder: () => ({ headerBytes: 0, seal: () => undefined }),
  };
  expect(decodeChunks(silent, [latin("a")])).toEqual({ frames: [], fault: null });
});
