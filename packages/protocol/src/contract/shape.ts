/**
 * Shapes: what crosses the wire, as JSON Schema in a canonical text, so that equal texts mean equal
 * shapes (PROTOCOL.md §3 `digest`). Owns which keywords say something about a shape. Must not know
 * messages.
 *
 * @module
 */
import type { Schema } from "./schema.ts";

/**
 * What a keyword's value is: a schema or list of them, schemas by name, schemas or data whose order
 * says nothing, a reference, or other data.
 */
export type Place = "alternatives" | "data" | "pointer" | "schema" | "schemas" | "set";

/**
 * The keywords of JSON Schema 2020-12 that a value can break. All others, such as titles, defaults
 * and examples, are no part of a shape.
 */
const keywords: ReadonlyMap<string, Place> = new Map<string, Place>([
  ...places(
    "schema",
    "additionalProperties contains contentSchema else if items not prefixItems propertyNames " +
      "then unevaluatedItems unevaluatedProperties",
  ),
  ...places("schemas", "$defs definitions dependentSchemas patternProperties properties"),
  ...places("alternatives", "allOf anyOf oneOf"),
  ...places("set", "enum required type"),
  ...places("pointer", "$ref"),
  ...places(
    "data",
    "$anchor $dynamicAnchor $dynamicRef $id const contentEncoding contentMediaType " +
      "dependentRequired exclusiveMaximum exclusiveMinimum format",
  ),
  ...places(
    "data",
    "maxContains maxItems maxLength maxProperties maximum minContains minItems minLength " +
      "minProperties minimum multipleOf pattern uniqueItems",
  ),
]);

function places(place: Place, names: string): [string, Place][] {
  return names.split(" ").map((name) => [name, place]);
}

/** Keywords that are for readers: no part of a shape, but of its documentation. */
const annotated: ReadonlyMap<string, Place> = new Map<string, Place>([
  ...keywords,
  ...places("data", "$comment default deprecated description examples readOnly title writeOnly"),
]);

/** The shape of what a schema takes, or `""` when the schema can't tell it. Never throws. */
export function shapeOf(schema: Schema): string {
  return format(schema, keywords);
}

/**
 * As {@link shapeOf}, with titles, descriptions and the like: a JSON Schema 2020-12 for readers.
 */
export function annotatedShapeOf(schema: Schema): string {
  return format(schema, annotated);
}

/** What the value of a keyword is; null for one that is not known. */
export function placeOf(keyword: string): Place | null {
  return annotated.get(keyword) ?? null;
}

function format(schema: Schema, known: ReadonlyMap<string, Place>): string {
  try {
    const shape = schema["~standard"].jsonSchema?.input({ target: "draft-2020-12" });
    const plain: unknown = shape === undefined ? null : JSON.parse(JSON.stringify(shape));
    return isObject(plain) ? new Canon(plain, known).text : "";
  } catch {
    return ""; // most libraries throw for what JSON can't express
  }
}

/**
 * One shape's text: members are sorted, and definitions are numbered in the order in which they are
 * referred to, because some libraries name them by what else the process has defined.
 */
class Canon {
  readonly text: string;
  /** The root's definitions by the pointers to them. */
  readonly #definitions: ReadonlyMap<string, unknown>;
  /** The pointers that were met, in this order. */
  readonly #met: string[] = [];
  readonly #known: ReadonlyMap<string, Place>;

  constructor(
    { $defs, definitions, ...root }: Readonly<Record<string, unknown>>,
    known: ReadonlyMap<string, Place>,
  ) {
    this.#known = known;
    this.#definitions = new Map([
      ...pointers("$defs", $defs),
      ...pointers("definitions", definitions),
    ]);
    const body = this.#format(root, "schema");
    const met: string[] = [];
    for (const pointer of this.#met)
      // grows while it is read
      met.push(`"${met.length}":${this.#format(this.#definitions.get(pointer), "schema")}`);
    this.text = met.length === 0 ? body : `{"$defs":{${met.join(",")}},${body.slice(1)}`;
  }

  #format(value: unknown, place: Place): string {
    if (Array.isArray(value)) {
      const members = value.map((member) =>
        this.#format(
          member,
          place === "set" ? "data" : place === "alternatives" ? "schema" : place,
        ),
      );
      if (place === "set" || place === "alternatives") members.sort();
      return `[${members.join(",")}]`;
    }
    if (!isObject(value)) return JSON.stringify(value);
    const members = Object.entries(value)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .flatMap(([name, member]) => {
        const inside = this.#placeOf(name, place);
        return inside === null
          ? []
          : [
              `${JSON.stringify(name)}:` +
                this.#format(inside === "pointer" ? this.#pointer(member) : member, inside),
            ];
      });
    return `{${members.join(",")}}`;
  }

  #pointer(pointer: unknown): unknown {
    if (typeof pointer !== "string" || !this.#definitions.has(pointer)) return pointer;
    if (!this.#met.includes(pointer)) this.#met.push(pointer);
    return `#/$defs/${this.#met.indexOf(pointer)}`;
  }

  /** What the member of an object in `place` is; null when it says nothing. */
  #placeOf(name: string, place: Place): Place | null {
    if (place === "schema") return this.#known.get(name) ?? null;
    return place === "schemas" ? "schema" : "data";
  }
}

function pointers(section: string, definitions: unknown): [string, unknown][] {
  return isObject(definitions)
    ? Object.entries(definitions).map(([name, definition]) => [`#/${section}/${name}`, definition])
    : [];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
