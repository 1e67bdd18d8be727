import {
  checkOurs,
  OURS,
  oneOf,
  type WaitOptions,
  type WaitSyncOptions,
  waiting,
  waitingSync,
} from "../arguments.js";
import { brand } from "../brand.js";
import { disposable } from "../disposal.js";
import { IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import type { Attachment } from "../segment/attachment.js";
import { type Condition, inTurn, NOT_YET, wait, waitSync } from "../wait/wait.js";
import type { LockState } from "./lock-state.js";
import type { LockMode, Tenure } from "./tenure.js";

/** @internal Checks the mode that a call was given. */
export function modeOf(mode: unknown): LockMode {
  if (mode === "exclusive" || mode === "shared") return mode;
  return oneOf("mode", mode, ["exclusive", "shared"] as const);
}

/**
 * A hold of a lock, made by `acquire` and similar calls. It ends with `release`, at the end of a `using` block, or when the
 * segment is closed, and keeps the segment open until then. If the process or worker ends before that, in whatever way, an
 * exclusive hold counts as that of a dead holder.
 *
 * Other holds may be nested in it. Together they are one holder. It is exclusive as long as one of its holds is, and releases
 * the lock with the last of them, in whatever order they are released.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * using held = segment.lock("state").acquireSync("shared");
 * {
 *   using nested = held.acquireSync("exclusive"); // an upgrade for as long as this block lasts
 *   if (nested.ownerDied) nested.markConsistent(); // after repairing what the lock guards
 * }
 * console.log(held.mode, held.tryUpgrade());
 * ```
 */
export class Held {
  static {
    brand(Held.prototype, "Held");
    describe(Held.prototype, "Held", (held) => ({
      ...{ lock: held.#name, ownerDied: held.ownerDied },
      mode: held.#state ? held.#mode : "released",
    }));
    disposable(Held.prototype, (held) => held.close());
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  #mode: LockMode;
  #state: LockState | undefined;
  readonly #tenure: Tenure;
  readonly #name: string;
  /**
   * Whether an earlier holder died with the lock, so that the data that it guards may be half changed. Repair the data and call
   * `markConsistent`.
   */
  readonly ownerDied: boolean;

  /** @internal A hold of a tenure that already counts it. */
  constructor(by: typeof OURS, state: LockState, tenure: Tenure, mode: LockMode) {
    checkOurs(by, "Held", "lock.acquire(mode)");
    this.#state = state;
    this.#name = state.name;
    this.#tenure = tenure;
    this.#mode = mode;
    this.ownerDied = state.ownerDied;
  }

  /** The current mode. Never throws. */
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
   * Declares that the data is consistent again: `ownerDied` is false for the next holder.
   *
   * @throws {IsthmusError} BUSY when the lock is held shared; CLOSED when the hold was released; EVICTED: this participant was
   *   removed
   */
  markConsistent(): void {
    const state = this.#held();
    if (state.real !== "exclusive") {
      throw new IsthmusError(
        "BUSY",
        `lock "${state.name}" is held shared; upgrade before the data are repaired`,
      );
    }
    state.markConsistent();
  }

  /**
   * Acquires the lock again under this hold, if that is possible now. Shared mode is always possible. Exclusive mode is
   * possible if the lock is already held exclusively, or if there is no other holder. A nested exclusive hold under a shared
   * hold is an upgrade that ends with the nested hold.
   *
   * @param mode "exclusive" (the default) or "shared"
   * @returns undefined when others hold the lock
   * @throws {TypeError | RangeError} when the mode is neither
   * @throws {IsthmusError} BROKEN when a death was not repaired; CLOSED when the hold was released; EVICTED: this participant was
   *   removed; CORRUPT when the lock is damaged
   */
  tryAcquire(mode: LockMode = "exclusive"): Held | undefined {
    const wanted = modeOf(mode);
    const state = this.#held();
    if (wanted === "exclusive" && state.real !== "exclusive") {
      try {
        if (!state.tryUpgrade(this.#tenure)) return undefined;
      } catch (error) {
        if (error instanceof IsthmusError && error.code === "DEADLOCK") return undefined;
        throw error;
      }
    }
    return this.#nest(wanted);
  }

  /**
   * As `tryAcquire`, but waits until the other holders have released the lock.
   *
   * @param mode "exclusive" (the default) or "shared"
   * @param given how long to wait, and a signal that ends it
   * @returns the nested hold
   * @throws {IsthmusError} TIMED_OUT; DEADLOCK when another holder already waits to upgrade; otherwise as `tryAcquire`
   * @throws the signal's reason, when it is aborted
   */
  async acquire(mode: LockMode = "exclusive", given?: WaitOptions): Promise<Held> {
    const wanted = modeOf(mode);
    const how = waiting(given);
    const state = this.#held();
    if (how.signal?.aborted) throw how.signal.reason;
    if (wanted === "exclusive" && state.real !== "exclusive")
      return this.#whenExclusive(state, how, () => this.#nest(wanted));
    return inTurn(this.#nest(wanted));
  }

  /**
   * As `acquire`, blocking the thread.
   *
   * @param mode "exclusive" (the default) or "shared"
   * @param given how long to wait
   * @returns the nested hold
   * @throws {IsthmusError} as `acquire`; DEADLOCK also when this thread holds the lock shared in another task
   */
  acquireSync(mode: LockMode = "exclusive", given?: WaitSyncOptions): Held {
    const wanted = modeOf(mode);
    const how = waitingSync(given);
    const state = this.#held();
    if (wanted === "exclusive" && state.real !== "exclusive")
      return this.#whenExclusiveSync(state, how.timeoutMs, () => this.#nest(wanted));
    return this.#nest(wanted);
  }

  #nest(mode: LockMode): Held {
    const state = this.#held();
    const held = holdOf(state, this.#tenure, mode);
    this.#tenure.count(mode); // last: a hold that nobody was given does not count
    return held;
  }

  /**
   * Changes a shared hold into an exclusive one if there is no other holder.
   *
   * @returns whether it is exclusive now
   * @throws {IsthmusError} DEADLOCK when another holder already waits to upgrade; BROKEN when a death was not repaired; CLOSED
   *   when the hold was released; EVICTED: this participant was removed; CORRUPT when the lock is damaged
   */
  tryUpgrade(): boolean {
    const state = this.#held();
    if (this.#mode === "exclusive") return true;
    const done = state.tryUpgrade(this.#tenure);
    if (done) this.#move("exclusive");
    return done;
  }

  /**
   * Changes a shared hold into an exclusive one. It waits until the other holders have released the lock: those of other
   * participants, and other tasks of this one.
   *
   * @param given how long to wait, and a signal that ends it
   * @throws {IsthmusError} TIMED_OUT: the hold is still shared; otherwise as `tryUpgrade`. After DEADLOCK, release the hold and
   *   acquire the lock exclusively
   * @throws the signal's reason, when it is aborted
   */
  async upgrade(given?: WaitOptions): Promise<void> {
    const how = waiting(given);
    const state = this.#held();
    if (how.signal?.aborted) throw how.signal.reason;
    if (this.#mode === "exclusive") return inTurn(undefined);
    await this.#whenExclusive(state, how, () => this.#move("exclusive"));
  }

  /**
   * As `upgrade`, blocking the thread.
   *
   * @param given how long to wait
   * @throws {IsthmusError} as `upgrade`; DEADLOCK also when this thread holds the lock shared in another task
   */
  upgradeSync(given?: WaitSyncOptions): void {
    const how = waitingSync(given);
    const state = this.#held();
    if (this.#mode === "exclusive") return;
    this.#whenExclusiveSync(state, how.timeoutMs, () => this.#move("exclusive"));
  }

  async #whenExclusive<T>(state: LockState, how: ReturnType<typeof waiting>, then: () => T): Promise<T> {
    state.beginUpgrade(this.#tenure);
    try {
      return await wait(state.attachment, this.#exclusive(state, then), how);
    } finally {
      state.endUpgrade(this.#tenure);
    }
  }

  #whenExclusiveSync<T>(state: LockState, timeoutMs: number, then: () => T): T {
    state.checkBlockingUpgrade(timeoutMs);
    state.beginUpgrade(this.#tenure);
    try {
      return waitSync(state.attachment, this.#exclusive(state, then), { timeoutMs, signal: undefined });
    } finally {
      state.endUpgrade(this.#tenure);
    }
  }

  #exclusive<T>(state: LockState, then: () => T): Condition<T> {
    return {
      what: `waiting to upgrade lock "${state.name}"`,
      waiters: state.waitersExclusive,
      attempt: () => (this.#held().upgrade() ? then() : NOT_YET),
      recheck: () => state.recheck(() => state.upgrade()),
      passOn: () => state.callExclusive(),
    };
  }

  #move(mode: LockMode): void {
    if (this.#mode === mode) return; // another upgrade of this hold was waiting at the same time, and succeeded
    this.#tenure.move(mode);
    this.#mode = mode;
  }

  /**
   * Changes an exclusive hold into a shared one. No other participant gets the lock in between. The lock stays exclusive while
   * another hold of the same holder is exclusive.
   *
   * @throws {IsthmusError} CLOSED when the hold was released; EVICTED: this participant was removed
   */
  downgrade(): void {
    const state = this.#held();
    if (this.#mode === "shared") return;
    this.#move("shared");
    state.settle(this.#tenure);
  }

  /**
   * Releases the hold. A second call does nothing. If an upgrade or a nested acquire of this hold waits, it ends with CLOSED.
   *
   * @throws {IsthmusError} EVICTED: another participant may have had the lock meanwhile. `close` does the same without the
   *   error
   */
  release(): void {
    const state = this.#state;
    this.close();
    if (state?.attachment.evicted) throw state.attachment.removed();
  }

  /** As `release`, but does not report an eviction. Never throws. */
  close(): void {
    const state = this.#state;
    if (state === undefined) return;
    if (state.ending !== undefined) state.settleLeftOver();
    if (this.#state === undefined) return;
    state.ending = this.#tenure;
    state.endingMode = this.#mode;
    this.#state = undefined;
    if (state.transacting === this) state.transacting = undefined;
    state.release();
  }

  /** As `close`. Never throws. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * @internal For a transaction under this hold. If the holder dies, the next one gets `ownerDied`, because changes outside of
   *   the transaction are not in the journal.
   */
  tryTransact(attachment: Attachment): Held | undefined {
    this.#checkOpener(attachment);
    const held = this.tryAcquire("exclusive");
    if (this.#state) this.#state.transacting = held;
    return held;
  }

  /** @internal As `tryTransact`, waiting. */
  async transact(attachment: Attachment, how: WaitOptions): Promise<Held> {
    this.#checkOpener(attachment);
    return this.acquire("exclusive", how);
  }

  /** @internal As `tryTransact`, blocking. */
  transactSync(attachment: Attachment, { timeoutMs }: WaitOptions): Held {
    this.#checkOpener(attachment);
    const held = this.acquireSync("exclusive", { timeoutMs });
    if (this.#state) this.#state.transacting = held;
    return held;
  }

  #checkOpener(attachment: Attachment): void {
    const state = this.#held();
    if (state.attachment !== attachment)
      throw new TypeError(`lock must be of this segment, got a hold of "${state.name}" of another opener`);
  }
}

/** The methods do not use the name of the class, because in the compiled code its static block runs before that name exists. */
function holdOf(state: LockState, tenure: Tenure, mode: LockMode): Held {
  return new Held(OURS, state, tenure, mode);
}
