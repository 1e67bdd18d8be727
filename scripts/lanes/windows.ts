/**
 * `npm run test:windows`: the tests in a build of Node for Windows, under Wine, then pairs of all runtimes for Windows, and the
 * packed package.
 *
 *     npm run test:windows -- [--with=node22] [--deep] [part of a path …]
 *
 * With a part of a path only the test files that have it, and nothing else.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { watchdogFactor } from "../machine.js";
import { step } from "./lane.js";
import { tree, WINDOWS_PACKAGE } from "./places.js";
import { programOf, WINDOWS_RUNTIMES, type WindowsRuntime } from "./windows-runtimes.js";
import { getWine, runInWine } from "./wine.js";

const SAYS =
  "Builds for Windows under Wine 10: this proves the logic of the binary and of the package on Windows, but not what Wine does " +
  "otherwise than Windows. See docs/platforms.md.";

/** Runs the test files, if no other one is asked for. */
const USUAL = "node22";
/** Everything takes longer: a process of Wine starts in a second. */
const SLOWER = 3;

interface Sums {
  passed: number;
  failed: number;
}

const sums: Sums = { passed: 0, failed: 0 };

function run(
  runtime: WindowsRuntime,
  args: string[],
  print: (text: string) => void,
  environment: Record<string, string> = {},
): Promise<number> {
  return runInWine([relative(tree, programOf(runtime)), ...runtime.flags, ...args], print, environment);
}

/** Each runtime says what it is, and makes the memory under which a segment is laid. */
async function checkRuntimes(): Promise<void> {
  for (const runtime of WINDOWS_RUNTIMES) {
    let said = "";
    const code = await run(runtime, ["test/lanes/windows/what.mjs"], (text) => {
      said += text;
    });
    const isRight = code === 0 && said.includes("win32 x64") && said.includes("shared memory: true");
    const what = isRight ? /.*shared memory: true/.exec(said)?.[0] : `code ${code}\n${said}`;
    console.log(`${isRight ? "✔" : "✘"} ${runtime.name}: ${what}`);
    if (isRight) sums.passed++;
    else sums.failed++;
  }
}

/** Runs test files in one runtime; the runner prints its sums last. */
async function runTests(name: string, given: string[]): Promise<void> {
  const runtime = WINDOWS_RUNTIMES.find((one) => one.name === name);
  if (!runtime) throw new Error(`--with= one of ${WINDOWS_RUNTIMES.map((one) => one.name).join(", ")}`);
  console.log(`In ${name}:`);
  let said = "";
  const print = (text: string): void => {
    process.stdout.write(text);
    said = (said + text).slice(-10_000);
  };
  const factor = (SLOWER * watchdogFactor()).toFixed(2);
  const environment = { ISTHMUS_TEST_WATCHDOG_FACTOR: factor };
  const code = await run(runtime, ["build/scripts/run-tests.js", ...given], print, environment);
  const [, passed, failed] = /(\d+) passed, (\d+) failed\s*$/.exec(said) ?? [];
  sums.passed += Number(passed ?? 0);
  sums.failed += Number(failed ?? 0);
  if (failed === undefined || (code !== 0 && failed === "0")) {
    console.log(
      `✘ the runner in ${name} ended with code ${code}${failed === undefined ? " and no sums" : ""}`,
    );
    sums.failed++;
  }
}

/** Packs the package, and installs it as npm does on Windows, without scripts. npm itself does not run here under Wine. */
function installPackage(): void {
  rmSync(WINDOWS_PACKAGE, { recursive: true, force: true });
  mkdirSync(WINDOWS_PACKAGE, { recursive: true });
  writeFileSync(join(WINDOWS_PACKAGE, "package.json"), '{ "private": true }');
  const [{ filename }] = JSON.parse(
    step("npm", ["pack", tree, "--json", "--ignore-scripts"], WINDOWS_PACKAGE),
  );
  const platform = ["--os=win32", "--cpu=x64", "--ignore-scripts", "--no-audit", "--no-fund"];
  step("npm", ["install", ...platform, `./${filename}`], WINDOWS_PACKAGE);
}

async function runAll(given: string[]): Promise<void> {
  console.log(SAYS);
  const chosen = given.find((argument) => argument.startsWith("--with="))?.slice("--with=".length) ?? USUAL;
  const others = given.filter((argument) => !argument.startsWith("--with="));
  await checkRuntimes();
  await runTests(chosen, others);
  if (others.some((argument) => !argument.startsWith("--"))) return;
  installPackage();
  await runTests(USUAL, ["--lane", ...others, "lanes/windows"]);
}

try {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Error(`this lane runs on Linux x64, not on ${process.platform} ${process.arch}`);
  await getWine();
  await runAll(process.argv.slice(2));
} catch (error) {
  console.error(`✘ the lane windows could not run: ${(error as Error).message}`);
  sums.failed++;
}
console.log(`${sums.passed} passed, ${sums.failed} failed`);
process.exitCode = sums.failed ? 1 : 0;
