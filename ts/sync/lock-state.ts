/**
 * The state of one lock for one opener of a segment. For the core, the opener is one holder. This file makes the lock exclude
 * its tasks from each other.
 *
 * An acquire begins a *tenure*: its hold and all holds that are nested in it. One tenure may have the lock exclusively, or
 * several may have it shared. The first shared tenure acquires the lock in the core, and the last one releases it there.
 *
 * Tasks that wait are in a queue. Each end of a tenure goes through the core, which wakes waiting participants. If it woke
 * others that want exclusive mode, the next task of the queue yields: it takes the lock after one of them had it, or when none
 * of them took it for RECHECK_MS. So a queue that never gets empty does not starve other processes. Waiters for shared mode
 * need no such rule, because the core gives them priority (SHARED_FIRST).
 */
import { BUSY, DEADLOCK } from "../../protocol/errors.js";
import {
  FLAG_WAKE_EXCLUSIVE,
  FLAG_WAKE_SHARED,
  LOCK_OWNER_DIED,
  LOCK_SHARED_FIRST,
} from "../../protocol/layout.js";
import { RECHECK_MS } from "../../protocol/limits.js";
import { codeName, failure, IsthmusError } from "../errors.js";
import { monotonicMs } from "../host/runtime.js";
import type { Attachment, Closable, Lease } from "../segment/attachment.js";
import { slotOf } from "../segment/token.js";
import { Queue } from "../wait/queue.js";
import { disarm, lookAgain, lookAtFirst, type QueuedWait } from "../wait/wait.js";
import { type LockMode, Tenure } from "./tenure.js";

export type { LockMode } from "./tenure.js";

/** @internal */
export class LockState implements Closable {
  readonly attachment: Attachment;
  /** Name of the lock, for error texts. */
  readonly name: string;
  readonly waitersShared: number;
  readonly waitersExclusive: number;
  /** The tasks that wait for a tenure. */
  readonly tasks = new Queue<QueuedWait>();
  /** The mode in which this opener has the lock in the core. */
  real: LockMode | "none" = "none";
  readonly #lock: number;
  #flags = 0;
  /** Whether the core knows that all changes go through the journal. */
  #journaled = false;
  #tenures = 0;
  /** The tenure that waits for an upgrade. Meanwhile, no new shared tenure begins. */
  #upgrading: Tenure | undefined;
  /** A tenure that has ended, kept to be used again. */
  #spare: Tenure | undefined;
  /** While there is a hold, the segment is kept alive, even if the program has dropped everything else of it. */
  keeping: Lease | undefined;
  /** The participants with priority after the last release have had enough time. */
  #impatient = false;
  /** When an attempt first found the lock free and reserved for them. */
  #reservedSince = Infinity;
  /** The sum of our doorbells at the last release that woke others, while none of them is known to have had the lock since. */
  #yieldBell: number | undefined;
  #closed = false;
  /** Its word goes on naming us. */
  #abandoned = false;
  /** A tenure whose hold is being made: nobody has it yet. */
  unconfirmed: Tenure | undefined;
  #unconfirmedMode: LockMode = "shared";
  /** A hold that is being given back: nobody has it any more, and its tenure still counts it. */
  ending: Tenure | undefined;
  endingMode: LockMode = "shared";
  /** The hold of a transaction that runs in one call. When none runs, its end was cut off. */
  transacting: Closable | undefined;
  /** A tenure whose holds have become fewer, as long as the core may not know. */
  #unsettled: Tenure | undefined;

  /** Returns the state of this lock for this opener. There is only one. */
  static of(attachment: Attachment, lock: number, name: string): LockState {
    const known = attachment.states.get(lock) as LockState | undefined;
    if (known) return known;
    const state = new LockState(attachment, lock, name);
    attachment.states.set(lock, state);
    attachment.parts.add(state);
    return state;
  }

  private constructor(attachment: Attachment, lock: number, name: string) {
    this.attachment = attachment;
    this.#lock = lock;
    this.name = name;
    this.waitersShared = attachment.core.lockWaitersShared(lock) >>> 0;
    this.waitersExclusive = attachment.core.lockWaitersExclusive(lock) >>> 0;
  }

