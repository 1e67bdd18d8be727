/**
 * Waiters: a set of participants that sleep until an object changes. Wait-free to arm, bounded to take.
 *
 *     +---------+--------+--------+-----+
 *     | summary | word 0 | word 1 | ... |      one bit per participant; summary bit i: word i may hold one
 *     +---------+--------+--------+-----+
 *
 * | word       | written by                                      | read by                                        |
 * | ---------- | ----------------------------------------------- | ---------------------------------------------- |
 * | word i     | a waiter sets its own bit, any notifier clears  | notifiers                                      |
 * | summary    | a waiter sets, a notifier clears and re-checks  | every publishing operation: 0 means no wake-up |
 * | doorbells  | notifiers add                                   | their owners, asleep on them                   |
 *
 * To wait:                                            To notify:
 *  1. read the own doorbell                            1. publish the change
 *  2. arm: set the bit, then the summary bit           2. read the summary; 0 (the usual case): done
 *  3. look at the condition again                      3. take: clear the next bit, ring that doorbell (word + 1)
 *  4. sleep while the doorbell is unchanged            4. wake the sleeper (a system call), back to 3 with the next slot,
 *                                                         until the last: each is rung once
 *
 * All accesses are sequentially consistent, so either the waiter sees the change in step 3 or the notifier sees the bit
 * in step 2. A bit that stands for a participant that does not sleep costs one needless ring.
 *
 * If a participant dies: a waiter leaves a bit: one needless ring. A notifier after step 1, or between clearing a bit and
 * ringing: that wake-up is lost. Sleepers therefore look again after RECHECK_MS in any case, as they must to find out that
 * their peer died. Nothing but that delay depends on a wake-up: it is only a hint.
 */
import { WAITERS_SUMMARY_OFFSET, WAITERS_WORDS_OFFSET } from "../protocol/layout";
import { participants, selfSlot } from "./instance";
import { doorbell } from "./participants";
import { add32, and32, load32, or32 } from "./word";

export function waitersArm(set: usize): void {
  const word = selfSlot >>> 5;
  or32(set + WAITERS_WORDS_OFFSET + (word << 2), 1 << (selfSlot & 31)); // pairs with the load in waitersTake
  or32(set + WAITERS_SUMMARY_OFFSET, 1 << word); // pairs with the load in waitersAny
}

/** Takes back an arm. A notifier may have taken it already; then a ring was needless. */
export function waitersDisarm(set: usize): void {
  and32(set + WAITERS_WORDS_OFFSET + ((selfSlot >>> 5) << 2), ~(1 << (selfSlot & 31)));
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
      and32(set + WAITERS_SUMMARY_OFFSET, ~(1 << word));
      bits = load32(at); // a waiter may have armed between the two
      if (bits == 0) continue;
      or32(set + WAITERS_SUMMARY_OFFSET, 1 << word);
      hidden = true;
    }
    const below = i32(from) - i32(word << 5);
    if (below > 0 && !hidden) bits &= below < 32 ? u32(-1) << below : 0;
    if (bits == 0) continue;
    const bit = ctz(bits);
    and32(at, ~(1 << bit));
    const bell = doorbell((word << 5) | bit);
    add32(bell, 1); // pairs with the shim's load of the doorbell before it sleeps
    return bell;
  }
  return 0;
}
