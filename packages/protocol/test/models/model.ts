// What a model is: a second implementation of a framing, from its grammar, simple and slow, on
// whole streams as latin strings.
import type { FrameLimits, Framing } from "../../src/mod.ts";

export interface Model {
  readonly framing: Framing;
  /**
   * What a whole stream holds: "=payload" for a frame, "!CODE@offset" for the fault that ends it,
   * "~CODE@offset" for one that is passed over.
   */
  read(stream: string, limits: FrameLimits): string[];
  /** A payload's frame; null where the framing can't carry it. */
  write(payload: string): string | null;
  /** What interesting streams and payloads are made of. */
  readonly tokens: readonly string[];
}

export const tooLargeAt = (offset: number, limits: FrameLimits): string =>
  `${limits.onOversize === "skip" ? "~" : "!"}FRAME_TOO_LARGE@${String(offset)}`;
export const malformedAt = (offset: number): string => `!FRAME_MALFORMED@${String(offset)}`;
/** As `malformedAt`, of a framing that passes over what is damaged. */
export const damagedAt = (offset: number, skips: boolean): string =>
  skips ? `~FRAME_MALFORMED@${String(offset)}` : malformedAt(offset);
export const truncatedAt = (offset: number): string => `!FRAME_TRUNCATED@${String(offset)}`;

/**
 * Reads frames one after another: `next` adds to `found` and returns where the next frame begins,
 * or null when the stream is over.
 */
export function readAll(
  stream: string,
  found: string[],
  next: (at: number) => number | null,
): string[] {
  let at: number | null = 0;
  while (at !== null && at < stream.length) at = next(at);
  return found;
}

/**
 * A frame whose payload `size` is announced by the header at `lengthAt`; `at` is where the payload
 * begins.
 */
export function readCounted(
  stream: string,
  limits: FrameLimits,
  found: string[],
  header: { lengthAt: number; at: number; size: number },
  closing = "",
): number | null {
  const { lengthAt, at, size } = header;
  const end = at + size;
  const next = end + closing.length;
  const closed = stream.slice(end, next) === closing;
  if (size > limits.maxFrameBytes) {
    found.push(tooLargeAt(lengthAt, limits));
    if (limits.onOversize !== "skip" || next > stream.length) return null;
    if (!closed) found.push(malformedAt(end));
    return closed ? next : null;
  }
  if (next > stream.length) found.push(truncatedAt(stream.length));
  else found.push(closed ? `=${stream.slice(at, end)}` : malformedAt(end));
  return next > stream.length || !closed ? null : next;
}

/**
 * Index of the first byte at which no text of the grammar goes on; the text's end where it is one,
 * or the beginning of one.
 */
export function firstWrong(text: string, isBeginning: (beginning: string) => boolean): number {
  for (let length = 1; length <= text.length; length++)
    if (!isBeginning(text.slice(0, length))) return length - 1;
  return text.length;
}
