/**
 * The ways into a segment.
 *
 * A writer:
 *  1. opens the object behind the name. If it may create, an absent object is created, empty
 *  2. takes KERNEL_LOCK_CREATION, so that no process creates, joins, leaves or removes at the same time
 *  3. checks whether the name still leads to the object, and begins again if it does not. Removes the name if the segment is a
 *     temporary one that was left behind (`temporary.ts`)
 *  4. reads the first bytes. It never maps an object that does not begin like a segment: see `beginning.ts`
 *  5. takes KERNEL_LOCK_HOLDERS shared: from now on the size does not change
 *  6. maps the object and lets the core create or validate the header: see "Creation" in `assembly/segment.ts`
 *  7. takes a participant slot
 *  8. checks name, size and owner again. Only a process that ignores these rules can have changed them. If they have changed,
 *     it begins again
 *  9. releases KERNEL_LOCK_CREATION
 *
 * A reader takes no lock that could keep others waiting: it does 1, 3 to 6 and 8. Since it has no KERNEL_LOCK_CREATION, a
 * process that prunes may have removed the name before 5; step 8 notices that.
 *
 * | a writer dies          | the state then                                | repaired by                                    |
 * | ---------------------- | --------------------------------------------- | ---------------------------------------------- |
 * | after 1, as creator    | an empty object has the name                  | the next one that may create; `prune`          |
 * | in 6, as creator       | the header says INITIALIZING, or is all zeros | the next writer, which creates it in its place |
 * | after 7                | a slot whose owner is dead                    | whoever needs the slot or waits for its owner  |
 */
import {
  ACCESS_DENIED,
  ALREADY_EXISTS,
  BAD_MAGIC,
  BROKEN,
  CORRUPT,
  INITIALIZING,
  LAYOUT_MISMATCH,
  NOT_FOUND,
  OBJECT_MISMATCH,
  OUT_OF_SHARED_MEMORY,
  VERSION_MISMATCH,
} from "../../../protocol/errors.js";
import { LAYOUT_FINGERPRINT } from "../../../protocol/fingerprint.js";
import {
  ABI_VERSION,
  HEADER_ABI_VERSION_OFFSET,
  HEADER_FINGERPRINT_OFFSET,
  HEADER_TOTAL_SIZE_OFFSET,
  KERNEL_LOCK_CREATION,
} from "../../../protocol/layout.js";
import { PAGE_BYTES, PARTICIPANTS_MIN, SEGMENT_PAGES_MAX } from "../../../protocol/limits.js";
import { failure, IsthmusError } from "../../errors.js";
import { errnoName } from "../../host/errno.js";
import type { NativeError, NativeInfo } from "../../host/native.js";
import type { Region } from "../../host/region.js";
import { nowNs, pid, sleepMs } from "../../host/runtime.js";
import { settleAll } from "../../host/under-way.js";
import { Attachment } from "../attachment.js";
import { mayBeSegment } from "./beginning.js";
import { CREATION_TIMEOUT_MS, hold, lockCreation, outwaitCreator } from "./kernel-locks.js";
import { planLeaving, removeIfLeftBehind } from "./temporary.js";

/** How to create an absent segment. */
export interface Creation {
  bytes: number;
  participants: number;
  mode: number;
  /** Whether the last process that has the segment open removes the name. */
  temporary: boolean;
}

/** The owners whose segments are opened: this user and the superuser, any user, or the user with that number. */
export type Owner = "self" | "any" | number;

