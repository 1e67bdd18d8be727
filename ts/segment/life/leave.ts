/**
 * Leaving. A writer:
 *  1. undoes a running transaction, and closes everything that it has in the segment. If the environment ends without `close`,
 *     it abandons what stands for unfinished work instead: see `abandon` of each part
 *  2. stores a last heartbeat, so that the header says when the segment was used last
 *  3. takes KERNEL_LOCK_CREATION, and waits only shortly, because its holder may be stopped
 *  4. LIVE becomes FREE. With that lock, if every slot is FREE, the segment is marked clean
 *  5. releases the kernel lock of the slot
 *  6. with KERNEL_LOCK_CREATION, the work of the last participant: truncate the file (`file.ts`), remove a temporary name
 *  (`temporary.ts`)
 *  7. releases KERNEL_LOCK_CREATION; if 6 did something, by closing the object, which releases all locks in one step
 *  8. replaces the mapping by private pages, and closes the object
 *
 * A reader closes the object, so it is not a holder any more. Then it removes the name of a temporary segment, if it was the
 * last.
 *
 * A call that is cut off in any step continues with the next `close`, or when the stack is empty: repeating a step does
 * nothing. Only 6 is not repeated: it leaves the same state as a death.
 */
import { KERNEL_LOCK_CREATION, KERNEL_LOCK_PARTICIPANTS } from "../../../protocol/layout.js";
import { LEAVE_TIMEOUT_MS } from "../../../protocol/limits.js";
import { IsthmusError } from "../../errors.js";
import type { Region } from "../../host/region.js";
import { nowNs } from "../../host/runtime.js";
import { retryFor } from "../../wait/retry.js";
import type { Attachment } from "../attachment.js";

/**
 * LEAVE_TIMEOUT_MS for a segment whose last participant has work to do after leaving. It is longer, because another participant
 * may be doing that work.
 */
const LAST_LEAVE_TIMEOUT_MS = 1000;

/** Steps 1 to 7; and 8, where 6 has something to do. */
export function leaveSegment(attachment: Attachment, abandoned: boolean): void {
  const { core, region, slot } = attachment;
  if (attachment.transaction) core.transactionEnd(0); // rolled back before its lock is released
  for (const part of [...attachment.parts]) {
    if (abandoned && part.abandon) part.abandon();
    else part.close();
  }
  attachment.beat(nowNs());
  const locked = lockToLeave(region, attachment.afterLeave ? LAST_LEAVE_TIMEOUT_MS : LEAVE_TIMEOUT_MS);
  core.leave(locked ? 1 : 0);
  region.touch();
  unlock(region, KERNEL_LOCK_PARTICIPANTS + slot);
  attachment.endBeating();
  if (locked && attachment.afterLeave) closeAfterLeave(attachment);
  else if (locked) unlock(region, KERNEL_LOCK_CREATION);
  attachment.slot = -1;
}

/** A lock that cannot be released now is released with the region. */
function unlock(region: Region, index: number): void {
  try {
    region.unlock(index);
  } catch (error) {
    if (!(error instanceof IsthmusError)) throw error;
  }
}

function lockToLeave(region: Region, timeoutMs: number): boolean {
  try {
    return retryFor(timeoutMs, () => region.lock(KERNEL_LOCK_CREATION, false) || undefined) === true;
  } catch (error) {
    // The system gives no lock now. Leaving continues without it, as when another process has it.
    if (error instanceof IsthmusError) return false;
    throw error;
  }
}

/** Nobody can join until the region is closed. If many leave at once, the last one sees that it is the last. */
function closeAfterLeave(attachment: Attachment): void {
  attachment.closed = true;
  try {
    attachment.afterLeave?.(attachment);
  } finally {
    attachment.closeRegion();
  }
}
