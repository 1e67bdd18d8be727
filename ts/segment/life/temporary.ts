/**
 * Temporary segments: the last process that has the segment open removes its name.
 *
 * The header says whether a segment is temporary. The creator writes that before the state becomes READY, and it never changes.
 * Every process that has a segment open, for reading or writing, holds KERNEL_LOCK_HOLDERS shared, and the kernel releases that
 * in whatever way the process ends. So a temporary segment that is READY and has no holder is *left behind*: no process may
 * join it, and the next one that finds it removes its name.
 *
 * A writer leaves, with KERNEL_LOCK_CREATION held from 1 to 5:
 *  1. it gives its participant slot back
 *  2. it tries to take KERNEL_LOCK_HOLDERS alone; if it cannot, another process still has the segment open: go to 4
 *  3. it removes the name, if that still leads to this segment
 *  4. it replaces the mapping by private pages
 *  5. it closes the object: the kernel releases KERNEL_LOCK_HOLDERS and KERNEL_LOCK_CREATION in one step
 *
 * A reader leaves. It cannot take a lock alone through an object that it opened for reading:
 *  1. it closes the object, so it is not a holder any more
 *  2. it opens the name for writing. If it has no permission for that, it is done
 *  3. KERNEL_LOCK_CREATION, then 2 and 3 of the writer
 *
 * An opener does this first:
 *  - a writer has KERNEL_LOCK_CREATION. If the segment is temporary and the writer can take KERNEL_LOCK_HOLDERS alone, the
 *    segment was left behind. The writer removes the name and tries again. So `open` finds no segment, and `openOrCreate`
 *    creates a new one
 *  - a reader checks whether a process holds KERNEL_LOCK_HOLDERS. If none does, it removes the name like a reader that leaves.
 *    Otherwise it takes KERNEL_LOCK_HOLDERS shared, and checks whether the name still leads to the object, because a writer
 *    that left in between has removed it
 *
 * If the last process leaves while another one opens: both need KERNEL_LOCK_CREATION, so a writer either joins before (then
 * step 2 fails) or finds no name. A reader either holds KERNEL_LOCK_HOLDERS before step 2 (then step 2 fails), or notices after
 * taking it that the name is gone.
 *
 * | a process dies                        | the state then                           | repaired by                     |
 * | ------------------------------------- | ---------------------------------------- | ------------------------------- |
 * | while others have the segment open    | it is no holder any more                 | nothing to repair               |
 * | as the last holder, before 3          | left behind: READY, with no holder       | the next open or prune          |
 * | after 3, before 5                     | no name; the memory goes with the object | nothing to repair               |
 * | a reader, after its 1                 | left behind, if it was the last          | the next open or prune          |
 * | the creator, after READY, before join | left behind                              | the next open or prune          |
 * | a replacer, after publishing          | left behind, under the new generation    | the next open or prune          |
 */
import { HEADER_TEMPORARY_OFFSET, KERNEL_LOCK_HOLDERS, MAGIC_TEMPORARY } from "../../../protocol/layout.js";
import { IsthmusError } from "../../errors.js";
import type { Region } from "../../host/region.js";
import type { Attachment } from "../attachment.js";
import { coreOver, firstBytes } from "./beginning.js";
import { lockCreation } from "./kernel-locks.js";
import type { Location } from "./open.js";

/** How long a reader that leaves waits for others that create, join or leave. Milliseconds. */
const READER_LEAVE_TIMEOUT_MS = 1000;

function isTemporary(region: Region): boolean {
  const first = firstBytes(region);
  return coreOver(first).openingTemporary(first.length) !== 0;
}

/**
 * Removes the name if the segment is temporary and was left behind.
 *
 * @returns whether it was left behind. Then the caller looks up the name again; it still exists if this user cannot remove it
 */
export function removeIfLeftBehind(region: Region, location: Location): boolean {
  if (!location.openForWriting || !isTemporary(region)) return false;
  if (region.readOnly) {
    if (region.held(KERNEL_LOCK_HOLDERS)) return false;
    removeAsReader(location);
    return true;
  }
  if (!region.lock(KERNEL_LOCK_HOLDERS, false)) return false;
  removeAsWriter(region);
  return true;
}

/** Gives up if this user has no write access, or if another process does not finish: the next process removes the name. */
function removeAsReader(location: Location): void {
  let region: Region | undefined;
  try {
    region = location.openForWriting?.();
    if (!region) return;
    lockCreation(region, { ...location, timeoutMs: READER_LEAVE_TIMEOUT_MS });
    if (isTemporary(region)) removeAsWriter(region);
  } catch (error) {
    if (!(error instanceof IsthmusError)) throw error;
  } finally {
    region?.close();
  }
}

/** Steps 2 and 3 of a writer. A name that this user may not remove is left behind. */
function removeAsWriter(region: Region): void {
  try {
    if (region.lock(KERNEL_LOCK_HOLDERS, false)) region.remove();
  } catch (error) {
    if (!(error instanceof IsthmusError)) throw error;
  }
}

/** What this opener will do when it leaves. */
export function planLeaving(attachment: Attachment, location: Location): void {
  attachment.afterLeave = location.afterLeave;
  if (!location.openForWriting) return;
  if (attachment.view.getUint32(HEADER_TEMPORARY_OFFSET, true) !== MAGIC_TEMPORARY) return;
  if (attachment.readOnly) attachment.afterClose = () => removeAsReader(location);
  else attachment.afterLeave = ({ region }) => removeAsWriter(region);
  attachment.leaveAtExit();
}
