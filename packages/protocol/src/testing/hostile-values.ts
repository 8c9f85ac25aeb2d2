/**
 * Hostile values: what a program may throw, reject with, return or yield, and what nobody may
 * trust: proxies, getters that throw, errors whose message is none. Must not know who is tried with
 * them.
 *
 * @module
 */
import { HawserError } from "../errors.ts";

const thrower = (): never => {
  throw new Error("from a getter");
};

function revoked(target: object): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function withGetter(name: PropertyKey): Error {
  return Object.defineProperty(new Error("x"), name, { get: thrower });
}

/** What makes each, by its name: anew each time, since looking at one may change it. */
export const hostileValues: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  number: () => NaN,
  bigint: () => 2n ** 70n,
  symbol: () => Symbol("s"),
  text: () => "text",
  emptyText: () => "",
  loneSurrogate: () => "\ud800",
  hugeText: () => "x".repeat(100_000),
  controls: () => new Error("\u001b[31mred\u0000\u0085\u202e"),
  plain: () => ({}),
  bare: () => Object.create(null) as unknown,
  function: () => () => undefined,
  error: () => new Error("boom"),
  typeError: () => new TypeError("x is not a function"),
  noMessage: () => Object.assign(new Error("x"), { message: undefined }),
  nullMessage: () => Object.assign(new Error("x"), { message: null }),
  numberMessage: () => Object.assign(new Error("x"), { message: 42 }),
  objectMessage: () => Object.assign(new Error("x"), { message: { status: 500 } }),
  symbolMessage: () => Object.assign(new Error("x"), { message: Symbol("m") }),
  messageGetter: () => withGetter("message"),
  nameGetter: () => withGetter("name"),
  stackGetter: () => withGetter("stack"),
  codeGetter: () => withGetter("code"),
  causeGetter: () => withGetter("cause"),
  brandGetter: () => withGetter("brand"),
  thenGetter: () => Object.defineProperty({}, "then", { get: thrower }),
  thenGetterError: () => withGetter("then"),
  tagGetter: () => Object.defineProperty({}, Symbol.toStringTag, { get: thrower }),
  primitive: () => ({ [Symbol.toPrimitive]: thrower, toString: thrower, valueOf: thrower }),
  toJSON: () => ({ toJSON: thrower }),
  iteratorGetter: () => Object.defineProperty({}, Symbol.iterator, { get: thrower }),
  asyncIteratorGetter: () => Object.defineProperty({}, Symbol.asyncIterator, { get: thrower }),
  proxy: () =>
    new Proxy(new Error("x"), {
      get: thrower,
      has: thrower,
      getPrototypeOf: thrower,
      ownKeys: thrower,
      getOwnPropertyDescriptor: thrower,
    }),
  getProxy: () => new Proxy(new Error("x"), { get: thrower }),
  revoked: () => revoked({}),
  revokedError: () => revoked(new Error("x")),
  revokedFunction: () => revoked(() => undefined),
  aggregate: () => new AggregateError([revoked({}), new Error("x")], ""),
  aggregateGetter: () =>
    Object.defineProperty(new AggregateError([], ""), "errors", { get: thrower }),
  selfCause: () => {
    const error = new Error("x");
    error.cause = error;
    return error;
  },
  hawser: () => new HawserError("OVERLOADED", "later"),
  hawserNamed: () =>
    new HawserError("NAMED_ERROR", "x", {
      failure: { name: "no such name", payload: revoked({}) },
      origin: "local",
    }),
  hawserBadName: () =>
    new HawserError("NAMED_ERROR", "x", {
      failure: { name: Symbol("n") as never, payload: 1 },
      origin: "local",
    }),
  hawserNameGetter: () =>
    new HawserError("NAMED_ERROR", "x", {
      failure: Object.defineProperty({ payload: 1 }, "name", { get: thrower }) as never,
      origin: "local",
    }),
  hawserCode: () => Object.assign(new HawserError("OVERLOADED", "x"), { code: {} }),
  hawserCodeGetter: () =>
    Object.defineProperty(new HawserError("OVERLOADED", "x"), "code", { get: thrower }),
  hawserMessage: () =>
    Object.assign(new HawserError("OVERLOADED", "x"), { message: { status: 500 } }),
  hawserProxy: () =>
    new Proxy(new HawserError("NAMED_ERROR", "x", { failure: { name: "n", payload: 1 } }), {
      get: (_, name) => (name === "brand" ? "hawser.error" : thrower()),
    }),
  hawserFake: () => Object.assign(new Error("x"), { brand: "hawser.error" }),
  frozen: () => Object.freeze(new HawserError("OVERLOADED", "x")),
};
