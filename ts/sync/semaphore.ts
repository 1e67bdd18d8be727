import { BUSY, TOO_LARGE } from "../../protocol/errors.js";
import { FLAG_WAKE, OBJECT_SEMAPHORE, SEMAPHORE_TAKEN } from "../../protocol/layout.js";
import {
  integer,
  options,
  type WaitOptions,
  type WaitSyncOptions,
  waiting,
  waitingSync,
} from "../arguments.js";
import { flagsOf, isError } from "../core.js";
import { failure } from "../errors.js";
import { describe } from "../host/describe.js";
import { type Attachment, type Closable, checkMade, type Lease } from "../segment/attachment.js";
import { Queue } from "../wait/queue.js";
import { type Condition, NOT_YET, type QueuedWait, wait, waitSync } from "../wait/wait.js";
import { Signal } from "./signal.js";

const COUNT_MAX = 2 ** 31 - 1;

/** What a semaphore is made with; whoever opens it gives the same. */
export interface SemaphoreOptions {
  /** How many there are to take at first, 0 to 2^31 - 1. */
  initial: number;
}

/** How many to take. */
export interface SemaphoreTryOptions {
  /** 1 (the default) to 2^31 - 1; all at once or none. */
  count?: number | undefined;
}

/** How many to take, and how long to wait for them. */
export interface SemaphoreAcquireOptions extends WaitOptions, SemaphoreTryOptions {}

/** How many to take, and how long to block for them. */
export interface SemaphoreAcquireSyncOptions extends WaitSyncOptions, SemaphoreTryOptions {}

/**
 * A number of things to take and give back, by anyone, made by `segment.semaphore`. What a process had taken when it was killed
 * stays taken: where that must not be, use a lock.
 *
 * Several are taken all at once or not at all. Who waits for several claims what comes: nobody else takes any until it has
 * them all or gives up, so it does not starve. The async tasks of one environment are served in the order of their calls;
 * among processes there is no order.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * const slots = segment.semaphore("slots", { initial: 3 });
 * await slots.acquire({ count: 2, timeoutMs: 1000 });
 * console.log(slots.tryAcquire(), slots.tryAcquire(), slots.value);
 * slots.release(3);
 * ```
 */
export class Semaphore extends Signal {
  static {
    describe(Semaphore.prototype, "Semaphore", ({ name, value }) => ({ name, value }));
  }

  readonly #state: SemaphoreState;

  /** @internal */
  constructor(lease: Lease, name: string, given: SemaphoreOptions) {
    checkMade(lease, "Semaphore", "segment.semaphore(name, { initial })");
    const { initial } = options<SemaphoreOptions>("options", given, ["initial"]);
    super(lease, name, OBJECT_SEMAPHORE, { initial: integer("initial", initial, 0, COUNT_MAX) });
    this.#state = SemaphoreState.of(lease.attachment, this.offset);
  }

  /** How many there are to take now. @throws {IsthmusError} CLOSED: the segment was closed */
  get value(): number {
    return this.attachment(false).core.signalValue(this.offset) >>> 0;
  }

  /**
   * Takes so many if they are there.
   *
   * @param given `count`: how many
   * @returns whether it did; false also while a task of this environment waits, or somebody who waits for several
   * @throws {TypeError | RangeError} when the count is no such number
   * @throws {IsthmusError} CLOSED: the segment was closed; READ_ONLY; EVICTED: this participant was removed
   */
  tryAcquire(given?: SemaphoreTryOptions): boolean {
    const count = given === undefined ? 1 : countOf(options("options", given, ["count"]));
    const attachment = this.attachment(true);
    if (this.#state.tasks.length > 0) return false;
    return attachment.retryPastDead(() => this.#take(count)) === true;
  }

  /**
   * Takes so many, waiting for them.
   *
   * @param given how many, how long to wait, and a signal that ends it
   * @throws {TypeError | RangeError} as `tryAcquire`
   * @throws {IsthmusError} TIMED_OUT: none was taken; otherwise as `tryAcquire`
   * @throws the signal's reason, when it is aborted
   */
  async acquire(given?: SemaphoreAcquireOptions): Promise<void> {
    const how = waiting(given, ["count"]);
    const count = countOf(given);
    return wait(this.attachment(true), this.#condition(count), how);
  }

  /**
   * Takes so many, blocking the thread. It comes before the tasks of this environment that wait: they could not go on meanwhile.
   *
   * @param given how many, and how long to wait
   * @throws {TypeError | RangeError} as `tryAcquire`
   * @throws {IsthmusError} as `acquire`
   */
  acquireSync(given?: SemaphoreAcquireSyncOptions): void {
    const how = waitingSync(given, ["count"]);
    const count = countOf(given);
    waitSync(this.attachment(true), this.#condition(count), how);
  }

  /** Undefined: somebody else claims what comes. */
  #take(count: number): boolean | undefined {
    const { attachment } = this.lease;
    const result = attachment.core.semaphoreTry(this.offset, count) >>> 0;
    if (result === BUSY) return undefined;
    if (isError(result)) throw attachment.removed();
    const flags = flagsOf(result);
    this.finish(flags & FLAG_WAKE);
    return (flags & SEMAPHORE_TAKEN) !== 0;
  }

  #condition(count: number): Condition<undefined> {
    const { attachment } = this.lease;
    let taken: boolean | undefined = false; // while the one who claims was asked about
    let claims = false;
    const attempt = (): undefined | typeof NOT_YET => {
      attachment.check(true);
      if (taken || this.#take(count)) return undefined;
      claims = count > 1;
      if (claims) attachment.core.semaphoreClaim(this.offset);
      return NOT_YET;
    };
    const condition = this.condition("semaphore", attempt);
    condition.queue = this.#state.tasks;
    condition.recheck = () => {
      taken = attachment.retryPastDead(() => this.#take(count));
    };
    condition.failed = () => (claims ? this.#state.giveUp() : undefined);
    return condition;
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

function countOf(given: SemaphoreTryOptions | undefined): number {
  return given?.count === undefined ? 1 : integer("count", given.count, 1, COUNT_MAX);
}

/** What one opener of a segment knows of a semaphore beside the shared words. */
class SemaphoreState implements Closable {
  /** Tasks that wait, in the order of their calls. */
  readonly tasks = new Queue<QueuedWait>();
  readonly #attachment: Attachment;
  readonly #semaphore: number;

  /** The one state of this semaphore for this opener. */
  static of(attachment: Attachment, semaphore: number): SemaphoreState {
    const known = attachment.states.get(semaphore) as SemaphoreState | undefined;
    if (known) return known;
    const state = new SemaphoreState(attachment, semaphore);
    attachment.states.set(semaphore, state);
    attachment.parts.add(state);
    return state;
  }

  private constructor(attachment: Attachment, semaphore: number) {
    this.#attachment = attachment;
    this.#semaphore = semaphore;
  }

  /** Takes the claim back. A task that still needs it claims again when it looks. */
  giveUp(): void {
    const { closed, core, readOnly } = this.#attachment;
    if (closed || readOnly || core.semaphoreUnclaim(this.#semaphore) !== FLAG_WAKE) return;
    this.#attachment.notify(core.signalWaiters(this.#semaphore) >>> 0);
  }

  settleLeftOver(): void {
    if (this.tasks.length === 0) this.giveUp();
  }

  /** The segment is being closed. */
  close(): void {
    this.#attachment.parts.delete(this);
    this.giveUp();
  }
}
