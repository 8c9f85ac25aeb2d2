/**
 * Bytes to frames to messages, without I/O: framings, codecs, wires, the error table and the
 * limits.
 *
 * @module
 */
export { checkOptions, describeValue, nearestName, unknownName } from "./arguments.ts";
export { asyncApi } from "./contract/async-api.ts";
export { ByteWriter, FrameBuffer } from "./bytes/writer.ts";
export { asError, describeCaught, isError, memberOf, stackOf } from "./caught.ts";
export { describeIssue } from "./contract/check.ts";
export { cobs } from "./framing/cobs.ts";
export { bytes, json, text } from "./codec/codec.ts";
export { contentLength } from "./framing/content-length.ts";
export { defineProtocol } from "./contract/contract.ts";
export { contractSchema } from "./contract/contract-schema.ts";
export { parseDecimal } from "./framing/decimal.ts";
export { defineFraming } from "./framing/define-framing.ts";
export { delimited } from "./framing/delimited.ts";
export { describeProtocol } from "./contract/describe.ts";
export { dotStuffed } from "./framing/dot-stuffed.ts";
export { errorTable, HawserError, isHawserError, readHawserError, withPeer } from "./errors.ts";
export { fixedLength } from "./framing/fixed-length.ts";
export {
  decodeChunks,
  describeFault,
  encodeFrames,
  malformed,
  tooLarge,
  truncated,
} from "./framing/framing.ts";
export { jsonRpc } from "./json-rpc/json-rpc.ts";
export { jsonSequence } from "./framing/json-sequence.ts";
export { lengthPrefixed } from "./framing/length-prefixed.ts";
export { frameLimitTable, resolveFrameLimits, resolveLimits } from "./limits.ts";
export { libraryCodec } from "./codec/library-codec.ts";
export { lines } from "./framing/lines.ts";
export { mllp } from "./framing/mllp.ts";
export { netstring } from "./framing/netstring.ts";
export { octetCounted } from "./framing/octet-counted.ts";
export { printable } from "./printable.ts";
export { protocolFromSchema } from "./contract/protocol-from-schema.ts";
export { raw } from "./framing/raw.ts";
export { type } from "./contract/schema.ts";
export { resolveSessionLimits, sessionLimitTable } from "./session/limits.ts";
export { CONTRACT_FEATURE, contractRequest } from "./session/handshake/contract-request.ts";
export { NumberSet } from "./session/events/number-set.ts";
export { Retention } from "./session/events/retention.ts";
export { nativeSessions } from "./session/native.ts";
export { slip } from "./framing/slip.ts";
export { peerError } from "./stack.ts";
export { checkSpoken } from "./contract/spoken.ts";
export { varintPrefixed } from "./framing/varint-prefixed.ts";
export { wire, WireDecoder, WireEncoder } from "./wire/wire.ts";
export type { AsyncApiDocument, AsyncApiOptions } from "./contract/async-api.ts";
export type { ReadBudget } from "./wire/budget.ts";
export type { Body } from "./codec/body.ts";
export type { StorageSource } from "./bytes/writer.ts";
export type { Check, Issue } from "./contract/check.ts";
export type { CobsOptions } from "./framing/cobs.ts";
export type { BytesOptions, Codec, JsonCodec, JsonOptions, PieceDecoder } from "./codec/codec.ts";
export type { OnlyJson, OnlyMembers, Protocol, ProtocolDefinition } from "./contract/contract.ts";
export type {
  ContractSchema,
  EventSchema,
  JsonSchemaDocument,
  LaneSchema,
  MessageSchema,
  RequestSchema,
  StreamSchema,
} from "./contract/contract-schema.ts";
export type { DelimitedOptions } from "./framing/delimited.ts";
export type { FramingDefinition } from "./framing/define-framing.ts";
export type {
  ErrorCode,
  ErrorKind,
  ErrorOrigin,
  ErrorPeer,
  ErrorScope,
  HawserErrorOptions,
  NamedFailure,
} from "./errors.ts";
export type {
  ChunkSearch,
  DecodedChunks,
  FrameDecoder,
  FrameEncoder,
  FrameSink,
  Framing,
  FramingFault,
} from "./framing/framing.ts";
export type { JsonRpcOptions } from "./json-rpc/dialect.ts";
export type { JsonRpcSessions } from "./json-rpc/json-rpc.ts";
export type { CancelMethod } from "./json-rpc/text.ts";
export type { JsonSequenceOptions } from "./framing/json-sequence.ts";
export type { Jsonable } from "./codec/json-text.ts";
export type { LengthPrefixedOptions } from "./framing/length-prefixed.ts";
export type {
  FrameLimits,
  Limit,
  LimitOptions,
  MalformedPolicy,
  OversizePolicy,
  UnterminatedPolicy,
} from "./limits.ts";
export type { CodecLibrary } from "./codec/library-codec.ts";
export type { LaneOption, LaneRule } from "./contract/lane.ts";
export type { LineEnding, LinesOptions } from "./framing/lines.ts";
export type {
  Delivery,
  ErrorSchemas,
  EventDefinition,
  MessageEntry,
  MessageType,
  Opener,
  RequestDefinition,
  Side,
  StreamDefinition,
} from "./contract/message.ts";
export type { MllpOptions } from "./framing/mllp.ts";
export type { ProtocolFromSchemaOptions } from "./contract/protocol-from-schema.ts";
export type {
  PlainType,
  Schema,
  SchemaFailure,
  SchemaIssue,
  SchemaResult,
  SchemaShapes,
  SchemaStandard,
  SchemaSuccess,
  SchemaTypes,
} from "./contract/schema.ts";
export type { FrameSentinel, Sentinel, SentinelOption, SuffixSentinel } from "./wire/sentinel.ts";
export type { NumberRange } from "./session/events/number-set.ts";
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
export type { SlipOptions } from "./framing/slip.ts";
export type { VarintPrefixedOptions } from "./framing/varint-prefixed.ts";
export type {
  Argument,
  ErrorNames,
  ErrorPayload,
  EventNames,
  EventPayload,
  Fail,
  Failure,
  OtherSide,
  RequestInput,
  RequestNames,
  RequestOutput,
  StreamInput,
  StreamItem,
  StreamNames,
  StreamSend,
  View,
} from "./contract/views.ts";
export type { Finish, Wire, WireOptions, WireSink } from "./wire/wire.ts";
