/**
 * A queue that keeps the order of arrival. Adding an entry, removing one from any position and reading the first one take
 * constant time, because it is a doubly linked list.
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
  /** @internal The queue that contains the entry; undefined after the entry has left. */
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

  /** The first value, which has been in the queue for the longest time. */
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

  /** Removes an entry, from any position. Returns false if it has already left this queue. */
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

  /** Removes and returns the first value. */
  shift(): T | undefined {
    const entry = this.#first;
    if (entry) this.remove(entry);
    return entry?.value;
  }

  /** The values in order. During the iteration, values may be added, and the current one may be removed. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (let entry = this.#first; entry; ) {
      const { next } = entry;
      yield entry.value;
      // If the entry is still in the queue, read its successor again: other entries may have left or joined after it.
      entry = entry.queue === this ? entry.next : next;
    }
  }
}
