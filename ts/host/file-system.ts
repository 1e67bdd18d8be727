/** What opening a segment in a file asks of the file system beyond the shim. */
import { IsthmusError } from "../errors.js";
import { builtin } from "./builtin.cjs";

/** Stays right when the process moves to another directory. */
export function absolutePath(path: string): string {
  try {
    return builtin("node:path").resolve(path);
  } catch (error) {
    // There is no other reason than this: the path is known to be a string.
    throw new IsthmusError(
      "NOT_FOUND",
      `the working directory, from which "${path}" begins, does not exist any more; pass an absolute path ` +
        `(${(error as Error).message})`,
    );
  }
}
