/**
 * Runs the test files that `npm run build` compiled: each in a process of its own, two at a time, watched.
 *
 *     node build/scripts/run-tests.js [--lane] [--root=directory] [part of a path …]
 *
 * With --lane it runs the files that take long or need what `npm ci` does not install: *.lane.ts.
 *
 * One line per file, the output of those that failed, and at the end exactly one line "N passed, N failed". The numbers
 * come from uvu's summaries, so they count tests that ran: a file without a summary, or with an empty one, has failed. So
 * has one that leaves a process or a segment behind.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  MARKER,
  markerFor,
  segmentEntries,
  segmentsNobodyHolds,
  survivorsOf,
  unlinkEntry,
} from "./leftovers.js";

const FILES_AT_A_TIME = Math.min(2, availableParallelism());
/** A file may ask for another limit with a comment: "// watchdog: 300 s". */
const WATCHDOG_SECONDS = 180;
/** Processes that were told to end may need this long to be gone. */
const SURVIVORS_GRACE_MS = 3000;

interface Outcome {
  passed: number;
  failed: number;
  skipped: string[];
  output: string;
  problems: string[];
}

function testFiles(directory: string, ending: string, filters: string[]): string[] {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" }) as string[];
  const wanted = files.filter((file) => file.endsWith(ending) && !file.includes("node_modules"));
  return wanted
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .sort();
}

function watchdogSeconds(path: string): number {
  const found = /^\/\/ watchdog: (\d+) s$/m.exec(readFileSync(path, "utf8"));
  return found ? Number(found[1]) : WATCHDOG_SECONDS;
}

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
      endGroup(child.pid);
    }, seconds * 1000);
    child.on("exit", (code) => {
      clearTimeout(watchdog);
      // Not "close": a surviving grandchild would keep the pipes open.
      setTimeout(() => resolve({ code, late, output: Buffer.concat(chunks).toString() }), 50);
    });
  });
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The whole group is gone already.
  }
}

async function endSurvivors(marker: string): Promise<string[]> {
  const begin = Date.now();
  let found = survivorsOf(marker);
  while (found.length > 0 && Date.now() - begin < SURVIVORS_GRACE_MS) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    found = survivorsOf(marker);
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
  const seconds = watchdogSeconds(path);
  const { FORCE_COLOR: _, ...inherited } = process.env;
  const env = { ...inherited, [MARKER]: marker, NO_COLOR: "1" };
  const child = spawn(process.execPath, [path], { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const { code, late, output } = await watch(child, seconds);
  const problems = late ? [`took longer than ${seconds} s and was ended`] : [];
  problems.push(...(await endSurvivors(marker)));
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
  if (outcome.failed === 0) return;
  console.log(outcome.output.replace(/^/gm, "    | "));
  for (const problem of outcome.problems) console.log(`    ${problem}`);
}

/** Runs every file and returns the sums. */
async function runAll(root: string, files: string[]): Promise<{ passed: number; failed: number }> {
  const sums = { passed: 0, failed: 0 };
  // A file that removes what no live process holds would remove what the others have just made: it runs alone.
  const alone = files.filter((file) => /^\/\/ alone: /m.test(readFileSync(join(root, file), "utf8")));
  let queue = files.filter((file) => !alone.includes(file));
  const lane = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const begin = performance.now();
      const outcome = await run(root, file);
      report(file.replace(/\.js$/, ".ts"), outcome, performance.now() - begin);
      sums.passed += outcome.passed;
      sums.failed += outcome.failed;
    }
  };
  await Promise.all(Array.from({ length: FILES_AT_A_TIME }, lane));
  queue = alone;
  await lane();
  return sums;
}

/**
 * Segments that came during the run, stay, and have no marker of a test: those were looked for when their file ended, and
 * another run on this machine may have some. Programs outside may too for a while, so they get time to go.
 */
async function forgotten(before: Set<string>): Promise<string[]> {
  const marked = /isthmus\.\w+-\w+-[0-9a-f]{8}$/;
  let found = new Set(segmentsNobodyHolds().filter((name) => !before.has(name) && !marked.test(name)));
  for (let turn = 0; turn < 10 && found.size > 0; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    found = new Set(segmentsNobodyHolds().filter((name) => found.has(name)));
  }
  return [...found];
}

/** A filter may be typed as the path of the source. */
function asCompiled(filter: string): string {
  return filter.replace(/^(\.\/)?(build\/)?test\//, "").replace(/\.ts$/, ".js");
}

const given = process.argv.slice(2);
const planted = given.find((argument) => argument.startsWith("--root="));
const root = planted?.slice("--root=".length) ?? fileURLToPath(new URL("../test/", import.meta.url));
const filters = given.filter((argument) => !argument.startsWith("--")).map(asCompiled);
const before = new Set(segmentEntries());
const files = testFiles(root, given.includes("--lane") ? ".lane.js" : ".test.js", filters);
const sums = await runAll(root, files);
if (files.length === 0) {
  console.log(`no test file matches ${filters.join(" ") || root}`);
  sums.failed++;
}
for (const entry of await (planted ? [] : forgotten(before))) {
  console.log(`✘ ${entry} was left behind`);
  sums.failed++;
}
console.log(`${sums.passed} passed, ${sums.failed} failed`);
process.exitCode = sums.failed ? 1 : 0;
