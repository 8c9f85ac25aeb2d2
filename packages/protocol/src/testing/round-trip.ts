/**
 * Checks of the encoder: what it writes is what the decoder reads, and it touches nothing else.
 *
 * @module
 */
import { describeCaught } from "../caught.ts";
import { ByteWriter } from "../bytes/writer.ts";
import { isHawserError } from "../errors.ts";
import { encodeFrames, openFrame, sealFrame } from "../framing/framing.ts";
import { breach } from "./breach.ts";
import { formatBytes, formatTranscript, sameBytes } from "./transcript.ts";
import { decode, encodeOrNull, join, type Trial, wideLimits } from "./trial.ts";

/**
 * Every sample, and every hostile payload that is not refused, comes back as it was, alone and
 * before and behind another.
 */
export function checkRoundTrips(trial: Trial): void {
  const check = "round trip";
  for (const sample of trial.samples) {
    if (encodeOrNull(trial, [sample], check) === null) {
      throw breach(trial.framing, {
        check,
        what: "its encoder refuses a sample",
        expected: formatBytes(sample),
      });
    }
    roundTrip(trial, check, [sample]);
  }
  roundTrip(trial, check, trial.samples);
  const hostile = hostilePayloads(trial);
  for (const payload of hostile) roundTrip(trial, check, [payload]);
  for (let made = 0; made < 4 * hostile.length; made++) {
    roundTrip(trial, check, [
      trial.random.pick(hostile),
      trial.random.pick([...hostile, ...trial.samples]),
    ]);
  }
}

/**
 * The encoder's frame does not depend on what the output's storage held, and leaves what is before
 * it alone.
 */
export function checkEncoderPlace(trial: Trial): void {
  const check = "encoder's place";
  const { framing } = trial;
  const before = Uint8Array.of(0x0a, 0xff, 0x00);
  for (const sample of trial.samples) {
    const alone = encodeFrames(framing, [sample], { maxFrameBytes: 2 ** 26 });
    const output = new ByteWriter(new Uint8Array(4 * (sample.length + 64)).fill(0xa5));
    output.append(before);
    const encoder = framing.encoder({ maxFrameBytes: 2 ** 26 });
    const start = openFrame(encoder, output);
    output.append(sample);
    sealFrame(encoder, output, start, Infinity);
    const expected = join([before, alone]);
    const got = output.copy();
    if (!sameBytes(expected, got)) {
      throw breach(framing, {
        check,
        what: "the frame depends on what is in the output already",
        expected: formatBytes(expected),
        got: formatBytes(got),
      });
    }
  }
}

/**
 * A payload above the limit is refused; one at the limit is not, also by an encoder that looks at
 * the limit itself.
 */
export function checkEncoderLimit(trial: Trial): void {
  const check = "encoder's limit";
  for (const sample of trial.samples) {
    if (sample.length < 2) continue;
    for (const [maxFrameBytes, expected] of [
      [sample.length, "encoded"],
      [sample.length - 1, "PAYLOAD_TOO_LARGE"],
    ] as const) {
      const got = outcomeOf(trial, sample, maxFrameBytes);
      if (got !== expected)
        throw breach(trial.framing, {
          check,
          what:
            `a payload of ${String(sample.length)} bytes, with maxFrameBytes ` +
            String(maxFrameBytes),
          expected,
          got,
        });
    }
  }
}

function outcomeOf({ framing }: Trial, payload: Uint8Array, maxFrameBytes: number): string {
  try {
    encodeFrames(framing, [payload], { maxFrameBytes });
    return "encoded";
  } catch (error) {
    return isHawserError(error) ? error.code : describeCaught(error);
  }
}

function roundTrip(trial: Trial, check: string, payloads: readonly Uint8Array[]): void {
  const stream = encodeOrNull(trial, payloads, check);
  if (stream === null) return;
  const transcript = decode(trial, check, stream, [], wideLimits(payloads));
  const { entries } = transcript;
  if (
    entries.length === payloads.length &&
    payloads.every((payload, index) => isPayload(entries[index], payload))
  )
    return;
  throw breach(trial.framing, {
    check,
    what: "what it encodes is not what it decodes",
    stream,
    expected: payloads.map((payload) => `frame ${formatBytes(payload)}`).join(", "),
    got: formatTranscript(transcript),
  });
}

function isPayload(entry: unknown, payload: Uint8Array): boolean {
  return entry instanceof Uint8Array && sameBytes(entry, payload);
}

/**
 * Payloads that look like structure: pieces of the framing's own streams, line ends, digits,
 * escapes, every byte value.
 */
function hostilePayloads(trial: Trial): Uint8Array[] {
  const { framing, samples, random } = trial;
  const wire = encodeFrames(framing, samples, { maxFrameBytes: 2 ** 26 });
  const texts = [
    "",
    "\n",
    "\r",
    "\r\n",
    "\r\n.\r\n",
    ".",
    "..",
    "\n.\n",
    "\r\n\r\n",
    "0:,",
    "1:a,",
    "\u001e{}\n",
    "\u000b\u001c\r",
    "\\",
    "||",
    "|",
    " exit",
    "null",
    "0",
    "\r\n.",
    "a\r",
  ];
  const hostile = texts.map((text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
  for (let byte = 0; byte < 256; byte++)
    hostile.push(Uint8Array.of(byte), Uint8Array.of(byte, byte), Uint8Array.of(0x61, byte, 0x62));
  for (let made = 0; made < 64; made++) {
    const start = random.below(wire.length + 1);
    hostile.push(wire.slice(start, start + 1 + random.below(24)));
    hostile.push(
      random.bytes(random.below(40), wire.length > 0 ? wire : undefined),
      random.bytes(random.below(300)),
    );
  }
  for (const length of [253, 254, 255, 256, 508, 509])
    hostile.push(new Uint8Array(length), new Uint8Array(length).fill(1));
  return hostile;
}