/** The location of a segment: how to open the object, and how errors describe it. */
export interface Location {
  name: string;
  /** For error texts: its description, and what to do when it is damaged. */
  described: string;
  remedy: string;
  /** For error texts: what to do when it does not exist, and when there is not enough room. */
  notFoundAdvice: string;
  noSpaceAdvice(): string;
  /** Whether the object is a file of the user: Isthmus does not remove it, and a failed attempt leaves it unchanged. */
  ownedByUser?: boolean;
  /** The owners whose segments are opened here. Default "self". */
  owner?: Owner;
  /** How long to wait for others: see `Wanted`. */
  timeoutMs?: number;
  /** Opens the object. With `creation`, an absent one is created, empty. */
  open(creation: Creation | undefined): Region;
  /**
   * Opens the object that has the name for writing, whatever access was asked for. Only segments with a name can be
   * temporary.
   */
  openForWriting?(): Region;
  /** What a writer does before it reads the segment. It holds KERNEL_LOCK_CREATION. */
  beforeJoin?(region: Region, creation: Creation | undefined): void;
  /** What a writer does after it has left, before it closes the region. It holds KERNEL_LOCK_CREATION. */
  afterLeave?(attachment: Attachment): void;
}

export type Mode = "create" | "open" | "openOrCreate";

/** Pause before checking again what another process is changing. */
const RETRY_MS = 1;
/** How often to begin again when the name was removed between opening and locking. */
export const REOPEN_TURNS_MAX = 1000;

/**
 * Opens the segment at that location, or creates it. The mode "create" refuses an existing one, and "open" never creates one.
 *
 * @throws {IsthmusError} see Segment.create and Segment.open
 */
export function openLocation(location: Location, mode: Mode, creation: Creation | undefined): Attachment {
  const { timeoutMs = CREATION_TIMEOUT_MS } = location;
  settleAll();
  for (let turn = 0; turn < (timeoutMs > 0 ? REOPEN_TURNS_MAX : 1); turn++) {
    if (turn > 0) sleepMs(RETRY_MS);
    const region = location.open(mode === "open" ? undefined : creation);
    let done = false;
    try {
      if (!region.readOnly) lockCreation(region, location);
      if (!checkOwner(region, location).linked) continue;
      if (removeIfLeftBehind(region, location)) {
        if (region.info().linked) throw mode === "open" ? notFound(location) : notRemovable(region, location);
        continue;
      }
      const attachment = openLocked(region, location, mode, creation);
      if (!attachment || !isAsSeen(region, location, attachment)) continue;
      if (!region.readOnly) region.unlock(KERNEL_LOCK_CREATION);
      planLeaving(attachment, location);
      done = true;
      return attachment;
    } finally {
      if (!done) region.holder.close();
    }
  }
  throw failure(
    INITIALIZING,
    `${location.described} was created, removed or extended again and again while it was being opened`,
  );
}

/** Step 8: name, size or owner may have changed since step 3. */
function isAsSeen(region: Region, location: Location, attachment: Attachment): boolean {
  const { linked, bytes } = checkOwner(region, location);
  return linked && bytes === attachment.u8.length;
}

/** Returns the current state of the object. Refuses an object with an unexpected owner. */
export function checkOwner(region: Region, location: Location): NativeInfo {
  const info = region.info();
  const { owner = "self" } = location;
  if (owner === "any" || info.owner === owner || (owner === "self" && info.trusted)) return info;
  const wanted = owner === "self" ? "this user or the superuser" : `user ${owner}`;
  throw new IsthmusError(
    "ACCESS_DENIED",
    `${location.described} belongs to user ${info.owner}, who can change and truncate it at any time; a segment of ` +
      `${wanted} was expected. If you trust that user, open it with { owner: ${info.owner} }`,
  );
}