  /** LOCK_OWNER_DIED, valid while there is a hold. */
  get ownerDied(): boolean {
    return (this.#flags & LOCK_OWNER_DIED) !== 0;
  }

  /** Whether tenures of this environment exclude a new one. */
  occupied(mode: LockMode): boolean {
    if (this.real === "none") return false;
    return this.real === "exclusive" || mode === "exclusive" || this.#upgrading !== undefined;
  }

  /**
   * The tenure of a hold that is about to be made, when nobody of this opener has the lock or waits for it; else undefined. Ask
   * `takeIdle` with it then.
   */
  idleTenure(): Tenure | undefined {
    const { slot, transaction } = this.attachment;
    if (this.real !== "none" || this.tasks.length > 0 || this.#yieldBell !== undefined) return undefined;
    // The core checks whether we were evicted. A read-only opener is not a participant and has no slot.
    if (slot < 0 || transaction !== undefined) return undefined;
    this.#flags = 0; // what the hold before was told says nothing of this one
    return this.#spare ?? new Tenure();
  }

  /**
   * The usual case: a lock that nobody has. False: nothing has changed here, and `take` goes on with what the core has begun.
   * The hold is there already, and behind the core's call there are only stores: nothing there can be cut off.
   */
  takeIdle(mode: LockMode, tenure: Tenure, lease: Lease): boolean {
    const { core } = this.attachment;
    const isExclusive = mode === "exclusive";
    const result = isExclusive ? core.lockExclusive(this.#lock, 0, 0) : core.lockShared(this.#lock);
    if (result !== 0) {
      if (result === FLAG_WAKE_EXCLUSIVE) this.callExclusive();
      return false;
    }
    this.real = mode;
    this.#journaled = false;
    this.#impatient = false;
    this.#reservedSince = Infinity;
    this.#spare = undefined;
    this.keeping = lease;
    this.#tenures = 1;
    tenure.ended = false;
    if (isExclusive) tenure.exclusive = 1;
    else tenure.shared = 1;
    return true;
  }

  /** Takes the lock for a new tenure. Returns false when that is not possible now; an exclusive claim stays then. */
  take(mode: LockMode, journaled = false): boolean {
    if (this.#unsettled !== undefined || this.ending !== undefined) this.#settleOwn();
    if (this.real !== "none") return !this.occupied(mode) && this.#join();
    if (mode === "exclusive" && this.#yields()) return false;
    const { core } = this.attachment;
    const result =
      mode === "exclusive"
        ? core.lockExclusive(this.#lock, this.#impatient ? 1 : 0, journaled ? 1 : 0)
        : core.lockShared(this.#lock);
    if (result === BUSY) return false;
    if (result === FLAG_WAKE_EXCLUSIVE) {
      this.callExclusive();
      return false;
    }
    this.#took(mode, result);
    this.#journaled = journaled;
    return true;
  }

  /** Adds a shared tenure to those of this environment, unless another participant waits for exclusive mode. */
  #join(): boolean {
    const result = this.attachment.core.lockJoin(this.#lock);
    if (result === BUSY) return false;
    this.#took("shared", result);
    return true;
  }

  #took(mode: LockMode, result: number): void {
    if (result !== 0 && result !== LOCK_OWNER_DIED) throw this.#failed(result);
    this.real = mode;
    this.#flags = result;
    this.#impatient = false;
    this.#reservedSince = Infinity;
    if (this.#yieldBell !== undefined) this.#endYielding();
  }

  /** As `take`, but asks the kernel once whether the participant in the way is dead, and leaves no claim. */
  tryTake(mode: LockMode, journaled = false): boolean {
    this.#settleOwn();
    if (this.tasks.length > 0 || this.occupied(mode)) return false;
    if (this.take(mode, journaled)) return true;
    if (this.attachment.retryPastDead(() => this.take(mode, journaled) || undefined)) return true;
    if (mode === "exclusive") {
      this.#expectReserved();
      this.cancel();
    }
    return false;
  }

  /**
   * As `take`, for a thread that would block. If this environment has shared tenures, it ignores other participants that wait,
   * because these wait for this thread.
   */
  takeSync(mode: LockMode, journaled = false): boolean {
    this.#settleOwn();
    if (this.tasks.length > 0) return false;
    if (this.real === "shared" && !this.occupied(mode)) return true;
    return this.take(mode, journaled);
  }

  /** Throws DEADLOCK when a thread that blocks now would wait for ever for its own tasks, in this opener or another one. */
  checkBlocking(mode: LockMode, timeoutMs: number): void {
    const who = `lock "${this.name}": this thread would wait for itself: `;
    let reason: string;
    if (this.tasks.length > 0) reason = "a task of it waits for the lock; use acquire()";
    else if (this.occupied(mode))
      reason = `it holds the lock ${this.real}; acquire through that hold, or use acquire()`;
    else if (timeoutMs === Infinity && this.#heldElsewhere(mode)) {
      this.cancel(); // the claim of the previous attempt
      reason = "it has the lock through another opening of the segment; use acquire(), or give a timeoutMs";
    } else return;
    throw new IsthmusError("DEADLOCK", who + reason);
  }

  /** Whether this thread holds or claims the lock through another opener of the segment. */
  #heldElsewhere(mode: LockMode): boolean {
    const owner = slotOf(this.attachment.core.lockState(this.#lock)) - 1;
    for (const other of this.attachment.elsewhere(this.#lock)) {
      if (!(other instanceof LockState)) continue;
      const claims = other.attachment.slot === owner;
      if (claims || other.real === "exclusive" || (other.real === "shared" && mode === "exclusive"))
        return true;
    }
    return false;
  }

  /** The participants with priority may have ended. So the lock stays reserved for them no longer than for RECHECK_MS. */
  #expectReserved(): void {
    const state = this.attachment.core.lockState(this.#lock) >>> 0;
    const reserved = slotOf(state) === 0 && (state & LOCK_SHARED_FIRST) !== 0;
    const now = monotonicMs();
    if (!reserved) this.#reservedSince = Infinity;
    else this.#reservedSince = Math.min(this.#reservedSince, now);
    if (now - this.#reservedSince >= RECHECK_MS) this.#impatient = true;
  }

  /** Begins an upgrade of a tenure. Two upgrades at the same time would wait for each other. */
  beginUpgrade(tenure: Tenure): void {
    if (this.#upgrading && this.#upgrading !== tenure) throw this.#failed(DEADLOCK);
    this.#upgrading = tenure;
    tenure.upgrades++;
  }

  /** Makes one attempt. A claim stays until `endUpgrade`. */
  upgrade(): boolean {
    if (this.real === "exclusive") return true;
    const alone = this.#tenures === 1 ? 1 : 0;
    let result = this.attachment.core.lockUpgrade(this.#lock, alone);
    // The participant that waits for an upgrade may have died. Then it is removed.
    if (result === DEADLOCK && this.attachment.markSuspectDead())
      result = this.attachment.core.lockUpgrade(this.#lock, alone);
    if (result === BUSY) return false;
    this.#took("exclusive", result);
    return true;
  }

  endUpgrade(tenure: Tenure): void {
    tenure.upgrades--;
    if (this.#upgrading !== tenure) return;
    if (tenure.upgrades > 0) {
      this.#lookAgain();
      return;
    }
    this.#upgrading = undefined;
    this.cancel();
    lookAtFirst(this.tasks);
  }

  tryUpgrade(tenure: Tenure): boolean {
    this.beginUpgrade(tenure);
    try {
      return this.attachment.retryPastDead(() => this.upgrade() || undefined) === true;
    } finally {
      this.endUpgrade(tenure);
    }
  }

  /** Throws DEADLOCK when a thread that blocks to upgrade would wait for shared tenures of its own. */
  checkBlockingUpgrade(timeoutMs: number): void {
    if (this.real === "exclusive") return;
    const elsewhere = timeoutMs === Infinity && this.#heldElsewhere("exclusive");
    if (this.#tenures === 1 && !elsewhere) return;
    const how = elsewhere ? "through another opening of the segment" : "in another task";
    const text = `this thread would wait for itself: it holds the lock shared ${how}; use upgrade()`;
    throw new IsthmusError("DEADLOCK", `lock "${this.name}": ${text}`);
  }

  /** Asks the kernel about each participant in the way, one after the other, as long as they are dead. */
  recheck(attempt: () => boolean): void {
    this.#impatient = true;
    if (this.attachment.markSuspectDead()) this.attachment.retryPastDead(() => attempt() || undefined);
  }

  /** Cancels a claim that was not fulfilled, unless it is that of an upgrade that waits. */
  cancel(): void {
    if (this.#yieldBell !== undefined && this.#endYielding()) this.callExclusive(); // nobody looks for us now
    const { closed, readOnly } = this.attachment;
    if (this.real === "exclusive" || this.#upgrading || closed || readOnly) return;
    this.#wake(this.attachment.core.lockCancel(this.#lock));
  }

  /**
   * Gives back what a call that was cut off has taken, and nobody was given; and goes on with giving back what nobody has any
   * more. No such call can be running.
   */
  #settleOwn(): void {
    this.#settleHolds();
    if (this.transacting !== undefined && !this.attachment.transaction) this.transacting.close();
  }

  #settleHolds(): void {
    const lost = this.unconfirmed;
    if (lost === undefined && this.ending === undefined && this.#unsettled === undefined) {
      if (this.real === "none" || this.#tenures > 0 || this.tasks.length > 0) return;
      this.real = "none";
      this.#settleCore();
      return;
    }
    if (lost && this.ending === undefined) {
      this.endingMode = this.#unconfirmedMode;
      this.ending = lost;
    }
    this.unconfirmed = undefined;
    this.#count();
    this.#conclude(() => this.#settleCore());
  }

  /** Makes the words of the lock agree with the state in this object. */
  #settleCore(): void {
    const held = { none: 0, shared: 1, exclusive: 2 }[this.real];
    const wants = this.tasks.length > 0 || this.#upgrading !== undefined ? 1 : 0;
    this.#wake(this.attachment.core.lockSettle(this.#lock, held, wants));
  }

  settleLeftOver(): void {
    if (this.#closed || this.attachment.readOnly) return;
    this.#settleOwn();
    this.#settleCore();
  }

  markConsistent(): void {
    this.attachment.core.lockMarkConsistent(this.#lock);
    this.#flags = 0;
  }

  /** Records that the lock was taken for a new tenure. */
  begin(mode: LockMode, lease: Lease): Tenure {
    const tenure = this.#spare ?? new Tenure();
    this.#spare = undefined;
    this.keeping = lease;
    tenure.count(mode);
    tenure.ended = false;
    this.#tenures++;
    this.#unconfirmedMode = mode;
    this.unconfirmed = tenure;
    return tenure;
  }

  /**
   * Gives the hold back that `ending` tells of. Cut off anywhere, this goes on with the next call that takes the lock, or the
   * heartbeat:
   *  1. `ending` and `endingMode` are set, and the hold has no state any more: plain stores, which nothing comes in between
   *  2. the tenure counts one hold less, and is unsettled: plain stores
   *  3. a tenure without holds has ended; with the last one, the core gives the lock back
   *  4. the tenure is settled, and those who wait here look again
   */
  release(): void {
    const tenure = this.ending;
    if (this.#closed || tenure === undefined) return;
    this.#count();
    if (this.#isLast(tenure)) {
      tenure.ended = true;
      this.#tenures = 0;
      const real = this.real;
      this.real = "none";
      this.keeping = undefined;
      this.#release(real);
      this.#spare = tenure;
      this.#unsettled = undefined;
      return;
    }
    this.settle(tenure);
    if (this.#upgrading === tenure) this.#lookAgain(); // the waiting calls of this hold have failed
  }

  /** Whether this is the only tenure, has no hold any more, and no task waits for anything: the usual case. */
  #isLast(tenure: Tenure): boolean {
    if (this.#tenures !== 1 || tenure.exclusive > 0 || tenure.shared > 0) return false;
    return this.#upgrading === undefined && tenure.upgrades === 0 && this.tasks.length === 0;
  }

  #count(): void {
    const tenure = this.ending;
    if (tenure === undefined) return;
    if (this.endingMode === "exclusive") tenure.exclusive--;
    else tenure.shared--;
    this.ending = undefined;
    this.#unsettled = tenure;
  }

  /** Brings the core to what the holds that are left need. */
  settle(tenure: Tenure): void {
    this.#unsettled = tenure;
    this.#conclude(undefined);
  }

  /** Steps 3 and 4. `again`: brings the core to what is known here, where it may know some of it. */
  #conclude(again: (() => void) | undefined): void {
    const tenure = this.#unsettled;
    if (tenure === undefined) return;
    if (tenure.exclusive === 0 && tenure.shared === 0 && !tenure.ended) {
      tenure.ended = true;
      this.#tenures--;
    }
    const wanted = tenure.ended && this.#upgrading === tenure;
    if (wanted) {
      this.#upgrading = undefined;
      this.cancel();
    }
    const before = this.real;
    if (this.#tenures === 0) {
      this.real = "none";
      this.keeping = undefined;
    } else if (before === "exclusive" && tenure.exclusive === 0) this.real = "shared";
    if (again) again();
    else if (this.real === "none") this.#release(before);
    else if (this.real !== before) this.#wake(this.attachment.core.lockDowngrade(this.#lock));
    const changed = again !== undefined || this.real !== before;
    if (tenure.ended && tenure.upgrades === 0) this.#spare = tenure;
    this.#unsettled = undefined;
    if (wanted || (this.#upgrading && (tenure.ended || changed))) this.#lookAgain();
    if ((wanted || changed) && this.tasks.length > 0) lookAtFirst(this.tasks);
  }

  #release(real: LockMode | "none"): void {
    const { core } = this.attachment;
    if (real === "none") return;
    const who =
      real === "shared" ? core.lockReleaseShared(this.#lock) : core.lockReleaseExclusive(this.#lock);
    const others = who === 0 ? 0 : this.#wake(who);
    if (others === 0 || this.tasks.length === 0) return;
    this.#yieldBell = this.#bell;
    core.waitersArm(this.waitersExclusive); // every release from now on adds to our doorbell
  }

  get #bell(): number {
    const { i32, doorbell, blockedBell } = this.attachment;
    return (Atomics.load(i32, doorbell >>> 2) + Atomics.load(i32, blockedBell >>> 2)) | 0;
  }

  /**
   * Whether the participants that the last release woke still have priority. If our doorbell has changed since, one of them has
   * released the lock.
   */
  #yields(): boolean {
    if (this.#yieldBell === undefined) return false;
    const owned = slotOf(this.attachment.core.lockState(this.#lock)) !== 0;
    if (!owned && !this.#impatient && this.#bell === this.#yieldBell) return true;
    this.#endYielding();
    return false;
  }

  /** @returns whether we were called meanwhile */
  #endYielding(): boolean {
    this.#yieldBell = undefined;
    return disarm(this.attachment, this.waitersExclusive);
  }

  /** Makes waiting upgrades, and the first task of the queue, try again. */
  #lookAgain(): void {
    lookAgain(this.attachment, this.waitersExclusive);
  }

  /** @returns how many others wait for exclusive mode and were woken */
  #wake(who: number): number {
    if (who & FLAG_WAKE_SHARED) this.attachment.notify(this.waitersShared);
    return who & FLAG_WAKE_EXCLUSIVE ? this.callExclusive() : 0;
  }

  /** Calls whoever can have the lock exclusively next. @returns how many others were woken */
  callExclusive(): number {
    const { closed, core } = this.attachment;
    return closed ? 0 : this.attachment.call(this.waitersExclusive, 1, () => core.lockCall(this.#lock));
  }

  /** A wait for the lock shared has ended without it. */
  forgo(): void {
    const { closed, core, readOnly } = this.attachment;
    if (!closed && !readOnly) this.#wake(core.lockForgo(this.#lock));
  }

  /**
   * The segment is being closed: whatever is held is given back, and no task is served any more. Cut off, it is done again as far
   * as the core does not know it.
   */
  close(): void {
    const { real } = this;
    const again = this.#closed;
    this.#closed = true;
    this.real = "none";
    this.keeping = undefined;
    if (!this.attachment.closed && !this.attachment.readOnly && !this.#abandoned) {
      if (again) this.#settleCore();
      else this.#release(real);
      this.cancel();
    }
    this.attachment.parts.delete(this);
  }

  /**
   * The environment ends, for instance by an exception or `process.exit()`. The data that an exclusive hold guards may be half
   * changed. So the word of the lock goes on naming this participant, and the next holder gets `ownerDied`, as after any death.
   * The changes of a transaction are undone.
   */
  abandon(): void {
    this.#abandoned = this.real === "exclusive" && !this.#journaled;
    this.close();
  }

  #failed(status: number): IsthmusError {
    const advice: Record<string, string> = {
      BROKEN:
        "a holder died, and the next one released it without calling the data consistent; replace the segment",
      DEADLOCK:
        "another holder already waits to upgrade: release this hold, then acquire the lock exclusively",
      EVICTED: "this participant was removed; close the segment and open it again",
    };
    return failure(status, `lock "${this.name}": ${advice[codeName(status)] ?? "the lock is damaged"}`);
  }
}
