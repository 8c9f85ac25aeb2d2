/**
 * raw(): no framing. What the network delivers is what the handler gets. For streams that have no
 * messages, and for protocols that end with a suffix (`sentinel: { suffix }`).
 *
 *     any bytes, in pieces of the network's choosing
 *
 * Limits: a piece is at most maxFrameBytes; a larger chunk is delivered in several. It has no
 * faults.
 *
 * @module
 */
import { checkNone } from "../arguments.ts";
import type { FrameDecoder, FrameEncoder, FrameSink, Framing } from "./framing.ts";

/** The stream as it comes: pieces say nothing about what the peer sent at once. */
export function raw(...none: readonly []): Framing {
  checkNone("raw()", none);
  return framing;
}

const encoder: FrameEncoder = { headerBytes: 0, seal: () => undefined };

const framing: Framing = Object.freeze({
  name: "raw",
  unframed: true,
  decoder: ({ maxFrameBytes }): FrameDecoder => ({
    partial: false,
    push(chunk: Uint8Array, sink: FrameSink): void {
      for (let at = 0; at < chunk.length; at += maxFrameBytes) {
        sink.frame(chunk, at, Math.min(at + maxFrameBytes, chunk.length));
      }
    },
    end: () => undefined,
  }),
  encoder: () => encoder,
} satisfies Framing);
