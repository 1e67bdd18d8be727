/**
 * A queue that keeps the order of arrival. Joining it, leaving it from any position and looking at its first entry take the same
 * time whatever its length: it is a list whose entries are linked in both directions.
 *
 *     first                                  last
 *       |                                      |
 *       v                                      v
 *     +-------+   next   +-------+   next   +-------+
 *     | entry | -------> | entry | -------> | entry | ------> undefined
 *     |       | <------- |       | <------- |       |
 *     +-------+ previous +-------+ previous +-------+
 */

/** A value in a queue; `push` returns it, and `remove` takes it. */
export class QueueEntry<T> {
  readonly value: T;
  /** @internal The queue that the entry stands in; undefined once it has left. */
  queue: Queue<T> | undefined;
  /** @internal */
  previous: QueueEntry<T> | undefined;
  /** @internal */
  next: QueueEntry<T> | undefined;

  /** @internal */
  constructor(value: T, queue: Queue<T>) {
    this.value = value;
    this.queue = queue;
  }
}

export class Queue<T> {
  #first: QueueEntry<T> | undefined;
  #last: QueueEntry<T> | undefined;
  #length = 0;

  /** Number of entries. */
  get length(): number {
    return this.#length;
  }

  /** The value that has been here for the longest time. */
  get first(): T | undefined {
    return this.#first?.value;
  }

  /** Appends a value. */
  push(value: T): QueueEntry<T> {
    const entry = new QueueEntry(value, this);
    entry.previous = this.#last;
    if (this.#last) this.#last.next = entry;
    else this.#first = entry;
    this.#last = entry;
    this.#length++;
    return entry;
  }

  /** Takes an entry out, from any position. Returns false when it has left this queue before. */
  remove(entry: QueueEntry<T>): boolean {
    if (entry.queue !== this) return false;
    if (entry.previous) entry.previous.next = entry.next;
    else this.#first = entry.next;
    if (entry.next) entry.next.previous = entry.previous;
    else this.#last = entry.previous;
    entry.queue = undefined;
    entry.previous = undefined;
    entry.next = undefined;
    this.#length--;
    return true;
  }

  /** Takes the first value out. */
  shift(): T | undefined {
    const entry = this.#first;
    if (entry) this.remove(entry);
    return entry?.value;
  }

  /** The values in their order. Values may be added and the one at hand may be removed meanwhile. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (let entry = this.#first; entry; ) {
      const { next } = entry;
      yield entry.value;
      // The next one is read again where the entry still stands in the queue: others may have left or joined behind it.
      entry = entry.queue === this ? entry.next : next;
    }
  }
}
