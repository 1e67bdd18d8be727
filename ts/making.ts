import {
  PAGE_BYTES,
  PARTICIPANTS_MAX,
  PARTICIPANTS_MIN,
  PARTICIPANTS_STEP,
  SEGMENT_PAGES_MAX,
} from "../protocol/limits.js";
import { integer, wrongType } from "./arguments.js";
import type { Namespace } from "./names.js";
import type { Making } from "./opening.js";
import type { Access } from "./places.js";

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
export function makingOf(given: CreateOptions): Making {
  if (given === null || typeof given !== "object") throw wrongType("options", "an object with bytes", given);
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
export function fileMakingOf({ bytes, mode, participants }: FileOptions): Making | undefined {
  if (bytes === undefined) return undefined;
  return makingOf({
    bytes,
    ...(mode === undefined ? {} : { mode }),
    ...(participants === undefined ? {} : { participants }),
  });
}
