import { BUSY, DEADLOCK } from "../../protocol/errors.js";
import { LOCK_OWNER_DIED, LOCK_SHARED_FIRST } from "../../protocol/layout.js";
import { RECHECK_MS } from "../../protocol/limits.js";
import { codeName, failure, type IsthmusError } from "../errors.js";
import { monotonicMs } from "../host/runtime.js";
import type { Attachment, Closable, Lease } from "../segment/attachment.js";

/** exclusive: nobody else holds it; shared: others may hold it shared as well. */
export type LockMode = "exclusive" | "shared";

/** What a release of the core returns: who must be woken. */
const WAKE_SHARED = 1;
const WAKE_EXCLUSIVE = 2;

/**
 * @internal
 * What this opener of a segment holds of one lock: holds nest here, and only the outermost ones reach the core.
 */
export class LockState implements Closable {
  readonly attachment: Attachment;
  readonly waitersShared: number;
  readonly waitersExclusive: number;
  /** What the core knows of us. */
  real: LockMode | "none" = "none";
  readonly #lock: number;
  readonly #name: string;
  #flags = 0;
  /** The core was told that all changes are made through the journal. */
  #journaled = false;
  #count = { exclusive: 0, shared: 0 };
  /** While something is held the segment is not forgotten, whatever else of it is: nobody has given the lock back. */
  keeping: Lease | undefined;
  /** Those whom the last release let in first had time enough. */
  #impatient = false;
  /** When a try found the lock free and kept for them. */
  #reservedSince = Infinity;

  /** The one state of this lock for this opener. */
  static of(attachment: Attachment, lock: number, name: string): LockState {
    const known = attachment.locks.get(lock) as LockState | undefined;
    if (known) return known;
    const state = new LockState(attachment, lock, name);
    attachment.locks.set(lock, state);
    attachment.parts.add(state);
    return state;
  }

  private constructor(attachment: Attachment, lock: number, name: string) {
    this.attachment = attachment;
    this.#lock = lock;
    this.#name = name;
    this.waitersShared = attachment.core.lockWaitersShared(lock) >>> 0;
    this.waitersExclusive = attachment.core.lockWaitersExclusive(lock) >>> 0;
  }

