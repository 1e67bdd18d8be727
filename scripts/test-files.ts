/** Which compiled test files there are, and what each of them says about how it wants to run. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";

/** A file may ask for another limit with a comment: "// watchdog: 300 s". */
const WATCHDOG_SECONDS = 240;

/** The compiled files below the directory with that ending whose path contains one of the filters, if there are any. */
export function testFiles(directory: string, ending: string, filters: string[]): string[] {
  const found = readdirSync(directory, { recursive: true, encoding: "utf8" }) as string[];
  const files = found.map((file) => file.replaceAll(sep, "/"));
  const wanted = files.filter((file) => file.endsWith(ending) && !file.includes("node_modules"));
  return wanted
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .sort();
}

/** Whether the source of a compiled file is still there: the compiler leaves the output of files that were moved or removed. */
export function hasSource(sources: string, file: string): boolean {
  return existsSync(join(sources, file.replace(/\.js$/, ".ts")));
}

/** A filter may be typed as the path of the source. */
export function asCompiled(filter: string): string {
  return filter
    .replaceAll(sep, "/")
    .replace(/^(\.\/)?(build\/)?test\//, "")
    .replace(/\.ts$/, ".js");
}

/** The limit of a file in seconds, on two idle cores. */
export function watchdogSeconds(path: string): number {
  const found = /^\/\/ watchdog: (\d+) s$/m.exec(readFileSync(path, "utf8"));
  return found ? Number(found[1]) : WATCHDOG_SECONDS;
}

/** A file that removes every idle segment would remove what the others have just made: it says "// alone: …". */
export function runsAlone(path: string): boolean {
  return /^\/\/ alone: /m.test(readFileSync(path, "utf8"));
}

/** A file that takes long, and that a plain run leaves out, says "// deep: …". */
export function isDeep(path: string): boolean {
  return /^\/\/ deep: /m.test(readFileSync(path, "utf8"));
}

/** Why a file makes sense only on another system than this one: it says "// only: linux, …"; undefined when it may run. */
export function onlyElsewhere(path: string): string | undefined {
  const [, system, reason] = /^\/\/ only: (\w+), (.+)$/m.exec(readFileSync(path, "utf8")) ?? [];
  return system === undefined || system === process.platform ? undefined : `${system}: ${reason}`;
}
