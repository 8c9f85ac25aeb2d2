/**
 * Bytes to frames to messages, without I/O: framings, codecs, wires, the error table and the limits.
 *
 * @module
 */
export { ByteWriter } from "./bytes.ts";
export { bytes, json, text } from "./codec.ts";
export { errorTable, HawserError, isHawserError } from "./errors.ts";
export { decodeChunks, describeFault, encodeFrames } from "./framing.ts";
export { delimited } from "./delimited.ts";
export { lengthPrefixed } from "./length-prefixed.ts";
export { frameLimitTable, resolveFrameLimits, resolveLimits } from "./limits.ts";
export { lines } from "./lines.ts";
export { raw } from "./raw.ts";
export { wire, WireDecoder, WireEncoder } from "./wire.ts";
export type { Codec, PieceDecoder } from "./codec.ts";
export type { ErrorCode, ErrorKind, ErrorOrigin, ErrorScope } from "./errors.ts";
export type { DecodedChunks, FrameDecoder, FrameEncoder, FrameSink, Framing, FramingFault } from "./framing.ts";
export type { LengthPrefixedOptions } from "./length-prefixed.ts";
export type { FrameLimits, Limit, LimitOptions, OversizePolicy } from "./limits.ts";
export type { LineEnding } from "./lines.ts";
export type { FrameSentinel, Sentinel, SentinelOption, SuffixSentinel } from "./sentinel.ts";
export type { Finish, Wire, WireOptions, WireSink } from "./wire.ts";
