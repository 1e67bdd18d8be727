/** The names that the operating system has for its refusals. */
import { builtin } from "./builtin.cjs";

let names: Map<number, string> | undefined;

/** Where two names have one number, the first is the usual one. */
function namesOfSystem(): Map<number, string> {
  const known = Object.entries(builtin("node:os").constants.errno);
  return new Map(known.map(([name, number]): [number, string] => [number, name]).reverse());
}

/** "EACCES" for 13; "errno 4711" for what has no name here. */
export function errnoName(errno: number): string {
  names ??= namesOfSystem();
  return names.get(errno) ?? `errno ${errno}`;
}
