/**
 * Reads the limits of this process from the files in which Linux shows them. Error texts name the limit that made a call fail,
 * and `isthmus doctor` names it beforehand. Both read it here. On a system without these files, no limit is known.
 */
import { builtin } from "./builtin.cjs";
import { isWindows } from "./system.js";

const { readFileSync } = builtin("node:fs");
const path = builtin("node:path");

/** The text of a file; undefined when it cannot be read. */
export type Read = (file: string) => string | undefined;

interface DenoPermissions {
  permissions: { querySync(wanted: { name: "read"; path: string }): { state: string } };
}

/**
 * Whether this process may read the file without a prompt. Deno asks its user about each file that it has no permission for, and
 * the program stops meanwhile. That costs too much for a better error text.
 */
export function mayRead(file: string): boolean {
  const { Deno } = globalThis as { Deno?: DenoPermissions };
  try {
    return Deno === undefined || Deno.permissions.querySync({ name: "read", path: file }).state === "granted";
  } catch {
    return false;
  }
}

/** On Windows, "/proc" would be a folder of the current drive. */
export const textOf: Read = (file) => {
  if (isWindows || !mayRead(file)) return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
};

/** The limits of a process that affect shared memory: the name in /proc/self/limits, and the shell command that sets it. */
const PROCESS_LIMITS = {
  addressSpace: { name: "Max address space", option: "ulimit -v" },
  data: { name: "Max data size", option: "ulimit -d" },
  fileSize: { name: "Max file size", option: "ulimit -f" },
  openFiles: { name: "Max open files", option: "ulimit -n" },
  processes: { name: "Max processes", option: "ulimit -u" },
  lockedMemory: { name: "Max locked memory", option: "ulimit -l" },
} as const;

export type ProcessLimit = keyof typeof PROCESS_LIMITS;

/** The shell command that sets the limit. */
export function limitOption(limit: ProcessLimit): string {
  return PROCESS_LIMITS[limit].option;
}

/**
 * The soft limit, in bytes or as a count. Infinity when there is no limit, undefined when it is not known.
 *
 * @param limits text of /proc/self/limits
 */
export function processLimit(
  limit: ProcessLimit,
  limits: string | undefined = textOf("/proc/self/limits"),
): number | undefined {
  const [, text] = new RegExp(`^${PROCESS_LIMITS[limit].name}\\s+(\\S+)`, "m").exec(limits ?? "") ?? [];
  return text === undefined ? undefined : text === "unlimited" ? Infinity : Number(text);
}

/** A limit on memory, and how much of it is left. Bytes. */
export interface MemoryLimit {
  /** "cgroup /docker/x", or "this machine". */
  who: string;
  /** The limit; Infinity when there is none. */
  limitBytes: number;
  /** Above this use, the kernel slows the processes down. Infinity when there is no such limit. */
  slowBytes: number;
  /** How much more fits. Memory that the kernel can reclaim (pages of files) and free swap count as free. */
  roomBytes: number;
}

/** cgroup v1 shows at least this number when there is no limit. */
const UNLIMITED_FROM = 2 ** 60;

/** Parses a file that contains one number; undefined when it does not, Infinity for "max". */
function numberIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text.trim() === "max") return Infinity;
  const number = Number.parseInt(text, 10);
  return Number.isNaN(number) ? undefined : number >= UNLIMITED_FROM ? Infinity : number;
}

/** Adds up the numbers of the named lines of a file whose lines have the form "name number". */
function sumOf(text: string | undefined, names: readonly string[]): number {
  let sum = 0;
  for (const [, name, number] of (text ?? "").matchAll(/^(\S+?):?[ \t]+(\d+)/gm)) {
    if (names.includes(name as string)) sum += Number(number);
  }
  return sum;
}

interface Mount {
  /** Which part of the tree of groups is mounted, and where. */
  root: string;
  point: string;
  unified: boolean;
}

/** Where the cgroups that limit memory are mounted, from the text of /proc/self/mountinfo. */
function groupMounts(mounts: string | undefined): Mount[] {
  return (mounts ?? "").split("\n").flatMap((line) => {
    const [fields = "", rest = ""] = line.split(" - ");
    const [, , , root = "", point = ""] = fields
      .split(" ")
      .map((text) =>
        text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))),
      );
    const [type, , settings = ""] = rest.split(" ");
    const unified = type === "cgroup2";
    const older = type === "cgroup" && settings.split(",").includes("memory");
    return unified || older ? [{ root, point, unified }] : [];
  });
}

/** The path of the cgroup of this process, from the text of /proc/self/cgroup. */
function groupOf(cgroup: string, unified: boolean): string | undefined {
  const pattern = unified ? /^0::(\/.*)$/m : /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(\/.*)$/m;
  const found = pattern.exec(cgroup)?.[1];
  // A group above the root of this cgroup namespace is shown as "/..".
  return found === undefined ? undefined : path.posix.join("/", found);
}

