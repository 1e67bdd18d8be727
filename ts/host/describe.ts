/**
 * Defines what `console.log` and `JSON.stringify` show of the objects of this package, and prevents cloning them.
 *
 * Such an object has private fields, and memory that this thread has mapped. A structured clone would copy neither, and give an
 * empty object without an error. But in every runtime, a clone throws a DataCloneError if an object has a function as an own
 * property. So each object has one. V8 shows the name of the function in the error.
 */

/** The function that every object has as an own property. */
export function openItByItsNameOverThere(): void {}

type Inspect = (value: unknown, options?: unknown) => string;

/** The symbol for Node and Bun. Deno has another one, whose method has other arguments. */
const nodeInspect = Symbol.for("nodejs.util.inspect.custom");
const denoInspect = Symbol.for("Deno.customInspect");

/**
 * Gives the objects of a class their text for `console.log`: `Name { fact: value }`. JSON has the same facts, unless the class
 * has a `toJSON` of its own: never the memory of the segment, which is what an object refers to.
 *
 * @param facts returns what the object is and contains now. If it throws, because the segment was closed, the text shows the
 *   reason instead
 */
export function describe<T extends object>(prototype: T, name: string, facts: (one: T) => object): void {
  define(prototype, nodeInspect, function show(this: T, depth: number, options: object, inspect: Inspect) {
    if (depth < 0) return `[${name}]`;
    return text(name, factsOf(this, facts), (value) => inspect(value, { ...options, depth }));
  });
  define(prototype, denoInspect, function show(this: T, inspect: Inspect, options: object) {
    return text(name, factsOf(this, facts), (value) => inspect(value, options));
  });
  if (Object.hasOwn(prototype, "toJSON")) return;
  define(prototype, "toJSON", function toJSON(this: T): object {
    return factsOf(this, facts);
  });
}

/** Not enumerable, as methods of a class are. */
function define(target: object, key: string | symbol, value: unknown): void {
  Object.defineProperty(target, key, { value, configurable: true, writable: true });
}

/**
 * Gives an object its text for `console.log`, which is that of something else. For the target of a Proxy, at which a console
 * looks.
 *
 * @param shown what is shown; if it throws, because the segment was closed, the text is the reason
 */
export function showAs(target: object, shown: () => unknown): void {
  const show = (value: (one: unknown) => string): string => {
    try {
      return value(shown());
    } catch (error) {
      return `[Proxy of a shared value: ${(error as { code?: string }).code ?? "unusable"}]`;
    }
  };
  define(target, nodeInspect, (depth: number, options: object, inspect: Inspect) =>
    depth < 0 ? "[Object]" : show((one) => inspect(one, { ...options, depth })),
  );
  define(target, denoInspect, (inspect: Inspect, options: object) => show((one) => inspect(one, options)));
}

function factsOf<T extends object>(one: T, facts: (one: T) => object): object {
  try {
    return facts(one);
  } catch (error) {
    const { code = "unusable", name } = error as { code?: string; name?: string };
    // The prototype itself is not an object of the class.
    return name === "TypeError" ? {} : { ...named(one), state: code };
  }
}

/** Its name, which is known even after its segment was closed. */
function named(one: object): object {
  const { name } = one as { name?: unknown };
  return typeof name === "string" ? { name } : {};
}

function text(name: string, facts: object, inspect: (value: unknown) => string): string {
  return `${name} ${inspect({ ...facts })}`;
}
