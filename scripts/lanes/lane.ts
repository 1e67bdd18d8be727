/** What every lane for another platform does: gets ready, runs its tests, and ends with one line "N passed, N failed". */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { laneFiles, lanePackages, testRunner } from "./places.js";

/** Downloads may be slow; one that takes longer hangs. */
const STEP_MS = 300_000;

/** Runs a program to its end and gives what it printed; throws with all of it when it fails. */
export function step(command: string, args: string[], directory: string): string {
  try {
    const options = { cwd: directory, timeout: STEP_MS, encoding: "utf8", maxBuffer: 2 ** 26 } as const;
    return execFileSync(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    const { message, code, stdout = "" } = error as Error & { code?: string; stdout?: string };
    if (code === "ENOENT") throw new Error(`this lane needs the program ${command}`);
    throw new Error(`${message}\n${stdout}`);
  }
}

interface Lock {
  packages: Record<string, { version: string }>;
}

/** Packages of Node say "v20.1.0". */
function installedVersion(file: string): string {
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version.replace(/^v/, "");
}

function isInstalled(directory: string): boolean {
  const lock = JSON.parse(readFileSync(join(directory, "package-lock.json"), "utf8")) as Lock;
  return Object.entries(lock.packages).every(([path, { version }]) => {
    const file = join(directory, path, "package.json");
    return path === "" || (existsSync(file) && installedVersion(file) === version);
  });
}

/** Installs the lane's npm packages; they are for another platform, which npm must be told to accept. */
export function installPackages(lane: string): void {
  const directory = lanePackages(lane);
  if (isInstalled(directory)) return;
  console.log(`installing the npm packages of ${directory}`);
  step("npm", ["ci", "--force", "--ignore-scripts"], directory);
}

function download(packages: string[], directory: string): void {
  try {
    step("apt-get", ["download", ...packages], directory);
  } catch (error) {
    if (process.getuid?.() !== 0)
      throw new Error(
        `${(error as Error).message}\nOn Debian 12, run "apt-get update" as root, then this again.`,
      );
    // A fresh container has no lists of packages.
    step("apt-get", ["update"], directory);
    step("apt-get", ["download", ...packages], directory);
  }
}

/** Unpacks Debian packages into the lane's directory: the system stays as it is, and no root is needed. */
export function unpackDebian(lane: string, packages: string[]): void {
  const directory = laneFiles(lane);
  if (existsSync(directory)) return;
  console.log(`unpacking ${packages.join(", ")} of Debian`);
  const unfinished = `${directory}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    download(packages, unfinished);
    for (const file of step("ls", [], unfinished)
      .split("\n")
      .filter((name) => name.endsWith(".deb"))) {
      step("dpkg-deb", ["-x", file, "."], unfinished);
      rmSync(join(unfinished, file));
    }
    mkdirSync(dirname(directory), { recursive: true });
    renameSync(unfinished, directory);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** Gets ready and runs test/lanes/<lane>.lane.ts in this process's place. */
export function runLane(lane: string, says: string, getReady: () => void): void {
  try {
    if (process.platform !== "linux" || process.arch !== "x64")
      throw new Error(`this lane runs on Linux x64, not on ${process.platform} ${process.arch}`);
    getReady();
  } catch (error) {
    console.error(`✘ the lane ${lane} could not get ready: ${(error as Error).message}`);
    console.log("0 passed, 1 failed");
    process.exitCode = 1;
    return;
  }
  console.log(says);
  const tests = spawn(process.execPath, [testRunner, "--lane", `lanes/${lane}`], { stdio: "inherit" });
  tests.on("exit", (code) => {
    process.exitCode = code ?? 1;
  });
}
