/**
 * What becomes of a call of a service when somebody is gone: a step of `service.ts`, which has the drawing. It is apart because
 * `settleQueue` needs it, too, for a call that was cut off.
 */
import { CALL_CALLER_OFFSET, CALL_RETURNED, MESSAGE_SENDING, MESSAGE_TAKEN } from "../protocol/layout";
import { free, moving, ours, ownerIn, slotAt, stateIn, takes, wordWith } from "./queue-slots";
import { load32, swap64 } from "./word";

/** The short token of the participant that has made the call in a slot. */
export function callerOf(slot: u32): u32 {
  return load32(slotAt(slot) + CALL_CALLER_OFFSET);
}

/** Gives the slot, which has this word, to its caller, in a state that says what has become of the call. Whether it did. */
export function handBack(slot: u32, word: u64, caller: u32, state: u32): bool {
  return swap64(slotAt(slot), word, wordWith(word, caller, state, false)); // pairs with the load in serviceResult
}

/**
 * Settles the call that was moving when we were cut off, which has this word. A request of ours is withdrawn, also when it was
 * sent: nobody waits for the answer. One that we were taking goes back, and its caller sends it again.
 */
export function settleCall(word: u64): void {
  if (ownerIn(word) != ours()) return;
  if (stateIn(word) == MESSAGE_SENDING) free(moving, word);
  else if (stateIn(word) == MESSAGE_TAKEN && takes) handBack(moving, word, callerOf(moving), CALL_RETURNED);
}
