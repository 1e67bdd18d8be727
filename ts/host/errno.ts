/** The names of the error numbers of the operating system. */
import { builtin } from "./builtin.cjs";

let names: Map<number, string> | undefined;

/** If two names have one number, the first one is the usual one. */
function namesOfSystem(): Map<number, string> {
  const known = Object.entries(builtin("node:os").constants.errno);
  return new Map(known.map(([name, number]): [number, string] => [number, name]).reverse());
}

/** "EACCES" for 13; "errno 4711" for a number without a name here. */
export function errnoName(errno: number): string {
  names ??= namesOfSystem();
  return names.get(errno) ?? `errno ${errno}`;
}
