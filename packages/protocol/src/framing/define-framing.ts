/**
 * defineFraming(): a framing of one's own, checked and frozen. Owns nothing but the check of its
 * shape; what a framing must do is said in framing.ts, and held to it by `verifyFraming` of
 * `@hawser/protocol/testing`. A guide that builds one: docs/guides/own-framing.md.
 *
 * @module
 */
import { checkOptions } from "../arguments.ts";
import type { FrameDecoder, FrameEncoder, Framing } from "./framing.ts";
import type { FrameLimits } from "../limits.ts";

/** The parts of a framing; `decoder` and `encoder` are called once for each connection. */
export interface FramingDefinition {
  /** Its name in errors and logs. */
  readonly name: string;
  /** A decoder for one connection's inbound bytes, which keeps the law of cuts. */
  readonly decoder: (limits: FrameLimits) => FrameDecoder;
  /**
   * An encoder for one connection's outbound frames; it refuses what its decoder would read
   * differently.
   */
  readonly encoder: (limits: FrameLimits) => FrameEncoder;
  /** Set where the stream's end ends the last frame, too: `end` of the decoder delivers it. */
  readonly unterminated?: "deliver";
  /**
   * Set where a damaged frame is one fault that is not fatal, and the decoder finds the next frame.
   */
  readonly onMalformed?: "skip";
}

/**
 * Make a framing of a name, a decoder and an encoder.
 *
 * @throws {TypeError} when one of them is missing or of another type, or there is another member
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeChunks, defineFraming } from "@hawser/protocol";
 *
 * // Frames of one byte each.
 * const octets = defineFraming({
 *   name: "octets",
 *   decoder: () => ({
 *     partial: false,
 *     push(chunk, sink) {
 *       for (let at = 0; at < chunk.length; at++) sink.frame(chunk, at, at + 1);
 *     },
 *     end() {},
 *   }),
 *   encoder: () => ({ headerBytes: 0, seal() {} }),
 * });
 * assert.equal(decodeChunks(octets, [Uint8Array.of(1, 2, 3)]).frames.length, 3);
 * ```
 */
export function defineFraming(definition: FramingDefinition): Framing {
  checkOptions("defineFraming()", definition, [
    "name",
    "decoder",
    "encoder",
    "unterminated",
    "onMalformed",
  ]);
  const {
    name,
    decoder,
    encoder,
    unterminated,
    onMalformed,
  }: { readonly [part in keyof FramingDefinition]: unknown } = definition;
  if (typeof name !== "string" || name === "")
    throw new TypeError("Cannot define a framing without a name: it is a string that is not empty");
  if (typeof decoder !== "function")
    throw new TypeError(
      `Cannot define the framing ${name}: its decoder is a function that returns { push, end }`,
    );
  if (typeof encoder !== "function")
    throw new TypeError(
      `Cannot define the framing ${name}: its encoder is a function that returns { ` +
        "headerBytes, seal }",
    );
  if (unterminated !== undefined && unterminated !== "deliver")
    throw new TypeError(
      `Cannot define the framing ${name}: its unterminated is "deliver" or absent`,
    );
  if (onMalformed !== undefined && onMalformed !== "skip") {
    throw new TypeError(`Cannot define the framing ${name}: its onMalformed is "skip" or absent`);
  }
  return Object.freeze({
    name,
    decoder: definition.decoder,
    encoder: definition.encoder,
    ...(unterminated === undefined ? {} : { unterminated }),
    ...(onMalformed === undefined ? {} : { onMalformed }),
  });
}
