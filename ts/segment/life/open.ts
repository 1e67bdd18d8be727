/**
 * The life of a segment, and the ways into it. This folder has the steps of docs/protocol.md, "Opening", for this host; the core
 * decides from header words what comes next: `assembly/opening.ts`.
 *
 * | file             | what it does                                                        | in the table below |
 * | ---------------- | ------------------------------------------------------------------- | ------------------ |
 * | `open.ts`        | a writer and a reader enter, and a creator makes what is not there  | enter              |
 * | `beginning.ts`   | the first look, without a mapping                                   | enter 3, 4         |
 * | `file.ts`        | a file is adopted and extended; its last writer truncates it        | enter 4, leave 6   |
 * | `join.ts`        | a slot is taken                                                     | enter 8            |
 * | `leave.ts`       | a slot is given back, and the object is closed                      | leave              |
 * | `temporary.ts`   | the last holder removes the name                                    | enter 3, leave 6   |
 * | `replace.ts`     | a new generation takes the name                                     | replace            |
 * | `remove.ts`      | a name is removed, or all that nobody uses                          | remove             |
 * | `kernel-locks.ts` | the two locks that guard an object as a whole                      | 2, 5               |
 * | `wait-for.ts`    | opens as soon as somebody has created                               |                    |
 *
 * A writer enters:
 *  1. opens the object behind the name; when it may create, an absent one comes to exist, empty
 *  2. takes KERNEL_LOCK_CREATION, so that creating, joining, leaving and removing never meet
 *  3. looks at the owner, and whether the name still leads to the object, and begins again if it does not; removes it if it is
 *     a temporary segment that was left behind
 *  4. reads the beginning; adopts and extends a file, if nobody else has it open
 *  5. takes KERNEL_LOCK_HOLDERS shared: from now on the size does not change
 *  6. `openingLook`: gives an empty object its size and makes it a segment, or maps and validates it
 *  7. `openingNext`: goes on, creates in the place of a dead creator, removes what that has left, or refuses
 *  8. takes a participant slot
 *  9. looks again at the name, the size and the owner, which only a process that ignores these rules can have changed, and
 *     begins again if they did change
 * 10. gives KERNEL_LOCK_CREATION back
 *
 * A reader takes no lock that could keep others waiting: it does 1, 3, 5 to 7 and 9. Since it has no KERNEL_LOCK_CREATION, a
 * process that prunes may have removed the name before 5; step 9 notices that.
 *
 * A process dies, or its call is cut off and it goes on. In both cases the object is closed and its locks are free, by the kernel
 * or by `under-way.ts`. D: that scene of `processes/death-steps`; C: the same one of `processes/cut-off-steps`; K: those cases of
 * the crash lane.
 *
 * | after          | the state then                    | repaired by            | shown by: D, C; K                       |
 * | -------------- | --------------------------------- | ---------------------- | --------------------------------------- |
 * | enter 1 to 5   | an empty object, if it was made   | who may create         | createAbsent, createEmpty               |
 * | enter 4        | a file longer than its segment    | the next writer alone  | openLarge; adopt                        |
 * | enter 6, 7     | INITIALIZING, or all zeros        | the next writer        | create, openUnfinished; create          |
 * | enter 8 to 10  | LIVE, and its kernel lock is free | who meets its token    | openClosed, openHeld; join              |
 * | leave 1 to 3   | the same                          | the same               | leave; leave                            |
 * | leave 4, 5     | FREE; name and file as they were  | the next opener        | leaveLast, leaveTemporary, close        |
 * | leave 6 to 8   | a file longer than its segment    | the next writer alone  | close; shrink                           |
 * | replace 1 to 3 | the old segment; a staged object  | the next `list`        | replaceClosed, replaceAbsent            |
 * | replace 4 to 6 | the new one has the name          | holders ask the system | replace                                 |
 * | remove         | the name is there, or not         | nothing to repair      | unlink, unlinkClosed, prune, unlinkMine |
 *
 * In `processes/host-steps` another process acts in front of each call of the system; in `ts/segment/open-steps` somebody who
 * keeps to no rule does.
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
  KERNEL_LOCK_CREATION,
  NEXT_CREATE,
  NEXT_ENTER,
  NEXT_MAKE,
  NEXT_MAP,
  NEXT_REMOVE,
  NEXT_WAIT,
  OPEN_CREATES,
  OPEN_CREATOR_LIVES,
  OPEN_EXCLUSIVE,
  OPEN_FILE,
  OPEN_WRITES,
} from "../../../protocol/layout.js";
import { PAGE_BYTES, PARTICIPANTS_MIN } from "../../../protocol/limits.js";
import { failure, IsthmusError } from "../../errors.js";
import { errnoName } from "../../host/errno.js";
import type { NativeError, NativeInfo } from "../../host/native.js";
import type { Region } from "../../host/region.js";
import { nowNs, pid, sleepMs } from "../../host/runtime.js";
import { settleAll } from "../../host/under-way.js";
import { Attachment } from "../attachment.js";
import { coreOver, firstBytes, prepareToLook } from "./beginning.js";
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
  /** Explains why the system refuses to remove or replace the name; undefined when the error number says enough. */
  refusedAdvice?(error: NativeError): string | undefined;
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
  prepareToLook();
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

