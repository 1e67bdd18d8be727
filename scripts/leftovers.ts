/** What a test file may leave behind when it ends: processes and names of segments. Where there is no /proc or /dev/shm, nothing is seen. */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename } from "node:path";

/** This variable of the environment marks every process that descends from a test file, whatever its parent is now. */
export const MARKER = "ISTHMUS_TEST_MARKER";
const SEGMENTS = "/dev/shm";

/** A text of letters and digits that no other run uses; the names of a test's segments contain it. */
export function markerFor(file: string): string {
  return `${basename(file)
    .replace(/\.(test|lane)\.js$/, "")
    .replace(/[^a-z0-9]/gi, "")}${randomBytes(4).toString("hex")}`;
}

function unlessGone<T>(read: () => T, gone: T): T {
  try {
    return read();
  } catch {
    return gone; // the process ended while we looked
  }
}

function processes(): number[] {
  return existsSync("/proc/self/environ")
    ? readdirSync("/proc")
        .map(Number)
        .filter((pid) => pid > 0)
    : [];
}

/** Processes, zombies excepted, that were started from the file with this marker. */
export function survivorsOf(marker: string): { pid: number; command: string }[] {
  const entry = `${MARKER}=${marker}`;
  const marked = processes().filter((pid) =>
    unlessGone(() => readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(entry), false),
  );
  return marked.map((pid) => ({
    pid,
    command: unlessGone(
      () => readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim(),
      "",
    ),
  }));
}

/** Names of segments, finished or half made. */
export function segmentEntries(): string[] {
  if (!existsSync(SEGMENTS)) return [];
  return readdirSync(SEGMENTS)
    .filter((name) => /^\.?isthmus\./.test(name))
    .map((name) => `${SEGMENTS}/${name}`);
}

export function unlinkEntry(entry: string): void {
  rmSync(entry, { recursive: true, force: true });
}
