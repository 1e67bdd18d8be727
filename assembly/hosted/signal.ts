/**
 * Semaphore, event and counter, for hosts that block. Blocking on the living only. See `signal.ts`.
 *
 * To take from a semaphore, waiting: try; who wants several claims what comes; each RECHECK_MS the kernel is asked about another
 * one's claim; one that gives up takes its own claim back. A try asks the kernel at once, and claims nothing.
 *
 * To wait for an event: its word is odd, or it differs from what it was when the wait began.
 *
 * If a participant dies, or is cut off, while it waits: its claim is passed as that of the dead; a host that lives on calls
 * `semaphoreUnclaim`.
 */
import { BUSY } from "../../protocol/errors";
import { FLAG_WAKE, RESULT_ERRORS, SEMAPHORE_TAKEN } from "../../protocol/layout";
import { participants } from "../instance";
import { selfCheck } from "../participants";
import {
  counterAdd,
  eventPasses,
  eventSet,
  semaphoreCall,
  semaphoreClaim,
  semaphoreRelease,
  semaphoreTry,
  semaphoreUnclaim,
  signalValue,
  signalWaiters,
} from "../signal";
import { gaveUp, hostedNotify, retryTurnsMax, suspectGone, wakeCalled } from "./session";
import { LOOK, OVER, RECHECK, waitBegin, waitEnd, waitNext } from "./wait";

/** What no function returns. */
const FEWER: u32 = 1;

/** Takes so many, all at once, waiting for them. 0; BUSY, TIMED_OUT; EVICTED. */
export function hostedSemaphoreAcquire(semaphore: usize, count: u32, timeoutMs: f64): u32 {
  const claims = count > 1 && timeoutMs > 0;
  waitBegin(signalWaiters(semaphore), timeoutMs);
  for (let next = timeoutMs < 0 ? RECHECK : LOOK; next != OVER; next = waitNext()) {
    let result = take(semaphore, count);
    for (
      let turn: u32 = 0;
      next == RECHECK && result == BUSY && turn < retryTurnsMax() && suspectGone();
      turn++
    ) {
      result = take(semaphore, count);
    }
    if (result != FEWER && result != BUSY) {
      if (waitEnd(result != 0)) callSome(semaphore, 1);
      return result;
    }
    // What came before the claim was seen called others: so there is one more try.
    if (claims && semaphoreClaim(semaphore) == 0 && take(semaphore, count) == 0) {
      if (waitEnd(false)) callSome(semaphore, 1);
      return 0;
    }
  }
  if (claims && semaphoreUnclaim(semaphore) != 0) callSome(semaphore, signalValue(semaphore));
  return gaveUp(timeoutMs);
}

/** One attempt: 0: taken; FEWER than that are there; BUSY: another one has the claim; EVICTED. */
function take(semaphore: usize, count: u32): u32 {
  const result = semaphoreTry(semaphore, count);
  if (result >= u32(RESULT_ERRORS)) return result;
  if ((result & FLAG_WAKE) != 0) callSome(semaphore, signalValue(semaphore));
  return (result & SEMAPHORE_TAKEN) != 0 ? 0 : FEWER;
}

function finish(signal: usize, result: u32): u32 {
  if (result >= u32(RESULT_ERRORS)) return result;
  if ((result & FLAG_WAKE) != 0) hostedNotify(signalWaiters(signal));
  return 0;
}

/** Calls one that waits for each of so many. */
function callSome(semaphore: usize, count: u32): void {
  const set = signalWaiters(semaphore);
  for (let called: u32 = 0; called < min(count, participants); called++) {
    if (!wakeCalled(set, semaphoreCall(semaphore))) return;
  }
}

/** Gives so many back. 0; TOO_LARGE; EVICTED; BUSY when others changed it all the time. */
export function hostedSemaphoreRelease(semaphore: usize, count: u32): u32 {
  const result = semaphoreRelease(semaphore, count);
  if (result >= u32(RESULT_ERRORS)) return result;
  if ((result & FLAG_WAKE) != 0) callSome(semaphore, count);
  return 0;
}

/** Signals the event, or resets it. 0; EVICTED. */
export function hostedEventSet(event: usize, signaled: bool): u32 {
  return finish(event, eventSet(event, signaled));
}

/** Waits until the event is signaled; also passes when it was, and was reset since. 0; BUSY, TIMED_OUT. */
export function hostedEventWait(event: usize, timeoutMs: f64): u32 {
  const begin = signalValue(event);
  waitBegin(signalWaiters(event), timeoutMs);
  while (!eventPasses(event, begin)) {
    if (waitNext() == OVER) return gaveUp(timeoutMs);
  }
  waitEnd(false);
  return 0;
}

/** As `counterAdd`, again as long as others change it: the sum, or NaN when nothing was added. NaN also for who was removed. */
export function hostedCounterAdd(counter: usize, amount: f64): f64 {
  if (selfCheck() != 0) return NaN;
  let sum = counterAdd(counter, amount);
  while (sum == Infinity) sum = counterAdd(counter, amount);
  return sum;
}
