/**
 * How RESP, the protocol of Redis, cuts a stream into commands: a line that counts the arguments,
 * then for each of them a line that says its length, and as many bytes. Must not know the commands.
 *
 *     *2 CR LF  $4 CR LF ECHO CR LF  $2 CR LF hi CR LF      one frame, as it stands on the wire
 *
 * Limits: a command <= maxFrameBytes, refused at the length that says more, before it arrives
 */
import { defineFraming, FrameBuffer, malformed, tooLarge, truncated } from "@hawser/protocol";
import type { FrameDecoder, FrameLimits, FrameSink, FramingFault } from "@hawser/protocol";

const [LF, CR] = [0x0a, 0x0d] as const;
const MAX_LINE_BYTES = 12; // a sign, nine digits, CR LF

const encoder = () => ({ headerBytes: 0, seal: () => undefined });
/** Commands come in; replies go out as the codec writes them. */
export const resp = defineFraming({ name: "resp", decoder, encoder });

function decoder(limits: FrameLimits): FrameDecoder {
  const command = new FrameBuffer(); // the begun command
  let offset = 0; // of the command, in the stream
  let left = 0; // arguments still to come
  let start = 0; // of the line, in the command
  let needed = 1; // bytes of the command at which it is read on: one more, or an argument's last
  let state: "line" | "argument" | "closed" = "line";

  const fail = (fault: FramingFault, sink: FrameSink): void => {
    command.clear();
    state = "closed";
    sink.fault({ ...fault, fatal: true });
  };
  const readLine = (): FramingFault | null => {
    const { bytes, length } = command;
    const [from, at] = [start, offset + start];
    needed = length + 1;
    if (bytes[length - 1] !== LF && length - from < MAX_LINE_BYTES) return null;
    const line = String.fromCharCode(...bytes.subarray(from, length));
    const pattern = from === 0 ? /^\*([1-9]\d{0,8})\r\n$/ : /^\$(0|[1-9]\d{0,8})\r\n$/;
    const [, digits] = pattern.exec(line) ?? [];
    if (digits === undefined) return malformed(at, "expected * or $, a number, and CR LF");
    start = length;
    if (from === 0) left = Number(digits);
    else [state, needed] = ["argument", length + Number(digits) + 2];
    return needed > limits.maxFrameBytes ? tooLarge(at, needed, limits, true) : null;
  };
  const readArgument = (sink: FrameSink): FramingFault | null => {
    const { bytes, length } = command;
    if (bytes[length - 2] !== CR || bytes[length - 1] !== LF)
      return malformed(offset + length - 2, "expected CR LF behind an argument");
    [state, start, needed] = ["line", length, length + 1];
    if (--left > 0) return null;
    command.clear(); // before the sink is called, which may end the stream
    [offset, start, needed] = [offset + length, 0, 1];
    sink.frame(bytes, 0, length);
    return null;
  };

  return {
    get partial() {
      return command.length > 0;
    },
    push(chunk, sink) {
      for (let at = 0; at < chunk.length && state !== "closed";) {
        const to = Math.min(at + needed - command.length, chunk.length);
        command.append(chunk, at, to);
        at = to;
        if (command.length < needed) return;
        const fault = state === "line" ? readLine() : readArgument(sink);
        if (fault !== null) fail(fault, sink);
      }
    },
    end(sink) {
      const have = command.length;
      if (have > 0) fail(truncated(offset + have, have, "the rest of a command"), sink);
      state = "closed";
    },
  };
}
