/**
 * `npm run bench:documents`: puts the figures of bench/results.json into README.md and docs/performance.md.
 *
 *   --json PATH   other figures
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { tablesOf, withTables } from "./documents.js";
import { benchSources } from "./place.js";
import type { Result } from "./run.js";

const { values } = parseArgs({
  options: { json: { type: "string", default: join(benchSources(), "results.json") } },
});
const tables = tablesOf(JSON.parse(readFileSync(String(values.json), "utf8")) as Result[]);
for (const document of ["README.md", "docs/performance.md"]) {
  const path = join(dirname(benchSources()), document);
  writeFileSync(path, withTables(readFileSync(path, "utf8"), tables));
}
