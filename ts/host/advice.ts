/**
 * What a refusal of the operating system means, and what to do about it. The number of the error alone often says too little:
 * these functions look at the limits of this process, at the file, or at the place of named segments, and name what they find.
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
  textOf,
} from "./limits.js";
import type { NativeError, NativeStorage } from "./native.js";

const fs = builtin("node:fs");
const path = builtin("node:path");
const process = builtin("node:process");

/** What a refusal usually means where nothing more is known. */
const general = new Map<IsthmusErrorCode, string>([
  ["NOT_FOUND", "there is nothing of that name"],
  ["ALREADY_EXISTS", "the name is taken; open it, or create with { replace: true }"],
  ["ACCESS_DENIED", "this user may not; check its owner and mode, and that it is a plain file and no link"],
  ["INVALID_NAME", "the system does not take such a name: is it, or one of its folders, too long?"],
]);

/** What some numbers mean wherever they come from. */
const particular = new Map<string, string>([
  ["ENFILE", "the machine has too many files open: end what is not needed, or raise fs.file-max"],
  ["EROFS", 'the file system can only be read: open with { access: "read-only" }'],
  ["EISDIR", "that is a folder; give the path of a file in it"],
  ["ENOTDIR", "a part of the path in front is no folder"],
  ["ELOOP", "a plain file is wanted and no link: this is a symbolic link, which is never followed"],
  ["EMLINK", "the file has a second name, so it is not only shared memory; remove one of them"],
  ["ENOLCK", "the system has no more locks, or the file system has none"],
  ["EDQUOT", "the quota of this user is used up: remove files, or have it raised"],
  ["EIO", "the disk, or what connects it, reports an error: see the log of the kernel (dmesg)"],
  ["ETXTBSY", "the file is a program that runs; it is no segment"],
]);

/** Numbers by which a kernel, a file system or a sandbox says that it does not take the call at all. */
const refusals = ["EPERM", "EACCES", "EINVAL", "ENOSYS", "EOPNOTSUPP", "ENODEV"];

/** What needs the call, and what works without it. */
const uses = new Map<string, string>([
  ["memfd_create", "Anonymous segments need it; Segment.create and Segment.openFile do without it."],
  ["fcntl", "The locks by which a dead process is noticed (F_OFD_SETLK) need it: nothing works without it."],
  ["mmap", "Sharing needs it; some file systems (FUSE, network) cannot do it: use a local one."],
  ["fchmod", "Some file systems keep no permission bits; use another one."],
  ["rename", "A name is given in one step by renameat2 or linkat."],
  ["futex", "Waiting needs it: nothing works without it."],
]);

function refusedCall(call: string, name: string): string {
  const reasons: Record<string, string> = {
    ENOSYS: "this kernel does not have it, or a sandbox hides it",
    EACCES:
      "a security module (AppArmor, SELinux) forbids it; for locks of files AppArmor wants a rule with k",
  };
  const because = reasons[name] ?? "the kernel or the file system does not take it, or a sandbox refuses it";
  const use = uses.get(call);
  return (
    `the system call ${call} does not work here: ${because}. In a container or service look at the seccomp profile ` +
    `(docker run --security-opt seccomp=…, SystemCallFilter=)${use ? `. ${use.replace(/\.$/, "")}` : ""}`
  );
}

function limitText(limit: ProcessLimit): string {
  const value = processLimit(limit);
  return value === undefined || value === Infinity
    ? ""
    : ` to ${limit === "openFiles" ? value : bytesText(value)}`;
}

