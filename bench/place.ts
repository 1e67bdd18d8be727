import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder bench/ of the repository: the compiled harness lies in build/bench. */
export function benchSources(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("the package that this benchmark belongs to was not found");
    folder = parent;
  }
  return join(folder, "bench");
}