function openLocked(
  region: Region,
  location: Location,
  mode: Mode,
  creation: Creation | undefined,
): Attachment | undefined {
  if (region.readOnly) hold(region, location);
  const foreign = !mayBeSegment(region);
  if (!region.readOnly) {
    if (!foreign) location.beforeJoin?.(region, creation);
    hold(region, location);
  }
  const { bytes } = region.info();
  if (bytes === 0) {
    // The object is empty: its creator died before it set the size.
    if (!creation || mode === "open") throw notFound(location);
    return makeOrUndo(region, location, creation, 0);
  }
  if (foreign && mode === "create") throw exists(location);
  if (foreign) throw invalid(location, BAD_MAGIC);
  checkSize(location, bytes);
  const attachment = new Attachment(region, location.name, bytes);
  let status = attachment.core.validate(bytes, region.readOnly ? 0 : 1);
  if (status === CORRUPT && region.readOnly && location.beforeJoin) status = validateShorter(attachment);
  if (status === INITIALIZING && region.readOnly && region.held(KERNEL_LOCK_CREATION)) {
    outwaitCreator(region, location);
    return undefined;
  }
  if (status === INITIALIZING && !region.readOnly) return takeOver(attachment, location, mode, creation);
  if (mode === "create") throw exists(location);
  if (status !== 0) throw invalid(location, status, attachment);
  if (creation && mode === "openOrCreate" && !location.ownedByUser)
    compareWithWish(location, attachment, creation);
  attachment.join();
  return attachment;
}

function notRemovable(region: Region, location: Location): IsthmusError {
  return failure(
    ACCESS_DENIED,
    `${location.described} is temporary, and its last user did not remove the name. This user cannot remove it; ` +
      `user ${region.info().owner} can, with Segment.prune`,
  );
}

function exists(location: Location): IsthmusError {
  return failure(ALREADY_EXISTS, `${location.described} exists; open it, or create with { replace: true }`);
}

/**
 * If a user requests more than there is, this tells it at once. Otherwise it would cause SEGMENT_FULL or TOO_MANY_PARTICIPANTS
 * later. The size of a file is not compared: its last writer truncates it, so it is often smaller than requested, while a
 * reader prevents extending it.
 */
function compareWithWish(location: Location, { bytes, core }: Attachment, creation: Creation): void {
  if (bytes < creation.bytes) {
    throw failure(
      OBJECT_MISMATCH,
      `${location.described} has ${bytes} bytes, but ${creation.bytes} were asked for; ask for at most ${bytes}, or, to have ` +
        `more, ${location.remedy}`,
    );
  }
  const slots: number = core.participants.value;
  if (slots >= creation.participants) return;
  throw failure(
    OBJECT_MISMATCH,
    `${location.described} was made for ${slots} participants, but ${creation.participants} were asked for; ask for at most ` +
      `${slots}, or, to have more, ${location.remedy}`,
  );
}

/**
 * If a process died while it extended or truncated a file, the file is longer than its segment. A writer adopts the rest. A
 * reader uses the segment as the header describes it.
 */
function validateShorter(attachment: Attachment): number {
  const said = Number(attachment.view.getBigUint64(HEADER_TOTAL_SIZE_OFFSET, true));
  if (said >= attachment.bytes || said % PAGE_BYTES !== 0) return CORRUPT;
  const status = attachment.core.validate(said, 0);
  if (status === 0) attachment.bytes = said;
  return status;
}

/**
 * Gives an object its size and makes it a segment. The object has `former` bytes without content. If it fails, the object is
 * removed, or gets its former size back. The caller holds KERNEL_LOCK_CREATION.
 */
function makeOrUndo(region: Region, location: Location, creation: Creation, former: number): Attachment {
  try {
    return populate(allocated(region, location, creation.bytes), creation, 1);
  } catch (error) {
    undo(region, location, former);
    throw error;
  }
}

/** A failure here would hide the first one, so it is ignored. */
function undo(region: Region, location: Location, former: number): void {
  try {
    region.unmap();
    if (!location.ownedByUser || region.info().created) region.remove();
    else region.shrink(former);
  } catch {
    // An empty or unfinished segment stays. The next process that may create completes it.
  }
}

/**
 * The creator died before it had finished. A process that may create creates the segment as requested. An opener completes what
 * was begun.
 */
