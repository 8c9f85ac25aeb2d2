/**
 * Bytes to frames to messages, without I/O: framings, codecs, wires, contracts, the error table.
 * What runs them on a connection is in `@hawser/protocol/engine`.
 *
 * @module
 */
export { ByteWriter, FrameBuffer } from "./bytes/writer.ts";
export { bytes, json, text } from "./codec/codec.ts";
export { libraryCodec } from "./codec/library-codec.ts";
export { asyncApi } from "./contract/async-api.ts";
export { describeIssue } from "./contract/check.ts";
export { contractSchema } from "./contract/contract-schema.ts";
export { defineProtocol } from "./contract/contract.ts";
export { describeProtocol } from "./contract/describe.ts";
export { protocolFromSchema } from "./contract/protocol-from-schema.ts";
export { type } from "./contract/schema.ts";
export { errorTable, HawserError, isHawserError } from "./errors.ts";
export { cobs } from "./framing/cobs.ts";
export { contentLength } from "./framing/content-length.ts";
export { parseDecimal } from "./framing/decimal.ts";
export { defineFraming } from "./framing/define-framing.ts";
export { delimited } from "./framing/delimited.ts";
export { dotStuffed } from "./framing/dot-stuffed.ts";
export { fixedLength } from "./framing/fixed-length.ts";
export { decodeChunks, encodeFrames, malformed, tooLarge, truncated } from "./framing/framing.ts";
export { jsonSequence } from "./framing/json-sequence.ts";
export { lengthPrefixed } from "./framing/length-prefixed.ts";
export { lines } from "./framing/lines.ts";
export { mllp } from "./framing/mllp.ts";
export { netstring } from "./framing/netstring.ts";
export { octetCounted } from "./framing/octet-counted.ts";
export { raw } from "./framing/raw.ts";
export { slip } from "./framing/slip.ts";
export { varintPrefixed } from "./framing/varint-prefixed.ts";
export { jsonRpc } from "./json-rpc/json-rpc.ts";
export { printable } from "./printable.ts";
export { wire } from "./wire/wire.ts";
export type { BytesOptions, Codec, JsonCodec, JsonOptions } from "./codec/codec.ts";
export type { Jsonable } from "./codec/json-text.ts";
export type { AsyncApiDocument } from "./contract/async-api.ts";
export type { ContractSchema } from "./contract/contract-schema.ts";
export type { Protocol, ProtocolDefinition } from "./contract/contract.ts";
export type { EventDefinition, RequestDefinition, StreamDefinition } from "./contract/message.ts";
export type { PlainType, Schema } from "./contract/schema.ts";
export type {
  ErrorNames,
  ErrorPayload,
  EventNames,
  EventPayload,
  Fail,
  Failure,
  RequestInput,
  RequestNames,
  RequestOutput,
  StreamInput,
  StreamItem,
  StreamNames,
  StreamSend,
} from "./contract/views.ts";
export type { ErrorCode } from "./errors.ts";
export type { CobsOptions } from "./framing/cobs.ts";
export type { FramingDefinition } from "./framing/define-framing.ts";
export type { DelimitedOptions } from "./framing/delimited.ts";
export type {
  DecodedChunks,
  FrameDecoder,
  FrameEncoder,
  FrameSink,
  Framing,
  FramingFault,
} from "./framing/framing.ts";
export type { JsonSequenceOptions } from "./framing/json-sequence.ts";
export type { LengthPrefixedOptions } from "./framing/length-prefixed.ts";
export type { LinesOptions } from "./framing/lines.ts";
export type { MllpOptions } from "./framing/mllp.ts";
export type { SlipOptions } from "./framing/slip.ts";
export type { VarintPrefixedOptions } from "./framing/varint-prefixed.ts";
export type { JsonRpcOptions } from "./json-rpc/dialect.ts";
export type { JsonRpcSessions } from "./json-rpc/json-rpc.ts";
export type { FrameLimits } from "./limits.ts";
export type { Hello, Outcome } from "./session/types.ts";
export type { SentinelOption } from "./wire/sentinel.ts";
export type { Wire } from "./wire/wire.ts";
