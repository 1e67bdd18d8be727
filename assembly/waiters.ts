/**
 * Waiters: a set of participants that sleep until an object changes. Wait-free to arm, bounded to ring.
 *
 *     +---------+------+--------+--------+-----+
 *     | summary | next | word 0 | word 1 | ... |      one bit per participant; summary bit i: word i may hold one
 *     +---------+------+--------+--------+-----+
 *
 * | word       | written by                                            | read by                                        |
 * | ---------- | ----------------------------------------------------- | ---------------------------------------------- |
 * | word i     | a waiter sets its own bit; it and any notifier clear  | notifiers                                      |
 * | summary    | a waiter sets, a notifier clears and re-checks        | every publishing operation: 0 means no wake-up |
 * | next       | who calls one (a hint)                                | who calls one                                  |
 * | blocked    | its owner: on which of its two doorbells it sleeps    | notifiers                                      |
 * | doorbells  | notifiers add                                         | their owners, asleep on one of them            |
 *
 * To wait:                                            To notify:
 *  1. read the own doorbell                            1. publish the change
 *  2. arm: set the bit, then the summary bit           2. read the summary; 0 (the usual case): done
 *  3. look at the condition again                      3. clear a bit, then ring the doorbell of that participant (add 1)
 *  4. sleep while the doorbell is unchanged            4. wake the sleeper (a system call)
 *  5. woken: back to 1. Each look comes after an arm
 *  6. disarm, with what was waited for or without; called since the last look: pass it on
 *
 * All accesses are sequentially consistent: either the waiter sees the change in step 3 or the notifier sees the bit in step 2.
 * A bit that stands for a participant that does not sleep costs one needless ring.
 *
 * Which bits step 3 clears depends on what was published:
 *
 *  * What everybody may see (an event, a value, an object, the end of a stream): all of them, each once (`waitersTake`).
 *  * What only one can take (a permit, a lock): one bit for each that can be taken. That participant is *called* (`waitersCall`).
 *
 * One for each is enough, because of this invariant: while something can be taken, as many calls are under way, or nobody sleeps.
 * Publishing adds a call, or finds nobody asleep. A call ends when the one that was called looks afterwards: it takes something,
 * or nothing is there. So whoever leaves after a call without a look passes the call on (step 6: its bit is gone): it calls the
 * next one. That also holds for one that leaves with what it waited for: it may have taken that before the call for it was made,
 * and that call has gone to another one, which found nothing; then the call that it has got is for something else.
 *
 * What cannot be taken by everybody who waits is for the file of that object: it calls the one that can (`semaphoreCall`,
 * `lockCall`). A lock needs no passing on from one that has got it: it calls when it releases the lock.
 *
 * No two sleepers share a doorbell. A participant is one environment in one segment; its event loop watches the first doorbell,
 * and its thread, when it blocks, sleeps on the second. `blocked` says which one is meant:
 *
 *  1. the thread sets `blocked`, arms, looks, sleeps on the second doorbell
 *  2. it is done: it clears `blocked`, then looks whether bits behind which its promises sleep were taken, and serves those
 *
 * A notifier clears the bit before it reads `blocked`. Either it reads the word after step 2 has cleared it, and rings the first
 * doorbell; or it has cleared the bit before, and step 2 sees that.
 *
 * If a participant dies, or is cut off:
 *
 *  * A waiter leaves a bit, which costs a needless ring; or it was called, and that call is lost. One that was marked dead is not
 *    called any more. One that is cut off has `blocked` set until it arms again.
 *  * A notifier after step 1, or between clearing a bit and ringing: that ring is lost.
 *
 * Sleepers therefore look again after RECHECK_MS in any case, as they must to find out that their peer died. Nothing but that
 * delay depends on a wake-up: it is only a hint.
 *
 * Source of the idea: waking one and passing on is what futexes of glibc's condition variables and parking lots do.
 */
import {
  RESULT_CALL_ALL,
  WAITERS_NEXT_OFFSET,
  WAITERS_SUMMARY_OFFSET,
  WAITERS_WORDS_OFFSET,
} from "../protocol/layout";
import { participants, selfSlot } from "./instance";
import { bellOf, isSlotLive, setBlocked } from "./participants";
import { add32, and32, load32, or32, store32 } from "./word";

function wordAt(set: usize, slot: u32): usize {
  return set + WAITERS_WORDS_OFFSET + ((slot >>> 5) << 2);
}

function arm(set: usize): void {
  or32(wordAt(set, selfSlot), 1 << (selfSlot & 31)); // pairs with the load in waitersTake
  or32(set + WAITERS_SUMMARY_OFFSET, 1 << (selfSlot >>> 5)); // pairs with the load in waitersAny
}

/** Arms for an event loop: the first doorbell rings. */
export function waitersArm(set: usize): void {
  setBlocked(false);
  arm(set);
}

/** Arms for a thread that blocks: the second doorbell rings, until `waitersUnblock`. */
export function waitersBlock(set: usize): void {
  setBlocked(true);
  arm(set);
}

/** The thread blocks no longer. Its host then looks at the bits behind which its event loop sleeps. */
export function waitersUnblock(): void {
  setBlocked(false);
}

/** Takes back an arm. False when a notifier has taken it already: a call that was not answered by a look is to be passed on. */
export function waitersDisarm(set: usize): bool {
  return waitersTakeBit(set, selfSlot);
}

