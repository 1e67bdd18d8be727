/**
 * Semaphore, event and counter: one word and a set of waiters. Wait-free; `semaphoreTry` and `counterAdd` are lock-free.
 *
 *     object:   0       8       16     128
 *               +-------+-------+------+---------+
 *               | value | claim |      | waiters |      claim: of a semaphore only
 *               +-------+-------+------+---------+
 *
 * | word  | written by                                                                         | read by        |
 * | ----- | ---------------------------------------------------------------------------------- | -------------- |
 * | value | semaphore: CAS to less, CAS to more; event: OR 1, CAS to one more; counter: CAS,   | all            |
 * |       | exchange                                                                           |                |
 * | claim | CAS from 0 or a dead participant's token to one's own, by who waits for several at | whoever takes  |
 * |       | once; CAS back to 0 by the same                                                    | from it        |
 *
 * Each operation is one atomic change of the value; whoever adds to it looks for waiters afterwards (`waiters.ts`).
 *
 * To take several from a semaphore:
 *  1. another live participant has the claim: not now
 *  2. value >= count: CAS to value - count. All at once or not at all
 *  3. the claim is ours: CAS to 0, and wake the others
 *
 * Fairness: who waits for several would wait for ever while others take one as soon as it comes. So it claims what comes: the
 * value grows until it is enough, because nobody else takes any. The claim decides about turns only. Who looked at it in step 1
 * just before it was made still takes its share, and step 2 is right whoever has the claim.
 *
 * The word of an event is odd while it is signaled. A reset makes it even again, and 2 more than it was before: who began to wait
 * at another even number knows that it was signaled meanwhile, also when it slept, or was stopped, through signal and reset.
 *
 * A counter holds an integer from -COUNTER_MAX to COUNTER_MAX, 2^53 - 1: every host, also one whose numbers are doubles, reads it
 * exactly. An addition that would leave this range is refused, and the value stays. So `counterAdd` is a loop of load and CAS: a
 * turn fails only when the change of somebody else has succeeded.
 *
 * If a participant dies: before the change of the value it has not happened, after it it has. What a dead participant had taken
 * from a semaphore stays taken: a semaphore has no owners. Who needs them back uses a lock. With the claim: the next one who
 * wants to take has the kernel asked, and passes a claim whose owner is dead.
 */
import { BUSY, EVICTED, TOO_LARGE } from "../protocol/errors";
import {
  EVENT_SIGNALED,
  FLAG_WAKE,
  SEMAPHORE_TAKEN,
  SIGNAL_CLAIM_OFFSET,
  SIGNAL_VALUE_OFFSET,
  SIGNAL_WAITERS_OFFSET,
} from "../protocol/layout";
import { COUNTER_MAX } from "../protocol/limits";
import { self, setSuspect, waitersBytes } from "./instance";
import { isLive, selfCheck } from "./participants";
import { waitersAny } from "./waiters";
import { compareExchange64, exchange64, load32, load64, or32, store32, swap32, swap64 } from "./word";

/** Whoever loses a CAS this often in one call meets somebody who does nothing but change the word. */
const TURNS_MAX = 1024;

export function signalBytes(): u64 {
  return u64(SIGNAL_WAITERS_OFFSET + waitersBytes());
}

export function signalInitialise(signal: usize, value: u32): void {
  memory.fill(signal, 0, usize(signalBytes()));
  store32(signal + SIGNAL_VALUE_OFFSET, value); // pairs with the load in signalValue
}

/** The set of participants that wait for the value to change. */
export function signalWaiters(signal: usize): usize {
  return signal + SIGNAL_WAITERS_OFFSET;
}

export function signalValue(signal: usize): u32 {
  return load32(signal + SIGNAL_VALUE_OFFSET);
}

function wakeFlag(signal: usize): u32 {
  return waitersAny(signalWaiters(signal)) ? FLAG_WAKE : 0;
}

/**
 * Takes `count`, all at once or not at all. SEMAPHORE_TAKEN, with FLAG_WAKE when a claim of ours has ended and others wait; 0
 * when there are fewer; BUSY when another participant has the claim (it is the suspect); EVICTED.
 */
export function semaphoreTry(signal: usize, count: u32): u32 {
  if (selfCheck() != 0) return EVICTED;
  const claim = load64(signal + SIGNAL_CLAIM_OFFSET);
  if (claim != 0 && claim != self) {
    setSuspect(claim);
    if (isLive(claim)) return BUSY;
  }
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const value = load32(signal + SIGNAL_VALUE_OFFSET);
    if (value < count) return 0;
    if (!swap32(signal + SIGNAL_VALUE_OFFSET, value, value - count)) continue; // pairs with the load above
    return SEMAPHORE_TAKEN | semaphoreUnclaim(signal);
  }
  return 0;
}

