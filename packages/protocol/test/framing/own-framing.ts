import {
  defineFraming,
  FrameBuffer,
  HawserError,
  malformed,
  tooLarge,
  truncated,
} from "@hawser/protocol";
import type { FrameDecoder, FrameLimits, FrameSink, Framing, FramingFault } from "@hawser/protocol";

const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) % 256, 0);

function probeDecoder(limits: FrameLimits): FrameDecoder {
  const frame = new FrameBuffer(); // the begun frame, from its length on
  let offset = 0;
  let state: "open" | "dead" = "open";
  const fail = (fault: FramingFault, sink: FrameSink): void => {
    frame.clear();
    state = "dead";
    sink.fault({ ...fault, fatal: true });
  };
  const take = (chunk: Uint8Array, at: number, sink: FrameSink): void => {
    frame.append(chunk, at, at + 1);
    const { bytes, length } = frame;
    const [size = 0] = bytes;
    if (size > limits.maxFrameBytes) fail(tooLarge(offset, size, limits, true), sink);
    if (length < size + 2 || state === "dead") return;
    frame.clear();
    if (bytes[size + 1] === sum(bytes.subarray(1, size + 1))) sink.frame(bytes, 1, size + 1);
    else fail(malformed(offset, "The sum is wrong"), sink);
  };
  return {
    get partial() {
      return frame.length > 0;
    },
    push(chunk, sink) {
      for (let at = 0; at < chunk.length && state === "open"; at++, offset++) take(chunk, at, sink);
    },
    end(sink) {
      if (frame.length > 0) fail(truncated(offset, frame.length, "the rest"), sink);
      state = "dead";
    },
  };
}

export const probe: Framing = defineFraming({
  name: "probe",
  decoder: probeDecoder,
  encoder: () => ({
    headerBytes: 1,
    seal(output, start) {
      const size = output.length - start - 1;
      if (size > 255)
        throw new HawserError("PAYLOAD_FORBIDDEN", "Cannot send more than 255 bytes to a probe");
      output.bytes[start] = size;
      output.byte(sum(output.bytes.subarray(start + 1, output.length)));
    },
  }),
});
