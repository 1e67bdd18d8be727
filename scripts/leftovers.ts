/**
 * What a test file may leave behind when it ends: processes and names of segments. On Linux, the environment of a process says from
 * which file it descends. On Windows, only its parent is known, and no name of a segment outlives the processes.
 */
import { spawnSync } from "node:child_process";
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

interface Survivor {
  pid: number;
  command: string;
}

const PARENTS = "ParentProcessId,ProcessId";
/** Two programs of Windows that list processes: newer releases have not the first one any more. */
const LISTS: { command: string; args: string[]; encoding: "utf16le" | "utf8" }[] = [
  { command: "wmic", args: ["process", "get", PARENTS], encoding: "utf16le" },
  {
    command: "powershell",
    args: ["-Command", `Get-CimInstance Win32_Process | Format-Table ${PARENTS} -HideTableHeaders`],
    encoding: "utf8",
  },
];

/** The processes of Windows that this one has started, and what these have started. */
function descendantsOf(pid: number): Survivor[] {
  const list = LISTS.map(({ command, args, encoding }) => {
    const { stdout } = spawnSync(command, args, { encoding, timeout: 60_000 });
    return [...(stdout ?? "").matchAll(/^\s*(\d+)\s+(\d+)\s*$/gm)].map(([, parent, child]) => [
      Number(parent),
      Number(child),
    ]);
  }).find((lines) => lines.length > 0);
  if (!list) throw new Error("neither wmic nor powershell lists the processes");
  const found = [pid];
  for (const one of found) {
    for (const [parent, child] of list)
      if (parent === one && !found.includes(child as number)) found.push(child as number);
  }
  return found.slice(1).map((child) => ({ pid: child, command: "(unknown)" }));
}

/** Ends a process and its group; on Windows, it and what it has started. */
export function endTree(pid: number | undefined): void {
  if (pid === undefined) return;
  if (process.platform === "win32") {
    spawnSync("taskkill", ["/T", "/F", "/PID", String(pid)], { timeout: 60_000 });
    return;
  }
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The whole group is gone already.
  }
}

/**
 * Processes, zombies excepted, that were started from the file with this marker.
 *
 * @param from on Windows, the process that ran the file: without it, none are found there
 */
export function survivorsOf(marker: string, from?: number): Survivor[] {
  if (process.platform === "win32") return from === undefined ? [] : descendantsOf(from);
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
