/**
 * `npm run test:windows [-- --with=node22] [-- part of a path …]`: the tests in builds for Windows of Node, under Wine, and pairs
 * of all runtimes for Windows. With a part of a path only the test files that have it.
 */
import { watchdogFactor } from "../machine.js";
import { getWine, runInWine } from "./wine.js";

const SAYS =
  "Builds for Windows under Wine 10: this proves the logic of the binary for Windows and of the package on Windows, but not what " +
  "Wine does otherwise than Windows. See docs/platforms.md.";

const packages = "test/lanes/windows/node_modules";
export const RUNTIMES = {
  node18: [`${packages}/node18/bin/node.exe`],
  node20: [`${packages}/node20/bin/node.exe`],
  node22: [`${packages}/node22/bin/node.exe`],
  node24: [`${packages}/node24/bin/node.exe`],
  node26: [`${packages}/node26/bin/node.exe`],
  bun: [`${packages}/@oven/bun-windows-x64-baseline/bin/bun.exe`, "run"],
  deno: [`${packages}/@deno/win32-x64/deno.exe`, "run", "--allow-all", "--no-lock", "--quiet"],
} as const;
/** Runs the test files, if no other one is asked for. */
const USUAL = "node22";
/** Everything takes longer: a process of Wine starts in a second. */
const SLOWER = 3;

interface Sums {
  passed: number;
  failed: number;
}

const sums: Sums = { passed: 0, failed: 0 };

/** Each runtime says what it is, and makes the memory under which a segment is laid. */
async function checkRuntimes(): Promise<void> {
  for (const [name, command] of Object.entries(RUNTIMES)) {
    let said = "";
    const code = await runInWine([...command, "test/lanes/windows/what.mjs"] as never, (text) => {
      said += text;
    });
    const isRight = code === 0 && said.includes("win32 x64") && said.includes("shared memory: true");
    const what = isRight ? /.*shared memory: true/.exec(said)?.[0] : `code ${code}\n${said}`;
    console.log(`${isRight ? "✔" : "✘"} ${name}: ${what}`);
    if (isRight) sums.passed++;
    else sums.failed++;
  }
}

/** Runs test files in one runtime; the runner prints its sums last. */
async function runTests(name: keyof typeof RUNTIMES, given: string[]): Promise<void> {
  console.log(`In ${name}:`);
  let said = "";
  const factor = (SLOWER * watchdogFactor()).toFixed(2);
  const command = [...RUNTIMES[name], "build/scripts/run-tests.js", ...given] as unknown as [string];
  const code = await runInWine(
    command,
    (text) => {
      process.stdout.write(text);
      said = (said + text).slice(-10_000);
    },
    { ISTHMUS_TEST_WATCHDOG_FACTOR: factor },
  );
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

async function run(given: string[]): Promise<void> {
  console.log(SAYS);
  const chosen = given.find((argument) => argument.startsWith("--with="))?.slice("--with=".length) ?? USUAL;
  const filters = given.filter((argument) => !argument.startsWith("--with="));
  if (!Object.hasOwn(RUNTIMES, chosen)) throw new Error(`--with= ${Object.keys(RUNTIMES).join(", ")}`);
  await checkRuntimes();
  await runTests(chosen as keyof typeof RUNTIMES, filters);
  if (filters.length === 0) await runTests(USUAL, ["--lane", "lanes/windows"]);
}

try {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Error(`this lane runs on Linux x64, not on ${process.platform} ${process.arch}`);
  await getWine();
  await run(process.argv.slice(2));
} catch (error) {
  console.error(`✘ the lane windows could not run: ${(error as Error).message}`);
  sums.failed++;
}
console.log(`${sums.passed} passed, ${sums.failed} failed`);
process.exitCode = sums.failed ? 1 : 0;
