/**
 * Timers of real time.
 *
 * Test frameworks replace timers, and each in its own way:
 *
 * | who                              | what is replaced                           | how it is noticed here                   |
 * | -------------------------------- | ------------------------------------------ | ---------------------------------------- |
 * | Jest, Vitest                     | the globals                                | not at all: these are those of a module  |
 * | Sinon                            | the functions of `node:timers` as well     | what they return is no timer             |
 * | `mock.timers` of `node:test`     | the same; in Deno also what was taken      | a bound function, or what they return    |
 * |                                  | from the module before                     |                                          |
 * | `jest.useFakeTimers` of Bun      | all timers, also of functions taken before | the function has a property `clock`      |
 *
 * This file uses the functions that the module had when this package was loaded, as long as it notices no replacement.
 * Otherwise it uses `Atomics.waitAsync`, which measures time with the clock of the engine, and a message port for turns of the
 * event loop. That takes longer, and happens only in tests. In an engine without `waitAsync`, it can only use the timers of the
 * module.
 */
import { builtin } from "./builtin.cjs";
import { native } from "./region.js";

type Callback = () => void;
type Ports = InstanceType<ReturnType<typeof builtin<"node:worker_threads">>["MessageChannel"]>;

/** The common interface of both kinds of timers. */
export interface Timer {
  unref(): Timer;
}

/** Read before a test can replace them, unless it has already done so. */
const known = builtin("node:timers");
const given = {
  setTimeout: known.setTimeout,
  clearTimeout: known.clearTimeout,
  setInterval: known.setInterval,
  clearInterval: known.clearInterval,
  setImmediate: known.setImmediate,
  clearImmediate: known.clearImmediate,
};
const { waitAsync, notify = () => 0 } = (typeof Atomics === "object" ? Atomics : {}) as {
  waitAsync?(words: Int32Array, word: number, expected: number, timeoutMs: number): { value: unknown };
  notify?(words: Int32Array, word: number): number;
};

/** Words of private memory on which only timers wait. If there are more timers than words, they share words. */
const WORDS = 1024;
const words =
  waitAsync && typeof SharedArrayBuffer === "function"
    ? new Int32Array(new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT))
    : undefined;

/** A function of the runtime has its own name; a function that was bound to a clock has another one. */
function isBound(call: { name: string }, name: string): boolean {
  return call.name !== name && /\[native code\]/.test(Function.prototype.toString.call(call));
}

const timeoutIsBound = isBound(given.setTimeout, "setTimeout");
const intervalIsBound = isBound(given.setInterval, "setInterval");
const immediateIsBound = isBound(given.setImmediate, "setImmediate");

/** Whether time stands still for the timers of Bun. */
function stands(): boolean {
  return Boolean((given.setTimeout as { clock?: unknown }).clock);
}

/** Returns what the function of the module makes, if that is a timer of the runtime. */
function genuine<T extends object>(name: string, make: () => T, clear: (made: T) => void): T | undefined {
  let made: T | undefined;
  try {
    made = make();
    if (words === undefined || made.constructor.name === name) return made;
    clear(made);
  } catch {
    // The function that a test has put there makes no timers.
  }
  return undefined;
}

/** What keeps the event loop running: timers without `unref`, and callbacks of the next turn. */
let needs = 0;
let ports: Ports | undefined;
let turns: Callback[] = [];

function need(): void {
  if (needs++ > 0) return;
  ports = new (builtin("node:worker_threads").MessageChannel)();
  ports.port1.on("message", takeTurn);
}

function needNoMore(): void {
  if (--needs > 0) return;
  ports?.port1.close();
  ports = undefined;
}

function takeTurn(): void {
  const callbacks = turns;
  turns = [];
  for (const callback of callbacks) {
    callback();
    needNoMore();
  }
}

let timers = 0;

/** A timer of the engine's own clock. */
class EngineTimer implements Timer {
  readonly #word = timers++ % WORDS;
  readonly #repeatMs: number | undefined;
  #callback: Callback | undefined;
  #needed = true;

  constructor(callback: Callback, milliseconds: number, repeats: boolean) {
    this.#callback = callback;
    this.#repeatMs = repeats ? milliseconds : undefined;
    need();
    this.#sleep(native.now() + milliseconds);
  }

  #sleep(untilMs: number): void {
    const leftMs = Math.max(1, untilMs - native.now());
    const woken = waitAsync?.(words as Int32Array, this.#word, 0, leftMs).value as Promise<unknown>;
    void woken.then(() => this.#wake(untilMs));
  }

  #wake(untilMs: number): void {
    const callback = this.#callback;
    if (callback === undefined) return;
    if (native.now() < untilMs) {
      this.#sleep(untilMs); // another timer of this word was cleared
      return;
    }
    if (this.#repeatMs === undefined) this.clear();
    else this.#sleep(untilMs + this.#repeatMs);
    callback();
  }

  clear(): void {
    if (this.#callback === undefined) return;
    this.#callback = undefined;
    this.unref();
    notify(words as Int32Array, this.#word);
  }

  unref(): this {
    if (this.#needed) needNoMore();
    this.#needed = false;
    return this;
  }
}

export function setTimeout(callback: Callback, milliseconds: number): Timer {
  const made =
    timeoutIsBound || stands()
      ? undefined
      : genuine("Timeout", () => given.setTimeout(callback, milliseconds), given.clearTimeout);
  return made ?? new EngineTimer(callback, milliseconds, false);
}

export function setInterval(callback: Callback, milliseconds: number): Timer {
  const made =
    intervalIsBound || stands()
      ? undefined
      : genuine("Timeout", () => given.setInterval(callback, milliseconds), given.clearInterval);
  return made ?? new EngineTimer(callback, milliseconds, true);
}

/** Ends a timer of either kind. */
export function clearTimer(timer: Timer | undefined): void {
  if (timer instanceof EngineTimer) timer.clear();
  else given.clearTimeout(timer as NodeJS.Timeout | undefined);
}

/** Calls back in the next turn of the event loop. */
export function setImmediate(callback: Callback): void {
  const made = immediateIsBound
    ? undefined
    : genuine("Immediate", () => given.setImmediate(callback), given.clearImmediate);
  if (made !== undefined) return;
  need();
  turns.push(callback);
  if (turns.length === 1) ports?.port2.postMessage(0);
}