/** Which limits of this process stand in the way of addresses for a mapping. */
export function addressAdvice(): string {
  const met = (["addressSpace", "data"] as const).filter((limit) => Number.isFinite(processLimit(limit)));
  if (textOf("/proc/sys/vm/overcommit_memory")?.trim() === "2") {
    return (
      "This machine promises no more memory than it has (vm.overcommit_memory is 2), and engines reserve up to 10 GiB of " +
      "addresses per segment: set vm.overcommit_memory to 0 or 1, close other segments, or drop views of closed ones"
    );
  }
  if (met.length === 0) {
    return (
      "No limit of this process is known to be the reason: close other segments, drop views of closed ones, or raise " +
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
  if (errno === 0 && syscall === "dlopen") return undefined; // its own message says all
  const name = errnoName(errno);
  if (name === "EMFILE")
    return (
      `this process has too many files open (ulimit -n limits it${limitText("openFiles")}): close segments that are ` +
      "not needed, or raise ulimit -n"
    );
  if (name === "EFBIG")
    return (
      `that is more than this process may write to one file (ulimit -f limits it${limitText("fileSize")}): ` +
      "raise ulimit -f"
    );
  if (name === "ENOMEM" && syscall === "mmap")
    return `the system has no memory for that, or no more mappings for this process. ${addressAdvice()}`;
  if (name === "ENOMEM")
    return "the system has no memory for that: end what is not needed, or raise the cgroup's limit";
  if (name === "EAGAIN" && syscall === "mmap")
    return "this process locks its memory (mlockall), and may not lock so much: raise ulimit -l";
  if (name === "EAGAIN")
    return "the system has no room for another thread: raise ulimit -u, or the limit of the cgroup (TasksMax=, --pids-limit)";
  if (code === "NOT_SUPPORTED" && refusals.includes(name)) return refusedCall(syscall, name);
  if (code === "ACCESS_DENIED" && name === "EPERM")
    return "the system forbids it to this user: the file may be immutable (lsattr), or a security policy is in the way";
  return particular.get(name) ?? general.get(code);
}

/** What may have the name of a file without being one. */
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

/** Why this user may not have a file, by what is there; undefined when that cannot be seen. */
export function accessAdvice(file: string, { errno }: NativeError): string | undefined {
  const name = errnoName(errno);
  const stats = statsOf(fs.lstatSync, file);
  const kind = stats && kindOf(stats);
  if (kind)
    return `${file} is ${kind}, but a segment is a plain file and no link: remove it, or use another name`;
  if (stats && stats.nlink > 1 && name === "EMLINK") return undefined;
  if (name !== "EACCES" && name !== "EPERM") return undefined;
  const user = process.geteuid?.() ?? 0;
  const folder = path.dirname(file);
  const above = statsOf(fs.statSync, folder);
  if (stats) {
    const sticky =
      above && (above.mode & 0o1000) !== 0 ? `; in ${folder} only its owner may remove or replace it` : "";
    return (
      `${file} belongs to user ${stats.uid} and has mode ${modeText(stats.mode)}, ` +
      `and this process runs as user ${user}${sticky}`
    );
  }
  if (!above) return undefined;
  return (
    `user ${user} may not make or see files in ${folder}, which belongs to user ${above.uid} and has mode ` +
    `${modeText(above.mode)}${folder === "/dev/shm" ? ": chmod 1777 /dev/shm" : ""}`
  );
}

/** What enlarges shared memory, in each surrounding that people run in. */
export const ENLARGE =
  "docker run --shm-size=1g …; Kubernetes: an emptyDir with medium: Memory on /dev/shm; " +
  "a host: mount -o remount,size=… /dev/shm";

/** Why there is no room in a file system, and what to do. */
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

/** Why there is no room in the file system that a path is in. */
export function noRoomAtAdvice(file: string, cure: string): string {
  if (!mayRead(path.dirname(file))) return cure;
  try {
    // Runtimes that do not have it throw here.
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

/** For error texts: why so much memory would end this process. */
export function memoryAdvice(bytes: number, { who, limitBytes, roomBytes }: MemoryLimit): string {
  return (
    `${who} may have ${bytesText(limitBytes)} of memory, and ${bytesText(Math.max(0, roomBytes))} of it can still be used: ` +
    `with ${bytesText(bytes)} more the kernel would kill this process. Ask for less, remove unused segments ` +
    "(isthmus prune), or raise the limit (docker run --memory=…, Kubernetes: resources.limits.memory, " +
    "MemoryMax= of a service)"
  );
}
