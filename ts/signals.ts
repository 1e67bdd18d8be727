import { OBJECT_COUNTER, OBJECT_EVENT, OBJECT_SEMAPHORE } from "../protocol/layout.js";
import { flag, integer, options, type WaitOptions, type WaitSyncOptions } from "./arguments.js";
import type { Attachment, Lease } from "./attachment.js";
import { openObject } from "./directory.js";
import { failure } from "./errors.js";
import { type Condition, NOT_YET, wait, waitSync } from "./wait.js";

const COUNT_MAX = 2 ** 31 - 1;

/** What semaphores, events and counters share. */
class Signal {
  readonly name: string;
  protected readonly lease: Lease;
  protected readonly offset: number;

  constructor(lease: Lease, name: string, type: number, parameters: Record<string, number>) {
    this.lease = lease;
    this.name = name;
    this.offset = openObject(lease.attachment, name, type, parameters).offset;
  }

  protected attachment(writing: boolean): Attachment {
    this.lease.attachment.check(writing);
    return this.lease.attachment;
  }

  /** Throws for an error, wakes for a flag. */
  protected finish(result: number): void {
    const { attachment } = this.lease;
    if (result > 1)
      throw failure(result, `"${this.name}": the sum is too large, or this participant was removed`);
    if (result === 1) attachment.notify(attachment.core.signalWaiters(this.offset) >>> 0);
  }

  protected condition(what: string, attempt: () => undefined | typeof NOT_YET): Condition<undefined> {
    const { attachment } = this.lease;
    const waiters = attachment.readOnly ? 0 : attachment.core.signalWaiters(this.offset) >>> 0;
    return { what: `waiting for ${what} "${this.name}"`, waiters, attempt, recheck: () => {} };
  }
}

/**
 * A number of things to take and give back, by anyone. What a process had taken when it was killed stays taken: where that must
 * not be, use a lock.
 */
export class Semaphore extends Signal {
  /** @internal */
  constructor(lease: Lease, name: string, given: { initial: number }) {
    const { initial } = options<{ initial: number }>("options", given);
    super(lease, name, OBJECT_SEMAPHORE, { initial: integer("initial", initial, 0, COUNT_MAX) });
  }

  /** How many are there to take. */
  get value(): number {
    return this.attachment(false).core.signalValue(this.offset) >>> 0;
  }

  /** Takes one if there is one. */
  tryAcquire(): boolean {
    const result = this.attachment(true).core.semaphoreTry(this.offset) >>> 0;
    if (result > 1) this.finish(result);
    return result === 1;
  }

  /** Takes one, waiting for it. @throws {IsthmusError} TIMED_OUT; CLOSED; READ_ONLY; EVICTED */
  async acquire(given?: WaitOptions): Promise<void> {
    return wait(this.attachment(true), this.#one(), given);
  }

  /** Takes one, blocking the thread. @throws {IsthmusError} as `acquire` */
  acquireSync(given?: WaitSyncOptions): void {
    waitSync(this.attachment(true), this.#one(), given);
  }

  #one(): Condition<undefined> {
    return this.condition("semaphore", () => (this.tryAcquire() ? undefined : NOT_YET));
  }

  /** Gives back, or adds, so many. @throws {IsthmusError} TOO_LARGE when the sum passes 2^31 - 1; READ_ONLY; CLOSED */
  release(count = 1): void {
    integer("count", count, 1, COUNT_MAX);
    this.finish(this.attachment(true).core.semaphoreRelease(this.offset, count) >>> 0);
  }
}

/** A flag that many can wait for; it stays signaled until it is reset. */
export class SharedEvent extends Signal {
  /** @internal */
  constructor(lease: Lease, name: string, given?: { signaled?: boolean }) {
    const { signaled } = options<{ signaled?: boolean }>("options", given);
    super(lease, name, OBJECT_EVENT, { signaled: flag("signaled", signaled, false) ? 1 : 0 });
  }

  get isSignaled(): boolean {
    return this.attachment(false).core.signalValue(this.offset) !== 0;
  }

  /** Lets everyone pass who waits, now and until `reset`. */
  signal(): void {
    this.finish(this.attachment(true).core.eventSet(this.offset, 1) >>> 0);
  }

  reset(): void {
    this.finish(this.attachment(true).core.eventSet(this.offset, 0) >>> 0);
  }

  /** Waits until it is signaled. @throws {IsthmusError} TIMED_OUT; CLOSED */
  async wait(given?: WaitOptions): Promise<void> {
    return wait(this.attachment(false), this.#signaled(), given);
  }

  /** Blocks the thread until it is signaled. @throws {IsthmusError} TIMED_OUT; CLOSED */
  waitSync(given?: WaitSyncOptions): void {
    waitSync(this.attachment(false), this.#signaled(), given);
  }

  #signaled(): Condition<undefined> {
    return this.condition("event", () => (this.isSignaled ? undefined : NOT_YET));
  }
}

/** A number that all change together: no update is lost. Integers, exact up to 2^53. */
export class Counter extends Signal {
  /** @internal */
  constructor(lease: Lease, name: string) {
    super(lease, name, OBJECT_COUNTER, {});
  }

  get value(): number {
    return this.attachment(false).core.counterValue(this.offset);
  }

  /** Adds (or, with a negative number, takes away) and returns the new value. */
  add(amount = 1): number {
    return this.attachment(true).core.counterAdd(this.offset, safe("amount", amount));
  }

  /** Replaces the value and returns the one before. */
  exchange(value: number): number {
    return this.attachment(true).core.counterExchange(this.offset, safe("value", value));
  }

  /** Replaces the value if it is `expected`; returns the one before, so it did when that equals `expected`. */
  compareExchange(expected: number, value: number): number {
    const { core } = this.attachment(true);
    return core.counterCompareExchange(this.offset, safe("expected", expected), safe("value", value));
  }
}

function safe(argument: string, value: unknown): number {
  return integer(argument, value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
}
