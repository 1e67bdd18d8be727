import { OBJECT_LOCK } from "../../protocol/layout.js";
import {
  callback,
  OURS,
  type Waiting,
  type WaitOptions,
  type WaitSyncOptions,
  waiting,
  waitingSync,
} from "../arguments.js";
import { brand } from "../brand.js";
import { IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { type Attachment, checkMade, type Lease } from "../segment/attachment.js";
import { findObject, openObject } from "../segment/directory.js";
import { type Condition, NOT_YET, wait, waitSync } from "../wait/wait.js";
import { Held, modeOf } from "./held.js";
import { type LockMode, LockState } from "./lock-state.js";

export { Held } from "./held.js";
export type { LockMode } from "./lock-state.js";

/**
 * A lock that many may hold shared, or one exclusively: processes, workers, and the async tasks of each of them. If a holder
 * dies, the next one gets the lock, and learns it from `ownerDied`.
 *
 * Each `acquire` makes a separate holder. A holder that needs the lock again acquires it through its hold. A call that would
 * block a thread until the same thread releases the lock throws DEADLOCK at once.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * const lock = segment.lock("state");
 * {
 *   using held = await lock.acquire("exclusive", { timeoutMs: 1000 });
 *   if (held.ownerDied) held.markConsistent();
 * }
 * const answer = await lock.request("shared", async (held) => held.mode);
 * console.log(answer);
 * ```
 */
export class Lock {
  static {
    brand(Lock.prototype, "Lock");
    describe(Lock.prototype, "Lock", (lock) => {
      const { name } = lock;
      const { attachment } = lock.#lease;
      attachment.check(false);
      return { name, ...findObject(attachment, name)?.lock };
    });
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;

  /** Its name in the segment. */
  readonly name: string;
  readonly #lease: Lease;
  readonly #state: LockState;

  /** @internal */
  constructor(lease: Lease, name: string) {
    checkMade(lease, "Lock", "segment.lock(name)");
    const { attachment } = lease;
    const { offset } = openObject(attachment, name, OBJECT_LOCK, {});
    this.name = name;
    this.#lease = lease;
    this.#state = LockState.of(attachment, offset, name);
  }

  /**
   * Takes the lock if that is possible now.
   *
   * @param mode "exclusive" (the default) or "shared"
   * @returns undefined when another holder has the lock in a mode that excludes this one, or a task of this environment waits
   *   for it
   * @throws {TypeError | RangeError} when the mode is neither
   * @throws {IsthmusError} BROKEN when a holder died and the next one did not call the data consistent; READ_ONLY; CLOSED: the
   *   segment was closed; EVICTED: this participant was removed; CORRUPT when the lock is damaged
   */
  tryAcquire(mode: LockMode = "exclusive"): Held | undefined {
    const wanted = modeOf(mode);
    const quick = this.#quick(wanted);
    if (quick) return quick;
    this.#lease.attachment.check(true);
    return this.#state.tryTake(wanted) ? this.#begin(wanted) : undefined;
  }

  /**
   * Waits for the lock and takes it. The tasks of one environment get it in the order of their calls. A task that already holds
   * the lock would wait for itself for ever: it must acquire through its hold instead.
   *
   * @param mode "exclusive" (the default) or "shared"
   * @param given how long to wait, and a signal that ends it
   * @returns the hold
   * @throws {IsthmusError} TIMED_OUT; otherwise as `tryAcquire`
   * @throws the signal's reason, when it is aborted
   */
  async acquire(mode: LockMode = "exclusive", given?: WaitOptions): Promise<Held> {
    const wanted = modeOf(mode);
    const how = waiting(given);
    this.#lease.attachment.check(true);
    return this.#wait(wanted, how);
  }

  /**
   * As `acquire`, blocking the thread.
   *
   * @param mode "exclusive" (the default) or "shared"
   * @param given how long to wait
   * @returns the hold
   * @throws {IsthmusError} as `acquire`; DEADLOCK when this thread would wait for itself: a task of it holds the lock in a mode
   *   that excludes this one, or waits for it; or, without a `timeoutMs`, it holds the lock through another opener of the
   *   segment
   */
  acquireSync(mode: LockMode = "exclusive", given?: WaitSyncOptions): Held {
    const wanted = modeOf(mode);
    const how = waitingSync(given);
    const quick = this.#quick(wanted);
    if (quick) return quick;
    this.#lease.attachment.check(true);
    return this.#takeSync(wanted, how, false);
  }

  /**
   * Holds the lock exclusively while a function runs, until the promise that it returns is settled, as
   * `navigator.locks.request` does. It also releases the lock when the function throws.
   *
   * @param body is given the hold
   * @param given how long to wait for the lock, and a signal that ends the wait
   * @returns what the function returns or resolves with
   * @throws what the function throws, and what `acquire` throws
   * @throws {TypeError | RangeError} when the mode is none, or the body no function
   * @throws {IsthmusError} as `acquire`; EVICTED also when this participant was removed while the function ran
   */
  request<T>(body: (held: Held) => T, given?: WaitOptions): Promise<Awaited<T>>;
  /**
   * As above, in the given mode.
   *
   * @param mode "exclusive" (the default) or "shared"
   * @param body is given the hold
   * @param given how long to wait for the lock, and a signal that ends the wait
   * @returns what the function returns or resolves with
   * @throws what the function throws, and what `acquire` throws
   * @throws {TypeError | RangeError} when the mode is none, or the body no function
   * @throws {IsthmusError} as `acquire`; EVICTED also when this participant was removed while the function ran
   */
  request<T>(mode: LockMode | undefined, body: (held: Held) => T, given?: WaitOptions): Promise<Awaited<T>>;
  async request<T>(...all: unknown[]): Promise<Awaited<T>> {
    const [mode, body, given] = typeof all[0] === "function" ? [undefined, ...all] : all;
    modeOf(mode ?? "exclusive");
    callback("body", body);
    const held = await this.acquire((mode ?? "exclusive") as LockMode, given as WaitOptions | undefined);
    try {
      const result = await (body as (held: Held) => T)(held);
      held.release();
      return result;
    } finally {
      held.close();
    }
  }

  /** @internal For a transaction: all changes are in the journal, so if its holder dies, there is nothing to repair. */
  tryTransact(attachment: Attachment): Held | undefined {
    this.#checkOpener(attachment);
    return this.#state.tryTake("exclusive", true) ? this.#whole(this.#begin("exclusive", true)) : undefined;
  }

  /** @internal As `tryTransact`, waiting. */
  async transact(attachment: Attachment, how: Waiting): Promise<Held> {
    this.#checkOpener(attachment);
    return this.#whole(await this.#wait("exclusive", how, true));
  }

  /** @internal As `tryTransact`, blocking. */
  transactSync(attachment: Attachment, how: Waiting): Held {
    this.#checkOpener(attachment);
    return this.#whole(this.#takeSync("exclusive", how, true));
  }

  #checkOpener(attachment: Attachment): void {
    if (this.#lease.attachment !== attachment)
      throw new TypeError(`lock must be a lock of this segment, got "${this.name}" of another opener`);
  }

  /** A transaction does not repair data that another holder has left half changed. */
  #whole(held: Held): Held {
    if (!held.ownerDied) return held;
    held.downgrade(); // releasing a shared hold says nothing about the data
    held.release();
    throw new IsthmusError(
      "OWNER_DIED",
      `a holder of lock "${this.name}" died outside of a transaction: acquire it, repair the data and call markConsistent`,
    );
  }

  /** A hold of a lock that nobody has; undefined when that is another case, or something is wrong. */
  #quick(mode: LockMode): Held | undefined {
    const state = this.#state;
    const tenure = state.idleTenure();
    if (tenure === undefined) return undefined;
    const held = new Held(OURS, state, tenure, mode);
    return state.takeIdle(mode, tenure, this.#lease) ? held : undefined;
  }

  #wait(mode: LockMode, how: Waiting, journaled = false): Promise<Held> {
    return wait(this.#state.attachment, this.#condition(mode, journaled), how);
  }

  #takeSync(mode: LockMode, how: Waiting, journaled: boolean): Held {
    const state = this.#state;
    // A lock that can be had at once costs no condition to wait for.
    if (state.takeSync(mode, journaled)) return this.#begin(mode, journaled);
    state.checkBlocking(mode, how.timeoutMs);
    return waitSync(state.attachment, this.#condition(mode, journaled, journaled), how);
  }

  #condition(mode: LockMode, journaled: boolean, transacts = false): Condition<Held> {
    const state = this.#state;
    let taken = false; // while the kernel was asked about those in the way
    let asked = false; // what remains of the attempt in the core is a claim
    return {
      what: `waiting for lock "${this.name}"`,
      waiters: mode === "exclusive" ? state.waitersExclusive : state.waitersShared,
      queue: state.tasks,
      blocked: () => state.occupied(mode),
      attempt: () => {
        asked = mode === "exclusive" && !state.occupied(mode);
        return taken || state.take(mode, journaled) ? this.#begin(mode, transacts) : NOT_YET;
      },
      recheck: () =>
        state.recheck(() => {
          taken = state.take(mode, journaled);
          return taken;
        }),
      passOn: () => {
        if (mode === "exclusive") state.callExclusive();
      },
      failed: () => {
        if (mode === "shared") state.forgo();
        else if (asked) state.cancel();
      },
    };
  }

  /** `transacts`: for a transaction that is over when the call is. */
  #begin(mode: LockMode, transacts = false): Held {
    const state = this.#state;
    const held = new Held(OURS, state, state.begin(mode, this.#lease), mode);
    state.unconfirmed = undefined;
    if (transacts) state.transacting = held;
    return held;
  }
}
