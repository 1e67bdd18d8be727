/**
 * Defines the methods that end an object at the end of a `using` block, also in realms without these symbols: every realm of
 * Node before 18.18, and the contexts of `vm`, Jest and Vitest before Node 24. There, tools that compile `using` (esbuild, SWC,
 * Babel) use `Symbol.for("Symbol.dispose")`.
 */
export function disposable<T extends object>(
  prototype: T,
  end: ((one: T) => void) | undefined,
  endLater?: (one: T) => Promise<unknown>,
): void {
  if (Symbol.dispose === undefined && end) define(prototype, "Symbol.dispose", end);
  if (Symbol.asyncDispose === undefined && endLater) define(prototype, "Symbol.asyncDispose", endLater);
}

function define<T extends object>(prototype: T, name: string, end: (one: T) => unknown): void {
  Reflect.deleteProperty(prototype, "undefined"); // the key of a method whose symbol does not exist
  const value = function dispose(this: T): unknown {
    return end(this);
  };
  Object.defineProperty(prototype, Symbol.for(name), { value, configurable: true, writable: true });
}
