/**
 * Plants one bug after the other in a copy of the tree, and runs the tests that are said to notice it:
 *
 *     npm run test:planted -- [part of a name …] [--list=module] [--part=k/n]
 *
 * First these tests run without a bug, while the bugs are compiled. Tests that fail are reported, and the bugs that name them are
 * not tried. Then two copies of the tree work side by side. With a bug, the first test that fails ends the run of its file.
 *
 * A bug that no test notices has survived, and fails. So does one whose text is not in its source any more, and one that does not
 * compile. With --list the bugs are those that the module exports as BUGS; with --part the k-th of n equal parts of the list.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { watchdogFactor } from "../../scripts/machine.js";
import { asCompiled, testFiles } from "../../scripts/test-files.js";
import { compiled, root } from "../lib/paths.js";
import { type Bug, named, occurrences } from "./bug.js";
import { BUGS } from "./bugs/all.js";
import { FAILED } from "./first-failure.js";
import { type Outputs, type Selection, type Tested, Tree } from "./tree.js";
import { noCompiler, partOf, Workshop } from "./workshop.js";

const TREES = Math.min(2, availableParallelism());
/** What tests may take: so long without a bug, on two idle cores; with one, so many times as long as they took without. */
const SOUND_MS = 240_000;
const BUGGY_MS_MIN = 20_000;
const BUGGY_TIMES = 3;
/** What one test may wait for with a bug, when it takes less without: then the test says what did not happen. */
const WATCHDOG_MS_MIN = 5_000;

const sums = { passed: 0, failed: 0 };
/** How long each entry of `tests` has taken without a bug; undefined where a test has failed. */
const soundMs = new Map<string, number | undefined>();
/** The compiled bugs, or why they are none. */
const compiledBugs = new Map<Bug, Outputs | Error>();

/** What has failed is told at once, and once more at the end. */
const failures: string[] = [];

function fail(line: string, output = ""): void {
  sums.failed++;
  const told = output ? `✘ ${line}\n${output.trimEnd().replace(/^/gm, "    | ")}` : `✘ ${line}`;
  failures.push(told);
  console.log(told);
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Does something with each of them, in as many copies at a time. */
async function each<T>(all: T[], trees: Tree[], act: (one: T, tree: Tree) => Promise<void>): Promise<void> {
  const queue = [...all];
  const work = async (tree: Tree): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) await act(one, tree);
  };
  await Promise.all(trees.map(work));
}

/** What an entry of `tests` selects. */
function selection(entry: string): Selection {
  const { part, title } = named(entry);
  return { files: testFiles(compiled(""), ".test.js", [asCompiled(part)]), title };
}

async function testSound(entry: string, tree: Tree): Promise<void> {
  const { failed, output, milliseconds } = await tree.test(selection(entry), SOUND_MS * watchdogFactor());
  soundMs.set(entry, failed ? undefined : milliseconds);
  if (failed) return fail(`${entry}: fails without any bug`, output);
  console.log(`  ${entry}: passes without a bug  (${seconds(milliseconds)})`);
}

/** The file and the title of the test that has failed. */
function failedTest({ late, output }: Tested): string {
  if (late) return "its time";
  const file = /^✘ (\S+)\.test\.ts /m.exec(output)?.[1];
  const title = new RegExp(`${FAILED}(.*)`).exec(output)?.[1];
  return `${file}, ${title ?? "which ended before its tests"}`;
}

/** Runs the tests of a bug, one entry after the other, until one fails. */
async function testBuggy({ tests }: Bug, tree: Tree): Promise<Tested> {
  let output = "";
  let milliseconds = 0;
  for (const entry of tests) {
    const tookMs = BUGGY_TIMES * (soundMs.get(entry) as number);
    const watchdogMs = Math.max(WATCHDOG_MS_MIN, tookMs);
    const tested = await tree.test(selection(entry), Math.max(BUGGY_MS_MIN, tookMs + watchdogMs), watchdogMs);
    output += tested.output;
    milliseconds += tested.milliseconds;
    if (tested.failed) return { ...tested, milliseconds };
  }
  return { failed: false, late: false, output, milliseconds };
}

async function plant(bug: Bug, tree: Tree): Promise<void> {
  const outputs = compiledBugs.get(bug);
  if (!(outputs instanceof Map)) return fail(`${bug.name}: cannot be built`, outputs?.message);
  if (bug.tests.some((entry) => soundMs.get(entry) === undefined))
    return fail(`${bug.name}: not tried: its tests fail without it`);
  const before = tree.install(outputs);
  const tested = await testBuggy(bug, tree);
  tree.install(before);
  if (!tested.failed) return fail(`${bug.name}: survived`, tested.output);
  sums.passed++;
  console.log(`✔ ${bug.name}: noticed by ${failedTest(tested)}  (${seconds(tested.milliseconds)})`);
}

async function bugsOf(list: string | undefined): Promise<Bug[]> {
  if (list === undefined) return BUGS;
  return ((await import(pathToFileURL(list).href)) as { BUGS: Bug[] }).BUGS;
}

/** The bugs that can be tried: their text is in their source. */
function withText(bugs: Bug[]): Bug[] {
  return bugs.filter(({ name, file, find }) => {
    const found = occurrences(readFileSync(join(root, file), "utf8"), find);
    if (found !== 1) fail(`${name}: its text is ${found} times in the source: ${find}`);
    return found === 1;
  });
}

/** The numbers of "k/n", 1 to n; without them, all bugs. */
function partGiven(text = "1/1"): [number, number] {
  const [, k, n] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  if (!(k >= 1 && n >= k)) throw new Error(`--part must be k/n, and k 1 to n; got ${text}`);
  return [k, n];
}

const given = process.argv.slice(2);
const option = (name: string): string | undefined =>
  given.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);
const names = given.filter((argument) => !argument.startsWith("--"));
const [part, parts] = partGiven(option("part"));
const matching = (await bugsOf(option("list"))).filter(
  ({ name }) => names.length === 0 || names.some((part) => name.includes(part)),
);
const wanted = matching.filter((_, at) => Math.floor((at * parts) / matching.length) === part - 1);
const reason = wanted.some(({ file }) => partOf(file) === "shims") ? await noCompiler() : undefined;
const possible = wanted.filter(({ file }) => reason === undefined || partOf(file) !== "shims");
if (possible.length < wanted.length)
  console.log(`SKIPPED ${wanted.length - possible.length} bugs of shims: ${reason}`);
if (possible.length === 0) fail(`no bug matches ${names.join(" ")}`);

const bugs = withText(possible);
const workshop = new Workshop();
const trees = Array.from({ length: Math.min(TREES, bugs.length) }, () => new Tree());
process.on("exit", () => {
  for (const copy of [workshop, ...trees]) copy.remove();
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1));

const sound = await workshop.sound(bugs);
for (const tree of trees) tree.install(sound);
const entries = [...new Set(bugs.flatMap(({ tests }) => tests))].sort();
await Promise.all([
  workshop.compile(bugs, (bug, outputs) => compiledBugs.set(bug, outputs)),
  each(entries, trees.slice(0, 1), testSound),
]);
await each(bugs, trees, plant);
if (failures.length > 0) console.log(["What failed:", ...failures].join("\n"));
console.log(`${sums.passed} passed, ${sums.failed} failed`);
process.exitCode = sums.failed ? 1 : 0;
