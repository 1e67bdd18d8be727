/**
 * Creates a new generation under a name. The process that replaces:
 *
 *  1. creates an object without a name (a staged object), and gives it its size; that may take long, and no process waits for
 *  it
 *  2. takes KERNEL_LOCK_CREATION of the object that has the name, if there is one, and reads its generation
 *  3. makes the staged object a segment of the next generation, and gives it the name in one step. If no object had the name in
 *     2, this fails if an object has it now: then it goes back to 2
 *  4. marks the old segment stale, so that its holders need not ask the system, and releases its lock
 *  5. takes a participant slot of the new segment
 *
 * | it dies  | the state then                                            | repaired by                                       |
 * | -------- | --------------------------------------------------------- | ------------------------------------------------- |
 * | before 3 | the old segment has the name; a staged object is left     | the next `list`, which removes staged objects     |
 * | after 3  | the name leads to the new segment, which is whole         | holders of the old one ask the system: `stale`    |
 */
import { ALREADY_EXISTS, INITIALIZING } from "../../../protocol/errors.js";
import {
  ABI_VERSION,
  HEADER_ABI_VERSION_OFFSET,
  HEADER_GENERATION_OFFSET,
  HEADER_MAGIC_OFFSET,
  KERNEL_LOCK_CREATION,
  MAGIC,
} from "../../../protocol/layout.js";
import { PAGE_BYTES, SEGMENT_PAGES_MAX } from "../../../protocol/limits.js";
import { instantiate } from "../../core.js";
import { attempt, codeName, failure, IsthmusError } from "../../errors.js";
import { native, type Region } from "../../host/region.js";
import { settleAll } from "../../host/under-way.js";
import type { Attachment } from "../attachment.js";
import { beginningOf } from "./beginning.js";
import { hold, lockCreation } from "./kernel-locks.js";
import { allocated, type Creation, checkOwner, establish, type Location, REOPEN_TURNS_MAX } from "./open.js";
import { planLeaving } from "./temporary.js";

/** Creates a new generation under the name, and marks the old one stale. */
export function replace(location: Location, stage: () => Region, creation: Creation): Attachment {
  settleAll();
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
        `${location.described} was created and removed again and again while it was being replaced`,
      );
    }
    attachment.join();
    region.unlock(KERNEL_LOCK_CREATION);
    planLeaving(attachment, location);
    done = true;
    return attachment;
  } finally {
    if (!done) region.holder.close();
  }
}

/**
 * Steps 2 to 4. Returns false if another object got the name before this process had the lock, or while no object had the name.
 */
function takeName(attachment: Attachment, location: Location, creation: Creation): boolean {
  const old = openCurrent(location);
  try {
    if (old) {
      lockCreation(old, location);
      if (!checkOwner(old, location).linked) return false;
    }
    establish(attachment, creation, old ? generationAfter(old) : 1);
    if (!publish(attachment.region, location, old !== undefined)) return false;
    if (old) markStale(old);
    return true;
  } finally {
    old?.close();
  }
}

/** The object that has the name now. */
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

/** An object that is not a segment of this version has no generation. */
function generationAfter(old: Region): number {
  const view = beginningOf(old);
  if (!view || view.getUint32(HEADER_MAGIC_OFFSET, true) !== MAGIC) return 1;
  if (view.getUint16(HEADER_ABI_VERSION_OFFSET, true) !== ABI_VERSION) return 1;
  const generation = Number(view.getBigUint64(HEADER_GENERATION_OFFSET, true));
  return generation < Number.MAX_SAFE_INTEGER ? generation + 1 : 1;
}

/**
 * Marks the old segment, so that its holders need not ask the system. The system would tell them, too, so a failure here is
 * ignored.
 */
function markStale(old: Region): void {
  try {
    const { bytes } = old.info();
    if (bytes === 0 || bytes % PAGE_BYTES !== 0 || bytes > PAGE_BYTES * SEGMENT_PAGES_MAX) return;
    if (generationAfter(old) === 1) return;
    const core = instantiate(old.map(bytes), false);
    if (core.validate(bytes, 0) === 0) core.markStale();
  } catch {
    // For example, there are no addresses left for another mapping.
  }
}
