/**
 * For packages that run wires and sessions on a connection: the engines' interface, the tables of
 * limits, and how values of a program are looked at. Not for programs: a name of this entry may
 * change in any version.
 *
 * @module
 */
export { checkOptions, describeValue, nearestName, unknownName } from "./arguments.ts";
export { asError, describeCaught, isError, memberOf, stackOf } from "./caught.ts";
export { checkSpoken } from "./contract/spoken.ts";
export { readHawserError, withPeer } from "./errors.ts";
export { describeFault } from "./framing/framing.ts";
export { frameLimitTable, resolveFrameLimits, resolveLimits } from "./limits.ts";
export { NumberSet } from "./session/events/number-set.ts";
export { Retention } from "./session/events/retention.ts";
export { CONTRACT_FEATURE, contractRequest } from "./session/handshake/contract-request.ts";
export { resolveSessionLimits, sessionLimitTable } from "./session/limits.ts";
export { nativeSessions } from "./session/native.ts";
export { peerError } from "./stack.ts";
export { WireDecoder, WireEncoder } from "./wire/wire.ts";
export type { StorageSource } from "./bytes/writer.ts";
export type { Body } from "./codec/body.ts";
export type { PieceDecoder } from "./codec/codec.ts";
export type { CodecLibrary } from "./codec/library-codec.ts";
export type { AsyncApiOptions } from "./contract/async-api.ts";
export type { Check, Issue } from "./contract/check.ts";
export type {
  EventSchema,
  JsonSchemaDocument,
  LaneSchema,
  MessageSchema,
  RequestSchema,
  StreamSchema,
} from "./contract/contract-schema.ts";
export type { OnlyJson, OnlyMembers } from "./contract/contract.ts";
export type { LaneOption, LaneRule } from "./contract/lane.ts";
export type {
  Delivery,
  ErrorSchemas,
  MessageEntry,
  MessageType,
  Opener,
  Side,
} from "./contract/message.ts";
export type { ProtocolFromSchemaOptions } from "./contract/protocol-from-schema.ts";
export type {
  SchemaFailure,
  SchemaIssue,
  SchemaResult,
  SchemaShapes,
  SchemaStandard,
  SchemaSuccess,
  SchemaTypes,
} from "./contract/schema.ts";
export type { Argument, OtherSide, View } from "./contract/views.ts";
export type {
  ErrorKind,
  ErrorOrigin,
  ErrorPeer,
  ErrorScope,
  HawserErrorOptions,
  NamedFailure,
} from "./errors.ts";
export type { ChunkSearch } from "./framing/framing.ts";
export type { LineEnding } from "./framing/lines.ts";
export type { CancelMethod } from "./json-rpc/text.ts";
export type {
  Limit,
  LimitOptions,
  MalformedPolicy,
  OversizePolicy,
  UnterminatedPolicy,
} from "./limits.ts";
export type { NumberRange } from "./session/events/number-set.ts";
export type { SessionLimit, SessionLimits } from "./session/limits.ts";
export type {
  Admission,
  CallOptions,
  CallSink,
  CloseCode,
  EmitOptions,
  EventIdentity,
  Greeter,
  Greeting,
  InboundCall,
  InboundEvent,
  InboundSink,
  OutboundCall,
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
export type { ReadBudget } from "./wire/budget.ts";
export type { FrameSentinel, Sentinel, SuffixSentinel } from "./wire/sentinel.ts";
export type { Finish, WireOptions, WireSink } from "./wire/wire.ts";
