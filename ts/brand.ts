/**
 * Marks by which this package recognises its objects. `instanceof` works only within one copy of the package, and a program can
 * contain several: a test runner loads one per realm, and two dependencies may need different releases.
 */

/** The kinds of objects that can be passed to a function of the API. */
export type Branded = "Block" | "Held" | "Lock" | "SharedValue" | "Struct" | "StructView";

/** The symbol of a kind. It is the same for all copies in all realms of the process. */
function symbolOf(kind: Branded): symbol {
  return Symbol.for(`isthmus.${kind}`);
}

/**
 * Marks the objects of a class; called once, from a static block.
 *
 * @param prototype of the class
 */
export function brand(prototype: object, kind: Branded): void {
  Object.defineProperty(prototype, symbolOf(kind), { value: true });
}

/** Whether a value is of that kind, whichever copy of the package made it. */
export function isBranded(value: unknown, kind: Branded): boolean {
  if (typeof value !== "object" || value === null || isRevoked(value)) return false;
  return Reflect.get(value, symbolOf(kind)) === true;
}

/** Whether a value is a Proxy that was revoked: whatever is done with it, the engine throws. */
export function isRevoked(value: unknown): boolean {
  try {
    Array.isArray(value);
    return false;
  } catch {
    return true;
  }
}
