/**
 * The heartbeat, for hosts that block, and waking the participant whose turn it is to have the write lock. Wait-free.
 *
 * A call of this participant that was cut off may have left the write lock held. The heartbeat releases it (`left-over.ts`), and
 * wakes the participant that waits for it.
 *
 * If a participant dies, or is cut off: before it wakes the other one, that one looks again after RECHECK_MS.
 */
import { ANSWER_WAKE_OFFSET } from "../../protocol/layout";
import { heapEnd } from "../instance";
import { beat } from "../left-over";
import { answers } from "../participants";
import { sysWake, sysWall } from "./system";

/** Says that this participant runs, and settles what a call that was cut off has left. */
export function heartbeat(): void {
  beat(sysWall());
  passOn();
}

/** Wakes the participant to which a call has given the turn of the write lock; see `turn.ts`. */
export function passOn(): void {
  const at = answers() + ANSWER_WAKE_OFFSET;
  const bell = load<u32>(at);
  if (bell == 0) return;
  store<u32>(at, 0);
  if (bell % 4 == 0 && bell < heapEnd) sysWake(bell); // others can write to that word, too
}