function takeOver(
  attachment: Attachment,
  location: Location,
  mode: Mode,
  creation: Creation | undefined,
): Attachment | undefined {
  const { region, bytes } = attachment;
  const wanted = creation && mode !== "open" ? creation : undefined;
  if (wanted && wanted.bytes !== bytes && !location.ownedByUser) {
    region.remove();
    return undefined;
  }
  if (wanted && wanted.bytes > bytes) {
    region.unmap();
    return makeOrUndo(region, location, wanted, bytes);
  }
  return populate(attachment, wanted ?? AS_BEGUN, 1);
}

function checkSize(location: Location, bytes: number): void {
  if (bytes % PAGE_BYTES === 0 && bytes <= PAGE_BYTES * SEGMENT_PAGES_MAX) return;
  throw failure(
    CORRUPT,
    `${location.described} has ${bytes} bytes, not a multiple of ${PAGE_BYTES} up to 4 GiB: it was truncated, ` +
      `or is no segment. If it is one, ${location.remedy}`,
  );
}

/** Gives the object that size and maps it. */
export function allocated(region: Region, location: Location, bytes: number): Attachment {
  const what = `allocating ${bytes} bytes for ${location.described}`;
  region.allocate(what, bytes, noRoom(location));
  return new Attachment(region, location.name, bytes);
}

/** What the core needs to know of a creation, beyond the size. */
type Made = Pick<Creation, "participants" | "temporary">;

/** How an opener completes a segment whose creator died. */
const AS_BEGUN: Made = { participants: PARTICIPANTS_MIN, temporary: false };

/** Makes the bytes a segment. The caller holds KERNEL_LOCK_CREATION, and KERNEL_LOCK_HOLDERS shared. */
export function establish({ core, bytes }: Attachment, made: Made, generation: number): void {
  const { participants, temporary } = made;
  const status =
    core.create(bytes, generation, participants, pid, nowNs(), temporary ? 1 : 0) || core.validate(bytes, 0);
  if (status === 0) return;
  throw failure(
    status,
    `${bytes} bytes are too few for a segment with ${participants} participants; give it more`,
  );
}

function populate(attachment: Attachment, made: Made, generation: number): Attachment {
  establish(attachment, made, generation);
  attachment.join();
  return attachment;
}

/** What to do at this location if the system has not enough room. */
export function noRoom(
  location: Pick<Location, "noSpaceAdvice">,
): (error: NativeError) => string | undefined {
  return ({ status, errno }) =>
    status === OUT_OF_SHARED_MEMORY && errnoName(errno) !== "EFBIG" ? location.noSpaceAdvice() : undefined;
}

export function notFound(location: Location): IsthmusError {
  return failure(NOT_FOUND, `there is no ${location.described}; ${location.notFoundAdvice}`);
}

const hex = (number: number): string => number.toString(16).padStart(8, "0");

function invalid(location: Location, status: number, attachment?: Attachment): IsthmusError {
  const what = location.described;
  const version = attachment?.view.getUint16(HEADER_ABI_VERSION_OFFSET, true);
  const fingerprint = hex(attachment?.view.getUint32(HEADER_FINGERPRINT_OFFSET, true) ?? 0);
  const reasons = new Map<number, string>([
    [
      BAD_MAGIC,
      `${what} is not a segment: it does not begin like a segment. Remove it only if nothing else uses it`,
    ],
    [
      VERSION_MISMATCH,
      `${what} has protocol version ${version}, and this package has ${ABI_VERSION}; use the same release on both sides`,
    ],
    [
      LAYOUT_MISMATCH,
      `${what} was made by a core with other offsets: the fingerprint of its layout is ${fingerprint}, that of this package ` +
        `${hex(LAYOUT_FINGERPRINT)}; use the same release on both sides`,
    ],
    [INITIALIZING, `${what} was never finished by its creator; open it for writing, or create it again`],
    [BROKEN, `${what} was declared broken; ${location.remedy}`],
    [CORRUPT, `the header of ${what} contradicts itself or its size; ${location.remedy}`],
  ]);
  return failure(status, reasons.get(status) ?? what);
}
