/**
 * Explains errors of the operating system: what each means, and what to do about it. The error number alone often says too
 * little. So these functions also look at the limits of this process, at the file, or at the location of named segments, and
 * name what they find.
 */
import type { Stats } from "node:fs";
import type { IsthmusErrorCode } from "../errors.js";
import { builtin } from "./builtin.cjs";
import { errnoName } from "./errno.js";
import {
  bytesText,
  limitOption,
  type MemoryLimit,
  mayRead,
  type ProcessLimit,
  processLimit,
  reserveOf,
  textOf,
} from "./limits.js";
import type { NativeError, NativeStorage } from "./native.js";
import { isWindows } from "./system.js";
import { WINDOWS_ADDRESSES, WINDOWS_ENLARGE, WINDOWS_NAMES, windowsAdvice } from "./windows.js";

const fs = builtin("node:fs");
const path = builtin("node:path");
const process = builtin("node:process");

/** The usual meaning of an error code, when nothing more is known. */
const general = new Map<IsthmusErrorCode, string>([
  ["NOT_FOUND", "there is nothing of that name"],
  ["ALREADY_EXISTS", "the name is taken; open it, or create with { replace: true }"],
  [
    "ACCESS_DENIED",
    "this user has no access; check the owner and the mode, and that it is a regular file and no link",
  ],
  [
    "INVALID_NAME",
    "the system refuses this name; the name, or that of a folder in the path, may be too long",
  ],
]);

/** The meaning of some error numbers, whichever call returned them. */
const particular = new Map<string, string>([
  ["ENFILE", "the machine has too many files open: end programs that are not needed, or raise fs.file-max"],
  ["EROFS", 'the file system is mounted read-only: open with { access: "read-only" }'],
  ["EISDIR", "it is a folder; give the path of a file in it"],
  ["ENOTDIR", "a part of the path before the file name is not a folder"],
  ["ELOOP", "it is a symbolic link, and Isthmus never follows one; give the path of a regular file"],
  [
    "EMLINK",
    "the file has a second name (a hard link), and a segment must have only one; remove one of them",
  ],
  ["ENOLCK", "the system has no more locks, or the file system does not support locks"],
  [
    "EDQUOT",
    "a quota of this user, group or project is used up: remove files or segments, or raise it (quota -s shows it)",
  ],
  ["EIO", "the disk or its connection reports an error: see the kernel log (dmesg)"],
  ["ETXTBSY", "the file is a running program, not a segment"],
]);

/** Error numbers with which a kernel, a file system or a sandbox says that it does not support the call at all. */
const refusals = ["EPERM", "EACCES", "EINVAL", "ENOSYS", "EOPNOTSUPP", "ENODEV"];

/** Which part of Isthmus needs the call, and what works without it. */
const uses = new Map<string, string>([
  ["memfd_create", "Anonymous segments need it; Segment.create and Segment.openFile work without it."],
  [
    "fcntl",
    "Isthmus needs it for the locks that show which processes are alive (F_OFD_SETLK), and cannot work without it.",
  ],
  ["mmap", "Shared memory needs it. Some file systems (FUSE, network) do not support it: use a local one."],
  ["fchmod", "Some file systems keep no permission bits; use another one."],
  ["rename", "Isthmus needs renameat2 or linkat to give a segment its name in one step."],
  ["futex", "Waiting needs it, and Isthmus cannot work without it."],
]);

function refusedCall(call: string, name: string): string {
  const reasons: Record<string, string> = {
    ENOSYS: "this kernel does not have it, or a sandbox hides it",
    EACCES:
      "a security module (AppArmor, SELinux) forbids it; AppArmor allows file locks by the permission k",
  };
  const because =
    reasons[name] ?? "the kernel or the file system does not support it, or a sandbox forbids it";
  const use = uses.get(call);
  return (
    `the system call ${call} does not work here: ${because}. In a container or service, check the seccomp profile ` +
    `(docker run --security-opt seccomp=…, SystemCallFilter=)${use ? `. ${use.replace(/\.$/, "")}` : ""}`
  );
}

