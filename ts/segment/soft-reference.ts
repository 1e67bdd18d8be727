/**
 * A reference that becomes weak when the current job of the event loop is over.
 *
 * `new WeakRef(target)` keeps its target until the current job ends: the language demands that. A plain loop that opens and
 * closes segments is one long job, and each segment reserves gigabytes of addresses, so WeakRefs alone would make such a loop
 * fail after some thousand rounds, though only one segment is open at a time. A soft reference is an ordinary, strong one until
 * the job is over. `clear` gives it up at once and leaves nothing behind that the collector would have to wait for.
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
    if (typeof WeakRef !== "function") return; // then it stays an ordinary reference
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
