/**
 * How syslog messages stand on a TCP stream: the stream's first byte says which of the two ways of
 * RFC 6587 it is.
 *
 *     "11 <34>1 hello"     a digit: octet counting (§3.4.1)
 *     "<34>1 hello LF"     anything else: a line each, ended by LF, CR LF or NUL (§3.4.2), the last one also by the stream's end
 *
 * A stream keeps to one way: RFC 6587 has no other, and a line may begin with a digit. A line in a
 * counted stream is FRAME_MALFORMED; a counted message in a stream of lines is read as text, and
 * main.ts says so. A receiver only: nothing is sent to the one who logs.
 */
import {
  defineFraming,
  type FrameDecoder,
  HawserError,
  lines,
  octetCounted,
} from "@hawser/protocol";

const [NUL, LF] = [0x00, 0x0a] as const;
const line = lines({ ending: "any", unterminated: "deliver" });

export const syslog = defineFraming({
  name: "syslog",
  unterminated: "deliver",
  decoder(limits) {
    let chosen: FrameDecoder | null = null;
    let isLines = false;
    return {
      get partial() {
        return chosen?.partial === true;
      },
      push(chunk, sink) {
        const first = chunk[0];
        if (first === undefined) return;
        isLines ||= chosen === null && (first < 0x30 || first > 0x39);
        chosen ??= (isLines ? line : octetCounted()).decoder(limits);
        chosen.push(isLines ? withoutNul(chunk) : chunk, sink);
      },
      end(sink) {
        chosen?.end(sink);
      },
    };
  },
  encoder: () => ({
    headerBytes: 0,
    seal() {
      throw new HawserError(
        "PAYLOAD_FORBIDDEN",
        "Cannot send on a syslog connection: the receiver only receives",
      );
    },
  }),
});

/** A NUL ends a line as an LF does. The chunk stays as it is: it is somebody else's. */
function withoutNul(chunk: Uint8Array): Uint8Array {
  return chunk.includes(NUL) ? Uint8Array.from(chunk, (byte) => (byte === NUL ? LF : byte)) : chunk;
}
