/**
 * How syslog cuts a TCP stream: a connection's first byte says which of the two ways of RFC 6587 it is.
 *
 *     "11 <34>1 hello"     a digit: octet counting (§3.4.1)
 *     "<34>1 hello LF"     anything else: a line each, with or without CR (§3.4.2)
 *
 * A receiver only: nothing is sent to the one who logs.
 */
import { defineFraming, type FrameDecoder, HawserError, lines, octetCounted } from "@hawser/protocol";

const line = lines({ ending: "any" });

export const syslog = defineFraming({
  name: "syslog",
  decoder(limits) {
    let chosen: FrameDecoder | null = null;
    return {
      get partial() {
        return chosen?.partial === true;
      },
      push(chunk, sink) {
        const first = chunk[0];
        if (first === undefined) return;
        chosen ??= (first >= 0x30 && first <= 0x39 ? octetCounted() : line).decoder(limits);
        chosen.push(chunk, sink);
      },
      end(sink) {
        chosen?.end(sink);
      },
    };
  },
  encoder: () => ({
    headerBytes: 0,
    seal() {
      throw new HawserError("PAYLOAD_FORBIDDEN", "Cannot send on a syslog connection: the receiver only receives");
    },
  }),
});
