/**
 * Runs the test files that `npm run build` compiled: each in a process of its own, two to five at a time, watched.
 *
 *     node build/scripts/run-tests.js [--lane] [--deep] [--shared] [--root=directory] [part of a path …]
 *
 * With --lane it runs the files that take long or need what `npm ci` does not install: *.lane.ts.
 *
 * With --deep, as with ISTHMUS_DEEP=1, it tries everything there is (`test/lib/depth.ts`), also in files that say "// deep: …" and are not
 * named: that takes three times as long.
 *
 * A file that says "// only: linux, …" is left out on other systems.
 *
 * The run has a /dev/shm of its own where the system permits one (see `private-memory.ts`); --shared does without. Where it is
 * shared with other programs, only segments whose names have the marker of a test file are counted and removed.
 *
 * The machine is measured before each file, and its watchdogs wait longer on a slow one; whoever starts this run may have said how
 * much longer (ISTHMUS_TEST_WATCHDOG_FACTOR).
 *
 * One line per file; at the end the output of those that failed, and exactly one line "N passed, N failed". The numbers
 * come from uvu's summaries, so they count tests that ran: a file without a summary, or with an empty one, has failed. So
 * has one that leaves a process or a segment behind.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism, constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { endTree, MARKER, markerFor, segmentEntries, survivorsOf, unlinkEntry } from "./leftovers.js";
import { WATCHDOG_FACTOR, watchdogFactor } from "./machine.js";
import { hasPrivateMemory, privateMemory, startPrivately } from "./private-memory.js";
import {
  asCompiled,
  hasSource,
  isDeep,
  onlyElsewhere,
  runsAlone,
  testFiles,
  watchdogSeconds,
} from "./test-files.js";

const DEEP = process.argv.includes("--deep") || Boolean(process.env.ISTHMUS_DEEP);
/**
 * Half of the cores from four on: most files start processes of their own. What takes the CPU is tried less in a plain run, so there
 * is room for one more file.
 */
const FILES_AT_A_TIME =
  Math.max(Math.min(2, availableParallelism()), Math.min(4, availableParallelism() >>> 1)) + (DEEP ? 0 : 1);
/** Processes that were told to end may need this long to be gone, on two idle cores. */
const SURVIVORS_GRACE_MS = 3000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Given to the run that `startPrivately` starts: nobody else is in its /dev/shm. */
const ALONE = "--alone";

interface Outcome {
  passed: number;
  failed: number;
  skipped: string[];
  output: string;
  problems: string[];
}

interface Sums {
  passed: number;
  failed: number;
  /** What the files that failed printed, and what else was wrong. */
  failures: string[];
}

/** The test files that run now. */
const running = new Set<ChildProcess>();

/** What uvu says at the end of a file. */
function summary(output: string): { total: number; passed: number } | undefined {
  const total = [...output.matchAll(/^\s*Total:\s+(\d+)/gm)].pop();
  const passed = [...output.matchAll(/^\s*Passed:\s+(\d+)/gm)].pop();
  return total && passed ? { total: Number(total[1]), passed: Number(passed[1]) } : undefined;
}

/** The output of a child, its exit code, and whether the watchdog had to end it. */
function watch(
  child: ChildProcess,
  seconds: number,
): Promise<{ code: number | null; late: boolean; output: string }> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let late = false;
    const collect = (chunk: Buffer): void => void chunks.push(chunk);
    child.stdout?.on("data", collect);
    child.stderr?.on("data", collect);
    const watchdog = setTimeout(() => {
      late = true;
      endTree(child.pid);
    }, seconds * 1000);
    child.on("exit", (code) => {
      clearTimeout(watchdog);
      // Not "close": a surviving grandchild would keep the pipes open.
      setTimeout(() => resolve({ code, late, output: Buffer.concat(chunks).toString() }), 50);
    });
  });
}

async function endSurvivors(marker: string, from: number | undefined, graceMs: number): Promise<string[]> {
  const begin = performance.now();
  let found = survivorsOf(marker, from);
  while (found.length > 0 && performance.now() - begin < graceMs) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    found = survivorsOf(marker, from);
  }
  for (const { pid } of found) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself just now.
    }
  }
  return found.map(({ pid, command }) => `left process ${pid} behind: ${command}`);
}

