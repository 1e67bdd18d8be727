/**
 * Plants one bug after the other in a copy of the sources, and runs the tests that are said to notice it:
 *
 *     npm run test:planted -- [part of a name …] [--list=module]
 *
 * First each of these test files runs without a bug. One that fails is reported, and the bugs that name it are not tried. Two
 * copies of the tree work side by side, and build only what a bug changes.
 *
 * A bug that no test notices has survived, and fails. So does one whose text is not in its source any more, and one that does not
 * compile. With --list the bugs are those that the module exports as BUGS.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { watchdogFactor } from "../../scripts/machine.js";
import { asCompiled, testFiles } from "../../scripts/test-files.js";
import { compiled } from "../lib/paths.js";
import type { Bug } from "./bug.js";
import { BUGS } from "./bugs/all.js";
import { noCompiler, occurrences, partOf, Tree } from "./tree.js";

const TREES = Math.min(2, availableParallelism());
/** What tests may take: so long without a bug, on two idle cores; with one, so many times as long as they took without. */
const SOUND_MS = 240_000;
const BUGGY_MS_MIN = 20_000;
const BUGGY_TIMES = 3;
/** What one test may wait for with a bug, when its file takes less without: then the test says what did not happen. */
const WATCHDOG_MS_MIN = 5_000;

const sums = { passed: 0, failed: 0 };
/** How long each test file has taken without a bug; undefined where it has failed. */
const soundMs = new Map<string, number | undefined>();

function fail(line: string, output = ""): void {
  sums.failed++;
  console.log(`✘ ${line}`);
  if (output) console.log(output.trimEnd().replace(/^/gm, "    | "));
}

/** Does something with each of them, in two copies at a time. */
async function each<T>(all: T[], trees: Tree[], act: (one: T, tree: Tree) => Promise<void>): Promise<void> {
  const queue = [...all];
  const work = async (tree: Tree): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) await act(one, tree);
  };
  await Promise.all(trees.map(work));
}

/** The test files that a bug names. */
function filesOf({ tests }: Bug): string[] {
  return testFiles(compiled(""), ".test.js", tests.map(asCompiled));
}

async function testSound(file: string, tree: Tree): Promise<void> {
  const { failed, output, milliseconds } = await tree.test([file], SOUND_MS * watchdogFactor());
  soundMs.set(file, failed ? undefined : milliseconds);
  if (failed) return fail(`${file} fails without any bug`, output);
  console.log(`  ${file} passes without a bug  (${(milliseconds / 1000).toFixed(1)} s)`);
}

async function plant(bug: Bug, tree: Tree): Promise<void> {
  const begin = performance.now();
  const found = occurrences(readFileSync(join(tree.directory, bug.file), "utf8"), bug.find);
  if (found !== 1) return fail(`${bug.name}: its text is ${found} times in the source: ${bug.find}`);
  const files = filesOf(bug);
  const limits = files.map((file) => soundMs.get(file));
  if (files.length === 0 || limits.includes(undefined))
    return fail(`${bug.name}: not tried: its tests fail without it, or there are none`);
  const soundly = limits as number[];
  const limitMs = Math.max(BUGGY_MS_MIN, BUGGY_TIMES * soundly.reduce((sum, ms) => sum + ms, 0));
  const watchdogMs = Math.max(WATCHDOG_MS_MIN, BUGGY_TIMES * Math.max(...soundly));
  try {
    const { failed, output } = await tree.with(bug, () => tree.test(files, limitMs, watchdogMs));
    if (!failed) return fail(`${bug.name}: survived`, output);
    sums.passed++;
    const by = [...output.matchAll(/^✘ (\S+)\.test\.ts /gm)].map(([, file]) => file).join(", ") || "its time";
    console.log(`✔ ${bug.name}: noticed by ${by}  (${((performance.now() - begin) / 1000).toFixed(1)} s)`);
  } catch (error) {
    fail(`${bug.name}: cannot be built`, (error as Error).message);
  }
}

async function bugsOf(list: string | undefined): Promise<Bug[]> {
  if (list === undefined) return BUGS;
  return ((await import(pathToFileURL(list).href)) as { BUGS: Bug[] }).BUGS;
}

const given = process.argv.slice(2);
const list = given.find((argument) => argument.startsWith("--list="))?.slice("--list=".length);
const names = given.filter((argument) => !argument.startsWith("--"));
const wanted = (await bugsOf(list)).filter(
  ({ name }) => names.length === 0 || names.some((part) => name.includes(part)),
);
const reason = wanted.some(({ file }) => partOf(file) === "shims") ? await noCompiler() : undefined;
const bugs = wanted.filter(({ file }) => reason === undefined || partOf(file) !== "shims");
if (bugs.length < wanted.length)
  console.log(`SKIPPED ${wanted.length - bugs.length} bugs of shims: ${reason}`);
if (bugs.length === 0) fail(`no bug matches ${names.join(" ")}`);

const trees = Array.from({ length: Math.min(TREES, bugs.length) }, () => new Tree());
process.on("exit", () => {
  for (const tree of trees) tree.remove();
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1));
// Without a bug the shims come from the same compiler as with one.
const shims = bugs.some(({ file }) => partOf(file) === "shims");
if (shims) await Promise.all(trees.map((tree) => tree.build("shims")));
await each([...new Set(bugs.flatMap(filesOf))].sort(), trees, testSound);
await each(bugs, trees, plant);
console.log(`${sums.passed} passed, ${sums.failed} failed`);
process.exitCode = sums.failed ? 1 : 0;
