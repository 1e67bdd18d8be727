/**
 * A reference that becomes weak when the current job of the event loop is over.
 *
 * `new WeakRef(target)` keeps its target alive until the current job ends, as the language requires. A loop that opens and
 * closes segments is one long job, and each segment reserves gigabytes of addresses. So with WeakRefs, such a loop would fail
 * after some thousand rounds, although only one segment is open at a time. A soft reference is an ordinary, strong reference
 * until the job is over. `clear` removes it at once, so that the collector need not wait for the end of the job.
 */
import { setTimeout } from "../host/runtime.js";

export class SoftReference<T extends object> {
  #strong: T | undefined;
  #weak: WeakRef<T> | undefined;

  constructor(target: T) {
    this.#strong = target;
    if (young.size === 0) setTimeout(weakenAll, 0).unref();
    young.add(this);
  }

  /** The target; undefined when it was collected or cleared. */
  deref(): T | undefined {
    return this.#strong ?? this.#weak?.deref();
  }

  clear(): void {
    young.delete(this);
    this.#strong = undefined;
    this.#weak = undefined;
  }

  /** @internal */
  weaken(): void {
    if (typeof WeakRef !== "function") return; // without WeakRef, it stays an ordinary reference
    if (this.#strong) this.#weak = new WeakRef(this.#strong);
    this.#strong = undefined;
  }
}

/** The references of the current job, all of them strong. */
const young = new Set<SoftReference<object>>();

function weakenAll(): void {
  for (const reference of young) reference.weaken();
  young.clear();
}
