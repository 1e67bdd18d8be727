/** Modules of the package that is under test which it does not export, in the very instance that `isthmus` is. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./paths.js";

/** The module of that path below `ts/`, such as "wait/wait.js". */
export function internal<T>(path: string): Promise<T> {
  return import(pathToFileURL(join(root, "dist/esm/ts", path)).href);
}
