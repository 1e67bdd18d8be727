/**
 * Loads modules of the runtime, also when this code was bundled. A bundler that makes an ES module turns `require("node:fs")`
 * into a call that throws, so there are three ways to get a module:
 *
 * 1. `process.getBuiltinModule`, which needs no module system (Node 20.16 and 22.3, Bun, Deno)
 * 2. `provide`: the ESM entry of the package imports the modules and passes them on
 * 3. `require` with a literal name, which every tool understands
 *
 * No other file under `ts/` names a module of the runtime, except those of the command line.
 */
interface Builtins {
  "node:async_hooks": typeof import("node:async_hooks");
  "node:buffer": typeof import("node:buffer");
  "node:crypto": typeof import("node:crypto");
  "node:events": typeof import("node:events");
  "node:fs": typeof import("node:fs");
  "node:module": typeof import("node:module");
  "node:os": typeof import("node:os");
  "node:path": typeof import("node:path");
  "node:process": typeof import("node:process");
  "node:timers": typeof import("node:timers");
  "node:url": typeof import("node:url");
  "node:util": typeof import("node:util");
  "node:worker_threads": typeof import("node:worker_threads");
  "node:zlib": typeof import("node:zlib");
}

const literal: { [Name in keyof Builtins]: () => Builtins[Name] } = {
  "node:async_hooks": () => require("node:async_hooks"),
  "node:buffer": () => require("node:buffer"),
  "node:crypto": () => require("node:crypto"),
  "node:events": () => require("node:events"),
  "node:fs": () => require("node:fs"),
  "node:module": () => require("node:module"),
  "node:os": () => require("node:os"),
  "node:path": () => require("node:path"),
  "node:process": () => require("node:process"),
  "node:timers": () => require("node:timers"),
  "node:url": () => require("node:url"),
  "node:util": () => require("node:util"),
  "node:worker_threads": () => require("node:worker_threads"),
  "node:zlib": () => require("node:zlib"),
};

const provided: Partial<Builtins> = {};

/**
 * Modules that were used before. They are not asked for again: after Jest has taken the environment of a test down, the
 * `process` of that environment gives none, but a segment that the test has forgotten may still be closed.
 */
const known: Partial<Builtins> = {};

/** For the ESM entry, which calls it before any module is used. */
export function provide(modules: Partial<Builtins>): void {
  Object.assign(provided, modules);
}

/** Returns a module of the runtime. */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  const before = known[name];
  if (before) return before as Builtins[Name];
  const get = typeof process === "object" ? process.getBuiltinModule : undefined;
  const found = (get?.(name) as Builtins[Name] | undefined) ?? provided[name] ?? literal[name]();
  known[name] = found;
  return found;
}
