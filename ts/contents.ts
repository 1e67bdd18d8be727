import { DIRECTORY_WAITERS_OFFSET } from "../protocol/layout.js";
import { type WaitOptions, wrongType } from "./arguments.js";
import type { Attachment, Lease } from "./attachment.js";
import { Block } from "./block.js";
import { findObject, listObjects, type ObjectInfo } from "./directory.js";
import { failure } from "./errors.js";
import { Heap } from "./heap.js";
import { Latest } from "./latest.js";
import { Lock } from "./lock.js";
import { withRight } from "./right.js";
import { Ring, type RingOptions } from "./ring.js";
import { Counter, type EventOptions, Semaphore, type SemaphoreOptions, SharedEvent } from "./signals.js";
import type { Fields, Struct } from "./struct.js";
import { checkBody, runTransaction } from "./transaction.js";
import { NOT_YET, wait } from "./wait.js";

/** What lies in a segment: named objects, the heap and its root. What it says of itself is in `opened.ts`. */
export abstract class Contents {
  readonly #lease: Lease;

  /** @internal */
  protected constructor(lease: Lease) {
    this.#lease = lease;
  }

  get #attachment(): Attachment {
    return this.#lease.attachment;
  }

  /**
   * All named objects in it, in the order of their creation. Takes no lock.
   *
   * @returns what each is, was made with, and holds now
   * @throws {IsthmusError} CLOSED: the segment was closed
   */
  objects(): ObjectInfo[] {
    this.#attachment.check(false);
    return listObjects(this.#attachment);
  }

  /**
   * Opens the ring of that name, or makes it.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @param given the capacity
   * @returns the ring; it has no end yet
   * @throws {TypeError | RangeError} naming the argument that does not fit
   * @throws {IsthmusError} OBJECT_MISMATCH when it exists with other parameters or as another object; SEGMENT_FULL when there is
   *   no room for it; NOT_FOUND when a read-only opener finds none; INVALID_NAME; CLOSED: the segment was closed; EVICTED: this
   *   participant was removed; BUSY inside a transaction, or when another process had the directory for 5 s; CORRUPT when the
   *   directory is damaged
   */
  ring(name: string, given: RingOptions): Ring {
    return new Ring(this.#lease, name, given);
  }

  /**
   * Opens the latest value of that name, or makes it, without a value.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @param layout what `struct` made
   * @returns the latest value
   * @throws as `ring`
   */
  latest<F extends Fields>(name: string, layout: Struct<F>): Latest<F> {
    return new Latest(this.#lease, name, layout);
  }

  /**
   * Opens the lock of that name, or makes it.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @returns the lock
   * @throws as `ring`
   */
  lock(name: string): Lock {
    return new Lock(this.#lease, name);
  }

  /**
   * Opens the semaphore of that name, or makes it.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @param given how many there are to take at first
   * @returns the semaphore
   * @throws as `ring`
   */
  semaphore(name: string, given: SemaphoreOptions): Semaphore {
    return new Semaphore(this.#lease, name, given);
  }

  /**
   * Opens the event of that name, or makes it.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @param given whether it is signaled at first
   * @returns the event
   * @throws as `ring`
   */
  event(name: string, given?: EventOptions): SharedEvent {
    return new SharedEvent(this.#lease, name, given);
  }

  /**
   * Opens the counter of that name, or makes it with 0.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @returns the counter
   * @throws as `ring`
   */
  counter(name: string): Counter {
    return new Counter(this.#lease, name);
  }

  /** Blocks of memory in this segment. Never throws. */
  get heap(): Heap {
    return new Heap(this.#lease);
  }

  /**
   * The block by which everything else in the heap is found; undefined when none was set. Set it to a block in use of this
   * segment, or to undefined. Reading it takes no lock: see docs/pitfalls.md.
   *
   * @throws {TypeError} when it is set to something else
   * @throws {IsthmusError} CLOSED: the segment was closed. When it is set also READ_ONLY; NOT_FOUND when the block is not in use;
   *   BUSY when another process had the heap for 5 s; TOO_LARGE in a transaction that changes too much; EVICTED
   */
  get root(): Block | undefined {
    this.#attachment.check(false);
    const offset = this.#attachment.core.heapRoot() >>> 0;
    return offset === 0 ? undefined : this.heap.blockAt(offset);
  }

  set root(block: Block | undefined) {
    if (block !== undefined && !(block instanceof Block))
      throw wrongType("root", "a block or undefined", block);
    const attachment = this.#attachment;
    attachment.check(true);
    if (block !== undefined && block.buffer !== attachment.u8.buffer) {
      throw new TypeError(
        "root must be a block of this segment, got one of another; its own are those of segment.heap",
      );
    }
    const result = withRight(attachment, "setting the root", () =>
      attachment.core.heapSetRoot(block?.offset ?? 0),
    );
    if (result !== 0) throw failure(result, "the root must be a block in use of this segment");
  }

  /**
   * Runs a function with the lock held exclusively; its writes happen all or not at all: if it throws or its
   * process dies, everything is as before. Covered are `write` and `set` of views, `Block.write`, allocating, freeing
   * and `root`; not covered are plain writes to `Block.bytes`, rings, latest values, semaphores, events and counters.
   * Objects are opened before, not inside. Other participants cannot allocate meanwhile: keep it short.
   *
   * @param lock guards the data; it is acquired, or nested
   * @param body runs at once: an async function or a generator is refused before it runs; when it returns a promise all the same,
   *   what it has done is undone, and what it does later is not guarded by anything
   * @returns what the function returns
   * @throws what the function throws
   * @throws {TypeError} when the lock is none of this opener, or the function is async, a generator, or returns a promise
   * @throws {IsthmusError} TOO_LARGE when it changes more than the journal holds; OWNER_DIED when a holder of the lock died
   *   outside of a transaction; BUSY when a transaction of this opener runs already, or another process had the heap for 5 s;
   *   CORRUPT when the heap is damaged; DEADLOCK, BROKEN, READ_ONLY, CLOSED, EVICTED as `lock.acquireSync`
   * @example
   * ```ts
   * import { MiB, Segment, struct } from "isthmus";
   *
   * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
   * const lock = segment.lock("accounts");
   * const accounts = segment.heap.allocate(8)?.view(struct({ from: "u32", to: "u32" }));
   * segment.transaction(lock, () => {
   *   accounts?.set("from", 3);
   *   accounts?.set("to", 7);
   * });
   * console.log(accounts?.read());
   * ```
   */
  transaction<T>(lock: Lock, body: () => T): T {
    if (!(lock instanceof Lock)) throw wrongType("lock", "a lock of this segment", lock);
    checkBody(body);
    this.#attachment.check(true);
    const held = lock.acquireJournaled(this.#attachment);
    try {
      return runTransaction(this.#attachment, body);
    } finally {
      held.close();
    }
  }

  /**
   * Waits until an object of that name exists.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @param given how long to wait, and a signal that ends it
   * @returns what it is, was made with, and holds now
   * @throws {IsthmusError} TIMED_OUT; INVALID_NAME; CLOSED: the segment was closed
   * @throws the signal's reason, when it is aborted
   */
  async waitForObject(name: string, given?: WaitOptions): Promise<ObjectInfo> {
    const attachment = this.#attachment;
    attachment.check(false);
    const condition = {
      what: `waiting for object ${JSON.stringify(name)}`,
      waiters: attachment.readOnly ? 0 : DIRECTORY_WAITERS_OFFSET,
      // Through the lease, which keeps the segment open while somebody waits.
      attempt: () => findObject(this.#attachment, name) ?? NOT_YET,
      recheck: () => {},
    };
    return wait(attachment, condition, given);
  }
}
