/**
 * Marks by which the objects of this package know each other. `instanceof` knows the classes of one copy only; a program can
 * hold several copies: a test runner loads one per realm, and two dependencies may bring a release each.
 */

/** What can be passed to a function of the API. */
export type Branded = "Block" | "Held" | "Lock" | "Struct" | "StructView";

/** The symbol of a kind: one for all copies in all realms of the process. */
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
  return typeof value === "object" && value !== null && Reflect.get(value, symbolOf(kind)) === true;
}
