/**
 * JSON Schema draft 7 of a JSON Schema 2020-12: what AsyncAPI and many generators read.
 * Owns which keywords have another name, or none, in draft 7. Must not know contracts.
 *
 * Source: https://json-schema.org/draft/2020-12/release-notes,
 * https://json-schema.org/draft-07/json-schema-validation
 *
 * @module
 */
import { placeOf } from "./shape.ts";

/**
 * Keywords that draft 7 does not have, or that name places which a schema inside another document
 * loses.
 */
const foreign: ReadonlySet<string> = new Set([
  ...["$anchor", "$dynamicAnchor", "$dynamicRef", "$id", "contentSchema", "deprecated"],
  ...["maxContains", "minContains", "unevaluatedItems", "unevaluatedProperties"],
]);

/**
 * Translate a schema for another document, in which it is found at `pointer`. Returns a new value;
 * `true` becomes `{}`.
 *
 * References within the schema follow it; others are left out. So are keywords that draft 7 has no
 * word for: the result takes all that the schema takes, and may take more.
 */
export function draft07(schema: unknown, pointer: string): object | boolean {
  if (schema === true) return {};
  if (!isObject(schema)) return schema === false ? false : {};
  const { $ref, items, prefixItems, dependentRequired, dependentSchemas, ...rest } = schema;
  const translated = new Map<string, unknown>();
  for (const [keyword, value] of Object.entries(rest)) {
    if (!foreign.has(keyword))
      translated.set(
        keyword === "$defs" ? "definitions" : keyword,
        translate(keyword, value, pointer),
      );
  }
  if (prefixItems !== undefined) {
    translated.set("items", translate("prefixItems", prefixItems, pointer));
    if (items !== undefined) translated.set("additionalItems", draft07(items, pointer));
  } else if (items !== undefined) {
    translated.set("items", draft07(items, pointer));
  }
  if (dependentRequired !== undefined || dependentSchemas !== undefined) {
    translated.set("dependencies", {
      ...(isObject(dependentRequired) ? dependentRequired : {}),
      ...(translate("dependentSchemas", dependentSchemas, pointer) as object | undefined),
    });
  }
  const reference = typeof $ref === "string" ? move($ref, pointer) : null;
  if (reference === null) return Object.fromEntries(translated);
  if (translated.size === 0) return { $ref: reference };
  const others = translated.get("allOf"); // draft 7 ignores what stands beside a reference
  translated.set("allOf", [
    { $ref: reference },
    ...(Array.isArray(others) ? (others as unknown[]) : []),
  ]);
  return Object.fromEntries(translated);
}

/** Translate a keyword's value by what it is. */
function translate(keyword: string, value: unknown, pointer: string): unknown {
  const place = placeOf(keyword);
  if (place === "alternatives" && Array.isArray(value))
    return value.map((one) => draft07(one, pointer));
  if (place === "schemas" && isObject(value))
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [name, draft07(one, pointer)]),
    );
  if (place === "schema")
    return Array.isArray(value)
      ? value.map((one) => draft07(one, pointer))
      : draft07(value, pointer);
  return value;
}

/**
 * A reference from the document in which the schema is found at `pointer`; null for one that leads
 * elsewhere.
 */
function move(reference: string, pointer: string): string | null {
  if (reference === "#") return pointer;
  if (!reference.startsWith("#/")) return null;
  return (
    pointer +
    reference
      .slice(1)
      .replace(/\/\$defs(?=\/|$)/g, "/definitions")
      .replace(/\/prefixItems(?=\/|$)/g, "/items")
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
