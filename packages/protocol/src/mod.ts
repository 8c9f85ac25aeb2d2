/**
 * Bytes to frames to messages, without I/O: framings, codecs, wires, the error table and the limits.
 *
 * @module
 */
export { ByteWriter, FrameBuffer } from "./bytes.ts";
export { cobs } from "./cobs.ts";
export { bytes, json, text } from "./codec.ts";
export { contentLength } from "./content-length.ts";
export { defineFraming } from "./define-framing.ts";
export { delimited } from "./delimited.ts";
export { dotStuffed } from "./dot-stuffed.ts";
export { errorTable, HawserError, isHawserError } from "./errors.ts";
export { fixedLength } from "./fixed-length.ts";
export { decodeChunks, describeFault, encodeFrames, malformed, tooLarge, truncated } from "./framing.ts";
export { jsonSequence } from "./json-sequence.ts";
export { lengthPrefixed } from "./length-prefixed.ts";
export { frameLimitTable, resolveFrameLimits, resolveLimits } from "./limits.ts";
export { lines } from "./lines.ts";
export { mllp } from "./mllp.ts";
export { netstring } from "./netstring.ts";
export { octetCounted } from "./octet-counted.ts";
export { raw } from "./raw.ts";
export { slip } from "./slip.ts";
export { varintPrefixed } from "./varint-prefixed.ts";
export { wire, WireDecoder, WireEncoder } from "./wire.ts";
export type { StorageSource } from "./bytes.ts";
export type { Codec, PieceDecoder } from "./codec.ts";
export type { FramingDefinition } from "./define-framing.ts";
export type { ErrorCode, ErrorKind, ErrorOrigin, ErrorScope } from "./errors.ts";
export type { DecodedChunks, FrameDecoder, FrameEncoder, FrameSink, Framing, FramingFault } from "./framing.ts";
export type { LengthPrefixedOptions } from "./length-prefixed.ts";
export type { FrameLimits, Limit, LimitOptions, OversizePolicy } from "./limits.ts";
export type { LineEnding } from "./lines.ts";
export type { MllpOptions } from "./mllp.ts";
export type { FrameSentinel, Sentinel, SentinelOption, SuffixSentinel } from "./sentinel.ts";
export type { SlipOptions } from "./slip.ts";
export type { Finish, Wire, WireOptions, WireSink } from "./wire.ts";
