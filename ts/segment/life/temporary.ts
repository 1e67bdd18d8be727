/**
 * Temporary segments: the name goes with the last one who has the segment open.
 *
 * The header says that a segment is temporary; the creator writes that before the state becomes READY, and nobody changes
 * it. Everyone who has a segment open, for reading or for writing, holds KERNEL_LOCK_HOLDERS shared, and the kernel gives that
 * back however a process ends. So a temporary segment that is READY and has no holder is *left behind*: nobody may join it
 * any more, and whoever comes across it removes its name.
 *
 * A writer leaves, with KERNEL_LOCK_CREATION held from 1 to 5:
 *  1. it gives its participant slot back
 *  2. it tries to take KERNEL_LOCK_HOLDERS alone; if it cannot, somebody else still has the segment: go to 4
 *  3. it removes the name, if that still leads to this segment
 *  4. private pages take the place of the mapping
 *  5. it closes the object: the kernel gives back KERNEL_LOCK_HOLDERS and KERNEL_LOCK_CREATION in one step
 *
 * A reader leaves. It cannot lock anything alone through an object that it opened for reading:
 *  1. it closes the object, and with that it is no holder any more
 *  2. it opens the name for writing, which fails if it may not write: then it is done
 *  3. KERNEL_LOCK_CREATION, then 2 and 3 of the writer
 *
 * An opener, in front of everything else that it does:
 *  - a writer has KERNEL_LOCK_CREATION. If the segment is temporary and the writer can take KERNEL_LOCK_HOLDERS alone, the
 *    segment was left behind: it removes the name and looks again, so `open` finds nothing and `openOrCreate` makes a new segment
 *  - a reader looks whether anybody holds KERNEL_LOCK_HOLDERS. If nobody does, it removes the name as a reader who leaves does.
 *    Else it takes KERNEL_LOCK_HOLDERS shared, and looks again whether the name still leads there: a writer that left in
 *    between has removed it
 *
 * The last one leaves while somebody opens: both want KERNEL_LOCK_CREATION, so a writer either joins before (then step 2 fails)
 * or finds no name. A reader either holds KERNEL_LOCK_HOLDERS before step 2 (then step 2 fails) or sees after taking it that
 * the name is gone.
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
import {
  HEADER_STATE_OFFSET,
  HEADER_TEMPORARY_OFFSET,
  KERNEL_LOCK_HOLDERS,
  MAGIC_TEMPORARY,
  STATE_READY,
} from "../../../protocol/layout.js";
import { IsthmusError } from "../../errors.js";
import type { Region } from "../../host/region.js";
import type { Attachment } from "../attachment.js";
import { beginningOf } from "./beginning.js";
import { lockCreation } from "./kernel-locks.js";
import type { Location } from "./open.js";

/** How long a reader that leaves waits for others who create, join or leave. Milliseconds. */
const READER_LEAVE_TIMEOUT_MS = 1000;

function isTemporary(region: Region): boolean {
  const view = beginningOf(region);
  if (view?.getUint32(HEADER_TEMPORARY_OFFSET, true) !== MAGIC_TEMPORARY) return false;
  return view.getUint32(HEADER_STATE_OFFSET, true) === STATE_READY;
}

/**
 * Removes the name if the segment is temporary and was left behind.
 *
 * @returns whether it was left behind. The caller looks for the name again then; it is still there if this user may not remove it
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

/** Gives up where this user may not write, or where somebody does not get on: the next one removes the name. */
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
