/**
 * Turns of the event loop.
 *
 * A loop of awaits over promises that are always ready runs in microtasks. Meanwhile the event loop does not run, so the
 * timers, sockets and signal handlers of the whole thread wait. So each awaiting call first asks `turnIsDue()`. If the event
 * loop has had no turn for TURN_MS, the call is served in the next turn, after everything else.
 *
 * A callback (`setImmediate`) shows when there was a turn: it is requested when calls begin, and runs in the next turn. Some
 * runtimes check their sockets only after several such callbacks (`immediatesPerTurn`). There, so many callbacks make a turn.
 * The clock is read only every few calls, because reading it costs about a tenth of a call:
 *
 * | calls since the last reading took | calls until the next reading |
 * | --------------------------------- | ---------------------------- |
 * | STRIDE_MS or longer               | 1                            |
 * | less                              | twice as many, STRIDE_MAX at most |
 *
 * So a program that rarely waits is never delayed: its turns come by themselves, and the callback notices them.
 */
import { immediatesPerTurn, monotonicMs, setImmediate } from "../host/runtime.js";

/** The longest time for which calls are served without a turn of the event loop. Milliseconds. */
const TURN_MS = 4;
const STRIDE_MAX = 8;
const STRIDE_MS = 0.5;

/** The tasks of each requested turn. */
const tasks: (() => void)[] = [];
/** The callers that wait for a turn. */
let waiting: (() => void)[] = [];
/** A turn was requested and has not happened yet. */
let asked = false;
/** Callbacks since the last complete turn. */
let immediates = 0;
/** When the clock was first read since that turn; NaN: not yet. */
let sinceMs = Number.NaN;
let due = false;
/** Calls between two readings of the clock, calls until the next one, and the time of the last one. */
let stride = 1;
let callsLeft = 1;
let readMs = 0;

/** From now on, the task runs in each requested turn. */
export function inEachTurn(task: () => void): void {
  tasks.push(task);
}

export function askForTurn(): void {
  if (asked) return;
  asked = true;
  setImmediate(turn);
}

function turn(): void {
  asked = false;
  if (++immediates >= immediatesPerTurn) turned();
  if (due) askForTurn();
  for (const task of tasks) task();
}

/** The event loop has had a complete turn. */
function turned(): void {
  immediates = 0;
  due = false;
  sinceMs = Number.NaN;
  const all = waiting;
  waiting = [];
  for (const resolve of all) resolve();
}

/** Whether the event loop needs a turn before the next call is served. */
export function turnIsDue(): boolean {
  if (due) return true;
  return --callsLeft <= 0 && readClock();
}

function readClock(): boolean {
  const now = monotonicMs();
  stride = now - readMs < STRIDE_MS ? Math.min(STRIDE_MAX, stride * 2) : 1;
  callsLeft = stride;
  readMs = now;
  askForTurn();
  if (Number.isNaN(sinceMs)) sinceMs = now;
  due = now - sinceMs >= TURN_MS;
  return due;
}

/** Resolves after the next turn of the event loop. */
export function nextTurn(): Promise<void> {
  due = true;
  askForTurn();
  return new Promise((resolve) => {
    waiting.push(resolve);
  });
}

/** Returns the result of an awaiting call that need not wait: at once, or in the next turn if one is due. */
export async function inTurn<T>(value: T): Promise<T> {
  if (turnIsDue()) await nextTurn();
  return value;
}

/** Fails in the same way: a caller that retries at once must not delay the code that would make it succeed. */
export async function failInTurn(error: unknown): Promise<never> {
  if (turnIsDue()) await nextTurn();
  throw error;
}
