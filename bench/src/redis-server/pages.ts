/**
 * Storage for many small runs of bytes, in pages that they share and use again: a run costs no
 * object. Must not know what the bytes are, nor whose: a run is its page and first byte, and its
 * owner's until it is given back.
 */

const PAGE_BYTES = 65_536;
/** A run's size is rounded up to steps of 16 bytes. */
const STEP_BITS = 4;
const STEP_BYTES = 1 << STEP_BITS;
/**
 * A larger run has a page of its own, which goes when the run is given back; the other pages stay.
 */
const LARGEST_BYTES = 4_096;

const NOTHING = Buffer.alloc(0);

export class Pages {
  readonly #pages: Buffer[] = [NOTHING]; // no run is in page 0
  /** Numbers of the pages that went. */
  readonly #gone: number[] = [];
  /** Runs that were given back, by their steps: first byte and page of each, in turn. */
  readonly #free: readonly number[][] = Array.from(
    { length: (LARGEST_BYTES >> STEP_BITS) + 1 },
    () => [],
  );
  /**
   * The page that runs are cut from, and how much of it is used; what is too short at its end is
   * lost.
   */
  #current = 0;
  #used = PAGE_BYTES;
  /** The first byte of the run that was taken last. */
  first = 0;

  /** A page's bytes. */
  of(page: number): Buffer {
    return this.#pages[page] ?? NOTHING;
  }

  /** Whether a run that was taken with one size is as good for another. */
  fits(size: number, other: number): boolean {
    return stepsOf(size) === stepsOf(other);
  }

  /** Take a run of `size` bytes: returns its page, and sets `first`. */
  take(size: number): number {
    const bytes = stepsOf(size) << STEP_BITS;
    if (bytes > LARGEST_BYTES) {
      this.first = 0;
      return this.#add(bytes);
    }
    const free = this.#free[stepsOf(size)];
    const page = free?.pop();
    if (page !== undefined) {
      this.first = free?.pop() ?? 0;
      return page;
    }
    if (this.#used + bytes > PAGE_BYTES) {
      this.#current = this.#add(PAGE_BYTES);
      this.#used = 0;
    }
    this.first = this.#used;
    this.#used += bytes;
    return this.#current;
  }

  /** Give back a run that was taken with this size, or one that fits. */
  give(page: number, first: number, size: number): void {
    const steps = stepsOf(size);
    if (steps << STEP_BITS <= LARGEST_BYTES) {
      this.#free[steps]?.push(first, page);
    } else {
      this.#pages[page] = NOTHING;
      this.#gone.push(page);
    }
  }

  #add(bytes: number): number {
    const page = this.#gone.pop() ?? this.#pages.length;
    this.#pages[page] = Buffer.allocUnsafeSlow(bytes);
    return page;
  }
}

function stepsOf(size: number): number {
  return (size + STEP_BYTES - 1) >> STEP_BITS;
}