function limitText(limit: ProcessLimit): string {
  const value = processLimit(limit);
  return value === undefined || value === Infinity
    ? ""
    : ` to ${limit === "openFiles" ? value : bytesText(value)}`;
}

/** Names the limits of this process that may have prevented a mapping. */
export function addressAdvice(): string {
  if (isWindows) return WINDOWS_ADDRESSES;
  const met = (["addressSpace", "data"] as const).filter((limit) => Number.isFinite(processLimit(limit)));
  if (textOf("/proc/sys/vm/overcommit_memory")?.trim() === "2") {
    return (
      "The kernel of this machine does not overcommit memory (vm.overcommit_memory is 2), and engines reserve up to 10 GiB of " +
      "addresses per segment: set vm.overcommit_memory to 0 or 1, close other segments, or drop views of closed ones"
    );
  }
  if (met.length === 0) {
    return (
      "No limit of this process is known to be the cause: close other segments, drop views of closed ones, or raise " +
      "vm.max_map_count"
    );
  }
  const named = met.map((limit) => `"${limitOption(limit)}" limits it${limitText(limit)}`);
  const cures = met.map((limit) => `"${limitOption(limit)} unlimited"`);
  return (
    "Engines reserve up to 10 GiB of addresses per segment, also for a closed one while a view of its bytes is kept, and " +
    `${named.join(", and ")}: raise it (${cures.join(", ")}) and limit memory with cgroups instead, close other segments, ` +
    "or drop views of closed ones"
  );
}

/** The advice for this refusal; undefined when there is none. */
export function adviceFor({ errno, syscall }: NativeError, code: IsthmusErrorCode): string | undefined {
  if (errno === 0 && syscall === "dlopen") return undefined; // the message of dlopen says enough
  const name = errnoName(errno);
  if (isWindows) return windowsAdvice(name, code) ?? general.get(code);
  if (name === "EMFILE")
    return (
      `this process has too many files open (ulimit -n limits it${limitText("openFiles")}): close segments that you do not ` +
      "need, or raise ulimit -n"
    );
  if (name === "EFBIG")
    return (
      `that is more than this process may write to one file (ulimit -f limits it${limitText("fileSize")}): ` +
      "raise ulimit -f"
    );
  if (name === "ENOMEM" && syscall === "mmap")
    return `the system has not enough memory, or allows this process no more mappings. ${addressAdvice()}`;
  if (name === "ENOMEM")
    return "the system has not enough memory: end programs that are not needed, or raise the limit of the cgroup";
  if (name === "EAGAIN" && syscall === "mmap")
    return "this process locks its memory (mlockall), and the limit of locked memory is too low: raise ulimit -l";
  if (name === "EAGAIN")
    return "the system allows no more threads: raise ulimit -u, or the limit of the cgroup (TasksMax=, --pids-limit)";
  if (code === "NOT_SUPPORTED" && refusals.includes(name)) return refusedCall(syscall, name);
  if (code === "ACCESS_DENIED" && name === "EPERM")
    return "the system forbids it to this user: the file may be immutable (lsattr), or a security policy forbids it";
  return particular.get(name) ?? general.get(code);
}

/** For error texts: what it means that a name leads to nothing. */
export const NOTHING_NAMED = `no segment has that name${isWindows ? WINDOWS_NAMES : ""}`;

/** Names what has this path when it is not a regular file; undefined when it is one. */
function kindOf(stats: Stats): string | undefined {
  if (stats.isDirectory()) return "a folder";
  if (stats.isSymbolicLink()) return "a symbolic link";
  if (stats.isFIFO()) return "a pipe";
  if (stats.isSocket()) return "a socket";
  return stats.isFile() ? undefined : "a device";
}

