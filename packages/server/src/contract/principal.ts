/**
 * Principal: whether two contexts that `authenticate` returned stand for the same client, so that a
 * session is resumed by nobody but its own. Must not know sessions.
 *
 * @module
 */

/**
 * True if two contexts are the same: one value, or plain data of the same shape and values. Objects
 * of a class of the program are the same only if they are one object: what they keep private can't
 * be compared. Never throws.
 */
export function isSameContext(one: unknown, other: unknown): boolean {
  try {
    return isSame(one, other, 0);
  } catch {
    return false; // a context that can't be read is nobody's
  }
}

/**
 * True if two values of the option `principal` stand for the same client: as {@link isSameContext},
 * but undefined and NaN stand for nobody. They are what a misspelled member and a number that is
 * none give for every client.
 */
export function isSamePrincipal(one: unknown, other: unknown): boolean {
  return !isNobody(one) && isSameContext(one, other);
}

/** True if a principal names nobody. */
export function isNobody(principal: unknown): boolean {
  return principal === undefined || Number.isNaN(principal);
}

/** Deeper contexts are told apart by `principal`. */
const MAX_DEPTH = 16;

function isSame(one: unknown, other: unknown, depth: number): boolean {
  if (Object.is(one, other)) return true;
  if (
    depth > MAX_DEPTH ||
    typeof one !== "object" ||
    typeof other !== "object" ||
    one === null ||
    other === null
  )
    return false;
  const prototype: unknown = Object.getPrototypeOf(one);
  if (prototype !== Object.getPrototypeOf(other)) return false;
  if (prototype !== null && prototype !== Object.prototype && prototype !== Array.prototype)
    return false;
  const names = Reflect.ownKeys(one);
  return (
    names.length === Reflect.ownKeys(other).length &&
    names.every(
      (name) =>
        Object.hasOwn(other, name) &&
        isSame(Reflect.get(one, name), Reflect.get(other, name), depth + 1),
    )
  );
}