  /** Takes the lock, or a nested hold of it; undefined: not now, and an exclusive claim stays. */
  take(mode: LockMode, journaled = false): number | undefined {
    if (this.real === "exclusive" || this.real === mode) return this.#flags;
    // A shared hold came in while this one waited for exclusive: it has to go first.
    if (this.real === "shared") return undefined;
    const { core } = this.attachment;
    const result =
      mode === "exclusive"
        ? core.lockExclusive(this.#lock, this.#impatient ? 1 : 0, journaled ? 1 : 0)
        : core.lockShared(this.#lock);
    if (result === BUSY) {
      // A shared bit that stood for a moment may have sent a claimant to sleep.
      if (mode === "shared" && core.waitersAny(this.waitersExclusive))
        this.attachment.notify(this.waitersExclusive);
      return undefined;
    }
    const flags = this.#took(mode, result);
    this.#journaled = journaled;
    return flags;
  }

  #took(mode: LockMode, result: number): number {
    if (result !== 0 && result !== LOCK_OWNER_DIED) throw this.#failed(result);
    this.real = mode;
    this.#flags = result;
    this.#impatient = false;
    this.#reservedSince = Infinity;
    return result;
  }

  /** As `take`, but asks the kernel once about who is in the way, and leaves no claim. */
  tryTake(mode: LockMode): number | undefined {
    const flags = this.take(mode) ?? this.attachment.retryPastDead(() => this.take(mode));
    if (flags === undefined && mode === "exclusive") {
      this.#patience();
      this.cancel();
    }
    return flags;
  }

  /** Those who were to come first may have gone: a lock that stays free for them is theirs no longer than any wait. */
  #patience(): void {
    const state = this.attachment.core.lockState(this.#lock) >>> 0;
    const reserved = state >>> 16 === 0 && (state & LOCK_SHARED_FIRST) !== 0;
    const now = monotonicMs();
    if (!reserved) this.#reservedSince = Infinity;
    else this.#reservedSince = Math.min(this.#reservedSince, now);
    if (now - this.#reservedSince >= RECHECK_MS) this.#impatient = true;
  }

  /** Claims the upgrade; whether it is ours. */
  upgrade(): boolean {
    if (this.real === "exclusive") return true;
    const { core } = this.attachment;
    let result = core.lockUpgrade(this.#lock);
    // Who waits to upgrade may have died: then it is out of the way for good.
    if (result === DEADLOCK && this.attachment.markSuspectDead()) result = core.lockUpgrade(this.#lock);
    if (result === BUSY) return false;
    this.#took("exclusive", result);
    return true;
  }

  tryUpgrade(): boolean {
    const done = this.attachment.retryPastDead(() => this.upgrade() || undefined);
    if (!done) this.cancel();
    return done === true;
  }

  /** Has the kernel asked about one after the other of those in the way, as long as they turn out to be dead. */
  recheck(attempt: () => boolean): void {
    this.#impatient = true;
    if (this.attachment.markSuspectDead()) this.attachment.retryPastDead(() => attempt() || undefined);
  }

  /** Takes a claim back, unless other waits of this opener sleep on it: it is theirs, too. */
  cancel(): void {
    const { closed, readOnly, sleepers } = this.attachment;
    if (this.real === "exclusive" || closed || readOnly) return;
    if (this.real === "none" && sleepers.has(this.waitersExclusive)) return;
    this.#takeBack();
  }

  #takeBack(): void {
    this.#wake(this.attachment.core.lockCancel(this.#lock));
  }

  markConsistent(): void {
    this.attachment.core.lockMarkConsistent(this.#lock);
    this.#flags = 0;
  }

  added(mode: LockMode, lease: Lease): void {
    this.keeping = lease;
    this.#count[mode]++;
  }

  moved(from: LockMode, to: LockMode): void {
    this.#count[from]--;
    this.#count[to]++;
  }

  release(mode: LockMode): void {
    if (this.attachment.closed) return;
    this.#count[mode]--;
    this.settle();
  }

  /** Brings the core to what the holds that are left need. */
  settle(): void {
    const { core } = this.attachment;
    if (this.#count.exclusive > 0) {
      this.#continue();
      return;
    }
    if (this.#count.shared > 0) {
      if (this.real !== "exclusive") return;
      this.real = "shared";
      this.#wake(core.lockDowngrade(this.#lock));
      return;
    }
    const real = this.real;
    this.real = "none";
    this.keeping = undefined;
    if (real === "shared") this.#wake(core.lockReleaseShared(this.#lock));
    if (real === "exclusive") this.#wake(core.lockReleaseExclusive(this.#lock));
  }

  /** A hold that outlives the transaction that took the lock is one like any other. */
  #continue(): void {
    if (!this.#journaled || this.attachment.inTransaction) return;
    this.#journaled = false;
    this.attachment.core.lockContinue(this.#lock);
  }

  #wake(who: number): void {
    if (who & WAKE_SHARED) this.attachment.notify(this.waitersShared);
    if (who & WAKE_EXCLUSIVE) this.attachment.notify(this.waitersExclusive);
  }

  /** The segment is being closed: whatever is held is given back. */
  close(): void {
    this.attachment.parts.delete(this);
    this.#count = { exclusive: 0, shared: 0 };
    this.settle();
    const { closed, readOnly } = this.attachment;
    if (!closed && !readOnly) this.#takeBack();
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
      DEADLOCK: "another holder already waits to upgrade: release this hold and acquire exclusive anew",
      EVICTED: "this participant was removed; close the segment and open it again",
    };
    return failure(status, `lock "${this.#name}": ${advice[codeName(status)] ?? "the lock is damaged"}`);
  }
}
