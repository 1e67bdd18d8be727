import { TOO_LARGE } from "../../protocol/errors.js";
import { OBJECT_SEMAPHORE } from "../../protocol/layout.js";
import {
  integer,
  options,
  type WaitOptions,
  type WaitSyncOptions,
  waiting,
  waitingSync,
} from "../arguments.js";
import { failure } from "../errors.js";
import type { Lease } from "../segment/attachment.js";
import { Queue } from "../wait/queue.js";
import { type Condition, NOT_YET, type QueuedWait, wait, waitSync } from "../wait/wait.js";
import { Signal } from "./signal.js";

const COUNT_MAX = 2 ** 31 - 1;

/** What a semaphore is made with; whoever opens it gives the same. */
export interface SemaphoreOptions {
  /** How many there are to take at first, 0 to 2^31 - 1. */
  initial: number;
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
  /** Calls of `acquire` that wait, in their order. */
  readonly #queue = new Queue<QueuedWait>();

  /** @internal */
  constructor(lease: Lease, name: string, given: SemaphoreOptions) {
    const { initial } = options<SemaphoreOptions>("options", given, ["initial"]);
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
    return wait(this.attachment(true), { ...this.#one(), queue: this.#queue }, waiting(given));
  }

  /**
   * Takes one, blocking the thread.
   *
   * @param given how long to wait
   * @throws {IsthmusError} as `acquire`
   */
  acquireSync(given?: WaitSyncOptions): void {
    waitSync(this.attachment(true), this.#one(), waitingSync(given));
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
