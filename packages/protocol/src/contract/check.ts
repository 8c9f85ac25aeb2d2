/**
 * Checks: a schema made ready for the hot path, in both directions. A check never throws and never
 * waits, whatever the schema does. Owns what becomes of a schema's answer. Must not know contracts,
 * or what a failed check ends.
 *
 * @module
 */
import { isError } from "../caught.ts";
import { isUnchecked, type Schema, type SchemaIssue, type SchemaStandard } from "./schema.ts";
import { plain } from "../session/quote.ts";
import { shapeOf } from "./shape.ts";

/**
 * One schema, compiled. Allocates nothing for a value that is right; what the schema allocates is
 * its own.
 *
 * The sender checks and sends its own value; the receiver gets what its schema makes of what came.
 */
export interface Check {
  /**
   * `"nothing"`: no value belongs here. `"unchecked"`: any value does, see `type()`. `"checked"`: a
   * schema looks at each.
   */
  readonly kind: "checked" | "nothing" | "unchecked";
  /**
   * The shape on the wire, as JSON Schema in a text that is equal for equal shapes; `""` when that
   * can't be told.
   */
  readonly shape: string;
  /** The issue of a value that is about to be sent, or null. Never throws. */
  outbound(value: unknown): Issue | null;
  /**
   * The value for the receiver, for a value that came; `found.issue` is then what is wrong with it,
   * or null. Never throws.
   */
  inbound(value: unknown, found: Found): unknown;
}

/**
 * Takes what {@link Check.inbound} finds: to ask the value itself whether it is an issue costs 20
 * ns a message.
 */
export interface Found {
  issue: Issue | null;
}

/**
 * The fault of a value: the first that its schema named. May be shown to the peer who
 * sent the value, but for `cause`.
 */
export class Issue {
  /**
   * Where in the value: member names and indexes, outermost first. At most 32 of at most 128
   * characters.
   */
  readonly path: readonly (number | string)[];
  /** In one line of at most 256 characters. */
  readonly message: string;
  /**
   * What the schema threw, or a TypeError that says how the schema broke its own contract;
   * undefined when the value is at fault.
   */
  readonly cause: unknown;
  readonly #mark = true;

  /**
   * True if a value is an issue. Looks at no proxy, as `instanceof` would: the value may be what
   * somebody's schema or codec gave.
   */
  static is(value: unknown): value is Issue {
    return typeof value === "object" && value !== null && #mark in value;
  }

  constructor(path: readonly (number | string)[], message: string, cause?: unknown) {
    this.path = path;
    this.message = message;
    this.cause = cause;
  }
}

/** The value for the receiver, or the issue. Never throws. */
export function readInbound(check: Check, value: unknown): unknown {
  const found: Found = { issue: null };
  const read = check.inbound(value, found);
  return found.issue ?? read;
}

/** The issue that {@link readInbound} gave, or null. */
export function issueIn(check: Check, value: unknown): Issue | null {
  return check.kind === "checked" && Issue.is(value) ? value : null;
}

/** An issue as one line of text: `at tickets[3].id: expected number`. */
export function describeIssue({ path, message }: Pick<Issue, "message" | "path">): string {
  const steps = path.map((step) =>
    typeof step === "string" && /^[\w$]+$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`,
  );
  const where = steps.join("").replace(/^\./, "");
  // arktype says where by itself
  return where === "" || message.startsWith(where) ? message : `at ${where}: ${message}`;
}

/**
 * The check of a value that must not be there. What comes nevertheless is dropped: a later version
 * of the contract may send it.
 */
export const nothing: Check = Object.freeze({
  kind: "nothing",
  shape: "false", // JSON Schema for: no value is right
  outbound: (value: unknown) =>
    value === undefined ? null : new Issue([], "there is a value, but the contract declares none"),
  inbound: (_: unknown, found: Found) => {
    found.issue = null;
    return undefined;
  },
} as const);

const unchecked: Check = Object.freeze({
  kind: "unchecked",
  shape: "",
  outbound: () => null,
  inbound: (value: unknown, found: Found) => {
    found.issue = null;
    return value;
  },
} as const);

/** Make a schema ready; absent: {@link nothing}. */
export function compile(schema: Schema | undefined): Check {
  if (schema === undefined) return nothing;
  return isUnchecked(schema) ? unchecked : new SchemaCheck(schema);
}

/** Either answer of a schema, before it is known which. */
interface Answer {
  readonly value?: unknown;
  readonly issues?: readonly SchemaIssue[] | undefined;
  readonly then?: PromiseLike<unknown>["then"];
}

class SchemaCheck implements Check {
  readonly kind = "checked";
  readonly shape: string;
  /** Read once: some libraries make it anew for each reader. */
  readonly #standard: SchemaStandard;

  constructor(schema: Schema) {
    this.#standard = schema["~standard"];
    this.shape = shapeOf(schema);
  }

  outbound(value: unknown): Issue | null {
    try {
      const answer: Answer = this.#standard.validate(value);
      return answer.issues === undefined && "value" in answer ? null : issueOf(answer);
    } catch (error) {
      return thrown(error);
    }
  }

  inbound(value: unknown, found: Found): unknown {
    try {
      const answer: Answer = this.#standard.validate(value);
      if (answer.issues === undefined && "value" in answer) {
        const { value: read } = answer;
        // behind all that the schema does, which may have another value read into the same place
        found.issue = null;
        return read;
      }
      found.issue = issueOf(answer);
    } catch (error) {
      found.issue = thrown(error);
    }
    return undefined;
  }
}

const MAX_STEPS = 32;
const MAX_STEP_LENGTH = 128;
const MAX_MESSAGE_LENGTH = 256;

/** What an answer other than success says. May throw, as whatever the answer is made of may. */
function issueOf(answer: Answer): Issue {
  if (answer.then !== undefined) {
    // nobody waits for it, and an unhandled rejection ends a process
    answer.then(undefined, () => undefined);
    // zod turns to its asynchronous way also when the synchronous one threw
    const cause = new TypeError(
      "The schema answered with a promise: a contract's schemas are synchronous; take " +
        "asynchronous refinements and transforms out",
    );
    return new Issue(
      [],
      "could not be checked at once: its schema is asynchronous, or it is nested too deeply",
      cause,
    );
  }
  const first = answer.issues?.[0];
  if (first === undefined) {
    return new Issue(
      [],
      "could not be checked",
      new TypeError(
        "The schema answered with neither a value nor issues: it does not keep Standard Schema v1",
      ),
    );
  }
  const message = typeof first.message === "string" ? first.message : "";
  return new Issue(
    pathOf(first),
    plain(message.slice(0, MAX_MESSAGE_LENGTH * 4), MAX_MESSAGE_LENGTH) ||
      "is not what its schema wants",
  );
}

function thrown(error: unknown): Issue {
  return new Issue(
    [],
    isError(error) && error instanceof RangeError
      ? "is nested too deeply, or too large, for its schema"
      : "could not be checked: its schema failed",
    error,
  );
}

function pathOf({ path = [] }: SchemaIssue): (number | string)[] {
  const steps: (number | string)[] = []; // an array of our own: arktype's path is of a class
  for (const segment of path) {
    if (steps.length === MAX_STEPS) break;
    const key = typeof segment === "object" ? segment.key : segment;
    steps.push(
      typeof key === "number" && Number.isFinite(key) ? key : cut(String(key), MAX_STEP_LENGTH),
    );
  }
  return steps;
}

/** Text for JSON: at most so many characters, none of them half. */
function cut(text: string, length: number): string {
  return (text.length > length ? `${text.slice(0, length - 1)}…` : text).toWellFormed();
}
