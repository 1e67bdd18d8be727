import { SEGMENT_NAME_MAX } from "../protocol/limits.js";
import { oneOf, text } from "./arguments.js";
import { IsthmusError } from "./errors.js";

/** Where a name lives: for this session, or for the whole machine. No difference on POSIX. */
export type Namespace = "local" | "global";

const ALLOWED = /^[A-Za-z0-9_@+=~,-][A-Za-z0-9_@+=~,.-]*$/;

/**
 * @internal
 * The name, if every platform can use it.
 *
 * @throws {IsthmusError} INVALID_NAME
 */
export function segmentName(value: unknown): string {
  const name = text("name", value);
  const rule =
    `a segment's name has 1 to ${SEGMENT_NAME_MAX} characters out of A-Z a-z 0-9 _ @ + = ~ , - ` +
    'and, not at the start, "."';
  if (name.length === 0 || name.length > SEGMENT_NAME_MAX) {
    throw new IsthmusError("INVALID_NAME", `${rule}; this one has ${name.length} characters`);
  }
  if (!ALLOWED.test(name))
    throw new IsthmusError("INVALID_NAME", `${rule}; this one is ${JSON.stringify(name)}`);
  return name;
}

/** @internal The namespace as the shim counts them. */
export function namespaceNumber(value: unknown): number {
  return oneOf("namespace", value === undefined ? "local" : value, ["local", "global"] as const) === "global"
    ? 1
    : 0;
}
