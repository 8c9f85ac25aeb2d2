/**
 * Test tools for any test runner: the verifier of framings and the plain way to decode, frames of
 * sessions by hand, chance from a seed.
 *
 * @module
 */
export { decodeChunks, encodeFrames } from "../framing/framing.ts";
export { hostileValues } from "./hostile-values.ts";
export { Random } from "./random.ts";
export {
  filler,
  frame,
  framesOf,
  head,
  joined,
  KIND,
  SIGNATURE,
  u32,
  u64,
} from "./session-frames.ts";
export { verifyFraming } from "./verify.ts";
export type { DecodedChunks, Framing } from "../framing/framing.ts";
export type { ReadFrame } from "./session-frames.ts";
export type { VerifyOptions } from "./verify.ts";
