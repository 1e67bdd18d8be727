/** Copies of the package in contexts of their own, as Jest and Vitest make them. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join } from "node:path";
import vm from "node:vm";
import type * as Isthmus from "isthmus";
import { root } from "./paths.js";

const entry = join(root, "dist/ts/index.cjs");

/** Loads the package into a context of its own with these globals. */
export function copyInContext(globals: object = { console, process }): typeof Isthmus {
  return loadCopy(vm.createContext({ ...globals }));
}

/** Loads it into this context; the runtime's modules are those of the main realm. */
export function loadCopy(context: vm.Context): typeof Isthmus {
  const loaded = new Map<string, { exports: unknown }>();
  const load = (file: string): unknown => {
    const known = loaded.get(file);
    if (known) return known.exports;
    const module = { exports: {} };
    loaded.set(file, module);
    const outer = createRequire(file);
    const require = (name: string): unknown => {
      const found = outer.resolve(name);
      return isAbsolute(found) ? load(found) : outer(found);
    };
    const source = `(function (module, exports, require, __filename, __dirname) {${readFileSync(file, "utf8")}\n})`;
    const define = vm.runInContext(source, context, { filename: file });
    define(module, module.exports, require, file, dirname(file));
    return module.exports;
  };
  return load(entry) as typeof Isthmus;
}
