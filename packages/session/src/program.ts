/**
 * The one way in which the program's own functions are called: handlers, listeners, hooks,
 * authenticate, auth, connectors, iterators. Whatever such a function does (throw, reject, return a
 * value whose `then` throws, settle twice or never), nothing is thrown here, and whoever called is
 * told once how it ended. Must not know what the functions are for.
 *
 * @module
 */
import { HawserError } from "@hawser/protocol";
import { describeCaught } from "@hawser/protocol/engine";
import type { Clock } from "@hawser/transport";

/**
 * True if a value is to be awaited: it has a `then` function, or one can't tell, because looking at
 * it throws. The latter is a failure of whoever gave the value, and `await` makes a rejection of
 * it.
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  try {
    return "then" in value && typeof value.then === "function";
  } catch {
    return true;
  }
}

/**
 * Calls a function of the program. Exactly one of `settled` and `failed` is called, once: from
 * within, unless the function returned a promise.
 */
export function runProgram(
  run: () => unknown,
  settled: (value: unknown) => void,
  failed: (cause: unknown) => void,
): void {
  let result: unknown;
  try {
    result = run();
  } catch (cause) {
    failed(cause);
    return;
  }
  if (isThenable(result)) whenSettled(result, settled, failed);
  else settled(result);
}

/**
 * Waits for a promise of the program, of any kind. Exactly one of `settled` and `failed` is called,
 * once, in a later turn.
 */
export function whenSettled(
  promise: PromiseLike<unknown>,
  settled: (value: unknown) => void,
  failed: (cause: unknown) => void,
): void {
  try {
    // What most handlers return: a seventh of an asynchronous message's cost less than awaiting it.
    // A class of its own may have a `then` of its own.
    if (promise.constructor === Promise) {
      void nativeThen.call(promise, settled, failed);
      return;
    }
  } catch {
    // It is no promise, though it says so, or it can't be looked at.
  }
  void awaitProgram(promise, settled, failed);
}

// eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with its promise
const nativeThen = Promise.prototype.then;

async function awaitProgram(
  promise: PromiseLike<unknown>,
  settled: (value: unknown) => void,
  failed: (cause: unknown) => void,
): Promise<void> {
  let value: unknown;
  try {
    value = await promise;
  } catch (cause) {
    failed(cause);
    return;
  }
  settled(value);
}

/**
 * Calls a function of the program that nobody waits for; `failed` is told what it throws, or
 * rejects with.
 */
export function tellProgram(run: () => unknown, failed: (cause: unknown) => void): void {
  runProgram(run, ignore, failed);
}

/** What a promise of the program is awaited within. */
export interface Within {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** The error when the time is up. */
  readonly late: () => HawserError;
  /** The promise was fulfilled after it had been given up: what it gave is to be released. */
  readonly unwanted?: (value: unknown) => void;
}

/**
 * Waits for what a function of the program gives, but no longer than it may take.
 *
 * @throws what the function throws or rejects with; the signal's reason; `late()`
 */
export function withinTime(
  run: () => unknown,
  { clock, timeoutMs, signal, late, unwanted }: Within,
): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  // whoever aborts it says with what
  if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
  let isOver = false;
  const finish = (settle: () => void): void => {
    if (isOver) return;
    isOver = true;
    cancelTimer?.();
    signal?.removeEventListener("abort", abort);
    settle();
  };
  const abort = (): void => {
    finish(() => {
      reject(signal?.reason);
    });
  };
  const expire = (): void => {
    finish(() => {
      reject(late());
    });
  };
  const cancelTimer = timeoutMs === Infinity ? null : clock.after(timeoutMs, expire);
  signal?.addEventListener("abort", abort);
  runProgram(
    run,
    (value) => {
      if (isOver) unwanted?.(value);
      finish(() => {
        resolve(value);
      });
    },
    (cause) => {
      finish(() => {
        reject(cause);
      });
    },
  );
  return promise;
}

/**
 * The error that a function of the program has failed with, for this side. `what`: `"The handler of
 * the request add"`.
 */
export function programFailed(
  what: string,
  cause: unknown,
  scope: "connection" | "conversation" | "session" = "conversation",
): HawserError {
  return new HawserError("HANDLER_FAILED", `${what} failed: ${describeCaught(cause)}`, {
    cause,
    scope,
  });
}

function ignore(): void {
  // Nobody waits for it.
}
