/**
 * Waiting that blocks the thread. Each blocking call tries what it wants, and asks `waitNext` what to do after each try in vain.
 *
 * | state    | after a try in vain                                                    | next state | the caller     |
 * | -------- | ---------------------------------------------------------------------- | ---------- | -------------- |
 * | SPINNING | the time is 0 or less                                                  |            | OVER           |
 * |          | it has tried fewer than `spins` times                                  | SPINNING   | LOOK           |
 * |          | read the doorbell of who blocks, then arm (`waiters.ts`)               | ARMED      | LOOK           |
 * | ARMED    | sleep while the doorbell is the same, RECHECK_MS at most               | SLEPT      | LOOK           |
 * | SLEPT    | disarm; RECHECK_MS / 2 have passed since the last recheck: heartbeat   | CHECKED    | RECHECK, LOOK  |
 * |          | disarm, and as in CHECKED                                              |            |                |
 * | CHECKED  | the time is over                                                       | LAST       | LOOK           |
 * |          | read that doorbell, then arm                                           | ARMED      | LOOK           |
 * | LAST     |                                                                        |            | OVER           |
 * | POLLING  | for who only reads, and cannot arm: the time is over                   | LAST       | LOOK           |
 * |          | sleep for READ_ONLY_PAUSE_MS                                           | POLLING    | LOOK           |
 *
 * LOOK: try again. RECHECK: ask the kernel whether whoever is in the way has died, then try again. OVER: give up. Whoever is
 * done calls `waitEnd`. A try in the state ARMED comes after the arm: a change before it is seen, and one after it rings. A try
 * in the state SLEPT answers the call that came before it, if one did. The last try comes after the disarm, and so answers each
 * call. `spins` is halved when trying did not help, else doubled.
 *
 * If a waiter dies, or is cut off: it leaves a bit, and somebody rings in vain. All else here is private.
 */
import { HEARTBEAT_MS, RECHECK_MS } from "../../protocol/limits";
import { selfSlot } from "../instance";
import { blockedBell } from "../participants";
import { waitersBlock, waitersDisarm, waitersIsArmed, waitersUnblock } from "../waiters";
import { load32 } from "../word";
import { heartbeat } from "./heartbeat";
import { sysNow, sysSleep, sysWait } from "./system";

export const LOOK: u32 = 0;
export const RECHECK: u32 = 1;
export const OVER: u32 = 2;

const SPINNING: u32 = 0;
const ARMED: u32 = 1;
const SLEPT: u32 = 2;
const CHECKED: u32 = 3;
const LAST: u32 = 4;
const POLLING: u32 = 5;

const SPINS_MIN: u32 = 16;
const SPINS_MAX: u32 = 2048;
/** How often who cannot be woken looks. Milliseconds. */
const READ_ONLY_PAUSE_MS: f64 = 2;

/** The segment is mapped for reading only. */
let readOnly: bool = false;
/** How many tries come before the first sleep, and the most that it may become. */
let spins: u32 = SPINS_MAX;
let spinsMost: u32 = SPINS_MAX;

/** The wait that is under way. */
let state: u32 = SPINNING;
let set: usize = 0;
let spun: u32 = 0;
let timeout: f64 = 0;
let begin: f64 = 0;
let checked: f64 = 0;
let rung: u32 = 0;
/** This participant was called between its last look and its disarm. */
let owed: bool = false;
/** It was called before the look that follows. */
let answers: bool = false;
/** When the last heartbeat of a wait was. */
let beaten: f64 = 0;

/** From now on nothing is armed. */
export function waitReadOnly(): void {
  readOnly = true;
}

export function isReadOnly(): bool {
  return readOnly;
}

/** How often a wait may try before it sleeps: 0 to 2048, which is what it begins with. For hosts that know better. */
export function hostedSpins(most: u32): void {
  spinsMost = min(most, SPINS_MAX);
  spins = spinsMost;
}

/** Begins to wait in that set of waiters. */
export function waitBegin(waiters: usize, timeoutMs: f64): void {
  state = SPINNING;
  set = waiters;
  spun = 0;
  timeout = timeoutMs;
}

/** What the caller does after a try in vain: LOOK, RECHECK, OVER. */
export function waitNext(): u32 {
  if (state == SPINNING) return spin();
  if (state == ARMED) return sleep();
  if (state == POLLING) return poll();
  if (state == LAST) return OVER;
  const now = sysNow();
  if (state == SLEPT) {
    owed = !waitersDisarm(set); // the next look answers it
    waitersUnblock();
    state = CHECKED;
    if (now - checked >= f64(RECHECK_MS) / 2) {
      checked = now;
      beatWhenDue(now);
      return RECHECK;
    }
  }
  if (now - begin < timeout) return arm();
  state = LAST;
  return LOOK;
}

/**
 * What was waited for is there, or never will be. True when this participant may have been called and has not looked since: it
 * passes the call on (`waiters.ts`). `failed`: it leaves with an error, and its last look took nothing, so that one answered no
 * call.
 */
export function waitEnd(failed: bool): bool {
  if (state == ARMED || state == SLEPT) {
    const called = !waitersDisarm(set);
    waitersUnblock();
    return called && (failed || state == ARMED || !answers);
  }
  if (state == SPINNING && spun > 0) spins = min(spinsMost, spins * 2);
  return failed && (state == CHECKED || state == LAST) && owed;
}

function spin(): u32 {
  // Not `<= 0`: a time that is no number waits for ever as little as for no time.
  if (!(timeout > 0)) return OVER;
  if (spun < spins) {
    spun++;
    return LOOK;
  }
  spins = max(min(SPINS_MIN, spinsMost), spins >>> 1);
  begin = sysNow();
  checked = begin;
  if (!readOnly) return arm();
  state = POLLING;
  return poll();
}

function arm(): u32 {
  rung = load32(blockedBell(selfSlot));
  waitersBlock(set);
  state = ARMED;
  return LOOK;
}

function sleep(): u32 {
  const left = begin + timeout - sysNow();
  if (left > 0) sysWait(u32(blockedBell(selfSlot)), rung, min(left, f64(RECHECK_MS)));
  answers = !waitersIsArmed(set);
  state = SLEPT;
  return LOOK;
}

function poll(): u32 {
  const left = begin + timeout - sysNow();
  if (left > 0) sysSleep(min(left, READ_ONLY_PAUSE_MS));
  else state = LAST;
  return LOOK;
}

/** The host's own heartbeat cannot come while its thread is blocked. */
function beatWhenDue(now: f64): void {
  if (now - beaten < f64(HEARTBEAT_MS)) return;
  beaten = now;
  heartbeat();
}
