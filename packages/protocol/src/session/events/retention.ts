/**
 * Retention: what sessions without a connection keep of events, of all sessions that share the
 * account. Owns the sum, in which a body that many sessions share counts once. Must not know
 * sessions or events.
 *
 * @module
 */

/** What an event takes besides its body: its record, its place in a queue, its outcome. */
export const RECORD_BYTES = 200;

/** A body that was prepared once, for many sessions. */
export interface SharedBody {
  readonly body: Uint8Array;
  /** Number of records in an account that refer to it. */
  holders: number;
}

/** The account of a server's lost sessions. */
export class Retention {
  #bytes = 0;

  /** Bytes that are kept now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts an event: `shared`, or `ownBytes` of its own. */
  hold(shared: SharedBody | null, ownBytes: number): void {
    this.#bytes += RECORD_BYTES;
    if (shared === null) this.#bytes += ownBytes;
    else if (shared.holders++ === 0) this.#bytes += shared.body.length;
  }

  /** Counts it no more. */
  release(shared: SharedBody | null, ownBytes: number): void {
    this.#bytes -= RECORD_BYTES;
    if (shared === null) this.#bytes -= ownBytes;
    else if (--shared.holders === 0) this.#bytes -= shared.body.length;
  }
}
