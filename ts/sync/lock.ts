import { LOCK_OWNER_DIED, OBJECT_LOCK } from "../../protocol/layout.js";
import { oneOf, type WaitOptions, type WaitSyncOptions, waiting, waitingSync } from "../arguments.js";
import { brand } from "../brand.js";
import { IsthmusError } from "../errors.js";
import type { Attachment, Lease } from "../segment/attachment.js";
import { openObject } from "../segment/directory.js";
import { type Condition, NOT_YET, wait, waitSync } from "../wait/wait.js";
import { type LockMode, LockState } from "./lock-state.js";

export type { LockMode } from "./lock-state.js";

/**
 * A hold of a lock, made by `acquire` and the like. Ends with `release`, at the end of a `using` block, or when the segment is
 * closed, and keeps the segment open until then. Where the process or worker ends before, in whatever way, an exclusive hold
 * counts as that of a dead holder.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * using held = segment.lock("state").acquireSync("shared");
 * if (held.tryUpgrade()) {
 *   if (held.ownerDied) held.markConsistent(); // after repairing what the lock guards
 *   held.downgrade();
 * }
 * console.log(held.mode);
 * ```
 */
export class Held {
  #mode: LockMode;
  #state: LockState | undefined;
  readonly #name: string;
  /** The holder before died with the lock: what it guards may be half changed. Repair it and call `markConsistent`. */
  readonly ownerDied: boolean;

  /** @internal */
  constructor(name: string, state: LockState, mode: LockMode, ownerDied: boolean) {
    this.#name = name;
    this.#state = state;
    this.#mode = mode;
    this.ownerDied = ownerDied;
  }

  /** How it is held now. Never throws. */
  get mode(): LockMode {
    return this.#mode;
  }

  #held(): LockState {
    if (!this.#state)
      throw new IsthmusError("CLOSED", `this hold of lock "${this.#name}" was released already`);
    this.#state.attachment.check(true);
    return this.#state;
  }

  /**
   * The data are whole again: the next holder is not told of the death.
   *
   * @throws {IsthmusError} BUSY when held shared; CLOSED when the hold was released; EVICTED: this participant was removed
   */
  markConsistent(): void {
    const state = this.#held();
    if (state.real !== "exclusive") {
      throw new IsthmusError(
        "BUSY",
        `lock "${this.#name}" is held shared; upgrade before the data are repaired`,
      );
    }
    state.markConsistent();
  }

