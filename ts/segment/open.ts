/**
 * The ways into a segment. Writers hold LOCK_CREATION from looking at the object until they have joined it, so that
 * creating, joining and removing never meet; see "Creation" in `assembly/segment.ts`. Read-only openers take no lock that could
 * keep anyone waiting for long: they count themselves among the holders, look, and look again whether the name was removed
 * meanwhile. Whoever is among the holders can rely on the size.
 *
 * What does not begin like a segment is never mapped: nobody has promised not to truncate it, and who touches mapped bytes that
 * are gone is killed. So the first look reads.
 */
import {
  ALREADY_EXISTS,
  BAD_MAGIC,
  BROKEN,
  CORRUPT,
  INITIALIZING,
  LAYOUT_MISMATCH,
  NOT_FOUND,
  OUT_OF_SHARED_MEMORY,
  VERSION_MISMATCH,
} from "../../protocol/errors.js";
import { LAYOUT_FINGERPRINT } from "../../protocol/fingerprint.js";
import {
  ABI_VERSION,
  HEADER_ABI_VERSION_OFFSET,
  HEADER_BYTES,
  HEADER_FINGERPRINT_OFFSET,
  HEADER_MAGIC_OFFSET,
  HEADER_STATE_OFFSET,
  HEADER_TOTAL_SIZE_OFFSET,
  LOCK_CREATION,
  MAGIC,
  STATE_INITIALIZING,
} from "../../protocol/layout.js";
import { PAGE_BYTES, PARTICIPANTS_MIN, SEGMENT_PAGES_MAX } from "../../protocol/limits.js";
import { failure, IsthmusError } from "../errors.js";
import { errnoName } from "../host/errno.js";
import type { NativeError } from "../host/native.js";
import type { Region } from "../host/region.js";
import { nowNs, pid, sleepMs } from "../host/runtime.js";
import { Attachment } from "./attachment.js";
import { CREATION_TIMEOUT_MS, hold, lockCreation, outwaitCreator } from "./kernel-locks.js";

/** What to make when there is nothing. */
export interface Creation {
  bytes: number;
  participants: number;
  mode: number;
}

/** Where to look: how to open the object again is all that opening needs to know of it. */
export interface Location {
  name: string;
  /** For error texts: what it is called, and what to do when it is damaged. */
  described: string;
  remedy: string;
  /** For error texts: what to do when there is nothing, and when there is no room for what was asked for. */
  notFoundAdvice: string;
  noSpaceAdvice(): string;
  /** What was there before belongs to the user: nobody but the user removes it, and what fails leaves it as it was. */
  ownedByUser?: boolean;
  /** How long to wait for others: see `Wanted`. */
  timeoutMs?: number;
  /** Opens the object; with `creation` it may come to exist, empty. */
  open(creation: Creation | undefined): Region;
  /** What a writer does, with LOCK_CREATION in its hands, before it looks at the segment. */
  beforeJoin?(region: Region, creation: Creation | undefined): void;
  /** What a writer does who has left, with LOCK_CREATION in its hands, before it lets go of the region. */
  afterLeave?(attachment: Attachment): void;
}

export type Mode = "create" | "open" | "openOrCreate";

/** Pause before looking again at what another process is changing. */
const RETRY_MS = 1;
/** Names may be removed between opening and locking: then begin again, this often. */
export const REOPEN_TURNS_MAX = 1000;

/**
 * Opens what is there, or makes it: `mode` "create" refuses what exists, "open" never makes anything.
 *
 * @throws {IsthmusError} see Segment.create and Segment.open
 */
export function openLocation(location: Location, mode: Mode, creation: Creation | undefined): Attachment {
  const { timeoutMs = CREATION_TIMEOUT_MS } = location;
  for (let turn = 0; turn < (timeoutMs > 0 ? REOPEN_TURNS_MAX : 1); turn++) {
    if (turn > 0) sleepMs(RETRY_MS);
    const region = location.open(mode === "open" ? undefined : creation);
    let done = false;
    try {
      if (!region.readOnly) lockCreation(region, location);
      if (!checkOwner(region, location).linked) continue;
      const attachment = openLocked(region, location, mode, creation);
      // Without the lock, a pruner that saw no holder may have removed the name before it could see us. The size can only
      // have been changed by somebody who does not keep to the rules.
      if (!attachment || !isAsSeen(region, attachment)) {
        attachment?.close();
        continue;
      }
      if (!region.readOnly) region.unlock(LOCK_CREATION);
      attachment.afterLeave = location.afterLeave;
      done = true;
      return attachment;
    } finally {
      if (!done) region.close();
    }
  }
  throw failure(
    INITIALIZING,
    `${location.described} was created, removed or extended again and again while it was being opened`,
  );
}

function isAsSeen(region: Region, attachment: Attachment): boolean {
  const { linked, bytes } = region.info();
  return linked && bytes === attachment.u8.length;
}

