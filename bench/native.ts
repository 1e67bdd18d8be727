/** The native twins: compiled when a compiler is there, then run as one process each. */
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Sample } from "./contest.js";
import { DISTURBED_CODE, Disturbed, lastLine } from "./disturbed.js";
import { benchSources } from "./place.js";

const SOURCES = join(benchSources(), "native");
const BINARIES = join(SOURCES, "bin");
const FLAGS = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-pthread"];
/** Longest run of one twin before it is ended. Milliseconds. */
const RUN_MS = 20_000;

/** What the compiler says it is, or why there is none. */
export function compilerVersion(): { compiler?: string; missing?: string } {
  if (process.platform !== "linux") return { missing: "the native twins are written for Linux" };
  try {
    const [line] = execFileSync("g++", ["--version"], { encoding: "utf8" }).split("\n");
    return { compiler: `${line} ${FLAGS.join(" ")}` };
  } catch {
    return { missing: "g++ was not found" };
  }
}

function newestSource(program: string): number {
  const files = readdirSync(SOURCES).filter((file) => file === `${program}.cpp` || file.endsWith(".hpp"));
  return Math.max(...files.map((file) => statSync(join(SOURCES, file)).mtimeMs));
}

/** Compiles the program unless its binary is newer than the sources. Returns the binary's path. */
function compile(program: string): string {
  const binary = join(BINARIES, program);
  if (existsSync(binary) && statSync(binary).mtimeMs > newestSource(program)) return binary;
  mkdirSync(BINARIES, { recursive: true });
  execFileSync("g++", [...FLAGS, "-o", binary, join(SOURCES, `${program}.cpp`)], { stdio: "inherit" });
  return binary;
}

export async function runNative(program: string, args: (string | number)[]): Promise<Sample> {
  const options = { timeout: RUN_MS, killSignal: "SIGKILL" as const, maxBuffer: 64 << 20 };
  try {
    const { stdout } = await promisify(execFile)(compile(program), args.map(String), options);
    return JSON.parse(stdout) as Sample;
  } catch (problem) {
    const { code, killed, stderr } = problem as { code?: unknown; killed?: boolean; stderr?: string };
    if (killed) throw new Disturbed(`not done after ${RUN_MS} ms`);
    if (code === DISTURBED_CODE) throw new Disturbed(lastLine(stderr ?? ""));
    throw problem;
  }
}
