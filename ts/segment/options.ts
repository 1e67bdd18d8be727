import {
  PAGE_BYTES,
  PARTICIPANTS_MAX,
  PARTICIPANTS_MIN,
  PARTICIPANTS_STEP,
  SEGMENT_NAME_MAX,
  SEGMENT_PAGES_MAX,
} from "../../protocol/limits.js";
import { integer, oneOf, text } from "../arguments.js";
import { IsthmusError } from "../errors.js";
import type { Creation } from "./open.js";

/** What a segment is made with. */
export interface CreateOptions {
  /** 64 KiB to 4 GiB, rounded up to a multiple of 64 KiB. Allocated at once. */
  bytes: number;
  /** Permission bits, exact whatever the umask. Default 0o600: only this user. */
  mode?: number | undefined;
  /** Make a new generation if the name exists; who has the old one open sees `stale`. Only for `create`. Default false. */
  replace?: boolean | undefined;
  /** How many threads and processes can have the segment open at once: 64 to 1024 in steps of 64. Default 64. */
  participants?: number | undefined;
  /** Where the name lives. Default "local". */
  namespace?: Namespace | undefined;
}

const MODE_DEFAULT = 0o600;

/** How a segment in a file is opened, and what it is made with. */
export interface FileOptions {
  /**
   * Needed when the file is to be created, and whenever there is to be room: the last one who closes the file truncates it to
   * what is used. 64 KiB to 4 GiB, rounded up to a multiple of 64 KiB.
   */
  bytes?: number | undefined;
  /** "read-only" maps without the right to write, and creates nothing; default "read-write". */
  access?: Access | undefined;
  /** Permission bits of a created file, exact whatever the umask. Default 0o600: only this user. */
  mode?: number | undefined;
  /** As for `create`, when the file is created. */
  participants?: number | undefined;
}

/** @internal */
export function creationOf(given: CreateOptions): Creation {
  const { bytes, mode = MODE_DEFAULT, participants = PARTICIPANTS_MIN } = given;
  integer("bytes", bytes, PAGE_BYTES, PAGE_BYTES * SEGMENT_PAGES_MAX);
  integer("mode", mode, 0, 0o777);
  integer("participants", participants, PARTICIPANTS_MIN, PARTICIPANTS_MAX);
  if (participants % PARTICIPANTS_STEP !== 0) {
    throw new RangeError(`participants must be a multiple of ${PARTICIPANTS_STEP}, got ${participants}`);
  }
  return { bytes: Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES, mode, participants };
}

/** @internal What to make when there is no file; without `bytes` none is made. */
export function fileCreationOf({ bytes, mode, participants }: FileOptions): Creation | undefined {
  if (bytes === undefined) return undefined;
  return creationOf({
    bytes,
    ...(mode === undefined ? {} : { mode }),
    ...(participants === undefined ? {} : { participants }),
  });
}

/** What an opener may do. */
export type Access = "read-write" | "read-only";

/** How a segment is opened. */
export interface OpenOptions {
  /** "read-only" maps without the right to write; default "read-write". */
  access?: Access | undefined;
  /** Where the name lives. Default "local". */
  namespace?: Namespace | undefined;
}

/** @internal The options were checked before. */
export function isReadOnly(given: Pick<OpenOptions, "access"> | undefined): boolean {
  const { access = "read-write" } = given ?? {};
  return oneOf("access", access, ["read-write", "read-only"] as const) === "read-only";
}

/** @internal The options were checked before. */
export function namespaceOf(given: Pick<OpenOptions, "namespace"> | undefined): number {
  return namespaceNumber(given?.namespace);
}

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
