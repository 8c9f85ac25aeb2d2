/**
 * A meter of work and memory that gives the same figures in every run: it counts bytes touched, not
 * seconds.
 *
 * While a decoder is metered, `Uint8Array` makes arrays that count: each element read or written is
 * a step, a method costs the bytes that it goes over, an allocation its length. The global is put
 * back before the meter returns; nothing else runs in between, because all of it is synchronous.
 *
 * Limits: work in strings, arrays, other typed arrays, DataView and Node's Buffer is not seen. Nor
 * is what is kept told from what is garbage: of memory, the meter knows the largest allocation, and
 * their number.
 *
 * @module
 */

/** What a metered run cost. */
export interface Work {
  /** Bytes read, written, copied, searched and allocated. */
  readonly steps: number;
  /** The largest array that was made. */
  readonly largestBytes: number;
  /** Number of arrays that were made and hold bytes of their own. */
  readonly arrays: number;
}

/**
 * Run `use` and count what it does with the arrays it makes, and with those that it gets from
 * `counted`.
 */
export function meter(use: (counted: (bytes: Uint8Array) => Uint8Array) => void): Work {
  const original = globalThis.Uint8Array;
  const originals = new WeakMap<object, Uint8Array>();
  let steps = 0;
  let largestBytes = 0;
  let arrays = 0;

  const bare = (value: unknown): unknown =>
    typeof value === "object" && value !== null ? (originals.get(value) ?? value) : value;
  const made = (bytes: Uint8Array): Uint8Array => {
    steps += bytes.length;
    largestBytes = Math.max(largestBytes, bytes.length);
    if (bytes.length > 0) arrays++;
    return counted(bytes);
  };
  const counted = (bytes: Uint8Array): Uint8Array => {
    const proxy = new Proxy(bytes, handler);
    originals.set(proxy, bytes);
    return proxy;
  };
  const call = (bytes: Uint8Array, name: string, given: unknown[]): unknown => {
    const args = given.map(bare);
    // the trap asks for functions only
    const method = Reflect.get(bytes, name, bytes) as (...args: unknown[]) => unknown;
    const result = method.apply(bytes, args);
    if (name === "subarray") return counted(result as Uint8Array); // as subarray's type says
    if (name === "slice") return made(result as Uint8Array); // as slice's type says
    steps += methodSteps(bytes, name, args, result);
    return result === bytes ? counted(bytes) : result;
  };
  const handler: ProxyHandler<Uint8Array> = {
    get(bytes, name) {
      const value: unknown = Reflect.get(bytes, name, bytes);
      if (typeof value === "function" && typeof name === "string" && name !== "constructor")
        return (...args: unknown[]) => call(bytes, name, args);
      if (typeof value === "function")
        // an iterator: its reads are not seen
        return (value as (...args: unknown[]) => unknown).bind(bytes);
      if (typeof name === "string" && isIndex(name)) steps++;
      return value;
    },
    set(bytes, name, value) {
      steps++;
      return Reflect.set(bytes, name, value, bytes);
    },
  };

  globalThis.Uint8Array = new Proxy(original, {
    construct: (target, args: unknown[]) =>
      made(Reflect.construct(target, args.map(bare)) as Uint8Array), // as its constructor says
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== "of" && name !== "from") return value;
      return (...args: unknown[]) =>
        // as both are declared
        made((value as (...args: unknown[]) => Uint8Array).apply(target, args.map(bare)));
    },
  });
  try {
    use(counted);
  } finally {
    globalThis.Uint8Array = original;
  }
  return { steps, largestBytes, arrays };
}

/** The bytes that a method of an array goes over. */
function methodSteps(
  bytes: Uint8Array,
  name: string,
  args: readonly unknown[],
  result: unknown,
): number {
  const [first, second] = args;
  if (name === "set") return (first as ArrayLike<number>).length; // as set's type says
  if (name === "indexOf" || name === "includes") {
    const from = typeof second === "number" ? second : 0;
    return typeof result === "number" && result >= 0
      ? result - from + 1
      : Math.max(0, bytes.length - from);
  }
  if (name === "copyWithin" || name === "fill") {
    const from = typeof second === "number" ? second : 0;
    const end = typeof args[2] === "number" ? args[2] : bytes.length;
    return Math.max(0, end - from);
  }
  return bytes.length;
}

function isIndex(name: string): boolean {
  const first = name.charCodeAt(0);
  return first >= 0x30 && first <= 0x39;
}