export function checkOwner(region: Region, location: Location): { linked: boolean } {
  const info = region.info();
  if (!info.trusted) {
    throw new IsthmusError(
      "ACCESS_DENIED",
      `${location.described} belongs to user ${info.owner}, who could change it at will; only segments of one's own user ` +
        "and of the superuser are opened",
    );
  }
  return info;
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
    // Empty: its creator died before it got its size. Without a wish of our own there is nothing to open.
    if (!creation || mode === "open") throw notFound(location);
    return makeOrUndo(region, location, creation, 0);
  }
  if (foreign && mode === "create") throw exists(location);
  if (foreign) throw invalid(location, BAD_MAGIC);
  checkSize(location, bytes);
  const attachment = new Attachment(region, location.name, bytes);
  let status = attachment.core.validate(bytes, region.readOnly ? 0 : 1);
  if (status === CORRUPT && region.readOnly && location.beforeJoin) status = validateShorter(attachment);
  if (status === INITIALIZING && region.readOnly && region.held(LOCK_CREATION)) {
    outwaitCreator(region, location);
    return undefined;
  }
  if (status === INITIALIZING && !region.readOnly) return takeOver(attachment, location, mode, creation);
  if (mode === "create") throw exists(location);
  if (status !== 0) throw invalid(location, status, attachment);
  attachment.join(attachment.core.participants.value);
  return attachment;
}

function exists(location: Location): IsthmusError {
  return failure(ALREADY_EXISTS, `${location.described} exists; open it, or create with { replace: true }`);
}

/** What is at the beginning of the object; undefined where that is missing. */
export function beginningOf(region: Region): DataView | undefined {
  const { buffer, length } = region.read(0, HEADER_BYTES);
  return length === HEADER_BYTES ? new DataView(buffer) : undefined;
}

/** False when other bytes than those of a segment are there. What is too short to tell is judged by its size. */
export function mayBeSegment(region: Region): boolean {
  const { buffer, length } = region.read(0, HEADER_BYTES);
  const view = new DataView(buffer, 0, length);
  if (length < HEADER_MAGIC_OFFSET + 4) return true;
  const magic = view.getUint32(HEADER_MAGIC_OFFSET, true);
  if (magic !== 0 || length < HEADER_STATE_OFFSET + 4) return magic === MAGIC || magic === 0;
  return view.getUint32(HEADER_STATE_OFFSET, true) === STATE_INITIALIZING;
}

/** Who died extending or truncating a file left it longer than its segment. A writer adopts it; a reader can do with less. */
function validateShorter(attachment: Attachment): number {
  const said = Number(attachment.view.getBigUint64(HEADER_TOTAL_SIZE_OFFSET, true));
  if (said >= attachment.bytes || said % PAGE_BYTES !== 0) return CORRUPT;
  const status = attachment.core.validate(said, 0);
  if (status === 0) attachment.bytes = said;
  return status;
}

/**
 * Gives an object that has `former` bytes, and nothing in them, its size, and makes it a segment. What cannot be made is not
 * left behind. The caller holds LOCK_CREATION.
 */
function makeOrUndo(region: Region, location: Location, creation: Creation, former: number): Attachment {
  try {
    return populate(allocated(region, location, creation.bytes), creation.participants, 1);
  } catch (error) {
    undo(region, location, former);
    throw error;
  }
}

/** Its own failure would hide the first one. */
function undo(region: Region, location: Location, former: number): void {
  try {
    region.unmap();
    if (!location.ownedByUser || region.info().created) region.remove();
    else region.shrink(former);
  } catch {
    // An empty or unfinished segment stays, which the next one who comes makes.
  }
}

/** The creator died half-way: whoever wanted to create it makes it as wished; an opener completes what was begun. */
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
  return populate(attachment, wanted?.participants ?? PARTICIPANTS_MIN, 1);
}

function checkSize(location: Location, bytes: number): void {
  if (bytes % PAGE_BYTES === 0 && bytes <= PAGE_BYTES * SEGMENT_PAGES_MAX) return;
  throw failure(
    CORRUPT,
    `${location.described} has ${bytes} bytes, not a multiple of ${PAGE_BYTES} up to 4 GiB: it was truncated, ` +
      `or is no segment. If it is one, ${location.remedy}`,
  );
}

/** The object with that size, mapped. */
export function allocated(region: Region, location: Location, bytes: number): Attachment {
  const what = `allocating ${bytes} bytes for ${location.described}`;
  region.allocate(what, bytes, noRoom(location));
  return new Attachment(region, location.name, bytes);
}

/** Makes the bytes a segment; the caller holds LOCK_CREATION, and is among the holders. */
export function establish({ core, bytes }: Attachment, participants: number, generation: number): void {
  const status = core.create(bytes, generation, participants, pid, nowNs()) || core.validate(bytes, 0);
  if (status === 0) return;
  throw failure(
    status,
    `${bytes} bytes are too few for a segment with ${participants} participants; give it more`,
  );
}

function populate(attachment: Attachment, participants: number, generation: number): Attachment {
  establish(attachment, participants, generation);
  attachment.join(attachment.core.participants.value);
  return attachment;
}

/** The advice of this location when the system has no room. */
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
      `${what} does not begin like a segment, so it is none; remove it only if nothing else uses it`,
    ],
    [
      VERSION_MISMATCH,
      `${what} has protocol version ${version}, this package has ${ABI_VERSION}; use the same release`,
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
