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

/** How a semaphore is created. Every opener must pass the same values. */
export interface SemaphoreOptions {
  /** Number of units at its creation, 0 to 2^31 - 1. */
  initial: number;
}

/** How many to take. */
export interface SemaphoreTryOptions {
  /** Number of units, 1 (the default) to 2^31 - 1: all at once or none. */
  count?: number | undefined;
}

/** How many units to take, and how long to wait for them. */
export interface SemaphoreAcquireOptions extends WaitOptions, SemaphoreTryOptions {}

/** How many units to take, and how long to block the thread for them. */
export interface SemaphoreAcquireSyncOptions extends WaitSyncOptions, SemaphoreTryOptions {}

/**
 * A number of units that every process can take and give back, made by `segment.semaphore`. If a process is killed, the units
 * that it had taken stay taken. If that is not acceptable, use a lock.
 *
 * Several units are taken all at once or not at all. A call that waits for several makes a claim: no other call takes a unit
 * until it has all of them or gives up, so it does not starve. The async tasks of one environment are served in the order of
 * their calls. Processes are served in no particular order.
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

  /** Number of units that can be taken now. @throws {IsthmusError} CLOSED: the segment was closed */
  get value(): number {
    return this.attachment(false).core.signalValue(this.offset) >>> 0;
  }

  /**
   * Takes units if there are enough.
   *
   * @param given `count`: how many units
   * @returns whether it took them; also false while a task of this environment waits, or a participant that waits for several
   *   units
   * @throws {TypeError | RangeError} when the count is not such a number
   * @throws {IsthmusError} CLOSED: the segment was closed; READ_ONLY; EVICTED: this participant was removed
   */
  tryAcquire(given?: SemaphoreTryOptions): boolean {
    const count = given === undefined ? 1 : countOf(options("options", given, ["count"]));
    const attachment = this.attachment(true);
    if (this.#state.tasks.length > 0) return false;
    return attachment.retryPastDead(() => this.#take(count)) === true;
  }

  /**
   * Waits for units and takes them.
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
   * Takes units, blocking the thread until there are enough. It has priority over tasks of this environment that wait, because
   * they cannot continue while the thread is blocked.
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

  /** Returns undefined when another participant has the claim. */
  #take(count: number): boolean | undefined {
    const { attachment } = this.lease;
    const result = attachment.core.semaphoreTry(this.offset, count) >>> 0;
    if (result === BUSY) return undefined;
    if (isError(result)) throw attachment.removed();
    const flags = flagsOf(result);
    if (flags & FLAG_WAKE) this.#state.call(attachment.core.signalValue(this.offset) >>> 0);
    return (flags & SEMAPHORE_TAKEN) !== 0;
  }

  #condition(count: number): Condition<undefined> {
    const { attachment } = this.lease;
    let taken: boolean | undefined = false; // while the kernel was asked about the claimant
    let claims = false;
    const attempt = (): undefined | typeof NOT_YET => {
      attachment.check(true);
      if (taken || this.#take(count)) return undefined;
      if (count === 1) return NOT_YET;
      claims = true;
      // What came before the claim was seen called others.
      if (attachment.core.semaphoreClaim(this.offset) === 0 && this.#take(count)) return undefined;
      return NOT_YET;
    };
    const condition = this.condition("semaphore", attempt);
    condition.queue = this.#state.tasks;
    condition.recheck = () => {
      taken = attachment.retryPastDead(() => this.#take(count));
    };
    condition.failed = () => (claims ? this.#state.giveUp() : undefined);
    condition.passOn = () => this.#state.call(1);
    return condition;
  }

  /**
   * Gives units back, or adds new ones.
   *
   * @param count 1 (the default) to 2^31 - 1
   * @throws {TypeError | RangeError} when it is not such a number
   * @throws {IsthmusError} TOO_LARGE when the sum exceeds 2^31 - 1; CLOSED: the segment was closed; READ_ONLY; EVICTED; BUSY
   *   when others changed it during each attempt
   */
  release(count = 1): void {
    integer("count", count, 1, COUNT_MAX);
    const result = this.attachment(true).core.semaphoreRelease(this.offset, count) >>> 0;
    if (result === TOO_LARGE) {
      const text = `it has ${this.value} now, and holds ${COUNT_MAX} at most; nothing was added`;
      throw failure(result, `releasing ${count} of semaphore "${this.name}": ${text}`);
    }
    this.finish(result & ~FLAG_WAKE);
    if (flagsOf(result) & FLAG_WAKE) this.#state.call(count);
  }
}

function countOf(given: SemaphoreTryOptions | undefined): number {
  return given?.count === undefined ? 1 : integer("count", given.count, 1, COUNT_MAX);
}

/** The state of a semaphore for one opener of a segment, in addition to the shared words. */
class SemaphoreState implements Closable {
  /** Tasks that wait, in the order of their calls. */
  readonly tasks = new Queue<QueuedWait>();
  readonly #attachment: Attachment;
  readonly #semaphore: number;

  /** Returns the state of this semaphore for this opener. There is only one. */
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

  /** Cancels the claim. A task that still needs it claims again when it checks. */
  giveUp(): void {
    const { closed, core, readOnly } = this.#attachment;
    if (closed || readOnly || core.semaphoreUnclaim(this.#semaphore) !== FLAG_WAKE) return;
    this.call(core.signalValue(this.#semaphore) >>> 0);
  }

  /** Calls one that waits for each of so many. */
  call(count: number): void {
    const { closed, core } = this.#attachment;
    if (closed || count === 0) return;
    const set = core.signalWaiters(this.#semaphore) >>> 0;
    this.#attachment.call(set, count, () => core.semaphoreCall(this.#semaphore));
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
