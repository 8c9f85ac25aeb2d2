/**
 * The limits of a connection: how long it may be silent, half a frame old, or behind with its
 * output. One table; protocol's `resolveLimits` checks what callers give against it.
 *
 * @module
 */
import type { FrameLimits } from "@hawser/protocol";
import {
  checkOptions,
  frameLimitTable,
  type Limit,
  resolveFrameLimits,
  resolveLimits,
} from "@hawser/protocol/engine";

/**
 * Bounds of what waits to be sent on one connection, as callers give them. All but `stallMs` in
 * bytes.
 */
export interface WriteBufferOptions {
  readonly highBytes?: number | undefined;
  readonly lowBytes?: number | undefined;
  readonly maxBytes?: number | undefined;
  readonly stallMs?: number | undefined;
}

/** The limits of one connection, as callers give them. */
export interface ConnectionLimitOptions extends Partial<FrameLimits> {
  readonly endTimeoutMs?: number | undefined;
  readonly frameTimeoutMs?: number | undefined;
  readonly idleTimeoutMs?: number | undefined;
  readonly lingerTimeoutMs?: number | undefined;
  readonly writeBuffer?: WriteBufferOptions | undefined;
}

/** The limits of one connection, complete. */
export interface ConnectionLimits {
  readonly frame: FrameLimits;
  readonly endTimeoutMs: number;
  readonly frameTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly lingerTimeoutMs: number;
  readonly writeBuffer: Readonly<Record<keyof WriteBufferOptions, number>>;
}

const ms = "milliseconds";

/**
 * The time limits of a connection: what a server uses; a client waits for ever where the row says
 * so.
 */
export const timeLimitTable: Readonly<
  Record<"endTimeoutMs" | "frameTimeoutMs" | "idleTimeoutMs" | "lingerTimeoutMs", Limit>
> = Object.freeze({
  endTimeoutMs: {
    default: 30_000,
    unit: ms,
    min: 1,
    unlimited: true,
    reason:
      "A peer that does not end when this end has: on a server it has so long, whatever it " +
      "sends; on a client each byte that comes gives it as long again (END_TIMEOUT).",
  },
  frameTimeoutMs: {
    default: 10_000,
    unit: ms,
    min: 1,
    unlimited: true,
    reason: "A frame that is begun and never completed holds its memory for ever (FRAME_TIMEOUT).",
  },
  idleTimeoutMs: {
    default: 60_000,
    unit: ms,
    min: 1,
    unlimited: true,
    reason:
      "A peer that is gone without a FIN is never noticed otherwise (IDLE_TIMEOUT). A client's " +
      "default is Infinity.",
  },
  lingerTimeoutMs: {
    default: 1_000,
    unit: ms,
    min: 1,
    unlimited: false,
    reason:
      "Closing with unread input resets the connection and destroys what was sent last; 1 s is " +
      "what HTTP servers linger.",
  },
});

/** The limits of what waits to be sent. */
export const writeBufferTable: Readonly<Record<keyof WriteBufferOptions, Limit>> = Object.freeze({
  highBytes: {
    default: 65_536,
    unit: "bytes",
    min: 1,
    unlimited: false,
    reason: "send() says false above it; one output slab.",
  },
  lowBytes: {
    default: 32_768,
    unit: "bytes",
    min: 0,
    unlimited: false,
    reason:
      "writable() resolves at it; half of highBytes, so that a writer is not woken for each write.",
  },
  maxBytes: {
    default: 8_388_608,
    unit: "bytes",
    min: 1,
    unlimited: false,
    reason:
      "What one reader that does not read may cost in memory (SLOW_CONSUMER on a server, " +
      "WRITE_BUFFER_FULL on a client).",
  },
  stallMs: {
    default: 10_000,
    unit: ms,
    min: 1,
    unlimited: true,
    reason:
      "A peer that takes nothing for so long is gone (SLOW_CONSUMER). A client's default is " +
      "Infinity.",
  },
});

/** The names of the options that {@link resolveConnectionLimits} takes. */
export const connectionOptionNames: readonly string[] = Object.freeze([
  ...Object.keys(frameLimitTable),
  "onOversize",
  ...Object.keys(timeLimitTable),
  "writeBuffer",
]);

/**
 * Complete and check the limits of a connection.
 *
 * @throws {TypeError} when a value is not a number
 * @throws {RangeError} when a value is out of its row's range, or the three sizes of the write
 *   buffer are out of order
 */
export function resolveConnectionLimits(
  given: ConnectionLimitOptions,
  role: "client" | "server",
): ConnectionLimits {
  if (given.writeBuffer !== undefined)
    checkOptions("writeBuffer", given.writeBuffer, Object.keys(writeBufferTable));
  const patient = role === "client" ? Infinity : undefined;
  const frame = resolveFrameLimits({
    maxFrameBytes: given.maxFrameBytes ?? frameLimitTable.maxFrameBytes.default,
    onOversize: given.onOversize,
  });
  const times = resolveLimits(timeLimitTable, {
    ...given,
    idleTimeoutMs: given.idleTimeoutMs ?? patient,
  });
  const writeBuffer = resolveLimits(writeBufferTable, {
    ...given.writeBuffer,
    stallMs: given.writeBuffer?.stallMs ?? patient,
  });
  const { lowBytes, highBytes, maxBytes } = writeBuffer;
  if (lowBytes > highBytes || highBytes > maxBytes) {
    throw new RangeError(
      `Cannot use writeBuffer { lowBytes: ${String(lowBytes)}, highBytes: ` +
        `${String(highBytes)}, maxBytes: ${String(maxBytes)} }: each is at most the next`,
    );
  }
  return Object.freeze({ frame, ...times, writeBuffer });
}
