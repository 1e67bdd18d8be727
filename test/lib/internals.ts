/** Modules of the package that is under test which it does not export, in the very instance that `isthmus` is. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { root } from "./paths.js";

const require = createRequire(import.meta.url);

/** The module of that path below `ts/`, such as "wait/wait". */
export function internal<T>(path: string): T {
  return require(join(root, "dist/ts", `${path}.cjs`)) as T;
}
