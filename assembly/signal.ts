/**
 * Semaphore, event and counter: one word and a set of waiters. Wait-free, but `semaphoreTry`, which is lock-free.
 *
 *     object:   0           128
 *               +-----------+---------+
 *               | value     | waiters |
 *               +-----------+---------+
 *
 * | word  | written by                                                                       | read by |
 * | ----- | -------------------------------------------------------------------------------- | ------- |
 * | value | semaphore: CAS to one less, add; event: OR 1, CAS to one more; counter: add, CAS | all     |
 *
 * Each operation is one atomic change of one word; whoever adds to it looks for waiters afterwards (`waiters.ts`).
 *
 * The word of an event is odd while it is signaled. A reset makes it even again, and 2 more than it was before: who began to wait
 * at another even number knows that it was signaled meanwhile, also when it slept, or was stopped, through signal and reset.
 *
 * If a participant dies: before the change it has not happened, after it it has. What a dead participant had taken from a
 * semaphore stays taken: a semaphore has no owners. Who needs them back uses a lock.
 */
import { BUSY, EVICTED, TOO_LARGE } from "../protocol/errors";
import { EVENT_SIGNALED, FLAG_WAKE, SIGNAL_VALUE_OFFSET, SIGNAL_WAITERS_OFFSET } from "../protocol/layout";
import { waitersBytes } from "./instance";
import { selfCheck } from "./participants";
import { waitersAny } from "./waiters";
import { add64, compareExchange64, exchange64, load32, load64, or32, store32, swap32 } from "./word";

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

/** Takes one: 1 when it did, 0 when the count is zero; EVICTED. */
export function semaphoreTry(signal: usize): u32 {
  if (selfCheck() != 0) return EVICTED;
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const value = load32(signal + SIGNAL_VALUE_OFFSET);
    if (value == 0) return 0;
    if (swap32(signal + SIGNAL_VALUE_OFFSET, value, value - 1)) return 1; // pairs with the load above
  }
  return 0;
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

/** What a counter holds; numbers cross as doubles, exact up to 2^53. */
export function counterValue(signal: usize): f64 {
  return f64(i64(load64(signal + SIGNAL_VALUE_OFFSET)));
}

/** Adds and returns the sum. */
export function counterAdd(signal: usize, amount: f64): f64 {
  return f64(i64(add64(signal + SIGNAL_VALUE_OFFSET, i64(amount))) + i64(amount));
}

/** Replaces the value and returns the one before. */
export function counterExchange(signal: usize, value: f64): f64 {
  return f64(i64(exchange64(signal + SIGNAL_VALUE_OFFSET, i64(value))));
}

/** Replaces the value if it is `expected`; returns the one before. */
export function counterCompareExchange(signal: usize, expected: f64, value: f64): f64 {
  return f64(i64(compareExchange64(signal + SIGNAL_VALUE_OFFSET, i64(expected), i64(value))));
}