function statsOf(look: (file: string) => Stats, file: string): Stats | undefined {
  if (!mayRead(file)) return undefined;
  try {
    return look(file);
  } catch {
    return undefined;
  }
}

const modeText = (mode: number): string => `0${(mode & 0o7777).toString(8)}`;

/**
 * Says why this user has no access to a file, from its kind, its owner and its mode; undefined when these cannot be seen, or when
 * the system has no such owners and modes.
 */
export function accessAdvice(file: string, { errno }: NativeError): string | undefined {
  const name = errnoName(errno);
  const stats = statsOf(fs.lstatSync, file);
  const kind = stats && kindOf(stats);
  if (kind)
    return `${file} is ${kind}, but a segment must be a regular file and no link: remove it, or use another name`;
  if (stats && stats.nlink > 1 && name === "EMLINK") return undefined;
  if (name !== "EACCES" && name !== "EPERM") return undefined;
  const user = process.geteuid?.() ?? 0;
  const folder = path.dirname(file);
  const above = statsOf(fs.statSync, folder);
  if (stats) {
    if (name === "EPERM" && user === stats.uid) return undefined; // neither owner nor mode is the reason
    const sticky =
      above && (above.mode & 0o1000) !== 0 ? `; in ${folder} only its owner may remove or replace it` : "";
    return (
      `${file} belongs to user ${stats.uid} and has mode ${modeText(stats.mode)}, ` +
      `and this process runs as user ${user}${sticky}`
    );
  }
  if (!above) return undefined;
  return (
    `user ${user} cannot create or see files in ${folder}, which belongs to user ${above.uid} and has mode ` +
    `${modeText(above.mode)}${folder === "/dev/shm" ? ": chmod 1777 /dev/shm" : ""}`
  );
}

/** How to enlarge shared memory: in Docker, in Kubernetes, on a host. */
export const ENLARGE = isWindows
  ? WINDOWS_ENLARGE
  : "docker run --shm-size=1g …; Kubernetes: an emptyDir with medium: Memory on /dev/shm; " +
    "a host: mount -o remount,size=… /dev/shm";

/** Says why a file system has no room, and what to do. */
export function noRoomAdvice(where: string, storage: NativeStorage, cure: string): string {
  const { totalBytes, freeBytes, totalFiles, freeFiles } = storage;
  if (totalFiles > 0 && freeFiles === 0) {
    return (
      `${where} has no room for another file: all ${totalFiles} inodes are used, though ${bytesText(freeBytes)} are free. ` +
      `Remove unused files (isthmus prune), or mount it with more (nr_inodes=)`
    );
  }
  return `${where} has ${freeBytes} of ${totalBytes} bytes free. ${cure}`;
}

/** Says the same for the file system that holds a path. */
export function noRoomAtAdvice(file: string, cure: string): string {
  if (!mayRead(path.dirname(file))) return cure;
  try {
    // A runtime without statfsSync throws here.
    const { bsize, blocks, bavail, files, ffree } = fs.statfsSync(path.dirname(file));
    const storage = {
      totalBytes: blocks * bsize,
      freeBytes: bavail * bsize,
      totalFiles: files,
      freeFiles: ffree,
    };
    return noRoomAdvice(path.dirname(file), storage as NativeStorage, cure);
  } catch {
    return cure;
  }
}

/** For error texts: explains that the kernel would kill a process if segments used so much memory. */
export function memoryAdvice(bytes: number, { who, limitBytes, roomBytes }: MemoryLimit): string {
  return (
    `${who} may have ${bytesText(limitBytes)} of memory, and has ${bytesText(Math.max(0, roomBytes))} of it left. ` +
    `With ${bytesText(bytes)} more, less than ${bytesText(reserveOf(limitBytes))} would be left for the programs, and the ` +
    "kernel would kill one of them when it needs more. Request less, remove unused segments " +
    "(isthmus prune), or raise the limit (docker run --memory=…, Kubernetes: resources.limits.memory, " +
    "MemoryMax= of a service)"
  );
}
