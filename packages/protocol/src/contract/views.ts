/**
 * Views: what a side of a contract sees of its types. The sender of a value sees what its schema
 * takes, the receiver what its schema gives. Owns types alone: each is looked up by name when it is
 * asked for, so that a large contract costs nothing to pass around.
 *
 * @module
 */
import type { Protocol } from "./contract.ts";
import type { Opener, Side } from "./message.ts";

/**
 * From which end a value is looked at: `"sent"` is what its schema takes, `"received"` what its
 * schema gives.
 */
export type View = "received" | "sent";

/** The other end. */
export type OtherSide<S extends Side> = S extends "client" ? "server" : "client";

/** The requests that `S` may open, and the other side must handle. Without `S`: all. */
export type RequestNames<P extends Protocol, S extends Side = Side> = Opened<
  Requests<P>,
  S,
  "client"
>;

/** The streams that `S` may open, and the other side must handle. Without `S`: all. */
export type StreamNames<P extends Protocol, S extends Side = Side> = Opened<
  Streams<P>,
  S,
  "client"
>;

/** The events that `S` may emit, and the other side receives. Without `S`: all. */
export type EventNames<P extends Protocol, S extends Side = Side> = Opened<Events<P>, S, "both">;

/**
 * The input of a request. The caller's view unless told; `void` is sent, and `undefined`
 * received, where it is asked with nothing.
 */
export type RequestInput<
  P extends Protocol,
  N extends RequestNames<P>,
  V extends View = "sent",
> = N extends unknown ? Seen<Requests<P>[N]["input"], V> : never;

/** The answer of a request. The caller's view unless told. */
export type RequestOutput<
  P extends Protocol,
  N extends RequestNames<P>,
  V extends View = "received",
> = N extends unknown ? Seen<Requests<P>[N]["output"], V> : never;

/** The input of a stream. The opener's view unless told. */
export type StreamInput<
  P extends Protocol,
  N extends StreamNames<P>,
  V extends View = "sent",
> = N extends unknown ? Seen<Streams<P>[N]["input"], V> : never;

/**
 * An item of a stream's responder. The opener's view unless told; `never` where there are no items.
 */
export type StreamItem<
  P extends Protocol,
  N extends StreamNames<P>,
  V extends View = "received",
> = N extends unknown ? Seen<Streams<P>[N]["item"], V, never, never> : never;

/**
 * An item of a stream's opener. The opener's view unless told; `never` where there are no items.
 */
export type StreamSend<
  P extends Protocol,
  N extends StreamNames<P>,
  V extends View = "sent",
> = N extends unknown ? Seen<Streams<P>[N]["send"], V, never, never> : never;

/** The payload of an event. The receiver's view unless told. */
export type EventPayload<
  P extends Protocol,
  N extends EventNames<P>,
  V extends View = "received",
> = N extends unknown ? Seen<Events<P>[N]["payload"], V> : never;

/** The errors that a request's or stream's handler may fail with by name. */
export type ErrorNames<
  P extends Protocol,
  N extends RequestNames<P> | StreamNames<P>,
> = keyof Errors<P, N> & string;

/** The payload of a named error. The opener's view unless told. */
export type ErrorPayload<
  P extends Protocol,
  N extends RequestNames<P> | StreamNames<P>,
  E extends ErrorNames<P, N>,
  V extends View = "received",
> = Seen<Errors<P, N>[E], V>;

/**
 * A named error with its payload: a union that `name` tells apart. The opener's view unless told.
 */
export type Failure<
  P extends Protocol,
  N extends RequestNames<P> | StreamNames<P>,
  V extends View = "received",
> = {
  [E in ErrorNames<P, N>]: { readonly name: E; readonly payload: ErrorPayload<P, N, E, V> };
}[ErrorNames<P, N>];

/**
 * Fails a handler with an error of the contract. A payload that may be `undefined` may be left
 * out.
 */
export type Fail<P extends Protocol, N extends RequestNames<P> | StreamNames<P>> = <
  E extends ErrorNames<P, N>,
>(
  name: E,
  ...payload: Argument<ErrorPayload<P, N, E, "sent">>
) => never;

/** One argument, which may be left out where `T` has `undefined` or `void`. */
export type Argument<T> = undefined extends T ? [value?: T] : [value: T];

type Requests<P extends Protocol> = NonNullable<P["definition"]["requests"]>;
type Streams<P extends Protocol> = NonNullable<P["definition"]["streams"]>;
type Events<P extends Protocol> = NonNullable<P["definition"]["events"]>;

/** The names of `M` whose `from`, which is `Default` where it is absent, has `S`. */
type Opened<M, S extends Side, Default extends Opener> = {
  [N in keyof M]: M[N] extends { readonly from: infer F }
    ? Has<F, S> extends true
      ? N
      : never
    : "from" extends keyof M[N] // of a contract that is not known
      ? N
      : Has<Default, S> extends true
        ? N
        : never;
}[keyof M] &
  string;

type Has<From, S extends Side> = [From & (S | "both")] extends [never] ? false : true;

type Errors<P extends Protocol, N> = N extends keyof Requests<P>
  ? Requests<P>[N]["errors"]
  : N extends keyof Streams<P>
    ? Streams<P>[N]["errors"]
    : never;

/** A schema's type in a view, and the type that stands for an absent one. */
type Seen<S, V extends View, NothingSent = void, NothingReceived = undefined> = S extends {
  readonly "~standard": {
    readonly types?: { readonly input: infer Sent; readonly output: infer Received } | undefined;
  };
}
  ? V extends "sent"
    ? Sent
    : Received
  : unknown extends S
    ? V extends "sent"
      ? NothingSent
      : NothingReceived
    : unknown;
