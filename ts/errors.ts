import * as codes from "../protocol/errors.js";
import type { NativeError } from "./host/native.js";

/** Name of an error code: a constant of `protocol/errors.ts`. */
export type IsthmusErrorCode = keyof typeof codes;

const names = new Map<number, IsthmusErrorCode>(
  Object.entries(codes).map(([name, value]) => [value as number, name as IsthmusErrorCode]),
);

/** Results of the core below this are errors, never offsets. */
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

  constructor(code: IsthmusErrorCode, message: string, system?: { syscall: string; errno: number }) {
    super(`${code}: ${message}`);
    this.name = "IsthmusError";
    this.code = code;
    if (system) {
      this.syscall = system.syscall;
      this.errno = system.errno;
    }
  }
}

export function codeName(status: number): IsthmusErrorCode {
  return names.get(status) ?? "SYSTEM";
}

/** The error for a number that the core returned. */
export function failure(status: number, message: string): IsthmusError {
  return new IsthmusError(codeName(status), message);
}

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
  ["TOO_LARGE", "the name is too long for this system"],
]);

/** Runs a call of the shim; what it throws becomes an IsthmusError that says what was attempted. */
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
    const said = advice?.(error) ?? general.get(code);
    const system = error.errno ? `${error.syscall}: errno ${error.errno}` : error.message;
    throw new IsthmusError(code, `${what} failed: ${said ? `${said} (${system})` : system}`, error);
  }
}
