/** Where things are. Tests run from `build/`, wherever the working directory is. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");

/** A compiled file of `test/`, named by its source: `compiled("runtimes/actions.ts")`. */
export function compiled(source: string): string {
  return join(root, "build/test", source.replace(/\.ts$/, ".js"));
}
