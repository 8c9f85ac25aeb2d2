/**
 * Reading into one buffer for all sockets of a process, where the runtime lets us: Node's `onread`,
 * which is public for a socket that connects and not for one that is accepted, so both take the
 * same way, behind a test of what it needs. Saves the 64 KiB that Node allocates for each read.
 * Measured: bench/HISTORY.md.
 *
 * A socket whose messages are so large that each would be copied out of that buffer reads into
 * storage of its own, which is written once and belongs to the messages then.
 *
 * @module
 */

/** Bytes of one read at most. */
const READ_BYTES = 262_144;

/**
 * The buffer. Module-level on purpose: a read is delivered before the next begins, and its bytes
 * are nobody's after that.
 */
let buffer: Uint8Array | null = null;

/**
 * What a socket calls for each read, with itself as `this`: the bytes are valid until it returns.
 */
export type OnRead = (count: number, bytes: Uint8Array) => boolean;

/**
 * Bytes of a socket's own storage; what is left of it takes the next read while that is as much as
 * the shared buffer takes. Just this many: V8 counts arrays up to 64 MiB, and only where their
 * lengths divide it does a scavenge come before a collection of the whole heap. Measured:
 * bench/HISTORY.md.
 */
const OWN_BYTES = 1_048_576;

/**
 * Number of sockets that may have storage of their own, which waits with them while they are
 * silent: 32 MiB.
 */
const MOST_OWN = 32;

/**
 * Number that have it. Module-level as the buffer is, and what the next read of the socket that
 * reads now goes to.
 */
let own = 0;
let next: Uint8Array | null = null;

interface Handle {
  useUserBuffer(buffer: Uint8Array): void;
}

/**
 * Have `socket` read into the shared buffer and call `onRead`, instead of emitting `"data"`.
 *
 * Returns false, having changed nothing, where the runtime is not known to work this way.
 */
export function readStatically(socket: object, onRead: OnRead): boolean {
  const handle = "_handle" in socket ? socket._handle : null;
  if (!isHandle(handle)) return false;
  const symbols = hasSymbols(socket, known) ? known : symbolsOf(socket);
  if (symbols === null) return false;
  known = symbols;
  buffer ??= Buffer.allocUnsafeSlow(READ_BYTES);
  Object.assign(socket, { [symbols.buffer]: buffer, [symbols.callback]: onRead });
  handle.useUserBuffer(buffer);
  return true;
}

/** True if nobody writes into the bytes of a read any more. */
export function isOwn(bytes: Uint8Array): boolean {
  return bytes !== buffer;
}

/**
 * To be called within `onRead`, when what was read into `bytes` has been used: choose where the
 * socket's next read goes. `keeps`: messages were kept where they are, or would have been.
 */
export function chooseNext(socket: object, count: number, bytes: Uint8Array, keeps: boolean): void {
  if (known === null) return;
  if (!isOwn(bytes)) {
    if (!keeps || own >= MOST_OWN) return;
    own++;
    next = Buffer.allocUnsafeSlow(OWN_BYTES);
    Object.assign(socket, { [known.generator]: takeNext });
  } else if (!keeps) {
    own--;
    next = buffer;
  } else {
    next =
      bytes.length - count < READ_BYTES ? Buffer.allocUnsafeSlow(OWN_BYTES) : bytes.subarray(count);
  }
}

/** A socket is closed: if it has storage of its own, that is counted no more. */
export function stopReading(socket: object): void {
  if (known === null) return;
  const bytes: unknown = Reflect.get(socket, known.buffer);
  // none, where it was not read statically
  if (!(bytes instanceof Uint8Array) || !isOwn(bytes)) return;
  own--;
  Object.assign(socket, { [known.buffer]: buffer });
}

/** What Node calls after each read for the buffer of the next one; undefined: the same. */
function takeNext(): Uint8Array | undefined {
  const taken = next ?? undefined;
  next = null;
  return taken;
}

function isHandle(value: unknown): value is Handle {
  return (
    typeof value === "object" &&
    value !== null &&
    "useUserBuffer" in value &&
    typeof value.useUserBuffer === "function"
  );
}

/**
 * Writes below the stream: `done` is called before it returns when the system took all of `bytes`,
 * with an error when it can't.
 */
export type DirectWrite = (
  this: object,
  bytes: Uint8Array,
  encoding: "buffer",
  done: (error?: Error | null) => void,
) => void;

/**
 * The `_write` of a socket that {@link readStatically} knows; null where there is none. The system
 * keeps the order of the writes and of the end behind them, so the stream's own queue is not
 * needed. Measured: bench/HISTORY.md.
 */
export function directWrite(socket: object): DirectWrite | null {
  return "_write" in socket && typeof socket._write === "function"
    ? (socket._write as DirectWrite)
    : null;
}

interface ReadSymbols {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly generator: symbol;
}

/**
 * What was found in the last socket: to search each costs a new connection some microseconds.
 * Module-level on purpose: the runtime does not change.
 */
let known: ReadSymbols | null = null;

function hasSymbols(socket: object, symbols: ReadSymbols | null): boolean {
  return (
    symbols !== null &&
    symbols.buffer in socket &&
    symbols.callback in socket &&
    symbols.generator in socket
  );
}

/**
 * The symbols that Node keeps `onread`'s options under; null where a socket does not have just
 * these.
 */
function symbolsOf(socket: object): ReadSymbols | null {
  const own = Object.getOwnPropertySymbols(socket);
  const named = (name: string): symbol[] => own.filter((symbol) => symbol.description === name);
  const [buffers, callbacks, generators] = [
    named("kBuffer"),
    named("kBufferCb"),
    named("kBufferGen"),
  ];
  const [first] = buffers;
  const [second] = callbacks;
  const [third] = generators;
  if (
    first === undefined ||
    second === undefined ||
    third === undefined ||
    buffers.length + callbacks.length + generators.length !== 3
  )
    return null;
  return { buffer: first, callback: second, generator: third };
}
