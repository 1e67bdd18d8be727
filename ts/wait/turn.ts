/**
 * Turns of the event loop.
 *
 * A loop of awaits over something that is always ready runs in microtasks: the event loop does not go on, and timers, sockets and
 * signal handlers of the whole thread stand still. So each call that awaits asks `turnIsDue()` first. When the event loop has had
 * no turn for TURN_MS, the call is served in the next turn, and everything else runs before it.
 *
 * Whether there was a turn is seen by a callback of our own (`setImmediate`): it is asked for when calls begin, and it comes
 * with the next turn. Where a runtime looks at its sockets only after several such callbacks (`immediatesPerTurn`), it takes so
 * many of them to make a turn. The clock is read every few calls only, since reading it costs as much as a tenth of a call:
 *
 * | calls since the last reading took | calls until the next reading |
 * | --------------------------------- | ---------------------------- |
 * | STRIDE_MS or longer               | 1                            |
 * | less                              | twice as many, STRIDE_MAX at most |
 *
 * A program that waits rarely is therefore never held up: its turns come by themselves, and the callback sees them.
 */
import { immediatesPerTurn, monotonicMs, setImmediate } from "../host/runtime.js";

/** How long calls may be served without a turn of the event loop. Milliseconds. */
const TURN_MS = 4;
const STRIDE_MAX = 8;
const STRIDE_MS = 0.5;

/** What each turn that was asked for does. */
const tasks: (() => void)[] = [];
/** Who waits for a turn. */
let waiting: (() => void)[] = [];
/** A turn was asked for and has not come. */
let asked = false;
/** Callbacks since the last whole turn. */
let immediates = 0;
/** When the clock was first read since; NaN: not yet. */
let sinceMs = Number.NaN;
let due = false;
/** Calls between two readings of the clock, calls until the next one, and the time of the last one. */
let stride = 1;
let callsLeft = 1;
let readMs = 0;

/** From now on the task runs in each turn that somebody asks for. */
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

/** The event loop has had a whole turn. */
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

/** What a call that awaits has without a wait: given at once, or in the next turn when one is due. */
export async function inTurn<T>(value: T): Promise<T> {
  if (turnIsDue()) await nextTurn();
  return value;
}

/** Fails in the same way: whoever tries again at once must not hold up the code that would make it succeed. */
export async function failInTurn(error: unknown): Promise<never> {
  if (turnIsDue()) await nextTurn();
  throw error;
}
