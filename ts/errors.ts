import * as codes from "../protocol/errors.js";
import { errnoName } from "./host/errno.js";
import type { NativeError } from "./host/native.js";

/**
 * Name of an error code.
 *
 * - NOT_FOUND: nothing of that name exists
 * - ALREADY_EXISTS: something of that name exists already
 * - ACCESS_DENIED: the operating system, or the check of the owner, refuses access
 * - INVALID_NAME: the name cannot be used on every platform
 * - BAD_MAGIC: the bytes are no segment
 * - VERSION_MISMATCH: the segment was made by a release with another protocol
 * - LAYOUT_MISMATCH: same protocol, other offsets; or a block with another layout
 * - OBJECT_MISMATCH: a named object exists with another type or other parameters
 * - INITIALIZING: another process is creating the segment, and does not get on
 * - BROKEN: declared unusable, because a death was not repaired
 * - CORRUPT: a shared word holds what the protocol cannot have written
 * - OUT_OF_SHARED_MEMORY: the system has no room for a segment of that size, or no addresses
 * - SEGMENT_FULL: the segment has no room for the object
 * - TOO_LARGE: more than what it goes into can ever hold
 * - TOO_MANY_PARTICIPANTS: every participant slot has a live owner
 * - TIMED_OUT: the time given was not enough
 * - BUSY: a live participant, or this one, holds what was asked for
 * - OWNER_DIED: a holder of the lock died, and what it guards may be half changed
 * - PEER_DIED: the participant at the other end died, or ended without closing
 * - DEADLOCK: waiting would never end
 * - EVICTED: this participant was removed from the segment while it was alive
 * - CLOSED: used after `close`
 * - READ_ONLY: a write through a read-only opener
 * - NOT_SUPPORTED: this platform, kernel or runtime cannot do it
 * - SYSTEM: any other failure of the operating system; see `syscall` and `errno`
 */
export type IsthmusErrorCode = keyof typeof codes;

const names = new Map<number, IsthmusErrorCode>(
  Object.entries(codes).map(([name, value]) => [value as number, name as IsthmusErrorCode]),
);

/** @internal Results of the core below this are errors, never offsets. */
export const ERRORS_END = 128;

/**
 * A failure that the environment or a peer caused. Misuse of an argument is a `TypeError` or a `RangeError` instead.
 *
 * @example
 * ```ts
 * import { IsthmusError, Segment } from "isthmus";
 *
 * try {
 *   Segment.open("no-such-segment");
 * } catch (error) {
 *   if (!(error instanceof IsthmusError) || error.code !== "NOT_FOUND") throw error;
 * }
 * ```
 */
export class IsthmusError extends Error {
  /** What happened, for programs. */
  readonly code: IsthmusErrorCode;
  /** The failed system call, when the operating system refused. */
  declare readonly syscall?: string;
  /** The number the operating system gave, when it refused. */
  declare readonly errno?: number;

  /**
   * For programs that want to fail in the same way. Never throws.
   *
   * @param code what happened
   * @param message for people; the code is put in front of it
   * @param system the failed system call, if it was one
   */
  constructor(
    code: IsthmusErrorCode,
    message: string,
    system?: { syscall: string; errno: number } | undefined,
  ) {
    super(`${code}: ${message}`);
    this.name = "IsthmusError";
    this.code = code;
    if (system) {
      this.syscall = system.syscall;
      this.errno = system.errno;
    }
  }
}

/** @internal */
export function codeName(status: number): IsthmusErrorCode {
  return names.get(status) ?? "SYSTEM";
}

/** @internal The error for a number that the core returned. */
export function failure(status: number, message: string): IsthmusError {
  return new IsthmusError(codeName(status), message);
}

/** @internal */
export function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && typeof (error as Partial<NativeError>).status === "number";
}

/** What a refusal of the system usually means, and what to do. */
const general = new Map<IsthmusErrorCode, string>([
  ["NOT_FOUND", "there is nothing of that name"],
  ["ALREADY_EXISTS", "the name is taken; open it, or create with { replace: true }"],
  [
    "ACCESS_DENIED",
    "this user may not; check who owns it and its mode, and that it is a plain file and no link",
  ],
  ["INVALID_NAME", "the system does not take such a name: is it, or one of its folders, too long?"],
]);

/** The same where the code alone says too little. */
const particular = new Map<string, string>([
  ["EMFILE", "this process has too many files open: close segments that are not needed, or raise ulimit -n"],
  ["ENFILE", "the machine has too many files open: end what is not needed, or raise fs.file-max"],
  ["ENOMEM", "the system has no memory for that, or no more mappings for this process (vm.max_map_count)"],
  ["EFBIG", "that is more than this process may write to one file: raise ulimit -f"],
  ["EROFS", 'the file system can only be read: open with { access: "read-only" }'],
  ["EISDIR", "that is a folder; give the path of a file in it"],
  ["ENOTDIR", "a part of the path in front is no folder"],
  ["ELOOP", "a plain file is wanted and no link: this is a symbolic link, which is never followed"],
  ["EMLINK", "the file has a second name, so it is not only shared memory; remove one of them"],
  ["ENOLCK", "the system has no more locks, or the file system has none"],
]);

/** @internal Runs a call of the shim; what it throws becomes an IsthmusError that says what was attempted. */
export function attempt<T>(
  what: string,
  call: () => T,
  advice?: (error: NativeError) => string | undefined,
): T {
  try {
    return call();
  } catch (error) {
    if (!isNativeError(error)) throw error;
    const code = codeName(error.status);
    const name = errnoName(error.errno);
    const said = advice?.(error) ?? particular.get(name) ?? general.get(code);
    const system = error.errno ? `${error.syscall}: ${name}, errno ${error.errno}` : error.message;
    throw new IsthmusError(code, `${what} failed: ${said ? `${said} (${system})` : system}`, error);
  }
}
