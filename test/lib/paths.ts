/** Where things are. Tests run from `build/`, wherever the working directory is. */
import { mkdirSync, mkdtempSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");

/** A compiled file of `test/`, named by its source: `compiled("runtimes/actions.ts")`. */
export function compiled(source: string): string {
  return join(root, "build/test", source.replace(/\.ts$/, ".js"));
}

const SCRATCH = "build/scratch";
/** A test file that a test makes, and that has no source. */
export const WITHOUT_SOURCE = "build/test/without-source.test.js";
/** What tests make below the root, and remove again: a copy of the tree is made without it, because it may vanish meanwhile. */
export const VANISHING = [SCRATCH, WITHOUT_SOURCE];

/** A new folder inside of the package, from which its own name and what it depends on are found. The caller removes it. */
export function scratchFolder(what: string): string {
  const scratch = join(root, SCRATCH);
  mkdirSync(scratch, { recursive: true });
  return mkdtempSync(join(scratch, `${what}-`));
}
