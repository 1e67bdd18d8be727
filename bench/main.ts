/**
 * `npm run bench`: measures each row against its native twin and against what users would pick instead, in turn, and
 * prints a table. Exit code 1 when a contestant could not be measured; missed goals are printed, they are no failure.
 *
 *   --json PATH   where the figures go (bench/results.json)
 *   --quick       smaller counts, for under a minute
 *   --only NAME   this row; may be given several times
 *   --runs N      alternating runs (at least 5)
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { conditionsNow, runtimeName } from "./conditions.js";
import { compilerVersion } from "./native.js";
import { benchSources } from "./place.js";
import { ROWS, rowOf } from "./rows.js";
import { type Result, runRow, type Settings } from "./run.js";
import { formatTable } from "./table.js";

const RUNS_MIN = 5;
/** Counts of a full run are this many times those of a quick one. */
const FULL_SCALE = 4;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: "string", default: join(benchSources(), "results.json") },
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true },
      runs: { type: "string", default: String(RUNS_MIN) },
    },
  });
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < RUNS_MIN) {
    throw new RangeError(`--runs must be a whole number of at least ${RUNS_MIN}, not ${values.runs}`);
  }
  const rows = values.only ? values.only.map(rowOf) : ROWS;
  const { compiler, missing } = compilerVersion();
  const quick = values.quick ?? false;
  const settings: Settings = {
    runs,
    scale: quick ? 1 : FULL_SCALE,
    runtime: runtimeName(),
    conditions: conditionsNow({ runs, quick, compiler }),
    nativeMissing: missing,
  };
  const results: Result[] = [];
  for (const row of rows) {
    process.stderr.write(`${row.name}: ${row.what}\n`);
    results.push(await runRow(row, settings));
  }
  console.log(formatTable(results));
  writeFileSync(String(values.json), `${JSON.stringify(results, null, 2)}\n`);
  const failed = results.some((result) =>
    Object.keys(result.missing).some((name) => !isAbsent(name, missing)),
  );
  process.exitCode = failed ? 1 : 0;
}

/** A native twin without a compiler is absent, not failed. */
function isAbsent(contestant: string, why: string | undefined): boolean {
  return why !== undefined && contestant.startsWith("native");
}

main().catch((problem) => {
  console.error(problem instanceof Error ? problem.message : problem);
  process.exitCode = 1;
});
