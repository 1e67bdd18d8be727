import {
  PAGE_BYTES,
  PARTICIPANTS_MAX,
  PARTICIPANTS_MIN,
  PARTICIPANTS_STEP,
  SEGMENT_NAME_MAX,
  SEGMENT_PAGES_MAX,
} from "../../protocol/limits.js";
import { flag, integer, oneOf, text, wrongType } from "../arguments.js";
import { IsthmusError } from "../errors.js";
import type { Creation, Owner } from "./life/open.js";

/** How a segment is created. */
export interface CreateOptions {
  /** 64 KiB to 4 GiB, rounded up to a multiple of 64 KiB. Allocated at once. */
  bytes: number;
  /**
   * Permission bits, set exactly, whatever the umask is. Default 0o600: only this user. A user who can read the segment can
   * hold kernel locks on it, and so prevent others from joining (TOO_MANY_PARTICIPANTS, INITIALIZING). So give read permission
   * only to users that you trust.
   */
  mode?: number | undefined;
  /**
   * Create a new generation if the name exists. For processes that have the old one open, `stale` is true. Only for `create`.
   * Default false.
   */
  replace?: boolean | undefined;
  /** How many openers that can write the segment can have at the same time: 64 to 1024 in steps of 64. Default 64. */
  participants?: number | undefined;
  /** Where the name lives. Default "local". */
  namespace?: Namespace | undefined;
  /**
   * The last process that has the segment open, for writing or reading, removes its name. If that process is killed, the next
   * `open` or `prune` removes it. Default false: the name stays until `unlink`.
   */
  temporary?: boolean | undefined;
}

const MODE_DEFAULT = 0o600;

/** The part of a `URL` that `Segment.openFile` needs. The URL of every runtime has it. */
export interface FileUrl {
  /** The complete URL: "file:///var/lib/app/state.isthmus". */
  readonly href: string;
  /** Its scheme: "file:". */
  readonly protocol: string;
}

/** How a segment in a file is opened and created. */
export interface FileOptions {
  /**
   * The wanted size. An absent file is created, and a smaller one is extended if no other process has it open. Pass it whenever
   * you need room, because the last process that closes the file truncates it to what is used. 64 KiB to 4 GiB, rounded up to a
   * multiple of 64 KiB.
   */
  bytes?: number | undefined;
  /** "read-only" maps the segment without write access and creates nothing. Default "read-write". */
  access?: Access | undefined;
  /** Permission bits of a created file, set exactly, whatever the umask is. Default 0o600: only this user. */
  mode?: number | undefined;
  /** As for `create`, when the file is created. */
  participants?: number | undefined;
}

/** @internal */
export function creationOf(given: CreateOptions): Creation {
  const { bytes, mode = MODE_DEFAULT, participants = PARTICIPANTS_MIN } = given;
  const temporary = flag("temporary", given.temporary, false);
  integer("bytes", bytes, PAGE_BYTES, PAGE_BYTES * SEGMENT_PAGES_MAX);
  integer("mode", mode, 0, 0o777);
  integer("participants", participants, PARTICIPANTS_MIN, PARTICIPANTS_MAX);
  if (participants % PARTICIPANTS_STEP !== 0) {
    throw new RangeError(`participants must be a multiple of ${PARTICIPANTS_STEP}, got ${participants}`);
  }
  return { bytes: Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES, mode, participants, temporary };
}

/** @internal How to create an absent file; without `bytes`, none is created. */
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
  /** "read-only" maps the segment without write access. Default "read-write". */
  access?: Access | undefined;
  /** Where the name lives. Default "local". */
  namespace?: Namespace | undefined;
  /**
   * Which user may be the owner of the segment. The owner can change its bytes at any time, and can truncate it, which ends a
   * process that touches it. "self": this user or the superuser; "any": any user; a number: the user with that id. Default
   * "self".
   */
  owner?: "self" | "any" | number | undefined;
}

/** Which segments are listed. */
export interface ListOptions {
  /** Only segments whose name begins with this. Default "": all. */
  prefix?: string | undefined;
  /** Where the names live. Default "local". */
  namespace?: Namespace | undefined;
}

/** Which segments are removed. */
export interface PruneOptions extends ListOptions {
  /**
   * Only segments that were last used at least so many milliseconds ago. A participant uses a segment when it joins, when it
   * leaves, and with its heartbeat each second. A segment whose creation was not finished has no such time, and stays. Default
   * 0: all.
   */
  olderThanMs?: number | undefined;
  /** Remove nothing, only return the names. Default false. */
  dryRun?: boolean | undefined;
}

const USER_ID_MAX = 2 ** 32 - 2;

/** @internal The options were checked before. */
export function ownerOf(given: Pick<OpenOptions, "owner"> | undefined): Owner {
  const { owner = "self" } = given ?? {};
  if (owner === "self" || owner === "any") return owner;
  if (typeof owner === "string")
    throw new RangeError(`owner must be "self", "any" or the number of a user, got ${JSON.stringify(owner)}`);
  if (typeof owner !== "number") throw wrongType("owner", '"self", "any" or the number of a user', owner);
  return integer("owner", owner, 0, USER_ID_MAX);
}

/** @internal The segments to list, with all defaults. */
export interface Selection {
  prefix: string;
  namespace: number;
}

/** @internal The options were checked before. */
export function selectionOf({ prefix = "", namespace }: ListOptions): Selection {
  return { prefix: text("prefix", prefix), namespace: namespaceNumber(namespace) };
}

/** @internal The segments to remove, with all defaults. */
export interface Pruning extends Selection {
  olderThanMs: number;
  dryRun: boolean;
}

/** @internal The options were checked before. */
export function pruningOf(given: PruneOptions): Pruning {
  const { olderThanMs = 0 } = given;
  if (typeof olderThanMs !== "number") throw wrongType("olderThanMs", "a number", olderThanMs);
  if (!(olderThanMs >= 0)) throw new RangeError(`olderThanMs must be 0 or more, got ${olderThanMs}`);
  return { ...selectionOf(given), olderThanMs, dryRun: flag("dryRun", given.dryRun, false) };
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

/** The namespace of a name: this session, or the whole machine. There is no difference on POSIX. */
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

/** @internal The number of the namespace for the shim. */
export function namespaceNumber(value: unknown): number {
  return oneOf("namespace", value === undefined ? "local" : value, ["local", "global"] as const) === "global"
    ? 1
    : 0;
}
