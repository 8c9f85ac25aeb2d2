/**
 * Schemas: what says whether a value is right. Standard Schema v1 (https://standardschema.dev), so
 * that zod, valibot, arktype and others fit without an adapter; and type(), which checks nothing.
 * Owns the shape of a schema and how one is told from another value. Must not know contracts or
 * what a failed check ends.
 *
 * @module
 */
import { checkNone } from "../arguments.ts";

/**
 * A schema of any library that speaks Standard Schema v1: `In` is what may be sent, `Out` what the
 * receiver gets.
 *
 * It must answer synchronously, and must not change the value that it is shown.
 */
export interface Schema<In = unknown, Out = In> {
  readonly "~standard": SchemaStandard<In, Out>;
}

/** The member `~standard` of a {@link Schema}. */
export interface SchemaStandard<In = unknown, Out = In> {
  readonly version: 1;
  /** The library's name. */
  readonly vendor: string;
  /**
   * A promise has no place here; libraries whose schemas may be asynchronous have it in their
   * types.
   */
  readonly validate: (value: unknown) => SchemaResult<Out> | Promise<SchemaResult<Out>>;
  /** Never there at run time: where the compiler finds `In` and `Out`. */
  readonly types?: SchemaTypes<In, Out> | undefined;
  /**
   * Standard JSON Schema v1: lets both ends compare shapes in the handshake. Absent where the
   * library has none.
   */
  readonly jsonSchema?: SchemaShapes | undefined;
}

/** The types that a schema stands for. */
export interface SchemaTypes<In = unknown, Out = In> {
  readonly input: In;
  readonly output: Out;
}

/** The answer of `validate`: the value, or its issues. */
export type SchemaResult<Out> = SchemaSuccess<Out> | SchemaFailure;

/** The answer to a right value: what the receiver gets, which may be another value. */
export interface SchemaSuccess<Out> {
  readonly value: Out;
  readonly issues?: undefined;
}

/** The answer to a wrong value. */
export interface SchemaFailure {
  readonly issues: readonly SchemaIssue[];
}

/** One thing that is wrong with a value. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A schema's shape as JSON Schema; throws where it has none. */
export interface SchemaShapes {
  readonly input: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown>;
}

/**
 * A plain type instead of a schema: what crosses the wire is `T` by the word of whoever wrote the
 * contract. Nothing is checked, and no time is spent. Use it where both ends are one program's, and
 * a schema of a library where the peer may be wrong.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { defineProtocol, type } from "@hawser/protocol";
 *
 * const clock = defineProtocol({
 *   name: "clock",
 *   version: 1,
 *   requests: { now: { output: type<{ iso: string }>() } },
 * });
 * assert.equal(clock.find("now")?.output.kind, "unchecked");
 * ```
 */
export function type<T>(...none: readonly []): PlainType<T> {
  checkNone("type()", none);
  return UNCHECKED as PlainType<T>; // T stands in no value: `types` is never there
}

/** The schema of {@link type}: the compiler tells it from that of a library. */
export interface PlainType<T = unknown> extends Schema<T> {
  readonly "~standard": SchemaStandard<T> & { readonly vendor: "hawser" };
}

const UNCHECKED: Schema = Object.freeze({
  "~standard": Object.freeze({
    version: 1,
    vendor: "hawser",
    validate: (value: unknown) => ({ value }),
  } as const),
});

/**
 * True if a schema checks nothing: {@link type} made it, also that of another copy of this package.
 */
export function isUnchecked(schema: Schema): boolean {
  return schema["~standard"].vendor === "hawser";
}

/** True if a value is a schema as far as can be seen without using it. */
export function isSchema(value: unknown): value is Schema {
  if (
    (typeof value !== "object" && typeof value !== "function") ||
    value === null ||
    !("~standard" in value)
  )
    return false;
  const standard = value["~standard"]; // a getter in some libraries
  return (
    typeof standard === "object" &&
    standard !== null &&
    "version" in standard &&
    standard.version === 1 &&
    "validate" in standard &&
    typeof standard.validate === "function"
  );
}
