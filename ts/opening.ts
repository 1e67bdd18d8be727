/**
 * The ways into a segment. Writers hold LOCK_CREATION from looking at the object until they have a place in it, so that
 * creating, joining and removing never meet; see "Creation" in `assembly/segment.ts`. Read-only openers take no lock that could
 * keep anyone waiting for long: they count themselves among the holders, look, and look again whether the name was removed
 * meanwhile. Whoever is among the holders can rely on the size.
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
} from "../protocol/errors.js";
import {
  ABI_VERSION,
  HEADER_ABI_VERSION_OFFSET,
  HEADER_GENERATION_OFFSET,
  HEADER_TOTAL_SIZE_OFFSET,
  LOCK_CREATION,
  LOCK_HOLDERS,
} from "../protocol/layout.js";
import { PAGE_BYTES, PARTICIPANTS_MIN, SEGMENT_PAGES_MAX } from "../protocol/limits.js";
import { Attachment } from "./attachment.js";
import { attempt, failure, IsthmusError } from "./errors.js";
import type { NativeError } from "./host/native.js";
import { native, type Region } from "./host/region.js";
import { nowNs, pid, sleepMs } from "./host/runtime.js";

/** What to make when there is nothing. */
export interface Making {
  bytes: number;
  participants: number;
  mode: number;
}

/** Where to look: how to open the object again is all that opening needs to know of it. */
export interface Place {
  name: string;
  /** For error texts: what it is called, and what to do when it is damaged. */
  described: string;
  remedy: string;
  /** For error texts: what to do when there is nothing, and when there is no room for what was asked for. */
  absent: string;
  crowded(): string;
  /** Opens the object; with `making` it may come to exist, empty. */
  open(making: Making | undefined): Region;
  /** What a writer does, with LOCK_CREATION in its hands, before it looks at the segment. */
  settle?(region: Region, making: Making | undefined): void;
  /** What a writer does who has left, with LOCK_CREATION in its hands, before it lets go of the region. */
  vacate?(attachment: Attachment): void;
  /** Removes the name; absent when there is none. */
  remove?(): void;
}

/** How long another process may be creating, joining or truncating before we give up; a dead one is noticed at once. */
const CREATION_PATIENCE_MS = 10_000;
/** Pause before looking again at what another process is changing. */
const RETRY_MS = 1;
/** Names may be removed between opening and locking: then begin again, this often. */
const REOPEN_TURNS_MAX = 1000;

function lockPatiently(region: Region, place: Place, lock: number, shared: boolean): void {
  const begin = performance.now();
  while (!native.lock(region.object, lock, shared)) {
    if (performance.now() - begin > CREATION_PATIENCE_MS) {
      throw failure(
        INITIALIZING,
        `a live process has been creating, joining, leaving or removing ${place.described} for ` +
          `${CREATION_PATIENCE_MS / 1000} s. Is it stopped? Continue or end it`,
      );
    }
    sleepMs(0.5);
  }
}

function lockCreation(region: Region, place: Place): void {
  lockPatiently(region, place, LOCK_CREATION, false);
}

/** Counts us among those who hold the segment. Nobody comes in while somebody adopts or truncates it. */
function hold(region: Region, place: Place): void {
  lockPatiently(region, place, LOCK_HOLDERS, true);
}

/**
 * Opens what is there, or makes it: `mode` "create" refuses what exists, "open" never makes anything.
 *
 * @throws {IsthmusError} see Segment.create and Segment.open
 */
export function enter(
  place: Place,
  mode: "create" | "open" | "openOrCreate",
  making: Making | undefined,
): Attachment {
  for (let turn = 0; turn < REOPEN_TURNS_MAX; turn++) {
    const region = place.open(mode === "open" ? undefined : making);
    let done = false;
    try {
      if (!region.readOnly) lockCreation(region, place);
      const { linked } = checkOwner(region, place);
      if (!linked) continue;
      const attachment = enterLocked(region, place, mode, making);
      // Without the lock, a pruner that saw no holder may have removed the name before it could see us. The size can only
      // have been changed by somebody who does not keep to the rules.
      if (!attachment || !isAsSeen(region, attachment)) {
        attachment?.close();
        sleepMs(RETRY_MS);
        continue;
      }
      if (!region.readOnly) native.unlock(region.object, LOCK_CREATION);
      attachment.vacate = place.vacate;
      done = true;
      return attachment;
    } finally {
      if (!done) region.close();
    }
  }
  throw failure(
    INITIALIZING,
    `${place.described} was removed or extended ${REOPEN_TURNS_MAX} times while it was being opened`,
  );
}

function isAsSeen(region: Region, attachment: Attachment): boolean {
  const { linked, bytes } = region.info();
  return linked && bytes === attachment.u8.length;
}

function checkOwner(region: Region, place: Place): { linked: boolean } {
  const info = region.info();
  if (!info.trusted) {
    throw new IsthmusError(
      "ACCESS_DENIED",
      `${place.described} belongs to user ${info.owner}, who could change it at will; only segments of one's own user ` +
        "and of the superuser are opened",
    );
  }
  return info;
}

