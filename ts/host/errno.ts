/** The names of the error numbers of the operating system. */
import { builtin } from "./builtin.cjs";
import { isWindows } from "./system.js";
import { WINDOWS_DISK_FULL, windowsErrorName } from "./windows.js";

let names: Map<number, string> | undefined;

/** If two names have one number, the first one is the usual one. */
function namesOfSystem(): Map<number, string> {
  const known = Object.entries(builtin("node:os").constants.errno);
  return new Map(known.map(([name, number]): [number, string] => [number, name]).reverse());
}

/**
 * "EACCES" for 13; "errno 4711" for a number without a name here. On Windows, the numbers are those of the system, and not those
 * of C: "ERROR_ACCESS_DENIED" for 5.
 */
export function errnoName(errno: number): string {
  if (isWindows) return windowsErrorName(errno) ?? `errno ${errno}`;
  names ??= namesOfSystem();
  return names.get(errno) ?? `errno ${errno}`;
}

/** Whether the number says that a file system has no room. */
export function isFull(errno: number): boolean {
  const name = errnoName(errno);
  return isWindows ? WINDOWS_DISK_FULL.includes(name) : name === "ENOSPC";
}