/** Whether our arm stands: no notifier has taken it. */
export function waitersIsArmed(set: usize): bool {
  return (load32(wordAt(set, selfSlot)) & (1 << (selfSlot & 31))) != 0;
}

export function waitersAny(set: usize): bool {
  return load32(set + WAITERS_SUMMARY_OFFSET) != 0;
}

/** Whether somebody is armed, not only might be: looks at the bits that the summary stands for. */
export function waitersArmed(set: usize): bool {
  const words = participants >>> 5;
  for (let summary = load32(set + WAITERS_SUMMARY_OFFSET); summary != 0; summary &= summary - 1) {
    const word = ctz(summary);
    if (word < words && load32(set + WAITERS_WORDS_OFFSET + (word << 2)) != 0) return true;
  }
  return false;
}

/** Clears a bit; whether it was set, and nobody else has cleared it. */
export function waitersTakeBit(set: usize, slot: u32): bool {
  const bit: u32 = 1 << (slot & 31);
  return (and32(wordAt(set, slot), ~bit) & bit) != 0;
}

/** Adds 1 to the doorbell of a slot, and returns the doorbell's offset for the host to wake its owner. */
export function waitersRing(slot: u32): usize {
  const bell = bellOf(slot);
  add32(bell, 1); // pairs with the shim's load of the doorbell before it sleeps
  return bell;
}

/**
 * Clears the summary bit of a word that was seen empty. True when somebody armed in that word just then: the summary bit stands
 * again, but other notifiers did not see it for a moment, so all of that word must be rung.
 */
export function waitersHides(set: usize, word: u32): bool {
  and32(set + WAITERS_SUMMARY_OFFSET, ~(1 << word));
  if (load32(set + WAITERS_WORDS_OFFSET + (word << 2)) == 0) return false;
  or32(set + WAITERS_SUMMARY_OFFSET, 1 << word);
  return true;
}

/**
 * Rings the first waiter from the slot `from` on and returns the offset of its doorbell, for the host to wake it; 0 when there is
 * none. A notifier goes up once through all slots: who was rung, looked in vain and armed again has looked at what was
 * published, so it is not rung once more.
 *
 * While the summary bit of a word was cleared here, other notifiers did not see who armed in that word, whatever their slots:
 * then all of them are rung, those before `from` too. The host's `from` only grows and a word is hidden only when it was seen
 * empty, so that a notifier stays bounded: nobody can keep it busy.
 */
export function waitersTake(set: usize, from: u32): usize {
  const words = participants >>> 5;
  // It begins where the one before was found: that word may be empty now.
  for (let word = (max(from, 1) - 1) >>> 5; word < words; word++) {
    if (((load32(set + WAITERS_SUMMARY_OFFSET) >>> word) & 1) == 0) continue;
    const at = set + WAITERS_WORDS_OFFSET + (word << 2);
    let bits = load32(at);
    let hidden = false;
    if (bits == 0) {
      if (!waitersHides(set, word)) continue;
      bits = load32(at);
      hidden = true;
    }
    const below = i32(from) - i32(word << 5);
    if (below > 0 && !hidden) bits &= below < 32 ? u32(-1) << below : 0;
    if (bits == 0) continue;
    const slot = (word << 5) | ctz(bits);
    waitersTakeBit(set, slot);
    return waitersRing(slot);
  }
  return 0;
}

/**
 * Calls one: rings it and returns the offset of its doorbell, for the host to wake it; 0 when nobody waits; RESULT_CALL_ALL when
 * the host must ring the whole set, because others may have overlooked somebody (see `waitersHides`). It begins after the one
 * that was called last, so that everybody has a turn. A dead one is passed over.
 */
export function waitersCall(set: usize): usize {
  const words = participants >>> 5;
  const start = load32(set + WAITERS_NEXT_OFFSET) % participants;
  const summary = load32(set + WAITERS_SUMMARY_OFFSET);
  const above: u32 = u32(-1) << (start & 31);
  let below: u32 = 0;
  // The word of the start comes twice: first the slots from the start on, at the end those before it. One that arms meanwhile
  // looks afterwards, so one look at each word is enough.
  for (let turn: u32 = 0; turn <= words; turn++) {
    const word = ((start >>> 5) + turn) % words;
    if (((summary >>> word) & 1) == 0) continue;
    let bits = below;
    if (turn < words) {
      bits = load32(set + WAITERS_WORDS_OFFSET + (word << 2));
      if (bits == 0 && waitersHides(set, word)) return RESULT_CALL_ALL;
    }
    if (turn == 0) {
      below = bits & ~above;
      bits &= above;
    }
    for (; bits != 0; bits &= bits - 1) {
      const slot = (word << 5) | ctz(bits);
      if (!waitersTakeBit(set, slot) || !isSlotLive(slot)) continue; // another notifier has called it
      store32(set + WAITERS_NEXT_OFFSET, slot + 1); // pairs with the load above
      return waitersRing(slot);
    }
  }
  return 0;
}

/** Calls the one in this slot, if it is armed: only that one can take what there is. As `waitersCall`. */
export function waitersCallOnly(set: usize, slot: u32): usize {
  return slot < participants && waitersTakeBit(set, slot) ? waitersRing(slot) : 0;
}
