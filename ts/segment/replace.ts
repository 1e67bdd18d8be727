/**
 * A new generation under a name:
 *
 *  1. a staged object gets its size: that may take long, and nobody waits for it
 *  2. LOCK_CREATION of the object that has the name, or there is none; the generation follows from its header
 *  3. the staged object becomes a segment, and takes the name in one step; where there was none, only if there is none still
 *  4. the holders of the old one are told; its lock is given back
 *
 * If the replacer dies: before 3 the old one has the name, and the next `list` removes what was staged. After it the name leads
 * to the new one, which is whole; the holders of the old one learn it from the system if nobody has told them.
 */
import { ALREADY_EXISTS, INITIALIZING } from "../../protocol/errors.js";
import {
  ABI_VERSION,
  HEADER_ABI_VERSION_OFFSET,
  HEADER_GENERATION_OFFSET,
  HEADER_MAGIC_OFFSET,
  LOCK_CREATION,
  MAGIC,
} from "../../protocol/layout.js";
import { PAGE_BYTES, SEGMENT_PAGES_MAX } from "../../protocol/limits.js";
import { instantiate } from "../core.js";
import { attempt, codeName, failure, IsthmusError } from "../errors.js";
import { native, type Region } from "../host/region.js";
import type { Attachment } from "./attachment.js";
import { hold, lockCreation } from "./kernel-locks.js";
import {
  allocated,
  beginningOf,
  type Creation,
  checkOwner,
  establish,
  type Location,
  REOPEN_TURNS_MAX,
} from "./open.js";

/** Makes a new generation under the name, and tells those who hold the old one. */
export function replace(location: Location, stage: () => Region, creation: Creation): Attachment {
  const region = stage();
  let done = false;
  try {
    lockCreation(region, location);
    hold(region, location);
    const attachment = allocated(region, location, creation.bytes);
    for (let turn = 0; !takeName(attachment, location, creation); turn++) {
      if (turn < REOPEN_TURNS_MAX) continue;
      throw failure(
        INITIALIZING,
        `${location.described} came and went all the time while it was being replaced`,
      );
    }
    attachment.join(attachment.core.participants.value);
    region.unlock(LOCK_CREATION);
    done = true;
    return attachment;
  } finally {
    if (!done) region.close();
  }
}

/** Steps 2 to 4; false when the name came to lead elsewhere before the lock was had, or there was nothing to lock. */
function takeName(attachment: Attachment, location: Location, creation: Creation): boolean {
  const old = openCurrent(location);
  try {
    if (old) {
      lockCreation(old, location);
      if (!checkOwner(old, location).linked) return false;
    }
    establish(attachment, creation.participants, old ? generationAfter(old) : 1);
    if (!publish(attachment.region, location, old !== undefined)) return false;
    if (old) markStale(old);
    return true;
  } finally {
    old?.close();
  }
}

/** What has the name now. */
function openCurrent(location: Location): Region | undefined {
  try {
    return location.open(undefined);
  } catch (error) {
    if (error instanceof IsthmusError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

function publish(region: Region, location: Location, replacing: boolean): boolean {
  try {
    attempt(`publishing ${location.described}`, () => native.publish(region.object, replacing));
    return true;
  } catch (error) {
    const taken = error instanceof IsthmusError && error.code === codeName(ALREADY_EXISTS);
    if (taken && !replacing) return false;
    throw error;
  }
}

/** What is no segment of this version has no generation. */
function generationAfter(old: Region): number {
  const view = beginningOf(old);
  if (!view || view.getUint32(HEADER_MAGIC_OFFSET, true) !== MAGIC) return 1;
  if (view.getUint16(HEADER_ABI_VERSION_OFFSET, true) !== ABI_VERSION) return 1;
  const generation = Number(view.getBigUint64(HEADER_GENERATION_OFFSET, true));
  return generation < Number.MAX_SAFE_INTEGER ? generation + 1 : 1;
}

/** Spares the holders of the old one asking the system. They learn it anyhow, so no failure of this counts. */
function markStale(old: Region): void {
  try {
    const { bytes } = old.info();
    if (bytes === 0 || bytes % PAGE_BYTES !== 0 || bytes > PAGE_BYTES * SEGMENT_PAGES_MAX) return;
    if (generationAfter(old) === 1) return;
    const core = instantiate(old.map(bytes), false);
    if (core.validate(bytes, 0) === 0) core.markStale();
  } catch {
    // No addresses left for another mapping, for example.
  }
}
