/** Waiting for shared state. `pending.ts` and `group.ts` wait with a promise, `blocking.ts` blocks the thread. */
import type { Waiting } from "../arguments.js";
import type { Attachment } from "../segment/attachment.js";
import { type Condition, NOT_YET, type QueuedWait, timedOut } from "./condition.js";
import { enqueue } from "./pending.js";
import { nextTurn, turnIsDue } from "./turn.js";

export { waitSync } from "./blocking.js";
export { disarm, lookAgain } from "./group.js";
export { lookAtFirst } from "./pending.js";
export { failInTurn, inTurn } from "./turn.js";
export { type Condition, NOT_YET, type QueuedWait };

/**
 * Waits without blocking the thread. Resolves at once if the condition holds and the event loop has recently had a turn;
 * otherwise in a later turn.
 */
export async function wait<T>(
  attachment: Attachment,
  condition: Condition<T>,
  { timeoutMs, signal }: Waiting,
): Promise<T> {
  let looked = false;
  let gaveUp = false;
  try {
    const due = turnIsDue();
    if (due && (timeoutMs === 0 || signal?.aborted)) await nextTurn();
    if (signal?.aborted) {
      gaveUp = true;
      throw signal.reason;
    }
    if (!condition.queue?.length && (!due || timeoutMs === 0)) {
      if (attachment.closed) attachment.check(false);
      const value = condition.attempt();
      if (value !== NOT_YET) return value;
      looked = true;
    }
    if (timeoutMs === 0) {
      gaveUp = true;
      throw timedOut(condition.what, timeoutMs);
    }
  } catch (error) {
    condition.failed?.(gaveUp);
    throw error;
  }
  return await enqueue(attachment, condition, timeoutMs, signal, looked);
}
