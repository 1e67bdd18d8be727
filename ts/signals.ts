import { EVICTED, TOO_LARGE } from "../protocol/errors.js";
import { EVENT_SIGNALED, OBJECT_COUNTER, OBJECT_EVENT, OBJECT_SEMAPHORE } from "../protocol/layout.js";
import { flag, integer, options, type WaitOptions, type WaitSyncOptions } from "./arguments.js";
import type { Attachment, Lease } from "./attachment.js";
import { openObject } from "./directory.js";
import { failure } from "./errors.js";
import { type Condition, NOT_YET, wait, waitSync } from "./wait.js";

const COUNT_MAX = 2 ** 31 - 1;

/** What a semaphore is made with; whoever opens it gives the same. */
export interface SemaphoreOptions {
  /** How many there are to take at first, 0 to 2^31 - 1. */
  initial: number;
}

/** What an event is made with; whoever opens it gives the same. */
export interface EventOptions {
  /** Whether it is signaled at first. Default false. */
  signaled?: boolean | undefined;
}

/** What semaphores, events and counters share. */
class Signal {
  /** Its name in the segment. */
  readonly name: string;
  /** @internal */
  protected readonly lease: Lease;
  /** @internal */
  protected readonly offset: number;

  /** @internal */
  constructor(lease: Lease, name: string, type: number, parameters: Record<string, number>) {
    this.lease = lease;
    this.name = name;
    this.offset = openObject(lease.attachment, name, type, parameters).offset;
  }

  /** @internal */
  protected attachment(writing: boolean): Attachment {
    this.lease.attachment.check(writing);
    return this.lease.attachment;
  }

  /** @internal Throws for an error, wakes for a flag. */
  protected finish(result: number): void {
    const { attachment } = this.lease;
    if (result === EVICTED) throw attachment.removed();
    if (result > 1) throw failure(result, `"${this.name}" is changed by others all the time; try again`);
    if (result === 1) attachment.notify(attachment.core.signalWaiters(this.offset) >>> 0);
  }

  /** @internal */
  protected condition(what: string, attempt: () => undefined | typeof NOT_YET): Condition<undefined> {
    const { attachment } = this.lease;
    const waiters = attachment.readOnly ? 0 : attachment.core.signalWaiters(this.offset) >>> 0;
    return { what: `waiting for ${what} "${this.name}"`, waiters, attempt, recheck: () => {} };
  }
}

/**
 * A number of things to take and give back, by anyone, made by `segment.semaphore`. What a process had taken when it was killed
 * stays taken: where that must not be, use a lock.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * const slots = segment.semaphore("slots", { initial: 2 });
 * await slots.acquire({ timeoutMs: 1000 });
 * console.log(slots.tryAcquire(), slots.tryAcquire(), slots.value);
 * slots.release(2);
 * ```
 */
export class Semaphore extends Signal {
  /** @internal */
  constructor(lease: Lease, name: string, given: SemaphoreOptions) {
    const { initial } = options<SemaphoreOptions>("options", given);
    super(lease, name, OBJECT_SEMAPHORE, { initial: integer("initial", initial, 0, COUNT_MAX) });
  }

  /** How many there are to take now. @throws {IsthmusError} CLOSED: the segment was closed */
  get value(): number {
    return this.attachment(false).core.signalValue(this.offset) >>> 0;
  }

  /**
   * Takes one if there is one.
   *
   * @returns whether it did
   * @throws {IsthmusError} CLOSED: the segment was closed; READ_ONLY; EVICTED: this participant was removed
   */
  tryAcquire(): boolean {
    const result = this.attachment(true).core.semaphoreTry(this.offset) >>> 0;
    if (result > 1) this.finish(result);
    return result === 1;
  }

