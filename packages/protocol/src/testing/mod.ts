/**
 * Test tools for framings, for any test runner: the verifier, and the plain way to decode.
 *
 * @module
 */
export { decodeChunks, encodeFrames } from "../framing.ts";
export { verifyFraming } from "./verify.ts";
export type { DecodedChunks, Framing } from "../framing.ts";
export type { VerifyOptions } from "./verify.ts";
