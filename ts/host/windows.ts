/** What the shim reports on Windows: the names of the error numbers of the system, what each means, and what to do about it. */
import type { IsthmusErrorCode } from "../errors.js";

/** Error numbers of Windows that its calls return for objects, files and memory. */
const NAMES: Record<number, string> = {
  1: "ERROR_INVALID_FUNCTION",
  2: "ERROR_FILE_NOT_FOUND",
  3: "ERROR_PATH_NOT_FOUND",
  4: "ERROR_TOO_MANY_OPEN_FILES",
  5: "ERROR_ACCESS_DENIED",
  6: "ERROR_INVALID_HANDLE",
  8: "ERROR_NOT_ENOUGH_MEMORY",
  14: "ERROR_OUTOFMEMORY",
  15: "ERROR_INVALID_DRIVE",
  19: "ERROR_WRITE_PROTECT",
  21: "ERROR_NOT_READY",
  32: "ERROR_SHARING_VIOLATION",
  33: "ERROR_LOCK_VIOLATION",
  38: "ERROR_HANDLE_EOF",
  39: "ERROR_HANDLE_DISK_FULL",
  50: "ERROR_NOT_SUPPORTED",
  53: "ERROR_BAD_NETPATH",
  67: "ERROR_BAD_NET_NAME",
  80: "ERROR_FILE_EXISTS",
  87: "ERROR_INVALID_PARAMETER",
  112: "ERROR_DISK_FULL",
  120: "ERROR_CALL_NOT_IMPLEMENTED",
  123: "ERROR_INVALID_NAME",
  127: "ERROR_PROC_NOT_FOUND",
  161: "ERROR_BAD_PATHNAME",
  183: "ERROR_ALREADY_EXISTS",
  206: "ERROR_FILENAME_EXCED_RANGE",
  223: "ERROR_FILE_TOO_LARGE",
  267: "ERROR_DIRECTORY",
  303: "ERROR_DELETE_PENDING",
  487: "ERROR_INVALID_ADDRESS",
  1006: "ERROR_FILE_INVALID",
  1117: "ERROR_IO_DEVICE",
  1132: "ERROR_MAPPED_ALIGNMENT",
  1224: "ERROR_USER_MAPPED_FILE",
  1295: "ERROR_DISK_QUOTA_EXCEEDED",
  1307: "ERROR_INVALID_OWNER",
  1314: "ERROR_PRIVILEGE_NOT_HELD",
  1450: "ERROR_NO_SYSTEM_RESOURCES",
  1455: "ERROR_COMMITMENT_LIMIT",
  1816: "ERROR_NOT_ENOUGH_QUOTA",
};

/** "ERROR_ACCESS_DENIED" for 5; undefined for a number without a name here. */
export function windowsErrorName(number: number): string | undefined {
  return NAMES[number];
}

const COMMIT =
  "Windows has promised as much memory as its memory and its paging files hold (the commit limit): end programs that are not " +
  "needed, close segments, or enlarge the paging file";

const MEANINGS: Record<string, string> = {
  ERROR_COMMITMENT_LIMIT: COMMIT,
  ERROR_NOT_ENOUGH_MEMORY: COMMIT,
  ERROR_OUTOFMEMORY: COMMIT,
  ERROR_NO_SYSTEM_RESOURCES: "the kernel has no resources left for that: end programs that are not needed",
  ERROR_NOT_ENOUGH_QUOTA:
    "a quota of this process or of its job object is used up: raise it, or ask for less",
  ERROR_DISK_QUOTA_EXCEEDED: "the disk quota of this user is used up: remove files, or raise the quota",
  ERROR_PRIVILEGE_NOT_HELD:
    'segments of the namespace "global" can only be created with the privilege SeCreateGlobalPrivilege, ' +
    'which services and administrators have: let such a process create it, or use the namespace "local"',
  ERROR_INVALID_HANDLE: "a kernel object of another kind has this name; use another name",
  ERROR_SHARING_VIOLATION:
    "another program has the file open and lets nobody else open it, such as a virus scanner or a backup; try again",
  ERROR_USER_MAPPED_FILE: "a process has the file mapped",
  ERROR_WRITE_PROTECT: 'the disk is write-protected: open with { access: "read-only" }',
  ERROR_FILE_TOO_LARGE: "the file system has no files of that length: use NTFS",
  ERROR_DIRECTORY: "a part of the path before the file name is not a folder",
  ERROR_IO_DEVICE: "the disk or its connection reports an error: see the event log",
  ERROR_DELETE_PENDING:
    "the file was removed and some process still has it open; try again when it has ended",
};

const GENERAL: Partial<Record<IsthmusErrorCode, string>> = {
  ACCESS_DENIED:
    "this user has no access: only the user who made a segment may open it, unless its mode gives others access; a path must " +
    "be that of a regular file which this user may read and write",
  NOT_SUPPORTED:
    "this Windows does not have what Isthmus needs; it needs Windows 10 1803, Server 2019, or newer",
};

/** What the error means and what to do; undefined when it is the same on every system. */
export function windowsAdvice(name: string, code: IsthmusErrorCode): string | undefined {
  return MEANINGS[name] ?? GENERAL[code];
}

/** What to do when the engine finds no addresses for a segment. */
export const WINDOWS_ADDRESSES =
  "Engines reserve up to 10 GiB of addresses per segment, also for a closed one while a view of its bytes is kept: close other " +
  `segments, or drop views of closed ones. If memory is short, ${COMMIT}`;

/** How to have more shared memory. */
export const WINDOWS_ENLARGE =
  "enlarge the paging file (System Properties, Advanced, Performance, Virtual memory)";

/** The errors that say that a disk is full. */
export const WINDOWS_DISK_FULL = ["ERROR_DISK_FULL", "ERROR_HANDLE_DISK_FULL"];

/** Why a name that was there may lead to nothing. */
export const WINDOWS_NAMES =
  " (on Windows a name goes with the last process that has the segment open, and services and users do not see each other's " +
  'segments of the namespace "local")';
