/**
 * octetCounted(): syslog messages on a stream, each after its length.
 *
 *     MSG-LEN SP payload            31 31 20  3c 33 34 3e 31 20 68 65 6c 6c 6f 21
 *     MSG-LEN = NONZERO-DIGIT *DIGIT
 *
 * Nothing stands between two frames, also no line ending. At most 9 digits; an empty message has no
 * form, and is not sent.
 *
 * Limits: payload <= maxFrameBytes, checked when the space has come, before anything is allocated.
 * Faults: FRAME_MALFORMED at the byte that no such length goes on with; FRAME_TOO_LARGE at the
 * length's first digit; FRAME_TRUNCATED. Source: RFC 6587 §3.4.1 (octet counting); for §3.4.2
 * (non-transparent framing) use lines().
 *
 * @module
 */
import { checkNone } from "../arguments.ts";
import { CountedDecoder } from "./counted.ts";
import { decimalEncoder, DecimalHeader } from "./decimal.ts";
import type { Framing } from "./framing.ts";

const SPACE = 0x20;

/**
 * Any bytes, at least one.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { encodeFrames, octetCounted } from "@hawser/protocol";
 *
 * const bytes = encodeFrames(octetCounted(), [new TextEncoder().encode("<34>1 hello!")]);
 * assert.equal(new TextDecoder().decode(bytes), "12 <34>1 hello!");
 * ```
 */
export function octetCounted(...none: readonly []): Framing {
  checkNone("octetCounted()", none);
  return framing;
}

const encoder = decimalEncoder({
  before: Uint8Array.of(),
  after: Uint8Array.of(SPACE),
  closing: Uint8Array.of(),
  least: 1,
});

const framing: Framing = Object.freeze({
  name: "octetCounted",
  decoder: (limits) => new CountedDecoder(new DecimalHeader(SPACE, 1), limits),
  encoder: () => encoder,
} satisfies Framing);
