/**
 * The context of AsyncLocalStorage, taken along to where the runtime does not carry it by itself:
 * into the pulls of a stream, which happen long after the middleware that entered the context has
 * returned. Must not know who uses it.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";

/** Runs a function in a context. */
export type InContext = <T>(run: () => T) => T;

/** Takes the context of the caller. */
export function captureContext(): InContext {
  return AsyncLocalStorage.snapshot();
}
