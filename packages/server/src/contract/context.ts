/**
 * What a server's handlers and middleware are called with, at run time: the types are in
 * handlers.ts.
 *
 * @module
 */
import type { HawserError, Protocol } from "@hawser/protocol";
import type { InboundCall, InboundEvent } from "@hawser/protocol/engine";
import { type Backlog, CallContext, type StuckHandlers } from "@hawser/session";
import type { EventContext, MiddlewareCall, SessionServer, SessionSocket } from "./handlers.ts";

/** The session behind a context. */
export interface ContextOwner<P extends Protocol, C> {
  readonly server: SessionServer<P, C>;
  readonly stuckHandlers: StuckHandlers;
  /** Aborted when the server begins to close. */
  readonly drainSignal: AbortSignal;
  /** Something went wrong that the peer is not told. */
  dropped(error: HawserError): void;
}

/** The context of a call's handler: {@link HandlerContext}. */
export class ServedCall<P extends Protocol, C> extends CallContext {
  readonly socket: SessionSocket<P, C>;
  readonly #owner: ContextOwner<P, C>;

  constructor(
    call: InboundCall,
    backlog: Backlog,
    socket: SessionSocket<P, C>,
    owner: ContextOwner<P, C>,
  ) {
    super(call, backlog);
    this.socket = socket;
    this.#owner = owner;
  }

  get server(): SessionServer<P, C> {
    return this.#owner.server;
  }

  get context(): C {
    return this.socket.context;
  }

  get draining(): AbortSignal {
    return this.#owner.drainSignal;
  }

  get stuckHandlers(): StuckHandlers {
    return this.#owner.stuckHandlers;
  }

  report(error: HawserError): void {
    this.#owner.dropped(error);
  }
}

/**
 * The context of an event's handler: {@link EventContext}, and for middleware {@link
 * MiddlewareCall}.
 */
export class ServedEvent<P extends Protocol, C>
  implements EventContext<P, C>, MiddlewareCall<P, C>
{
  readonly type = "event";
  readonly deadlineMs: number = Infinity;
  readonly socket: SessionSocket<P, C>;
  readonly #event: InboundEvent;
  readonly #owner: ContextOwner<P, C>;

  constructor(event: InboundEvent, socket: SessionSocket<P, C>, owner: ContextOwner<P, C>) {
    this.#event = event;
    this.#owner = owner;
    this.socket = socket;
  }

  get name(): string {
    return this.#event.entry.name;
  }

  get input(): unknown {
    return this.#event.payload;
  }

  get trace(): string | null {
    return this.#event.trace;
  }

  get server(): SessionServer<P, C> {
    return this.#owner.server;
  }

  get draining(): AbortSignal {
    return this.#owner.drainSignal;
  }

  get eventId(): string | null {
    return this.#event.identity?.id ?? null;
  }

  /** Never aborted: an event has nobody who waits for an answer. */
  get signal(): AbortSignal {
    return new AbortController().signal;
  }

  get context(): C {
    return this.socket.context;
  }
}
