/**
 * The caller's stack in the errors of what it called: an error that comes with an answer, or from
 * the system, is made in a later turn, and its own stack names no line of the program. Must not
 * know what was called.
 *
 * @module
 */
import { HawserError, isHawserError } from "@hawser/protocol";
import { withPeer } from "@hawser/protocol/engine";

/**
 * The frames below this call, as they are now; they are only made into text when they are wanted.
 */
export function captureCaller(): { readonly stack?: string } {
  const holder = {};
  Error.captureStackTrace(holder, captureCaller);
  return holder;
}

/** As the promise, and what it rejects with holds the caller's frames below its own. */
export async function withCaller<T>(
  promise: Promise<T>,
  caller: { readonly stack?: string },
): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw isHawserError(error) ? framed(error, caller) : error;
  }
}

/** A copy, since calls that a lost connection ends share one error. */
function framed(error: HawserError, { stack = "" }: { readonly stack?: string }): HawserError {
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  if (frames.length === 0) return error;
  const { code, message, cause, origin, scope, failure, path, peer } = error;
  const copy = new HawserError(code, message, {
    cause,
    origin,
    scope,
    ...(failure === null ? {} : { failure }),
    ...(path === null ? {} : { path }),
  });
  copy.stack = [error.stack ?? message, ...frames].join("\n");
  return peer === null ? copy : withPeer(copy, peer);
}
