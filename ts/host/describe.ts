/**
 * What `console.log` shows of our objects, and what keeps them from being cloned.
 *
 * An object of ours is private fields around memory that this thread has mapped. A structured clone would copy none of that: it
 * would give an empty object without a word. A clone throws a DataCloneError when it meets a function among an object's own
 * properties, in every runtime, so each object has one. Its name is what V8 says of it.
 */

/** What every object of ours has as a property of its own. */
export function openItByItsNameOverThere(): void {}

type Inspect = (value: unknown, options?: unknown) => string;

/** In Node and Bun; Deno has one of its own, with other arguments. */
const nodeInspect = Symbol.for("nodejs.util.inspect.custom");
const denoInspect = Symbol.for("Deno.customInspect");

/**
 * Gives the objects of a class their text for `console.log`: `Name { fact: value }`.
 *
 * @param facts what the object is and holds now; when it cannot tell, because its segment was closed, the reason is shown instead
 */
export function describe<T extends object>(prototype: T, name: string, facts: (one: T) => object): void {
  const define = (symbol: symbol, value: unknown): void => {
    Object.defineProperty(prototype, symbol, { value, configurable: true, writable: true });
  };
  define(nodeInspect, function show(this: T, depth: number, options: object, inspect: Inspect) {
    if (depth < 0) return `[${name}]`;
    return text(name, factsOf(this, facts), (value) => inspect(value, { ...options, depth }));
  });
  define(denoInspect, function show(this: T, inspect: Inspect, options: object) {
    return text(name, factsOf(this, facts), (value) => inspect(value, options));
  });
}

function factsOf<T extends object>(one: T, facts: (one: T) => object): object {
  try {
    return facts(one);
  } catch (error) {
    const { code = "unusable", name } = error as { code?: string; name?: string };
    // The prototype itself is none of our objects.
    return name === "TypeError" ? {} : { ...named(one), state: code };
  }
}

/** Its name, which it knows also when its segment was closed. */
function named(one: object): object {
  const { name } = one as { name?: unknown };
  return typeof name === "string" ? { name } : {};
}

function text(name: string, facts: object, inspect: (value: unknown) => string): string {
  return `${name} ${inspect({ ...facts })}`;
}