/** Step 9: a name that leads elsewhere, another size or another owner was not ours to see in step 3 yet. */
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

/** What the core is told of the wish. */
function wishOf(region: Region, location: Location, mode: Mode, creation: Creation | undefined): number {
  return (
    (region.readOnly ? 0 : OPEN_WRITES) |
    (creation && mode !== "open" ? OPEN_CREATES : 0) |
    (mode === "create" ? OPEN_EXCLUSIVE : 0) |
    (location.ownedByUser ? OPEN_FILE : 0)
  );
}

function openLocked(
  region: Region,
  location: Location,
  mode: Mode,
  creation: Creation | undefined,
): Attachment | undefined {
  if (region.readOnly) hold(region, location);
  const wish = wishOf(region, location, mode, creation);
  const first = firstBytes(region);
  if (!region.readOnly) {
    if (coreOver(first).openingLook(PAGE_BYTES, first.length, wish) === NEXT_MAP)
      location.beforeJoin?.(region, creation);
    hold(region, location);
  }
  const { bytes } = region.info();
  const look = coreOver(first).openingLook(bytes, first.length, wish);
  if (look === NEXT_MAKE) return makeOrUndo(region, location, creation as Creation, 0);
  if (look !== NEXT_MAP) throw refusal(location, look, bytes);
  return openMapped(new Attachment(region, location.name, bytes), location, wish, creation);
}

/** Step 6 with what is mapped, 7 and 8; undefined: begin again. */
function openMapped(
  attachment: Attachment,
  location: Location,
  wish: number,
  creation: Creation | undefined,
): Attachment | undefined {
  const { region, core, readOnly } = attachment;
  const mapped = attachment.bytes;
  // A process that died while it extended or truncated a file left it longer than its segment: a reader uses what its header
  // says.
  const bytes = readOnly && location.beforeJoin ? core.openingBytes(mapped) : mapped;
  const status = core.validate(bytes, readOnly ? 0 : 1);
  const isCreated = status === INITIALIZING && readOnly && region.held(KERNEL_LOCK_CREATION);
  const more = isCreated ? OPEN_CREATOR_LIVES : 0;
  switch (core.openingNext(status, wish | more, bytes, creation?.bytes ?? 0, creation?.participants ?? 0)) {
    case NEXT_ENTER:
      attachment.bytes = bytes;
      attachment.join();
      return attachment;
    case NEXT_CREATE:
      return populate(attachment, wish & OPEN_CREATES ? (creation as Creation) : AS_BEGUN, 1);
    case NEXT_MAKE:
      region.unmap();
      return makeOrUndo(region, location, creation as Creation, mapped);
    case NEXT_REMOVE:
      region.remove();
      return undefined;
    case NEXT_WAIT:
      outwaitCreator(region, location);
      return undefined;
    case ALREADY_EXISTS:
      throw exists(location);
    case OBJECT_MISMATCH:
      throw smaller(location, attachment, creation as Creation);
    default:
      throw invalid(location, status, attachment);
  }
}

/** Why an object is not even mapped. */
function refusal(location: Location, status: number, bytes: number): IsthmusError {
  if (status === NOT_FOUND) return notFound(location);
  if (status === ALREADY_EXISTS) return exists(location);
  if (status === BAD_MAGIC) return invalid(location, BAD_MAGIC);
  return failure(
    CORRUPT,
    `${location.described} has ${bytes} bytes, not a multiple of ${PAGE_BYTES} up to 4 GiB: it was truncated, ` +
      `or is no segment. If it is one, ${location.remedy}`,
  );
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

/** A user who asks for more than there is would find out later and elsewhere, as SEGMENT_FULL or TOO_MANY_PARTICIPANTS. */
function smaller(location: Location, { bytes, core }: Attachment, creation: Creation): IsthmusError {
  const slots: number = core.participants.value;
  return failure(
    OBJECT_MISMATCH,
    bytes < creation.bytes
      ? `${location.described} has ${bytes} bytes, but ${creation.bytes} were asked for; ask for at most ${bytes}, or, to have ` +
          `more, ${location.remedy}`
      : `${location.described} was made for ${slots} participants, but ${creation.participants} were asked for; ask for at ` +
          `most ${slots}, or, to have more, ${location.remedy}`,
  );
}

/**
 * Gives an object its size and makes it a segment; it has `former` bytes that hold nothing. If that fails, the object is removed,
 * or gets its former size back. The caller holds KERNEL_LOCK_CREATION.
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

/** Reasons why there is no room that have nothing to do with how much of the location is free. */
const OTHER_LIMITS = ["EFBIG", "EDQUOT", "ENOMEM"];

/** What to do at this location if the system has not enough room. */
export function noRoom(
  location: Pick<Location, "noSpaceAdvice">,
): (error: NativeError) => string | undefined {
  return ({ status, errno }) =>
    status === OUT_OF_SHARED_MEMORY && !OTHER_LIMITS.includes(errnoName(errno))
      ? location.noSpaceAdvice()
      : undefined;
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
