// The form of a vector (vectors/README.md): what the runner sends, and what the target must do.
// Owns types alone.

/** Any JSON. In a vector, texts may have `${variables}`, and objects may be a {@link Wildcard}. */
export type Json =
  boolean | number | string | null | readonly Json[] | { readonly [name: string]: Json };

/** The members of a JSON object. */
export type Members = Readonly<Record<string, Json>>;

/** What a pattern may have in place of a value. */
export type Wildcard =
  | { readonly $any: true }
  | { readonly $type: "boolean" | "list" | "number" | "object" | "text" }
  | { readonly $matches: string }
  | { readonly $set: string }
  | { readonly $get: string }
  | { readonly $not: Json }
  | { readonly $absent: true };

/** Bytes: one of the members says how they are written. */
export interface Bytes {
  readonly hex?: string;
  readonly text?: string;
  readonly json?: Json;
  /** So many bytes 61. */
  readonly fill?: number;
}

/** A frame to send; a {@link Bytes} without `kind` is sent as it is. */
export interface FrameSpec extends Bytes {
  /** A name of PROTOCOL.md §2, or two hexadecimal digits. */
  readonly kind: string;
  /** `"mine1"`, `"theirs1"`, or a number. Absent: 0. */
  readonly id?: number | string;
  /** Bit 7 of `kind`. */
  readonly more?: boolean;
  /** A name of the sender's list, or an index. Its presence makes a head. */
  readonly name?: number | string;
  readonly deadline?: number;
  /** 50 hexadecimal digits. */
  readonly trace?: string;
  /** Of an EVENT, ACK or REJECT: a number, a decimal text, or 16 hexadecimal digits behind `0x`. */
  readonly number?: number | string;
  /** Flag 08. */
  readonly items?: true;
  /** Flag 10: 32 hexadecimal digits and a number. */
  readonly origin?: readonly [string, number];
  /** In place of the flags that the members say. */
  readonly flags?: number;
  /** Of an ACK. */
  readonly ranges?: readonly (readonly [number | string, number | string])[];
  /** Of CREDIT, WINDOW and LANE. */
  readonly bytes?: number;
  /** Cut the payload into pieces of these lengths; what is left is the last. */
  readonly pieces?: readonly number[];
  /** In place of the right `length`. */
  readonly length?: number;
  /** Of HELLO and WELCOME: the runner's own, changed so. */
  readonly greeting?: Greeting;
  /** Spaces are added behind the greeting's JSON until it has so many bytes. */
  readonly pad?: number;
  /** Texts to replace in the greeting's JSON, for what JSON.stringify does not write. */
  readonly replace?: readonly (readonly [string, string])[];
  /** Send so often, one behind the other. */
  readonly times?: number;
}

/** A message to come. Members that are not there are not compared. */
export interface FramePattern extends Bytes {
  /** A name, or several with `|` between them. */
  readonly kind: string;
  readonly id?: Json;
  readonly name?: string;
  readonly number?: Json;
  readonly deadline?: Json;
  readonly trace?: Json;
  /** Whether flag 08 is there. */
  readonly items?: boolean;
  readonly origin?: Json;
  readonly ranges?: Json;
  /** Of CREDIT, WINDOW and LANE. */
  readonly bytes?: Json;
  /** Bytes of the body. */
  readonly size?: number;
  /** How many pieces it came in. */
  readonly pieces?: Json;
}

/** The runner's greeting: members that replace those of the default one. */
export interface Greeting {
  readonly members?: Members;
  /** Replaces members of `limits`. */
  readonly limits?: Members;
  /** Takes members out. */
  readonly without?: readonly string[];
  /**
   * HELLO has `resume` with the identity of the connection before; WELCOME says `resumed: true`.
   */
  readonly resume?: boolean;
  /** The highest number of the target's events that has arrived; default: what came. */
  readonly received?: number;
  /** A pattern of the target's greeting. */
  readonly theirs?: Json;
}

/**
 * What {@link Step} `tally` looks at; it waits until the sums are there, and fails when they are
 * more.
 */
export interface Tally {
  /**
   * Bytes of CREDIT by id (`"mine1"`, `"events"`), of WINDOW (`"streams"`), of LANE (`"lane:7"`).
   */
  readonly credit?: Readonly<
    Record<string, number | { readonly atLeast: number; readonly atMost?: number }>
  >;
  /** Numbers of the runner's events that ACKs have settled: exactly these. */
  readonly settled?: readonly number[];
}

export type Step =
  /** A connection, without a byte; `as` names it for `use`. */
  | { readonly open: string }
  /** A connection and its greetings. */
  | { readonly greet: Greeting; readonly as?: string }
  | { readonly use: string }
  /** `cut`: bytes of each write. */
  | { readonly send: readonly (Bytes | FrameSpec)[]; readonly cut?: number }
  /**
   * These come, in this order or, with `anyOrder`, in any. CREDIT, WINDOW, LANE, ACK between them
   * are summed up.
   */
  | { readonly expect: readonly FramePattern[]; readonly anyOrder?: true }
  /** The target's signature and greeting, one frame that matches. */
  | { readonly expectGreeting: FramePattern }
  | { readonly expectSignature: true }
  | { readonly tally: Tally }
  /** PING is answered by PONG, and nothing else came before it. */
  | { readonly alive: true }
  /**
   * CLOSE with one of these codes comes, then the end of the stream; other frames before it do not
   * matter.
   */
  | { readonly close: string | readonly string[] }
  /**
   * The target's signature, or not, then REFUSE with one of these codes, then the end of the
   * stream.
   */
  | { readonly refuse: string | readonly string[] }
  /** The stream ends, without CLOSE or REFUSE. */
  | { readonly end: true }
  /** No byte came, and then the stream ends. */
  | { readonly endSilently: true }
  /** Half close: the runner sends no more. */
  | { readonly finish: true }
  /** Break the connection off. */
  | { readonly lose: true };

/** One vector. */
export interface Vector {
  /** A whole sentence: what the target does, and when. */
  readonly name: string;
  /** Numbers of rules of PROTOCOL.md. */
  readonly rules: readonly string[];
  /** What the target is; `"any"`: it is run against both. */
  readonly target: "any" | "client" | "server";
  readonly steps: readonly Step[];
}
