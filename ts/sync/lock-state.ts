/**
 * What one opener of a segment has to do with one lock. To the core it is one holder; here its tasks are kept apart.
 *
 * Whoever acquires the lock begins a *tenure*: its hold and all holds that are nested in it. One tenure may have the lock
 * exclusively, or several shared. The first shared tenure takes the lock from the core, and the last one gives it back.
 *
 * Tasks that wait stand in a queue, and each end of a tenure goes through the core, so that others are woken by it. When that
 * woke others who want the lock exclusively, the next task of the queue yields: it takes the lock after one of them had it, or
 * when none came for RECHECK_MS. So a queue that never gets empty keeps no other process out. Waiters for shared need no such
 * rule: the core lets them in first (SHARED_FIRST).
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

/** exclusive: nobody else holds it; shared: others may hold it shared as well. */
export type LockMode = "exclusive" | "shared";

/** @internal A hold that was acquired from the lock itself, with all that are nested in it: how many of each mode are open. */
export class Tenure {
  exclusive = 0;
  shared = 0;
  /** Waits and calls that want it exclusive now. */
  upgrades = 0;

  /** One hold of that mode more, or less. */
  count(mode: LockMode, change: 1 | -1): void {
    if (mode === "exclusive") this.exclusive += change;
    else this.shared += change;
  }
}

/** @internal */
export class LockState implements Closable {
  readonly attachment: Attachment;
  /** Of the lock, for error texts. */
  readonly name: string;
  readonly waitersShared: number;
  readonly waitersExclusive: number;
  /** The tasks that wait for a tenure. */
  readonly tasks = new Queue<QueuedWait>();
  /** What the core knows of us. */
  real: LockMode | "none" = "none";
  readonly #lock: number;
  #flags = 0;
  /** The core was told that all changes are made through the journal. */
  #journaled = false;
  #tenures = 0;
  /** The tenure that waits to become exclusive; new shared ones are kept out meanwhile. */
  #upgrading: Tenure | undefined;
  /** A tenure that has ended, for the next one. */
  #spare: Tenure | undefined;
  /** While something is held the segment is not forgotten, whatever else of it is: nobody has given the lock back. */
  keeping: Lease | undefined;
  /** Those whom the last release let in first had time enough. */
  #impatient = false;
  /** When a try found the lock free and kept for them. */
  #reservedSince = Infinity;
  /** Our doorbell when the last release woke others, none of whom is known to have come in since. */
  #yieldBell: number | undefined;
  #closed = false;
  /** A tenure whose hold is being made: nobody has it yet. */
  unconfirmed: Tenure | undefined;
  #unconfirmedMode: LockMode = "shared";

  /** The one state of this lock for this opener. */
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