async function run(root: string, file: string): Promise<Outcome> {
  const path = join(root, file);
  const marker = markerFor(file);
  const factor = Number(process.env[WATCHDOG_FACTOR] ?? watchdogFactor());
  const seconds = Math.ceil(watchdogSeconds(path) * factor);
  const { FORCE_COLOR: _, ...inherited } = process.env;
  const env = { ...inherited, [MARKER]: marker, [WATCHDOG_FACTOR]: factor.toFixed(2), NO_COLOR: "1" };
  const child = spawn(process.execPath, [path], { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const { code, late, output } = await watch(child, seconds);
  running.delete(child);
  const problems = late ? [`took longer than ${seconds} s and was ended`] : [];
  problems.push(...(await endSurvivors(marker, child.pid, SURVIVORS_GRACE_MS * Math.max(1, factor))));
  for (const entry of segmentEntries().filter((name) => name.includes(marker))) {
    problems.push(`left ${entry} behind`);
    unlinkEntry(entry);
  }
  const tests = summary(output);
  if (!tests) problems.push(`ended with code ${code} and no summary: not all of its tests ran`);
  else if (tests.total === 0) problems.push("ran no test");
  else if (code !== 0 && tests.passed === tests.total) problems.push(`ended with code ${code}`);
  return {
    passed: tests?.passed ?? 0,
    failed: (tests ? tests.total - tests.passed : 0) + problems.length,
    skipped: output.split("\n").filter((line) => line.startsWith("SKIPPED ")),
    output,
    problems,
  };
}

function report(file: string, outcome: Outcome, milliseconds: number): void {
  const seconds = (milliseconds / 1000).toFixed(1);
  const failed = outcome.failed ? `, ${outcome.failed} failed` : "";
  console.log(`${outcome.failed ? "✘" : "✔"} ${file}  ${outcome.passed} passed${failed}  (${seconds} s)`);
  for (const line of outcome.skipped) console.log(`    ${line}`);
}

/** The output of a file that failed, and what was wrong in addition. */
function failure(file: string, { output, problems }: Outcome): string {
  return [`✘ ${file}`, output.replace(/^/gm, "    | "), ...problems.map((problem) => `    ${problem}`)].join(
    "\n",
  );
}

/** Runs every file and returns the sums. */
async function runAll(root: string, files: string[]): Promise<Sums> {
  const sums: Sums = { passed: 0, failed: 0, failures: [] };
  const alone = files.filter((file) => runsAlone(join(root, file)));
  let queue = files.filter((file) => !alone.includes(file));
  const lane = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const begin = performance.now();
      const outcome = await run(root, file);
      const source = file.replace(/\.js$/, ".ts");
      report(source, outcome, performance.now() - begin);
      if (outcome.failed) sums.failures.push(failure(source, outcome));
      sums.passed += outcome.passed;
      sums.failed += outcome.failed;
    }
  };
  await Promise.all(Array.from({ length: FILES_AT_A_TIME }, lane));
  queue = alone;
  await lane();
  return sums;
}

/** Calls the function when this run is told to end, or when the run that started it has ended. */
function whenEnded(end: (code: number) => void): void {
  for (const signal of SIGNALS) process.on(signal, () => end(128 + constants.signals[signal]));
  process.on("disconnect", () => end(1));
  process.channel?.unref();
}

/** The same run with a /dev/shm of its own; signals go on to it. */
async function runPrivately(through: string[]): Promise<number> {
  const child = startPrivately(through, [...process.argv.slice(1), ALONE]);
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.on("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

async function runHere(given: string[]): Promise<number> {
  whenEnded((code) => {
    for (const child of running) endTree(child.pid);
    process.exit(code);
  });
  const planted = given.find((argument) => argument.startsWith("--root="));
  const root = planted?.slice("--root=".length) ?? fileURLToPath(new URL("../test/", import.meta.url));
  const sources = fileURLToPath(new URL("../../test/", import.meta.url));
  const filters = given.filter((argument) => !argument.startsWith("--")).map(asCompiled);
  const found = testFiles(root, given.includes("--lane") ? ".lane.js" : ".test.js", filters);
  const present = planted ? found : found.filter((file) => hasSource(sources, file));
  // A file that is named runs, unless it is about another system.
  const possible = present.filter((file) => onlyElsewhere(join(root, file)) === undefined);
  const files = DEEP || filters.length > 0 ? possible : possible.filter((file) => !isDeep(join(root, file)));
  const elsewhere = present.length - possible.length;
  if (elsewhere > 0)
    console.log(`${elsewhere} of ${present.length} test files are not for ${process.platform}`);
  const left = possible.length - files.length;
  if (left > 0) console.log(`npm run test:deep has ${left} more test file${left === 1 ? "" : "s"}`);
  const sums = await runAll(root, files);
  if (files.length === 0) {
    sums.failures.push(`no test file matches ${filters.join(" ") || root}`);
    sums.failed++;
  }
  // Only where nobody else is: elsewhere a segment without a marker may be another program's.
  for (const entry of given.includes(ALONE) ? segmentEntries() : []) {
    sums.failures.push(`✘ ${entry} was left behind`);
    sums.failed++;
  }
  if (sums.failures.length > 0) console.log(["What failed:", ...sums.failures].join("\n"));
  console.log(`${sums.passed} passed, ${sums.failed} failed`);
  return sums.failed ? 1 : 0;
}

const given = process.argv.slice(2);
if (DEEP) process.env.ISTHMUS_DEEP = "1";
const nested = hasPrivateMemory() || given.includes("--shared");
const { through, reason } = nested ? {} : privateMemory();
if (reason !== undefined) console.log(`/dev/shm is shared with other programs: ${reason}`);
process.exitCode = through ? await runPrivately(through) : await runHere(given);
