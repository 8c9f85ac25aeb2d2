/**
 * A conversation that runs over a connection: a wire, or an engine with its calls, streams and
 * events. For ends: servers and clients.
 *
 * @module
 */
export {
  mayBeSeen,
  RecentEvents,
  resolveDeduplicate,
  unlessSeen,
} from "./contract/event-memory.ts";
export {
  callOptions,
  emitEvent,
  EventCall,
  eventsFlushed,
  messageToOpen,
  openRequest,
  rejected,
  RequestCall,
} from "./contract/caller.ts";
export { SessionLink } from "./contract/link.ts";
export { CallContext, failEvent, Responder, settleEvent } from "./contract/responder.ts";
export { openStream, SessionStream } from "./contract/stream.ts";
export { StuckHandlers } from "./contract/stuck-handlers.ts";
export { unsent } from "./contract/unsent.ts";
export {
  isThenable,
  programFailed,
  runProgram,
  tellProgram,
  whenSettled,
  withinTime,
} from "./program.ts";
export { Reporter } from "./reporter.ts";
export { WireSocket } from "./wire/socket.ts";
export type { Arguments, EventOptions, OpenOptions } from "./contract/caller.ts";
export type { Deduplication, EventMemory } from "./contract/event-memory.ts";
export type { Backlog, SessionLinkEvents, SessionLinkOptions, Speaker } from "./contract/link.ts";
export type { AnyHandler, AnyMiddleware, Awaitable, StreamResult } from "./contract/responder.ts";
export type { Closed, WireSocketEvents, WireSocketOptions } from "./wire/socket.ts";
