// A small framing that keeps its contract, as source for framings that break it in exactly one
// place: frames that end with ";".
import { HawserError } from "../../src/errors.ts";
import {
  type FrameDecoder,
  type FrameEncoder,
  type FrameSink,
  type Framing,
  tooLarge,
  truncated,
} from "../../src/framing/framing.ts";
import type { FrameLimits } from "../../src/limits.ts";

export const END = 0x3b;

/**
 * Byte by byte, which is as plain as it gets. Its fields are public, so that a fault can be
 * planted.
 */
export class HonestDecoder implements FrameDecoder {
  kept: Uint8Array = new Uint8Array(0);
  length = 0;
  state: "frame" | "skip" | "dead" = "frame";
  offset = 0;
  readonly limits: FrameLimits;

  constructor(limits: FrameLimits) {
    this.limits = limits;
  }

  get partial(): boolean {
    return this.length > 0 || this.state === "skip";
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    for (let at = 0; at < chunk.length && this.state !== "dead"; at++) {
      const byte = chunk[at] as number; // at < length
      if (byte === END) this.finish(sink);
      else if (this.state === "frame") this.keep(byte, sink, this.offset + at);
    }
    this.offset += chunk.length;
  }

  end(sink: FrameSink): void {
    if (this.state === "frame" && this.length > 0)
      sink.fault(truncated(this.offset, this.length, "the end"));
    this.length = 0;
    this.state = "dead";
  }

  finish(sink: FrameSink): void {
    if (this.state === "skip") {
      this.state = "frame";
      return;
    }
    const { length } = this;
    this.length = 0;
    sink.frame(this.kept, 0, length);
  }

  keep(byte: number, sink: FrameSink, offset: number): void {
    if (this.length === this.limits.maxFrameBytes) {
      this.oversize(sink, offset);
      return;
    }
    if (this.length === this.kept.length) this.grow();
    this.kept[this.length++] = byte;
  }

  grow(): void {
    const next = new Uint8Array(
      Math.min(this.limits.maxFrameBytes, Math.max(1, 2 * this.kept.length)),
    );
    next.set(this.kept);
    this.kept = next;
  }

  oversize(sink: FrameSink, offset: number): void {
    const fault = tooLarge(offset, this.limits.maxFrameBytes + 1, this.limits, false);
    this.length = 0;
    this.state = fault.fatal ? "dead" : "skip";
    sink.fault(fault);
  }
}

export const honestEncoder: FrameEncoder = {
  headerBytes: 0,
  seal(output, start) {
    if (output.bytes.subarray(start, output.length).includes(END))
      throw new HawserError("PAYLOAD_FORBIDDEN", "no");
    output.byte(END);
  },
};

/** The framing of a decoder and an encoder, the honest ones where none is given. */
export function planted(
  name: string,
  Decoder: new (limits: FrameLimits) => FrameDecoder = HonestDecoder,
  encoder: FrameEncoder = honestEncoder,
): Framing {
  return { name, decoder: (limits) => new Decoder(limits), encoder: () => encoder };
}
