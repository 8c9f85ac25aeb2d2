/**
 * What the parts of a session share.
 *
 * @module
 */
import type { HawserError } from "../errors.ts";
import type { Side } from "../contract/message.ts";
import type { SessionLimits } from "../session/limits.ts";
import type { SessionSink } from "../session/types.ts";
import type { Dialect } from "./dialect.ts";
import type { Turn } from "./turn.ts";

/**
 * What becomes of the frames that wait when the session ends: an orderly end sends them, a peer
 * that does not read gets no more.
 */
export type Rest = "drop" | "flush";

/** What a session's parts work with. */
export interface Context {
  readonly side: Side;
  readonly dialect: Dialect;
  readonly limits: SessionLimits;
  readonly sink: SessionSink;
  readonly turn: Turn;
  /** Something that was open is not any more. */
  settled(): void;
  /** The session can't go on. */
  broken(error: HawserError, rest: Rest): void;
}