  /** LOCK_OWNER_DIED, as long as something is held. */
  get ownerDied(): boolean {
    return (this.#flags & LOCK_OWNER_DIED) !== 0;
  }

  /** Whether tenures of this environment keep a new one out. */
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
    // The core looks whether our slot was taken from us; who is no participant has none.
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
      if (result === FLAG_WAKE_EXCLUSIVE) this.attachment.notify(this.waitersExclusive);
      return false;
    }
    this.real = mode;
    this.#journaled = false;
    this.#impatient = false;
    this.#reservedSince = Infinity;
    this.#spare = undefined;
    this.keeping = lease;
    this.#tenures = 1;
    if (isExclusive) tenure.exclusive = 1;
    else tenure.shared = 1;
    return true;
  }

  /** Takes the lock for a new tenure. False: not now, and an exclusive claim stays. */
  take(mode: LockMode, journaled = false): boolean {
    if (this.real !== "none") return !this.occupied(mode) && this.#join();
    if (mode === "exclusive" && this.#yields()) return false;
    const { core } = this.attachment;
    const result =
      mode === "exclusive"
        ? core.lockExclusive(this.#lock, this.#impatient ? 1 : 0, journaled ? 1 : 0)
        : core.lockShared(this.#lock);
    if (result === BUSY) return false;
    if (result === FLAG_WAKE_EXCLUSIVE) {
      this.attachment.notify(this.waitersExclusive);
      return false;
    }
    this.#took(mode, result);
    this.#journaled = journaled;
    return true;
  }

  /** One more shared tenure beside those of this environment, unless somebody else waits for exclusive. */
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

  /** As `take`, but asks the kernel once about who is in the way, and leaves no claim. */
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
   * As `take`, for a thread that would block. Beside shared tenures of its own it does not ask who else waits: those wait for
   * this very thread.
   */
  takeSync(mode: LockMode, journaled = false): boolean {
    this.#settleOwn();
    if (this.tasks.length > 0) return false;
    if (this.real === "shared" && !this.occupied(mode)) return true;
    return this.take(mode, journaled);
  }

  /** Throws DEADLOCK when a thread that blocks now would wait for its own tasks, in this or another opening, without an end. */
  checkBlocking(mode: LockMode, timeoutMs: number): void {
    const who = `lock "${this.name}": this thread would wait for itself: `;
    let reason: string;
    if (this.tasks.length > 0) reason = "a task of it waits for the lock; use acquire()";
    else if (this.occupied(mode))
      reason = `it holds the lock ${this.real}; acquire through that hold, or use acquire()`;
    else if (timeoutMs === Infinity && this.#heldElsewhere(mode)) {
      this.cancel(); // the claim of the attempt before
      reason = "it has the lock through another opening of the segment; use acquire(), or give a timeoutMs";
    } else return;
    throw new IsthmusError("DEADLOCK", who + reason);
  }

  /** Whether this thread holds or claims the lock through another opening of the segment. */
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

  /** Those who were to come first may have gone: a lock that stays free for them is theirs no longer than any wait. */
  #expectReserved(): void {
    const state = this.attachment.core.lockState(this.#lock) >>> 0;
    const reserved = slotOf(state) === 0 && (state & LOCK_SHARED_FIRST) !== 0;
    const now = monotonicMs();
    if (!reserved) this.#reservedSince = Infinity;
    else this.#reservedSince = Math.min(this.#reservedSince, now);
    if (now - this.#reservedSince >= RECHECK_MS) this.#impatient = true;
  }

  /** Begins to want a tenure exclusive. Two of them would wait for each other. */
  beginUpgrade(tenure: Tenure): void {
    if (this.#upgrading && this.#upgrading !== tenure) throw this.#failed(DEADLOCK);
    this.#upgrading = tenure;
    tenure.upgrades++;
  }

  /** One attempt; a claim stays until `endUpgrade`. */
  upgrade(): boolean {
    if (this.real === "exclusive") return true;
    const alone = this.#tenures === 1 ? 1 : 0;
    let result = this.attachment.core.lockUpgrade(this.#lock, alone);
    // Who waits to upgrade may have died: then it is out of the way for good.
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

  /** Has the kernel asked about one after the other of those in the way, as long as they turn out to be dead. */
  recheck(attempt: () => boolean): void {
    this.#impatient = true;
    if (this.attachment.markSuspectDead()) this.attachment.retryPastDead(() => attempt() || undefined);
  }

  /** Takes a claim back that was not fulfilled, unless it is that of an upgrade that waits. */
  cancel(): void {
    if (this.#yieldBell !== undefined) this.#endYielding();
    const { closed, readOnly } = this.attachment;
    if (this.real === "exclusive" || this.#upgrading || closed || readOnly) return;
    this.#wake(this.attachment.core.lockCancel(this.#lock));
  }

  /** Gives back what a call that was cut off has taken, and nobody was given. No such call can be running. */
  #settleOwn(): void {
    if (this.real === "none") return;
    const lost = this.unconfirmed;
    this.unconfirmed = undefined;
    if (lost) this.release(lost, this.#unconfirmedMode);
    else if (this.#tenures === 0 && this.tasks.length === 0) this.real = "none";
    else return;
    this.#settleCore();
  }

  /** Brings the words of the lock to what is known here. */
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

  /** The lock was taken for a new tenure. */
  begin(mode: LockMode, lease: Lease): Tenure {
    const tenure = this.#spare ?? new Tenure();
    this.#spare = undefined;
    this.keeping = lease;
    tenure.count(mode, 1);
    this.#tenures++;
    this.#unconfirmedMode = mode;
    this.unconfirmed = tenure;
    return tenure;
  }

  release(tenure: Tenure, mode: LockMode): void {
    if (this.#closed) return;
    tenure.count(mode, -1);
    if (this.#isLast(tenure)) {
      this.#tenures = 0;
      this.#spare = tenure;
      this.#giveBack();
      return;
    }
    this.settle(tenure);
    if (this.#upgrading === tenure) this.#lookAgain(); // the waits of this hold have failed
  }

  /** Whether this is the only tenure, has no hold any more, and no task waits for anything: the usual case. */
  #isLast(tenure: Tenure): boolean {
    if (this.#tenures !== 1 || tenure.exclusive > 0 || tenure.shared > 0) return false;
    return this.#upgrading === undefined && tenure.upgrades === 0 && this.tasks.length === 0;
  }

  /** Brings the core to what the holds that are left need. */
  settle(tenure: Tenure): void {
    if (tenure.exclusive > 0) return;
    if (tenure.shared > 0) {
      if (this.real !== "exclusive") return;
      this.real = "shared";
      this.#wake(this.attachment.core.lockDowngrade(this.#lock));
      if (this.#upgrading) this.#lookAgain();
      lookAtFirst(this.tasks);
      return;
    }
    this.#end(tenure);
    if (this.#tenures > 0) return;
    this.#giveBack();
    if (this.tasks.length > 0) lookAtFirst(this.tasks);
  }

  /** The last tenure has ended. */
  #giveBack(): void {
    const real = this.real;
    this.real = "none";
    this.keeping = undefined;
    this.#release(real);
  }

  #end(tenure: Tenure): void {
    this.#tenures--;
    if (tenure.upgrades === 0) this.#spare = tenure;
    if (this.#upgrading === undefined) return;
    if (this.#upgrading === tenure) {
      this.#upgrading = undefined;
      this.cancel();
      lookAtFirst(this.tasks);
    }
    this.#lookAgain(); // its waits have failed, or it may be alone now
  }

  #release(real: LockMode | "none"): void {
    const { core } = this.attachment;
    if (real === "none") return;
    const who =
      real === "shared" ? core.lockReleaseShared(this.#lock) : core.lockReleaseExclusive(this.#lock);
    const others = who === 0 ? 0 : this.#wake(who);
    if (others === 0 || this.tasks.length === 0) return;
    this.#yieldBell = this.#bell;
    core.waitersArm(this.waitersExclusive); // whoever releases from now on rings
  }

  get #bell(): number {
    const { i32, doorbell } = this.attachment;
    return Atomics.load(i32, doorbell >>> 2);
  }

  /** Whether those whom the last release woke come first. When our bell was rung since, somebody has released the lock. */
  #yields(): boolean {
    if (this.#yieldBell === undefined) return false;
    const owned = slotOf(this.attachment.core.lockState(this.#lock)) !== 0;
    if (!owned && !this.#impatient && this.#bell === this.#yieldBell) return true;
    this.#endYielding();
    return false;
  }

  #endYielding(): void {
    this.#yieldBell = undefined;
    disarm(this.attachment, this.waitersExclusive);
  }

  /** Waits for an upgrade, and the first task, may go on. */
  #lookAgain(): void {
    lookAgain(this.attachment, this.waitersExclusive);
  }

  /** @returns how many others wait for exclusive and were woken */
  #wake(who: number): number {
    if (who & FLAG_WAKE_SHARED) this.attachment.notify(this.waitersShared);
    return who & FLAG_WAKE_EXCLUSIVE ? this.attachment.notify(this.waitersExclusive) : 0;
  }

  /** The segment is being closed: whatever is held is given back, and no task is served any more. */
  close(): void {
    this.attachment.parts.delete(this);
    this.#closed = true;
    const real = this.real;
    this.real = "none";
    this.keeping = undefined;
    if (this.attachment.closed || this.attachment.readOnly) return;
    this.#release(real);
    this.cancel();
  }

  /**
   * The environment ends, by an exception or `process.exit()`, say. What an exclusive hold guards may be half changed: its word
   * goes on naming us, who are gone, so that the next holder is told as after any death. What a transaction had done is undone.
   */
  abandon(): void {
    if (this.real === "exclusive" && !this.#journaled) this.real = "none";
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
