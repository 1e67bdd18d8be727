/**
 * Creates a new generation under a name. The process that replaces:
 *
 *  1. creates an object without a name (a staged object), and gives it its size; that may take long, and no process waits for
 *  it
 *  2. takes KERNEL_LOCK_CREATION of the object that has the name, if there is one, and reads its generation
 *  3. makes the staged object a segment of the next generation
 *  4. gives it the name in one step. If the name led nowhere in 2, this fails when it leads somewhere by now: back to 2
 *  5. marks the old segment stale, so that its holders need not ask the system, and gives its lock back
 *  6. takes a participant slot of the new segment
 *
 * `open.ts` has the table of what a death leaves.
 */
import { ALREADY_EXISTS, INITIALIZING } from "../../../protocol/errors.js";
import { KERNEL_LOCK_CREATION } from "../../../protocol/layout.js";
import { PAGE_BYTES, SEGMENT_PAGES_MAX } from "../../../protocol/limits.js";
import { instantiate } from "../../core.js";
import { attempt, codeName, failure, IsthmusError } from "../../errors.js";
import { native, type Region } from "../../host/region.js";
import { settleAll } from "../../host/under-way.js";
import type { Attachment } from "../attachment.js";
import { coreOver, firstBytes } from "./beginning.js";
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

/** Steps 2 to 5; false when the name came to lead elsewhere before we had the lock, or while there was nothing to lock. */
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
    attempt(
      `publishing ${location.described}`,
      () => native.publish(region.object, replacing),
      location.refusedAdvice,
    );
    return true;
  } catch (error) {
    const taken = error instanceof IsthmusError && error.code === codeName(ALREADY_EXISTS);
    if (taken && !replacing) return false;
    throw error;
  }
}

function generationAfter(old: Region): number {
  const first = firstBytes(old);
  return coreOver(first).openingGeneration(first.length);
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
