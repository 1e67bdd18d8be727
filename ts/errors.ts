import * as codes from "../protocol/errors.js";
import { adviceFor } from "./host/advice.js";
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

/** What makes an error ours, in whichever realm and by whichever copy of the package it was made. */
const MARK = Symbol.for("isthmus.IsthmusError");

/**
 * A failure that the environment or a peer caused. Misuse of an argument is a `TypeError` or a `RangeError` instead.
 *
 * `error instanceof IsthmusError` also holds for an error of another copy or release of the package, and of another realm
 * (Jest and `vm` have several).
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
  /** How many records a `sendMany` had sent before it failed. */
  declare readonly sent?: number;
  /** What the native part threw, when the operating system refused. */
  declare readonly cause?: unknown;

  /**
   * For programs that want to fail in the same way. Never throws.
   *
   * @param code what happened
   * @param message for people; the code is put in front of it
   * @param system the failed system call, if it was one; an error becomes the `cause`
   */
  constructor(
    code: IsthmusErrorCode,
    message: string,
    system?: { syscall: string; errno: number } | undefined,
  ) {
    const isCause = system !== undefined && "message" in system;
    super(`${code}: ${message}`, isCause ? { cause: system } : undefined);
    this.name = "IsthmusError";
    this.code = code;
    if (system && system.syscall !== "") {
      this.syscall = system.syscall;
      this.errno = system.errno;
    }
  }
}
Object.defineProperty(IsthmusError.prototype, MARK, { value: true });
Object.defineProperty(IsthmusError, Symbol.hasInstance, { value: isInstance });

/** For `instanceof`; a subclass, which inherits this, knows its own instances. */
function isInstance(this: unknown, value: unknown): boolean {
  if (this !== IsthmusError) return Function.prototype[Symbol.hasInstance].call(this as () => void, value);
  return typeof value === "object" && value !== null && MARK in value;
}

/** @internal */
export function codeName(status: number): IsthmusErrorCode {
  return names.get(status) ?? "SYSTEM";
}

/** @internal The error for a number that the core returned. */
export function failure(status: number, message: string): IsthmusError {
  return new IsthmusError(codeName(status), message);
}

/**
 * @internal Whether the shim threw it. The shim belongs to the realm that loaded it, and its errors do too: in a `vm` context
 * they are no `Error` of that context, so they are known by what they carry.
 */
export function isNativeError(error: unknown): error is NativeError {
  if (typeof error !== "object" || error === null) return false;
  const { status, syscall, errno } = error as Partial<NativeError>;
  return typeof status === "number" && typeof syscall === "string" && typeof errno === "number";
}

/** What the system said, behind what it means. The shim's own refusals say nothing beyond their meaning. */
function reasonText({ errno, syscall, message }: NativeError, said: string | undefined): string {
  const system = errno ? `${syscall}: ${errnoName(errno)}, errno ${errno}` : message;
  if (said === undefined) return system;
  return errno || syscall ? `${said} (${system})` : said;
}

/**
 * @internal Runs a call of the shim; what it throws becomes an IsthmusError that says what was attempted, why it failed and what
 * to do.
 *
 * @param advice what to do here; where it gives undefined, `adviceFor` knows what the refusal usually means
 */
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
    const said = advice?.(error) ?? adviceFor(error, code);
    throw new IsthmusError(code, `${what} failed: ${reasonText(error, said)}`, error);
  }
}
