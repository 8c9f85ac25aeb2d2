import { defineFraming, FrameBuffer, HawserError, malformed, tooLarge, truncated } from "@hawser/protocol";
import type { FrameDecoder, FrameLimits, FrameSink, Framing, FramingFault } from "@hawser/protocol";

const START = 0xa5;
const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) % 256, 0);

class ProbeDecoder implements FrameDecoder {
  readonly #frame = new FrameBuffer(); // the begun frame, from START on
  #skip = 0; // bytes to pass over: all of them after a fatal fault
  #offset = 0;
  readonly #limits: FrameLimits;

  constructor(limits: FrameLimits) {
    this.#limits = limits;
  }

  get partial(): boolean {
    return this.#frame.length > 0 || (this.#skip > 0 && this.#skip < Infinity);
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    for (let at = 0; at < chunk.length; at++, this.#offset++) {
      if (this.#skip > 0) this.#skip--;
      else this.#take(chunk, at, sink);
    }
  }

  end(sink: FrameSink): void {
    const { length } = this.#frame;
    if (length > 0) this.#refuse(truncated(this.#offset, length, "the rest"), Infinity, sink);
    this.#skip = Infinity;
  }

  #take(chunk: Uint8Array, at: number, sink: FrameSink): void {
    this.#frame.append(chunk, at, at + 1);
    const { bytes, length } = this.#frame;
    const [start, size = 0] = bytes;
    if (start !== START) this.#refuse(malformed(this.#offset, "A frame begins with a5"), Infinity, sink);
    else if (length === 2 && size > this.#limits.maxFrameBytes) this.#refuse(tooLarge(this.#offset, size, this.#limits, true), size + 1, sink);
    else if (length < 3 + size) return;
    else if (bytes[2 + size] !== sum(bytes.subarray(2, 2 + size))) this.#refuse(malformed(this.#offset, "The sum is wrong"), Infinity, sink);
    else {
      this.#frame.clear();
      sink.frame(bytes, 2, 2 + size);
    }
  }

  #refuse(fault: FramingFault, skip: number, sink: FrameSink): void {
    this.#frame.clear();
    this.#skip = fault.fatal ? Infinity : skip;
    sink.fault(fault);
  }
}

export const probe: Framing = defineFraming({
  name: "probe",
  decoder: (limits) => new ProbeDecoder(limits),
  encoder: () => ({
    headerBytes: 2,
    seal(output, start) {
      const size = output.length - start - 2;
      if (size > 255) throw new HawserError("PAYLOAD_FORBIDDEN", "Cannot send more than 255 bytes to a probe");
      output.bytes.set([START, size], start);
      output.byte(sum(output.bytes.subarray(start + 2, output.length)));
    },
  }),
});
