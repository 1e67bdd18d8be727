import { DIRECTORY_WAITERS_OFFSET } from "../protocol/layout.js";
import { callback, type WaitOptions, wrongType } from "./arguments.js";
import type { Attachment, Lease } from "./attachment.js";
import { Block } from "./block.js";
import { findObject, listObjects, type ObjectInfo } from "./directory.js";
import { failure } from "./errors.js";
import { Heap } from "./heap.js";
import { Latest } from "./latest.js";
import { Lock } from "./lock.js";
import { withRight } from "./right.js";
import { Ring, type RingOptions } from "./ring.js";
import { Counter, Semaphore, SharedEvent } from "./signals.js";
import type { Fields, Struct } from "./struct.js";
import { runTransaction } from "./transaction.js";
import { NOT_YET, wait } from "./wait.js";

/** What lies in a segment: named objects, the heap and its root. A `Segment` is this, and the ways in and out. */
export abstract class Contents {
  readonly #lease: Lease;

  protected constructor(lease: Lease) {
    this.#lease = lease;
  }

  get #attachment(): Attachment {
    return this.#lease.attachment;
  }

  /** All named objects in it. */
  objects(): ObjectInfo[] {
    this.#attachment.check(false);
    return listObjects(this.#attachment);
  }

  /**
   * Opens the ring of that name, or makes it.
   *
   * @param name 1 to 80 bytes in UTF-8
   * @throws {IsthmusError} OBJECT_MISMATCH when it exists with other `bytes` or is no ring; SEGMENT_FULL; INVALID_NAME; CLOSED
   */
  ring(name: string, given: RingOptions): Ring {
    return new Ring(this.#lease, name, given);
  }

  /**
   * Opens the latest value of that name, or makes it.
   *
   * @param name 1 to 80 bytes in UTF-8
   * @param layout what `struct` made
   * @throws {IsthmusError} OBJECT_MISMATCH when it exists with another layout; SEGMENT_FULL; INVALID_NAME; CLOSED
   */
  latest<F extends Fields>(name: string, layout: Struct<F>): Latest<F> {
    return new Latest(this.#lease, name, layout);
  }

  /** Opens the lock of that name, or makes it. @throws {IsthmusError} as `ring` */
  lock(name: string): Lock {
    return new Lock(this.#lease, name);
  }

  /** Opens the semaphore of that name, or makes it with `initial` to take. @throws {IsthmusError} as `ring` */
  semaphore(name: string, given: { initial: number }): Semaphore {
    return new Semaphore(this.#lease, name, given);
  }

  /** Opens the event of that name, or makes it. @throws {IsthmusError} as `ring` */
  event(name: string, given?: { signaled?: boolean }): SharedEvent {
    return new SharedEvent(this.#lease, name, given);
  }

  /** Opens the counter of that name, or makes it with 0. @throws {IsthmusError} as `ring` */
  counter(name: string): Counter {
    return new Counter(this.#lease, name);
  }

  /** Blocks of memory in this segment. */
  get heap(): Heap {
    return new Heap(this.#lease);
  }

  /** The block by which everything else in the heap is found; undefined when none was set. */
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
   * @param body must not be async
   * @throws what the function throws; {IsthmusError} TOO_LARGE when it changes more than the journal holds; OWNER_DIED when a
   *   holder of the lock died outside of a transaction; those of `acquireSync`
   */
  transaction<T>(lock: Lock, body: () => T): T {
    if (!(lock instanceof Lock)) throw wrongType("lock", "a lock of this segment", lock);
    callback("body", body);
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
   * @throws {IsthmusError} TIMED_OUT; INVALID_NAME; CLOSED
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
