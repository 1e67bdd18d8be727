/** Takes what is given, one by one, and counts; for `counted.test.ts`. */
import "../lock-load/no-rechecks.js"; // before the library: nothing but a call wakes anybody
import { type Lock, Segment, type Semaphore } from "isthmus";
import { SIGNAL_WAITERS_OFFSET, WAITERS_WORDS_OFFSET } from "../../../protocol/layout.js";
import { objectOffset, peek32 } from "../../lib/poke.js";

export { forgetRechecks } from "../lock-load/lock-load-actions.js";

const LIMIT = { timeoutMs: 1_000_000 };
let segment: Segment | undefined;

const opened = (): Segment => segment as Segment;
const semaphore = (): Semaphore => opened().semaphore("semaphore", { initial: 0 });
const lock = (): Lock => opened().lock("lock");

export function open(name: string): void {
  segment = Segment.open(name);
}

/** Takes so many permits, one after the other. */
export async function take(count: number): Promise<void> {
  for (let taken = 0; taken < count; taken++) await semaphore().acquire(LIMIT);
}

export function takeSync(count: number): void {
  for (let taken = 0; taken < count; taken++) semaphore().acquireSync(LIMIT);
}

/** Waits for a permit with a promise and, when that sleeps, blocks the thread until another semaphore has one. */
export async function takeWhileBlocked(): Promise<void> {
  const waiting = semaphore().acquire(LIMIT);
  const set = objectOffset(opened().name, "semaphore") + SIGNAL_WAITERS_OFFSET + WAITERS_WORDS_OFFSET;
  while (peek32(opened().name, set) === 0) await new Promise((resolve) => setImmediate(resolve));
  opened().semaphore("other", { initial: 0 }).acquireSync(LIMIT);
  await waiting;
}

/** Waits for a permit with a signal that is aborted when a counter says so. */
export async function giveUp(): Promise<string> {
  const leaving = new AbortController();
  const leave = opened().counter("leave");
  const watching = setInterval(() => leave.value > 0 && leaving.abort(new Error("given up")), 1);
  try {
    await semaphore().acquire({ ...LIMIT, signal: leaving.signal });
    return "taken";
  } catch (reason) {
    return (reason as Error).message;
  } finally {
    clearInterval(watching);
  }
}

/** Takes the lock once, and gives it back. */
export async function hold(): Promise<void> {
  (await lock().acquire("exclusive", LIMIT)).release();
}

export function holdSync(): void {
  lock().acquireSync("exclusive", LIMIT).release();
}

export function close(): void {
  segment?.close();
  segment = undefined;
}