function enterLocked(
  region: Region,
  place: Place,
  mode: "create" | "open" | "openOrCreate",
  making: Making | undefined,
): Attachment | undefined {
  if (!region.readOnly) place.settle?.(region, making);
  hold(region, place);
  const { bytes } = region.info();
  if (bytes === 0) {
    // Empty: its creator died before it got its size. Without a wish of our own there is nothing to open.
    if (!making || mode === "open") throw notFound(place);
    return makeOrRemove(region, place, making);
  }
  checkSize(place, bytes);
  const attachment = new Attachment(region, place.name, bytes);
  let status = attachment.core.validate(bytes, region.readOnly ? 0 : 1);
  if (status === CORRUPT && region.readOnly && place.settle) status = validateShorter(attachment);
  if (status === INITIALIZING && !region.readOnly) return takeOver(attachment, place, mode, making);
  if (mode === "create")
    throw failure(ALREADY_EXISTS, `${place.described} exists; open it, or create with { replace: true }`);
  if (status !== 0) throw invalid(place, attachment, status);
  attachment.join(attachment.core.participants.value);
  return attachment;
}

/** Who died extending or truncating a file left it longer than its segment. A writer adopts it; a reader can do with less. */
function validateShorter(attachment: Attachment): number {
  const said = Number(attachment.view.getBigUint64(HEADER_TOTAL_SIZE_OFFSET, true));
  if (said >= attachment.bytes || said % PAGE_BYTES !== 0) return CORRUPT;
  const status = attachment.core.validate(said, 0);
  if (status === 0) attachment.bytes = said;
  return status;
}

/** Makes the segment; what cannot be made is not left behind under its name. The caller holds LOCK_CREATION. */
function makeOrRemove(region: Region, place: Place, making: Making): Attachment {
  try {
    return make(region, place, making, 1);
  } catch (error) {
    place.remove?.();
    throw error;
  }
}

/** The creator died half-way: whoever wanted to create it makes it as wished; an opener completes what was begun. */
function takeOver(
  attachment: Attachment,
  place: Place,
  mode: "create" | "open" | "openOrCreate",
  making: Making | undefined,
): Attachment | undefined {
  const wanted = making && mode !== "open" ? making : undefined;
  if (wanted && wanted.bytes !== attachment.bytes) {
    place.remove?.();
    return undefined;
  }
  return populate(attachment, wanted?.participants ?? PARTICIPANTS_MIN, 1);
}

function checkSize(place: Place, bytes: number): void {
  if (bytes % PAGE_BYTES === 0 && bytes <= PAGE_BYTES * SEGMENT_PAGES_MAX) return;
  throw failure(
    CORRUPT,
    `${place.described} has ${bytes} bytes, not a multiple of ${PAGE_BYTES} up to 4 GiB: it was truncated or is no segment. ` +
      `Unlink it, or ${place.remedy}`,
  );
}

/** Gives an empty object its size and makes it a segment with us as its first participant. */
export function make(region: Region, place: Place, making: Making, generation: number): Attachment {
  const what = `allocating ${making.bytes} bytes for ${place.described}`;
  attempt(what, () => native.allocate(region.object, making.bytes), noRoom(place));
  return populate(new Attachment(region, place.name, making.bytes), making.participants, generation);
}

/** The caller holds LOCK_CREATION, and is among the holders. */
function populate(attachment: Attachment, participants: number, generation: number): Attachment {
  const { core, bytes } = attachment;
  const status = core.create(bytes, generation, participants, pid, nowNs()) || core.validate(bytes, 0);
  if (status !== 0) {
    throw failure(
      status,
      `${bytes} bytes are too few for a segment with ${participants} participants; give it more`,
    );
  }
  attachment.join(core.participants.value);
  return attachment;
}

/** The advice of this place when the system has no room. */
export function noRoom(place: Pick<Place, "crowded">): (error: NativeError) => string | undefined {
  return (error) => (error.status === OUT_OF_SHARED_MEMORY ? place.crowded() : undefined);
}

export function notFound(place: Place): IsthmusError {
  return failure(NOT_FOUND, `there is no ${place.described}; ${place.absent}`);
}

function invalid(place: Place, attachment: Attachment, status: number): IsthmusError {
  const what = place.described;
  const version = attachment.view.getUint16(HEADER_ABI_VERSION_OFFSET, true);
  const reasons = new Map<number, string>([
    [BAD_MAGIC, `${what} does not begin like a segment; unlink it if nothing else uses that name`],
    [
      VERSION_MISMATCH,
      `${what} has protocol version ${version}, this package has ${ABI_VERSION}; use the same release`,
    ],
    [LAYOUT_MISMATCH, `${what} was made by a core with other offsets; use the same release on both sides`],
    [INITIALIZING, `${what} was never finished by its creator; open it for writing, or create it again`],
    [BROKEN, `${what} was declared broken; ${place.remedy}`],
    [CORRUPT, `the header of ${what} contradicts itself or its size; ${place.remedy}`],
  ]);
  return failure(status, reasons.get(status) ?? what);
}

/** Makes a new generation under the name, and tells those who hold the old one. */
export function replace(place: Place, stage: () => Region, making: Making): Attachment {
  const old = existing(place);
  const region = stage();
  let done = false;
  try {
    lockCreation(region, place);
    hold(region, place);
    const generation = old ? Number(old.view.getBigUint64(HEADER_GENERATION_OFFSET, true)) + 1 : 1;
    const attachment = make(region, place, making, generation);
    attempt(`publishing ${place.described}`, () => native.publish(region.object));
    native.unlock(region.object, LOCK_CREATION);
    done = true;
    old?.core.markStale();
    return attachment;
  } finally {
    if (!done) region.close();
    old?.close();
  }
}

/** The segment that has the name now, if it is one and we may write to it. */
function existing(place: Place): Attachment | undefined {
  try {
    return enter(place, "open", undefined);
  } catch (error) {
    if (error instanceof IsthmusError && error.code !== "ACCESS_DENIED") return undefined;
    throw error;
  }
}
