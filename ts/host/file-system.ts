/** What opening a segment in a file asks of the file system beyond the shim. */
import { IsthmusError } from "../errors.js";
import { builtin } from "./builtin.cjs";

/**
 * The path that a URL with the scheme "file:" stands for, whichever realm made it; other values come back as they are.
 *
 * @throws {TypeError} for a URL with another scheme, or one that names another host
 */
export function pathOf(argument: string, value: unknown): unknown {
  const { href, protocol } = (Object(value) ?? {}) as { href?: unknown; protocol?: unknown };
  if (typeof value !== "object" || typeof href !== "string" || typeof protocol !== "string") return value;
  try {
    return builtin("node:url").fileURLToPath(href);
  } catch (error) {
    throw new TypeError(
      `${argument} must be a path, or a URL of a file on this machine, got ${href} (${(error as Error).message})`,
    );
  }
}

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
