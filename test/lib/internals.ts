/** Modules of the package that is under test which it does not export, in the very instance that `isthmus` is. */
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Core } from "../../ts/core.js";
import { root } from "./paths.js";

const require = createRequire(import.meta.url);

/** The module of that path below `ts/`, such as "wait/wait". */
export function internal<T>(path: string): T {
  return require(join(root, "dist/ts", `${path}.cjs`)) as T;
}

/** All exports of an instance of the core, as properties of an object that can be changed. */
export function exportsOf(core: Core): Core {
  const { coreNames } = internal<{ coreNames(): string[] }>("host/core-bytes");
  const names = [...Object.keys(core), ...coreNames()] as (keyof Core)[];
  return Object.fromEntries(names.map((name) => [name, core[name]])) as unknown as Core;
}