function unifiedLimit(who: string, at: string, read: Read, swapFree: number): MemoryLimit | undefined {
  const limitBytes = numberIn(read(path.join(at, "memory.max")));
  if (limitBytes === undefined) return undefined;
  const slowBytes = numberIn(read(path.join(at, "memory.high"))) ?? Infinity;
  if (limitBytes === Infinity) return { who, limitBytes, slowBytes, roomBytes: Infinity };
  const reclaimable = ["active_file", "inactive_file", "slab_reclaimable"];
  const used = numberIn(read(path.join(at, "memory.current"))) ?? 0;
  const swapMax = numberIn(read(path.join(at, "memory.swap.max"))) ?? Infinity;
  const swapUsed = numberIn(read(path.join(at, "memory.swap.current"))) ?? 0;
  const swap = Math.max(0, Math.min(swapFree, swapMax - swapUsed));
  const kept = Math.max(0, used - sumOf(read(path.join(at, "memory.stat")), reclaimable));
  return { who, limitBytes, slowBytes, roomBytes: limitBytes - kept + swap };
}

function olderLimit(who: string, at: string, read: Read, swapFree: number): MemoryLimit | undefined {
  const limitBytes = numberIn(read(path.join(at, "memory.limit_in_bytes")));
  if (limitBytes === undefined) return undefined;
  if (limitBytes === Infinity) return { who, limitBytes, slowBytes: Infinity, roomBytes: Infinity };
  // cgroup v1 does not say how much kernel memory can be reclaimed. Caches of names and files are most of it.
  const reclaimable =
    sumOf(read(path.join(at, "memory.stat")), ["total_active_file", "total_inactive_file"]) +
    (numberIn(read(path.join(at, "memory.kmem.usage_in_bytes"))) ?? 0);
  const kept = (file: string): number =>
    Math.max(0, (numberIn(read(path.join(at, file))) ?? 0) - reclaimable);
  const both = numberIn(read(path.join(at, "memory.memsw.limit_in_bytes"))) ?? Infinity;
  const room = Math.min(
    limitBytes - kept("memory.usage_in_bytes") + swapFree,
    both - kept("memory.memsw.usage_in_bytes"),
  );
  return { who, limitBytes, slowBytes: Infinity, roomBytes: room };
}

/** The limits of the cgroup of this process and of all groups above it that are visible. */
function groupLimits(read: Read, swapFree: number): MemoryLimit[] {
  const cgroup = read("/proc/self/cgroup") ?? "";
  const found: MemoryLimit[] = [];
  for (const { root, point, unified } of groupMounts(read("/proc/self/mountinfo"))) {
    const group = groupOf(cgroup, unified);
    if (group === undefined) continue;
    const inside =
      root === "/" ? group : group === root || group.startsWith(`${root}/`) ? group.slice(root.length) : "/";
    for (let at = inside || "/"; ; at = path.posix.dirname(at)) {
      const who = `cgroup ${at === "/" ? root : path.posix.join(root, at)}`;
      const limit = (unified ? unifiedLimit : olderLimit)(who, path.join(point, at), read, swapFree);
      if (limit) found.push(limit);
      if (at === "/") break;
    }
  }
  return found;
}

/** All limits on memory that apply to this process; that of the machine is the last one. */
export function memoryLimits(read: Read = textOf): MemoryLimit[] {
  const meminfo = read("/proc/meminfo");
  const bytes = (...names: string[]): number => 1024 * sumOf(meminfo, names);
  const machine: MemoryLimit = {
    who: "this machine",
    limitBytes: meminfo === undefined ? Infinity : bytes("MemTotal"),
    slowBytes: Infinity,
    roomBytes:
      meminfo === undefined
        ? Infinity
        : bytes("MemFree", "Active(file)", "Inactive(file)", "SReclaimable", "SwapFree"),
  };
  return [...groupLimits(read, meminfo === undefined ? 0 : bytes("SwapFree")), machine];
}

/**
 * What stays free for the programs themselves, whatever the size of the segment: a program that may not take one more page is
 * killed at its next allocation, also if that is the text of an error. Node that ran on with 1 MiB was killed 8 times of 15; with
 * 8 MiB never. Groups with little memory leave less. Bytes.
 */
export function reserveOf(limitBytes: number): number {
  return Math.min(8 * 1024 * 1024, limitBytes / 16);
}

/** What a segment costs in addition to its pages: the page tables of the kernel. Bytes. */
function overheadOf(bytes: number): number {
  return bytes / 256;
}

/**
 * Returns the limit that does not allow so many bytes more; undefined when no known limit is exceeded. The kernel cannot reclaim
 * pages of shared memory, so it would kill a process that exceeds the limit.
 */
export function memoryShortage(
  bytes: number,
  limits: MemoryLimit[] = memoryLimits(),
): MemoryLimit | undefined {
  const needed = bytes + overheadOf(bytes);
  return limits
    .filter(({ limitBytes, roomBytes }) => needed + reserveOf(limitBytes) > roomBytes)
    .sort((one, other) => one.roomBytes - other.roomBytes)[0];
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** "850 B", "1.5 MiB"; "unlimited" for Infinity. */
export function bytesText(bytes: number): string {
  if (bytes === Infinity) return "unlimited";
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}
