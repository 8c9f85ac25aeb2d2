// The kinds of frames, as PROTOCOL.md §2 lists them. Written for the runner from that page alone:
// an error of the engine's table must not be an error here.

/** The number of each kind. */
export const kinds: Readonly<Record<string, number>> = Object.freeze({
  HELLO: 0x01,
  WELCOME: 0x02,
  REFUSE: 0x03,
  PING: 0x04,
  PONG: 0x05,
  DRAIN: 0x06,
  CLOSE: 0x07,
  ACK: 0x08,
  REJECT: 0x09,
  CREDIT: 0x0a,
  WINDOW: 0x0b,
  WANT: 0x0c,
  MESSAGES: 0x0d,
  LANE: 0x0e,
  REQUEST: 0x10,
  RESULT: 0x11,
  FAIL: 0x12,
  CANCEL: 0x13,
  STREAM: 0x14,
  ITEM: 0x15,
  END: 0x16,
  EVENT: 0x17,
  STOP: 0x18,
});

const names = new Map(Object.entries(kinds).map(([name, number]) => [number, name]));

/** The name of a kind without bit 7; two hexadecimal digits where it has none. */
export function kindName(kind: number): string {
  return names.get(kind) ?? kind.toString(16).padStart(2, "0");
}

/** The number of a kind's name, or of two hexadecimal digits. */
export function kindNumber(name: string): number {
  const number = kinds[name] ?? (/^[0-9A-Fa-f]{2}$/.test(name) ? parseInt(name, 16) : undefined);
  if (number === undefined) throw new Error(`There is no kind ${JSON.stringify(name)}`);
  return number;
}

/** Kinds whose payload begins with a head. */
export const headed: ReadonlySet<string> = new Set(["REQUEST", "STREAM", "EVENT"]);
/** Kinds that may be cut. */
export const cuttable: ReadonlySet<string> = new Set([
  "REQUEST",
  "RESULT",
  "FAIL",
  "STREAM",
  "ITEM",
  "EVENT",
  "MESSAGES",
]);
/** Kinds whose payload is a JSON text, but for what stands before it. */
export const textual: ReadonlySet<string> = new Set([
  "HELLO",
  "WELCOME",
  "REFUSE",
  "CLOSE",
  "REJECT",
  "FAIL",
  "MESSAGES",
  "CANCEL",
]);

/** What each side sends first. */
export const signature: Readonly<Uint8Array> = Uint8Array.of(
  0x89,
  0x48,
  0x57,
  0x53,
  0x0d,
  0x0a,
  0x1a,
  0x0a,
);
