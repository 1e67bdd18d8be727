import * as codes from "../protocol/errors.js";
import { adviceFor } from "./host/advice.js";
import { errnoName } from "./host/errno.js";
import type { NativeError } from "./host/native.js";

/**
 * Name of an error code.
 *
 * - NOT_FOUND: no segment, object or file of that name exists
 * - ALREADY_EXISTS: the name is already in use
 * - ACCESS_DENIED: the operating system refuses access, or the owner is neither this user nor the superuser
 * - INVALID_NAME: the name cannot be used on every platform
 * - BAD_MAGIC: the bytes are no segment
 * - VERSION_MISMATCH: the segment was made by a release with another protocol
 * - LAYOUT_MISMATCH: the segment has the same protocol with other offsets, or a block has another layout
 * - OBJECT_MISMATCH: a named object exists with another type or other parameters
 * - INITIALIZING: another process has begun to create the segment and has not finished it in time
 * - BROKEN: the object was declared unusable, because its data was not repaired after a participant died
 * - CORRUPT: a shared word holds a value that the protocol cannot have written
 * - OUT_OF_SHARED_MEMORY: the system has not enough memory or addresses for a segment of that size
 * - SEGMENT_FULL: the segment has no room for the object
 * - TOO_LARGE: the data is larger than the object can ever hold
 * - TOO_MANY_PARTICIPANTS: every participant slot has a live owner
 * - TIMED_OUT: the timeout passed first
 * - BUSY: a live participant, perhaps this one, holds the object
 * - OWNER_DIED: a holder of the lock died, and the data that the lock guards may be half changed
 * - PEER_DIED: the participant at the other end died, or ended without closing
 * - DEADLOCK: waiting would never end
 * - EVICTED: this participant was removed from the segment while it was alive
 * - CLOSED: the object was used after `close`
 * - READ_ONLY: the segment was opened read-only, and the call writes
 * - NOT_SUPPORTED: this platform, kernel or runtime cannot do it
 * - SYSTEM: any other failure of the operating system; see `syscall` and `errno`
 */
export type IsthmusErrorCode = keyof typeof codes;

const names = new Map<number, IsthmusErrorCode>(
  Object.entries(codes).map(([name, value]) => [value as number, name as IsthmusErrorCode]),
);

/** Property that marks an IsthmusError, whichever realm and whichever copy of the package made it. */
const MARK = Symbol.for("isthmus.IsthmusError");

/**
 * A failure that the environment or a peer caused. A wrong argument causes a `TypeError` or a `RangeError` instead.
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
  /** Code of the failure, for programs. */
  readonly code: IsthmusErrorCode;
  /** The failed system call, when the operating system refused. */
  declare readonly syscall?: string;
  /** The number the operating system gave, when it refused. */
  declare readonly errno?: number;
  /** How many records a `sendMany` had sent before it failed. */
  declare readonly sent?: number;
  /** The error that the native part threw, when the operating system refused. */
  declare readonly cause?: unknown;

  /**
   * Creates an error, for programs that report failures in the same way. Never throws.
   *
   * @param code code of the failure
   * @param message text for people; the constructor puts the code in front of it
   * @param system the failed system call, if there was one; if this is an error, it becomes the `cause`
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

/** Implements `instanceof`. A subclass inherits this function; for a subclass the ordinary check applies. */
function isInstance(this: unknown, value: unknown): boolean {
  if (this !== IsthmusError) return Function.prototype[Symbol.hasInstance].call(this as () => void, value);
  return typeof value === "object" && value !== null && MARK in value;
}

/** @internal What to do about a status of the core, for any object. */
export function statusAdvice(status: number): string {
  if (status === codes.EVICTED) return "this participant was removed; close the segment and open it again";
  if (status === codes.BUSY) return "others changed it during each attempt; try again";
  return "its shared words are damaged; create the segment again with { replace: true }";
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
 * @internal Whether the shim threw this error. The shim and its errors belong to the realm that loaded it: in a `vm` context they
 * are not instances of that context's `Error`. So this function checks their properties.
 */
export function isNativeError(error: unknown): error is NativeError {
  if (typeof error !== "object" || error === null) return false;
  const { status, syscall, errno } = error as Partial<NativeError>;
  return typeof status === "number" && typeof syscall === "string" && typeof errno === "number";
}

/** The explanation, followed by the system's own words in parentheses. A refusal by the shim itself has only the explanation. */
function reasonText({ errno, syscall, message }: NativeError, said: string | undefined): string {
  const system = errno ? `${syscall}: ${errnoName(errno)}, errno ${errno}` : message;
  if (said === undefined) return system;
  return errno || syscall ? `${said} (${system})` : said;
}

/**
 * @internal Runs a call of the shim. An error that the shim throws becomes an IsthmusError, which says what was attempted, why it
 * failed and what to do.
 *
 * @param advice returns what to do in this case; when it returns undefined, `adviceFor` tells what the failure usually means
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
