/**
 * Bytes to frames to messages, without I/O: framings, codecs, wires, the error table and the limits.
 *
 * @module
 */
export { checkOptions, describeValue, nearestName, unknownName } from "./arguments.ts";
export { asyncApi } from "./async-api.ts";
export { ByteWriter, FrameBuffer } from "./bytes.ts";
export { asError, describeCaught, isError, memberOf, stackOf } from "./caught.ts";
export { describeIssue } from "./check.ts";
export { cobs } from "./cobs.ts";
export { bytes, json, text } from "./codec.ts";
export { contentLength } from "./content-length.ts";
export { defineProtocol } from "./contract.ts";
export { contractSchema } from "./contract-schema.ts";
export { parseDecimal } from "./decimal.ts";
export { defineFraming } from "./define-framing.ts";
export { delimited } from "./delimited.ts";
export { describeProtocol } from "./describe.ts";
export { dotStuffed } from "./dot-stuffed.ts";
export { errorTable, HawserError, isHawserError, readHawserError, withPeer } from "./errors.ts";
export { fixedLength } from "./fixed-length.ts";
export { decodeChunks, describeFault, encodeFrames, malformed, tooLarge, truncated } from "./framing.ts";
export { jsonRpc } from "./json-rpc/json-rpc.ts";
export { jsonSequence } from "./json-sequence.ts";
export { lengthPrefixed } from "./length-prefixed.ts";
export { frameLimitTable, resolveFrameLimits, resolveLimits } from "./limits.ts";
export { libraryCodec } from "./library-codec.ts";
export { lines } from "./lines.ts";
export { mllp } from "./mllp.ts";
export { netstring } from "./netstring.ts";
export { octetCounted } from "./octet-counted.ts";
export { printable } from "./printable.ts";
export { protocolFromSchema } from "./protocol-from-schema.ts";
export { raw } from "./raw.ts";
export { type } from "./schema.ts";
export { resolveSessionLimits, sessionLimitTable } from "./session/limits.ts";
export { CONTRACT_FEATURE, contractRequest } from "./session/contract-request.ts";
export { NumberSet } from "./session/number-set.ts";
export { Retention } from "./session/retention.ts";
export { nativeSessions } from "./session/native.ts";
export { slip } from "./slip.ts";
export { peerError } from "./stack.ts";
export { checkSpoken } from "./spoken.ts";
export { varintPrefixed } from "./varint-prefixed.ts";
export { wire, WireDecoder, WireEncoder } from "./wire.ts";
export type { AsyncApiDocument, AsyncApiOptions } from "./async-api.ts";
export type { ReadBudget } from "./budget.ts";
export type { Body } from "./body.ts";
export type { StorageSource } from "./bytes.ts";
export type { Check, Issue } from "./check.ts";
export type { CobsOptions } from "./cobs.ts";
export type { BytesOptions, Codec, JsonCodec, JsonOptions, PieceDecoder } from "./codec.ts";
export type { OnlyJson, OnlyMembers, Protocol, ProtocolDefinition } from "./contract.ts";
export type { ContractSchema, EventSchema, JsonSchemaDocument, LaneSchema, MessageSchema, RequestSchema, StreamSchema } from "./contract-schema.ts";
export type { DelimitedOptions } from "./delimited.ts";
export type { FramingDefinition } from "./define-framing.ts";
export type { ErrorCode, ErrorKind, ErrorOrigin, ErrorPeer, ErrorScope, HawserErrorOptions, NamedFailure } from "./errors.ts";
export type { ChunkSearch, DecodedChunks, FrameDecoder, FrameEncoder, FrameSink, Framing, FramingFault } from "./framing.ts";
export type { JsonRpcOptions } from "./json-rpc/dialect.ts";
export type { JsonRpcSessions } from "./json-rpc/json-rpc.ts";
export type { CancelMethod } from "./json-rpc/text.ts";
export type { JsonSequenceOptions } from "./json-sequence.ts";
export type { Jsonable } from "./json-text.ts";
export type { LengthPrefixedOptions } from "./length-prefixed.ts";
export type { FrameLimits, Limit, LimitOptions, MalformedPolicy, OversizePolicy, UnterminatedPolicy } from "./limits.ts";
export type { CodecLibrary } from "./library-codec.ts";
export type { LaneOption, LaneRule } from "./lane.ts";
export type { LineEnding, LinesOptions } from "./lines.ts";
export type { Delivery, ErrorSchemas, EventDefinition, MessageEntry, MessageType, Opener, RequestDefinition, Side, StreamDefinition } from "./message.ts";
export type { MllpOptions } from "./mllp.ts";
export type { ProtocolFromSchemaOptions } from "./protocol-from-schema.ts";
export type { PlainType, Schema, SchemaFailure, SchemaIssue, SchemaResult, SchemaShapes, SchemaStandard, SchemaSuccess, SchemaTypes } from "./schema.ts";
export type { FrameSentinel, Sentinel, SentinelOption, SuffixSentinel } from "./sentinel.ts";
export type { NumberRange } from "./session/number-set.ts";
export type { SessionLimit, SessionLimits } from "./session/limits.ts";
export type {
  CallOptions,
  CallSink,
  CloseCode,
  EmitOptions,
  EventIdentity,
  Admission,
  Greeter,
  Greeting,
  Hello,
  InboundCall,
  InboundEvent,
  InboundSink,
  OutboundCall,
  Outcome,
  PreparedCall,
  PreparedEvent,
  Pulled,
  ReadyInfo,
  Session,
  SessionKind,
  SessionOptions,
  SessionSink,
  SessionState,
  Settled,
} from "./session/types.ts";
export type { SlipOptions } from "./slip.ts";
export type { VarintPrefixedOptions } from "./varint-prefixed.ts";
export type { Argument, ErrorNames, ErrorPayload, EventNames, EventPayload, Fail, Failure, OtherSide, RequestInput, RequestNames, RequestOutput, StreamInput, StreamItem, StreamNames, StreamSend, View } from "./views.ts";
export type { Finish, Wire, WireOptions, WireSink } from "./wire.ts";
