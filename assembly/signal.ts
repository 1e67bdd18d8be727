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
 * Each operation is one atomic change of the value. An operation that raises it checks for waiters afterwards (`waiters.ts`).
 *
 * To take several from a semaphore:
 *  1. another live participant has the claim: it fails for now
 *  2. value >= count: CAS to value - count, all at once or not at all
 *  3. if the claim is ours: CAS to 0, and call one waiter for each unit that is left
 *  4. value < count, and several units are wanted: CAS the claim to ours, then go back to 1. A release that came before the claim
 *     has called others, which cannot take the units now
 *
 * To call: only the owner of a claim can take units, so it alone is called. Without a claim, waiters are called one after the
 * other. A release of n units calls n waiters. If a release and the end of a claim coincide, they call at least one waiter for
 * each unit between them: the release reads the claim after it has added to the value, and the other side reads the value after
 * it has ended the claim.
 *
 * Fairness: a participant that waits for several units could wait for ever while others take each unit at once. So it makes a
 * claim. Then no other participant takes a unit, and the value grows until it is enough. The claim only decides the order. A
 * participant that passed step 1 directly before the claim was made still takes its units, and step 2 is correct whoever has
 * the claim.
 *
 * The word of an event is odd while it is signaled. A reset makes it even again, and 2 more than before the signal. So a
 * participant that began to wait at another even number knows that the event was signaled meanwhile, even if it slept or was
 * stopped during signal and reset.
 *
 * A counter holds an integer from -COUNTER_MAX to COUNTER_MAX, 2^53 - 1. Every host can read it exactly, also one whose numbers
 * are doubles. An addition that would leave this range is refused and does not change the value. So `counterAdd` is a loop of
 * load and CAS. A turn fails only if another participant has changed the word.
 *
 * If a participant dies: before the change of the value, the operation has not happened; after it, it has. Units that a dead
 * participant had taken from a semaphore stay taken, because a semaphore has no owners. To get them back, use a lock. With the
 * claim: the host of the next participant that wants units asks the kernel, and the claim of a dead owner is ignored.
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
import { slotOf } from "./token";
import { waitersAny, waitersCall, waitersCallOnly, waitersDisarm } from "./waiters";
import { compareExchange64, exchange64, load32, load64, or32, store32, swap32, swap64 } from "./word";

/** A call gives up after its CAS has failed this often, which happens only if others change the word all the time. */
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
 * Takes `count` units, all at once or not at all. Returns SEMAPHORE_TAKEN, with FLAG_WAKE if a claim of ours has ended and
 * others wait; 0 if there are fewer units; BUSY if another participant has the claim (it is the suspect); EVICTED.
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

/**
 * Makes a claim, for a participant that waits for several units and then tries again. Returns 0 if the claim is ours; BUSY (the
 * suspect is set); EVICTED.
 */
export function semaphoreClaim(signal: usize): u32 {
  if (selfCheck() != 0) return EVICTED;
  const claim = load64(signal + SIGNAL_CLAIM_OFFSET);
  if (claim == self) return 0;
  setSuspect(claim);
  if (claim != 0 && isLive(claim)) return BUSY;
  return swap64(signal + SIGNAL_CLAIM_OFFSET, claim, self) ? 0 : BUSY; // pairs with the load in semaphoreTry
}

/** Cancels our claim, if there is one. Returns 0, or FLAG_WAKE if others wait, which may take units now. */
export function semaphoreUnclaim(signal: usize): u32 {
  if (load64(signal + SIGNAL_CLAIM_OFFSET) != self) return 0;
  waitersDisarm(signalWaiters(signal)); // else the call for what is left could come to us, who are done
  swap64(signal + SIGNAL_CLAIM_OFFSET, self, 0); // pairs with the load in semaphoreTry
  return wakeFlag(signal);
}

/** Calls the waiter that can take next, as `waitersCall`. Hosts call it once for each unit that was released or is left. */
export function semaphoreCall(signal: usize): usize {
  const claim = load64(signal + SIGNAL_CLAIM_OFFSET);
  const set = signalWaiters(signal);
  return claim != 0 && isLive(claim) ? waitersCallOnly(set, slotOf(claim)) : waitersCall(set);
}

/** Gives `count` units back. Returns 0, FLAG_WAKE, TOO_LARGE if the sum would not fit into 31 bits, EVICTED, or BUSY: retry. */
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
 * Sets or resets an event. Returns 0, FLAG_WAKE, or EVICTED. Setting always stores the word, so that a participant that resets
 * the event afterwards sees what was written before. Resetting changes the word for good, so that waiters know that the event
 * was set meanwhile.
 */
export function eventSet(signal: usize, signaled: bool): u32 {
  if (selfCheck() != 0) return EVICTED;
  if (signaled) {
    or32(signal + SIGNAL_VALUE_OFFSET, EVENT_SIGNALED); // pairs with the load in signalValue
    return wakeFlag(signal);
  }
  const word = load32(signal + SIGNAL_VALUE_OFFSET);
  // The CAS fails if another participant has reset the event since.
  if ((word & EVENT_SIGNALED) != 0) swap32(signal + SIGNAL_VALUE_OFFSET, word, word + 1); // pairs with the load in signalValue
  return 0;
}

/**
 * Whether a participant that began to wait when the word was `begin` passes: the event is signaled now, or was signaled
 * meanwhile.
 */
export function eventPasses(signal: usize, begin: u32): bool {
  const word = load32(signal + SIGNAL_VALUE_OFFSET);
  return (word & EVENT_SIGNALED) != 0 || word != begin;
}

function counts(value: i64): bool {
  return value >= -COUNTER_MAX && value <= COUNTER_MAX;
}

/**
 * The value of a counter. For a value beyond COUNTER_MAX, which no operation of this file stores, it returns the nearest
 * double.
 */
export function counterValue(signal: usize): f64 {
  return f64(i64(load64(signal + SIGNAL_VALUE_OFFSET)));
}

/**
 * Adds and returns the sum. It returns NaN if the sum would leave the range of a counter, and Infinity if others changed the
 * word during each attempt: retry. In both cases, nothing was added.
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

/** Replaces the value and returns the old one. */
export function counterExchange(signal: usize, value: f64): f64 {
  return f64(i64(exchange64(signal + SIGNAL_VALUE_OFFSET, i64(value))));
}

/** Replaces the value if it is `expected`. Returns the old value. */
export function counterCompareExchange(signal: usize, expected: f64, value: f64): f64 {
  return f64(i64(compareExchange64(signal + SIGNAL_VALUE_OFFSET, i64(expected), i64(value))));
}
