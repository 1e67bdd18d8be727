/**
 * `npm run test:darwin`: the shim for macOS over a stand-in of what macOS has and Linux has not, so that its logic, its errors and
 * its races are executed by the tests of the shim and of the objects.
 *
 *     npm run test:darwin -- [part of a path …]
 *
 * With a part of a path only the test files that have it. It needs a compiler of the system, cc and c++.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { step } from "./lane.js";
import { laneFiles, testRunner, tree } from "./places.js";

const SAYS =
  "The shim for macOS over a stand-in of macOS's calls on Linux: this proves the logic of the shim, as far as the stand-in does what " +
  "Apple's manual pages say. It is no macOS, and it is not the binary of prebuilds/darwin-*. See docs/platforms.md.";

const SHIMS = join(tree, "shims");
const STAND_IN = join(tree, "test/lanes/darwin/stand-in");
const CALLS = join(STAND_IN, "darwin-calls");

const COMMON = ["-O1", "-g", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra"];
const C = [...COMMON, "-std=c11", "-D_GNU_SOURCE"];
/** The tests look for names in /dev/shm. */
const C_OF_SHIM = [...C, "-D__APPLE__", '-DPLACE="/dev/shm"', "-I", STAND_IN, "-include", `${CALLS}.h`];
const CC = [
  ...[...COMMON, "-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"],
  ...["-DNAPI_VERSION=8", "-DNAPI_DISABLE_CPP_EXCEPTIONS", "-DNODE_ADDON_API_DISABLE_DEPRECATED"],
  ...["node-api-headers/include", "node-addon-api"].flatMap((path) => [
    "-isystem",
    join(tree, "node_modules", path),
  ]),
];
const LINK = ["-shared", "-Wl,-z,nodelete", "-Wl,--version-script,linux_exports.map"];

const OF_SHIM = ["locks", "names", "objects", "storage", "fork", "waiting", "watching", "workers"];
const OBJECTS = [
  "ring",
  "queue",
  "service",
  "broadcast",
  "latest",
  "sync",
  "memory",
  "values",
  "cache",
  "wait",
];
/** Before macOS 14.4, other calls sleep and wake. */
const OLDER = { ISTHMUS_STAND_IN_RELEASE: "13" };
const OF_WAITING = ["shims/waiting", "shims/watching"];

interface Sums {
  passed: number;
  failed: number;
}

const sums: Sums = { passed: 0, failed: 0 };

/** The folder that ISTHMUS_PREBUILDS is to name. */
function build(): string {
  const folder = laneFiles("darwin");
  const objects = join(folder, "objects");
  mkdirSync(objects, { recursive: true });
  mkdirSync(join(folder, "linux-x64"), { recursive: true });
  const made = readdirSync(SHIMS)
    .filter((source) => /^(darwin|posix)_.*\.c$|\.cc$/.test(source))
    .map((source) => {
      const object = join(objects, `${source}.o`);
      const isC = source.endsWith(".c");
      step(isC ? "cc" : "c++", [...(isC ? C_OF_SHIM : CC), "-c", source, "-o", object], SHIMS);
      return object;
    });
  const calls = join(objects, "calls.o");
  step("cc", [...C, "-c", `${CALLS}.c`, "-o", calls], SHIMS);
  const file = join(folder, "linux-x64/isthmus.node");
  step("cc", [...LINK, ...made, calls, "-o", `${file}.new`], SHIMS);
  renameSync(`${file}.new`, file);
  return folder;
}

/** Runs test files; the runner prints its sums last. */
function runTests(what: string, args: string[], environment: Record<string, string>): Promise<void> {
  console.log(`${what}:`);
  const tests = spawn(process.execPath, [testRunner, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...environment },
  });
  let said = "";
  tests.stdout.on("data", (chunk: Buffer) => {
    process.stdout.write(chunk);
    said = (said + chunk.toString()).slice(-10_000);
  });
  return new Promise((resolve, reject) => {
    tests.on("error", reject);
    tests.on("close", (code) => {
      const [, passed, failed] = /(\d+) passed, (\d+) failed\s*$/.exec(said) ?? [];
      sums.passed += Number(passed ?? 0);
      sums.failed += Number(failed ?? 0);
      if (failed === undefined || (code !== 0 && failed === "0")) sums.failed++;
      resolve();
    });
  });
}

async function runAll(filters: string[]): Promise<void> {
  const environment = { ISTHMUS_PREBUILDS: build(), ISTHMUS_STAND_IN: "macOS" };
  console.log(SAYS);
  if (filters.length > 0) return runTests("What was asked for", filters, environment);
  await runTests("What is of macOS only", ["--lane", "lanes/darwin"], environment);
  await runTests(
    "The shim",
    OF_SHIM.map((file) => `shims/${file}.`),
    environment,
  );
  await runTests("Waiting before macOS 14.4", OF_WAITING, { ...environment, ...OLDER });
  await runTests(
    "Objects",
    OBJECTS.map((folder) => `ts/${folder}/`),
    environment,
  );
}

try {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Error(`this lane runs on Linux x64, not on ${process.platform} ${process.arch}`);
  await runAll(process.argv.slice(2));
} catch (error) {
  console.error(`✘ the lane darwin could not run: ${(error as Error).message}`);
  sums.failed++;
}
console.log(`${sums.passed} passed, ${sums.failed} failed`);
process.exitCode = sums.failed ? 1 : 0;