  /**
   * Takes one, waiting for it.
   *
   * @param given how long to wait, and a signal that ends it
   * @throws {IsthmusError} TIMED_OUT: none was taken; otherwise as `tryAcquire`
   * @throws the signal's reason, when it is aborted
   */
  async acquire(given?: WaitOptions): Promise<void> {
    return wait(this.attachment(true), this.#one(), given);
  }

  /**
   * Takes one, blocking the thread.
   *
   * @param given how long to wait
   * @throws {IsthmusError} as `acquire`
   */
  acquireSync(given?: WaitSyncOptions): void {
    waitSync(this.attachment(true), this.#one(), given);
  }

  #one(): Condition<undefined> {
    return this.condition("semaphore", () => (this.tryAcquire() ? undefined : NOT_YET));
  }

  /**
   * Gives back, or adds, so many.
   *
   * @param count 1 (the default) to 2^31 - 1
   * @throws {TypeError | RangeError} when it is no such number
   * @throws {IsthmusError} TOO_LARGE when the sum passes 2^31 - 1; CLOSED: the segment was closed; READ_ONLY; EVICTED; BUSY when
   *   others changed it all the time
   */
  release(count = 1): void {
    integer("count", count, 1, COUNT_MAX);
    const result = this.attachment(true).core.semaphoreRelease(this.offset, count) >>> 0;
    if (result === TOO_LARGE) {
      const text = `it has ${this.value} now, and holds ${COUNT_MAX} at most; nothing was added`;
      throw failure(result, `releasing ${count} of semaphore "${this.name}": ${text}`);
    }
    this.finish(result);
  }
}

/**
 * A flag that many can wait for, made by `segment.event`; it stays signaled until it is reset.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * const go = segment.event("go");
 * const waiting = go.wait({ timeoutMs: 1000 });
 * go.signal();
 * await waiting;
 * go.reset();
 * console.log(go.isSignaled);
 * ```
 */
export class SharedEvent extends Signal {
  /** @internal */
  constructor(lease: Lease, name: string, given?: EventOptions) {
    const { signaled } = options<EventOptions>("options", given);
    super(lease, name, OBJECT_EVENT, { signaled: flag("signaled", signaled, false) ? 1 : 0 });
  }

  /** Whether it is signaled now. @throws {IsthmusError} CLOSED: the segment was closed */
  get isSignaled(): boolean {
    return (this.#word & EVENT_SIGNALED) !== 0;
  }

  get #word(): number {
    return this.attachment(false).core.signalValue(this.offset) >>> 0;
  }

  /**
   * Lets everyone pass who waits now, and who comes until `reset`. Who waits passes also when `reset` follows at once.
   *
   * @throws {IsthmusError} CLOSED: the segment was closed; READ_ONLY; EVICTED: this participant was removed
   */
  signal(): void {
    this.finish(this.attachment(true).core.eventSet(this.offset, 1) >>> 0);
  }

  /** From now on `wait` waits. @throws {IsthmusError} as `signal` */
  reset(): void {
    this.finish(this.attachment(true).core.eventSet(this.offset, 0) >>> 0);
  }

  /**
   * Waits until it is signaled, or passes if it is. A `reset` takes nothing back from who waited at the `signal`. A read-only
   * opener looks every 2 ms.
   *
   * @param given how long to wait, and a signal that ends it
   * @throws {IsthmusError} TIMED_OUT; CLOSED: the segment was closed
   * @throws the signal's reason, when it is aborted
   */
  async wait(given?: WaitOptions): Promise<void> {
    return wait(this.attachment(false), this.#signaled(), given);
  }

  /**
   * Blocks the thread until it is signaled.
   *
   * @param given how long to wait
   * @throws {IsthmusError} as `wait`
   */
  waitSync(given?: WaitSyncOptions): void {
    waitSync(this.attachment(false), this.#signaled(), given);
  }

  #signaled(): Condition<undefined> {
    const begin = this.#word;
    return this.condition("event", () => {
      const word = this.#word;
      return (word & EVENT_SIGNALED) !== 0 || word !== begin ? undefined : NOT_YET;
    });
  }
}

/**
 * A number that all change together, made by `segment.counter`: no update is lost. Integers of 64 bits; what is read and written
 * here is exact up to 2^53.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * const hits = segment.counter("hits");
 * console.log(hits.add(3), hits.exchange(10), hits.compareExchange(10, 0), hits.value);
 * ```
 */
export class Counter extends Signal {
  /** @internal */
  constructor(lease: Lease, name: string) {
    super(lease, name, OBJECT_COUNTER, {});
  }

  /** What it is now. @throws {IsthmusError} CLOSED: the segment was closed */
  get value(): number {
    return this.attachment(false).core.counterValue(this.offset);
  }

  /**
   * Adds, or takes away.
   *
   * @param amount an integer from -(2^53 - 1) to 2^53 - 1; default 1
   * @returns the new value
   * @throws {TypeError | RangeError} when it is no such number
   * @throws {IsthmusError} CLOSED: the segment was closed; READ_ONLY; EVICTED: this participant was removed
   */
  add(amount = 1): number {
    return this.attachment(true).core.counterAdd(this.offset, safe("amount", amount));
  }

  /**
   * Replaces the value.
   *
   * @param value as for `add`
   * @returns the value before
   * @throws as `add`
   */
  exchange(value: number): number {
    return this.attachment(true).core.counterExchange(this.offset, safe("value", value));
  }

  /**
   * Replaces the value if it is the expected one.
   *
   * @param expected as for `add`
   * @param value as for `add`
   * @returns the value before: it was replaced when that equals `expected`
   * @throws as `add`
   */
  compareExchange(expected: number, value: number): number {
    const { core } = this.attachment(true);
    return core.counterCompareExchange(this.offset, safe("expected", expected), safe("value", value));
  }
}

function safe(argument: string, value: unknown): number {
  return integer(argument, value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
}
