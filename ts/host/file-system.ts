/** The functions that opening a segment in a file needs in addition to the shim. */
import { IsthmusError } from "../errors.js";
import { builtin } from "./builtin.cjs";

/**
 * The path of a URL with the scheme "file:", of any realm. Other values are returned unchanged.
 *
 * @throws {TypeError} for a URL with another scheme, or one that names another host
 */
export function pathOf(argument: string, value: unknown): unknown {
  try {
    Array.isArray(value);
  } catch {
    return value; // a Proxy that was revoked, which is no path
  }
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

/** The absolute path, which stays valid when the process changes its working directory. */
export function absolutePath(path: string): string {
  try {
    return builtin("node:path").resolve(path);
  } catch (error) {
    // This is the only possible reason, because the path is known to be a string.
    throw new IsthmusError(
      "NOT_FOUND",
      `the working directory, from which "${path}" begins, does not exist any more; pass an absolute path ` +
        `(${(error as Error).message})`,
    );
  }
}