/** Claims what comes, for who waits for several. 0: it is ours; BUSY (the suspect is set); EVICTED. */
export function semaphoreClaim(signal: usize): u32 {
  if (selfCheck() != 0) return EVICTED;
  const claim = load64(signal + SIGNAL_CLAIM_OFFSET);
  if (claim == self) return 0;
  setSuspect(claim);
  if (claim != 0 && isLive(claim)) return BUSY;
  return swap64(signal + SIGNAL_CLAIM_OFFSET, claim, self) ? 0 : BUSY; // pairs with the load in semaphoreTry
}

/** Takes our claim back, if there is one. 0 or FLAG_WAKE: others may take what there is. */
export function semaphoreUnclaim(signal: usize): u32 {
  if (load64(signal + SIGNAL_CLAIM_OFFSET) != self) return 0;
  swap64(signal + SIGNAL_CLAIM_OFFSET, self, 0); // pairs with the load in semaphoreTry
  return wakeFlag(signal);
}

/** Gives `count` back. 0, FLAG_WAKE, TOO_LARGE when the sum would not fit into 31 bits, EVICTED, or BUSY: again. */
export function semaphoreRelease(signal: usize, count: u32): u32 {
  if (selfCheck() != 0) return EVICTED;
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const value = load32(signal + SIGNAL_VALUE_OFFSET);
    if (value > u32(i32.MAX_VALUE) || count > u32(i32.MAX_VALUE) - value) return TOO_LARGE;
    if (swap32(signal + SIGNAL_VALUE_OFFSET, value, value + count)) return wakeFlag(signal); // pairs with semaphoreTry's load
  }
  return BUSY;
}

/**
 * Sets or resets an event. 0, FLAG_WAKE, or EVICTED. Setting always stores: what was written before is seen by whoever resets the
 * event afterwards and looks. Resetting changes the word for good, so that who waits knows that it was set meanwhile.
 */
export function eventSet(signal: usize, signaled: bool): u32 {
  if (selfCheck() != 0) return EVICTED;
  if (signaled) {
    or32(signal + SIGNAL_VALUE_OFFSET, EVENT_SIGNALED); // pairs with the load in signalValue
    return wakeFlag(signal);
  }
  const word = load32(signal + SIGNAL_VALUE_OFFSET);
  // In vain when somebody else has reset it since.
  if ((word & EVENT_SIGNALED) != 0) swap32(signal + SIGNAL_VALUE_OFFSET, word, word + 1); // pairs with the load in signalValue
  return 0;
}

/** Whether who began to wait when the word was `begin` passes: the event is signaled, or was meanwhile. */
export function eventPasses(signal: usize, begin: u32): bool {
  const word = load32(signal + SIGNAL_VALUE_OFFSET);
  return (word & EVENT_SIGNALED) != 0 || word != begin;
}

function counts(value: i64): bool {
  return value >= -COUNTER_MAX && value <= COUNTER_MAX;
}

/** What a counter holds. Beyond COUNTER_MAX, which no operation of this file stores, it is the nearest double. */
export function counterValue(signal: usize): f64 {
  return f64(i64(load64(signal + SIGNAL_VALUE_OFFSET)));
}

/**
 * Adds and returns the sum. Nothing was added when it returns NaN: the sum would leave the range of a counter; or Infinity:
 * others changed it all the time, again.
 */
export function counterAdd(signal: usize, amount: f64): f64 {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const value = load64(signal + SIGNAL_VALUE_OFFSET);
    const sum = i64(value) + i64(amount);
    if (!counts(sum)) return NaN;
    if (swap64(signal + SIGNAL_VALUE_OFFSET, value, u64(sum))) return f64(sum); // pairs with the load in counterValue
  }
  return Infinity;
}

/** Replaces the value and returns the one before. */
export function counterExchange(signal: usize, value: f64): f64 {
  return f64(i64(exchange64(signal + SIGNAL_VALUE_OFFSET, i64(value))));
}

/** Replaces the value if it is `expected`; returns the one before. */
export function counterCompareExchange(signal: usize, expected: f64, value: f64): f64 {
  return f64(i64(compareExchange64(signal + SIGNAL_VALUE_OFFSET, i64(expected), i64(value))));
}
