/**
 * How SMTP cuts what a client sends: lines that end with CR LF and, after the line DATA, one
 * dot-stuffed message.
 *
 * Two framings of the library, in turn. Both end their frames at an LF, so a chunk goes to them up
 * to one LF at a time, and the turn may change behind each. It depends on the bytes alone: DATA is
 * always granted (354), and what can't be taken is refused behind the message, as RFC 5321 §3.3
 * lets a server choose. So the law of cuts holds, and the next line is never a guess.
 */
import {
  defineFraming,
  dotStuffed,
  type FrameDecoder,
  type FrameSink,
  lines,
} from "@hawser/protocol";

const LF = 0x0a;
const MAX_LINE_BYTES = 2_048; // RFC 5321 §4.5.3.1.4 says 512, and lets extensions add to it
const line = lines({ ending: "crlf" });

/**
 * Commands and messages in, reply lines out. A message follows each command that `isData` is true
 * of.
 */
export const smtp = defineFraming({
  name: "smtp",
  decoder: (limits) =>
    new Turns(
      line.decoder({ ...limits, maxFrameBytes: Math.min(limits.maxFrameBytes, MAX_LINE_BYTES) }),
      dotStuffed().decoder(limits),
    ),
  encoder: (limits) => line.encoder(limits),
});

/** Whether a command is DATA. */
export function isData(bytes: Uint8Array, start = 0, end: number = bytes.length): boolean {
  return end - start < 64 && /^data\s*$/i.test(String.fromCharCode(...bytes.subarray(start, end)));
}

class Turns implements FrameDecoder {
  readonly #command: { readonly decoder: FrameDecoder; given: number };
  readonly #message: { readonly decoder: FrameDecoder; given: number };
  #turn: "command" | "message" | "nobody's" = "command";

  constructor(command: FrameDecoder, message: FrameDecoder) {
    this.#command = { decoder: command, given: 0 };
    this.#message = { decoder: message, given: 0 };
  }

  get partial(): boolean {
    return this.#command.decoder.partial === true || this.#message.decoder.partial === true;
  }

  push(chunk: Uint8Array, sink: FrameSink): void {
    for (let at = 0; at < chunk.length && this.#turn !== "nobody's";) {
      const end = chunk.indexOf(LF, at) + 1 || chunk.length;
      const own = this.#turn === "command" ? this.#command : this.#message;
      own.given += end - at;
      own.decoder.push(chunk.subarray(at, end), this.#sinkOf(sink));
      // A message that is too long is passed over in silence: it has ended when its decoder waits
      // for the next one.
      if (this.#is("message") && own === this.#message && own.decoder.partial !== true)
        this.#turn = "command";
      at = end;
    }
  }

  end(sink: FrameSink): void {
    if (this.#turn !== "nobody's")
      (this.#turn === "command" ? this.#command : this.#message).decoder.end(this.#sinkOf(sink));
    this.#turn = "nobody's";
  }

  /**
   * What one of the two reports, for the stream as a whole: its offsets leave out the bytes that
   * went to the other.
   */
  #sinkOf(sink: FrameSink): FrameSink {
    const isCommand = this.#turn === "command";
    const elsewhere = (isCommand ? this.#message : this.#command).given;
    return {
      frame: (bytes, start, end) => {
        if (isCommand && isData(bytes, start, end)) this.#turn = "message";
        sink.frame(bytes, start, end);
      },
      fault: (fault) => {
        if (fault.fatal) this.#turn = "nobody's";
        sink.fault({ ...fault, offset: fault.offset + elsewhere });
      },
    };
  }

  // A method, because the compiler takes a field to keep its value across the call that changes it.
  #is(turn: "command" | "message"): boolean {
    return this.#turn === turn;
  }
}
