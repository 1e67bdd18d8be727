/**
 * `npm run bench`: measures each row against its native twin and against what users would pick instead, in turn, and
 * prints a table. Exit code 1 when a contestant failed; missed goals and disturbed runs are printed, they are no failure.
 *
 *   --json PATH   where the figures go (bench/results.json)
 *   --quick       smaller counts, a few minutes
 *   --only NAME   this row; may be given several times
 *   --runs N      alternating runs (at least 5)
 *   --runtime R   the other runtime to measure Isthmus in: bun, deno or none; may be given several times (all that are there)
 */
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bun, deno } from "../test/lib/runtimes.js";
import { conditionsNow, runtimeName } from "./conditions.js";
import type { Program } from "./ends.js";
import { compilerVersion } from "./native.js";
import { benchSources } from "./place.js";
import { ROWS, rowOf } from "./rows.js";
import { type Result, runRow, type Settings } from "./run.js";
import { formatTable } from "./table.js";

const RUNS_MIN = 5;
/** Counts of a full run are this many times those of a quick one. */
const FULL_SCALE = 2;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: "string", default: join(benchSources(), "results.json") },
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true },
      runtime: { type: "string", multiple: true },
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
  const programs = otherRuntimes(values.runtime);
  const runtimes = [runtimeName(), ...Object.entries(programs).map(([name, each]) => versionOf(name, each))];
  const settings: Settings = {
    runs,
    scale: quick ? 1 : FULL_SCALE,
    runtime: runtimeName(),
    conditions: conditionsNow({ runs, quick, compiler, runtimes }),
    nativeMissing: missing,
    programs,
  };
  const results: Result[] = [];
  for (const row of rows) {
    process.stderr.write(`${row.name}: ${row.what}\n`);
    results.push(await runRow(row, settings));
  }
  console.log(formatTable(results));
  writeFileSync(String(values.json), `${JSON.stringify(results, null, 2)}\n`);
  process.exitCode = results.some(({ failed }) => Object.keys(failed).length > 0) ? 1 : 0;
}

function versionOf(name: string, { command }: Program): string {
  const said = execFileSync(command, ["--version"], { encoding: "utf8" });
  return `${name} ${/\d+\.\d+\.\d+/.exec(said)?.[0] ?? said.trim()}`;
}

/** Isthmus is measured in those, too: the ones of that name, or all that are there. */
function otherRuntimes(names: string[] | undefined): Record<string, Program> {
  const known = new Map([bun, deno].map((runtime) => [runtime.name, runtime]));
  const programs: Record<string, Program> = {};
  for (const name of names ?? known.keys()) {
    if (name === "none") continue;
    const runtime = known.get(name);
    if (!runtime)
      throw new RangeError(`--runtime must be one of ${[...known.keys(), "none"].join(", ")}, not ${name}`);
    const present = existsSync(runtime.command) && !runtimeName().startsWith(name);
    if (present) programs[name] = runtime;
  }
  return programs;
}

main().catch((problem) => {
  console.error(problem instanceof Error ? problem.message : problem);
  process.exitCode = 1;
});