  /**
   * Turns a shared hold into an exclusive one if nobody else holds the lock.
   *
   * @returns whether it is exclusive now
   * @throws {IsthmusError} DEADLOCK when another holder already waits to upgrade; BROKEN when a death was not repaired; CLOSED
   *   when the hold was released; EVICTED: this participant was removed; CORRUPT when the lock is damaged
   */
  tryUpgrade(): boolean {
    const state = this.#held();
    if (this.#mode === "exclusive") return true;
    const done = state.tryUpgrade();
    if (done) this.#upgraded(state);
    return done;
  }

  /**
   * Turns a shared hold into an exclusive one, waiting for the other holders to go.
   *
   * @param given how long to wait, and a signal that ends it
   * @throws {IsthmusError} TIMED_OUT: it is shared as before; otherwise as `tryUpgrade`. After DEADLOCK release and acquire anew
   * @throws the signal's reason, when it is aborted
   */
  async upgrade(given?: WaitOptions): Promise<void> {
    const state = this.#held();
    if (this.#mode === "exclusive") return;
    await wait(state.attachment, this.#condition(state), waiting(given));
  }

  /**
   * As `upgrade`, blocking the thread.
   *
   * @param given how long to wait
   * @throws {IsthmusError} as `upgrade`
   */
  upgradeSync(given?: WaitSyncOptions): void {
    const state = this.#held();
    if (this.#mode === "exclusive") return;
    waitSync(state.attachment, this.#condition(state), waitingSync(given));
  }

  #condition(state: LockState): Condition<undefined> {
    return {
      what: `waiting to upgrade lock "${this.#name}"`,
      waiters: state.waitersExclusive,
      attempt: () => {
        if (this.#mode === "exclusive") return undefined; // by an upgrade that waited at the same time
        if (!this.#held().upgrade()) return NOT_YET;
        this.#upgraded(state);
        return undefined;
      },
      recheck: () => state.recheck(() => state.upgrade()),
      failed: () => state.cancel(),
    };
  }

  #upgraded(state: LockState): void {
    state.moved("shared", "exclusive");
    this.#mode = "exclusive";
  }

  /**
   * Turns an exclusive hold into a shared one, without anybody coming in between.
   *
   * @throws {IsthmusError} CLOSED when the hold was released; EVICTED: this participant was removed
   */
  downgrade(): void {
    const state = this.#held();
    if (this.#mode === "shared") return;
    state.moved("exclusive", "shared");
    this.#mode = "shared";
    state.settle();
  }

  /**
   * Gives the hold back. A second call does nothing.
   *
   * @throws {IsthmusError} EVICTED: somebody else may have had the lock meanwhile. `close` does the same and says nothing
   */
  release(): void {
    const state = this.#state;
    this.close();
    if (state?.attachment.evicted) throw state.attachment.removed();
  }

  /** As `release`, without a word about an eviction. Never throws. */
  close(): void {
    const state = this.#state;
    this.#state = undefined;
    state?.release(this.#mode);
  }

  /** As `close`. Never throws. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * A lock that many may hold shared or one exclusively. Holders that die are recovered: the next one is told by `ownerDied`. One
 * environment (thread) may nest acquisitions; a shared holder that wants exclusive must upgrade.
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
 * ```
 */
export class Lock {
  static {
    brand(Lock.prototype, "Lock");
  }

  /** Its name in the segment. */
  readonly name: string;
  readonly #lease: Lease;
  readonly #state: LockState;

  /** @internal */
  constructor(lease: Lease, name: string) {
    const { attachment } = lease;
    const { offset } = openObject(attachment, name, OBJECT_LOCK, {});
    this.name = name;
    this.#lease = lease;
    this.#state = LockState.of(attachment, offset, name);
  }

  #usable(mode: unknown): LockMode {
    this.#lease.attachment.check(true);
    const wanted = oneOf("mode", mode, ["exclusive", "shared"] as const);
    if (wanted === "exclusive" && this.#state.real === "shared") {
      throw new IsthmusError(
        "DEADLOCK",
        `this thread holds lock "${this.name}" shared; upgrade that hold instead`,
      );
    }
    return wanted;
  }

  /**
   * Takes the lock if that is possible now.
   *
   * @param mode "exclusive" (the default) or "shared"
   * @returns undefined when somebody else is in the way
   * @throws {TypeError | RangeError} when the mode is neither
   * @throws {IsthmusError} BROKEN when a holder died and the next one did not call the data consistent; DEADLOCK when this thread
   *   holds it shared and asks for exclusive; READ_ONLY; CLOSED: the segment was closed; EVICTED: this participant was removed;
   *   CORRUPT when the lock is damaged
   */
  tryAcquire(mode: LockMode = "exclusive"): Held | undefined {
    const wanted = this.#usable(mode);
    const flags = this.#state.tryTake(wanted);
    return flags === undefined ? undefined : this.#hold(wanted, flags);
  }

  /**
   * Takes the lock, waiting for it.
   *
   * @param mode "exclusive" (the default) or "shared"
   * @param given how long to wait, and a signal that ends it
   * @returns the hold
   * @throws {IsthmusError} TIMED_OUT; otherwise as `tryAcquire`
   * @throws the signal's reason, when it is aborted
   */
  async acquire(mode: LockMode = "exclusive", given?: WaitOptions): Promise<Held> {
    const wanted = this.#usable(mode);
    return wait(this.#lease.attachment, this.#condition(wanted), waiting(given));
  }

  /**
   * As `acquire`, blocking the thread.
   *
   * @param mode "exclusive" (the default) or "shared"
   * @param given how long to wait
   * @returns the hold
   * @throws {IsthmusError} as `acquire`
   */
  acquireSync(mode: LockMode = "exclusive", given?: WaitSyncOptions): Held {
    const wanted = this.#usable(mode);
    // A lock that is free, as most are, costs no condition to wait for.
    const flags = given === undefined ? this.#state.take(wanted) : undefined;
    if (flags !== undefined) return this.#hold(wanted, flags);
    return waitSync(this.#lease.attachment, this.#condition(wanted), waitingSync(given));
  }

  /**
   * @internal
   * For a transaction: whoever dies with this hold leaves nothing to repair, because all is changed through the journal.
   */
  acquireJournaled(attachment: Attachment): Held {
    if (this.#lease.attachment !== attachment)
      throw new TypeError(`lock must be a lock of this segment, got "${this.name}" of another opener`);
    this.#usable("exclusive");
    const nested = this.#state.real === "exclusive";
    const held = waitSync(attachment, this.#condition("exclusive", true), waitingSync(undefined));
    if (nested || !held.ownerDied) return held;
    held.downgrade(); // a shared hold is given back without a word about the data
    held.release();
    throw new IsthmusError(
      "OWNER_DIED",
      `a holder of lock "${this.name}" died outside of a transaction: acquire it, repair the data and call markConsistent`,
    );
  }

  #condition(mode: LockMode, journaled = false): Condition<Held> {
    const state = this.#state;
    return {
      what: `waiting for lock "${this.name}"`,
      waiters: mode === "exclusive" ? state.waitersExclusive : state.waitersShared,
      attempt: () => {
        const flags = state.take(mode, journaled);
        return flags === undefined ? NOT_YET : this.#hold(mode, flags);
      },
      recheck: () => state.recheck(() => state.take(mode, journaled) !== undefined),
      failed: () => (mode === "exclusive" ? state.cancel() : undefined),
    };
  }

  #hold(mode: LockMode, flags: number): Held {
    this.#state.added(mode, this.#lease);
    return new Held(this.name, this.#state, mode, (flags & LOCK_OWNER_DIED) !== 0);
  }
}
