/** What opening a segment in a file asks of the file system beyond the shim. */
import { unlinkSync } from "node:fs";
import { resolve } from "node:path";

/** Stays right when the process moves to another directory. */
export function absolutePath(path: string): string {
  return resolve(path);
}

/** Removes the name of a file; who has it open keeps it. */
export function removeFile(path: string): void {
  unlinkSync(path);
}
