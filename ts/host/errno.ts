/** The names that the operating system has for its refusals. */
import { constants } from "node:os";

const names = new Map<number, string>(
  Object.entries(constants.errno)
    .map(([name, number]): [number, string] => [number, name])
    .reverse(),
);

/** "EACCES" for 13; "errno 4711" for what has no name here. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}
