import { CORRUPT } from "../protocol/errors.js";
import {
  END_CLOSED,
  END_DEAD,
  END_LIVE,
  FLAG_EMPTY,
  FLAG_WAKE,
  RECORD_HEADER_BYTES,
} from "../protocol/layout.js";
import { RING_HELD_SHIFT } from "../protocol/limits.js";
import { callback, integer, options, type WaitOptions, type WaitSyncOptions } from "./arguments.js";
import type { Closable, Lease } from "./attachment.js";
import type { Core } from "./core.js";
import { ERRORS_END, failure, IsthmusError } from "./errors.js";
import { attachEnd, type RingGeometry, recordBytes, ringAdvice } from "./record.js";
import { RecordAtHand, type RingRecord } from "./ring-record.js";
import { type Condition, NOT_YET, wait, waitSync } from "./wait.js";

/** The receiving end of a ring. One participant holds it at a time. */
export class Consumer implements Closable {
  readonly #lease: Lease;
  readonly #core: Core;
  readonly #u32: Uint32Array;
  readonly #geometry: RingGeometry;
  readonly #ring: number;
  readonly #capacity: number;
  readonly #waitersData: number;
  readonly #waitersRoom: number;
  /** A record larger than this is released as soon as it is copied. */
  readonly #heldMax: number;
  /** Offset of the record at hand, or of the next one. */
  #at: number;
  /** Bytes of the record at hand that the core has not been told of yet. */
  #advance = 0;
  #length = 0;
  #closed = false;
  #peeked = false;
  #draining = false;
  readonly #record: RecordAtHand;
  /** Receives that wait, in their order. */
  readonly #queue: object[] = [];

  /** @internal */
  constructor(lease: Lease, geometry: RingGeometry) {
    const { attachment } = lease;
    const { core } = attachment;
    const { ring, capacity } = geometry;
    this.#lease = lease;
    this.#core = core;
    this.#u32 = attachment.u32;
    this.#geometry = geometry;
    this.#ring = ring;
    this.#capacity = capacity;
    this.#waitersData = core.ringWaitersData(ring) >>> 0;
    this.#waitersRoom = core.ringWaitersRoom(ring) >>> 0;
    this.#heldMax = capacity >>> RING_HELD_SHIFT;
    this.#at = attachEnd(attachment, "consumer", geometry, core.ringAttachConsumer);
    this.#record = new RecordAtHand(attachment, () => this.#releasePeeked());
    attachment.parts.add(this);
  }

  /**
   * Moves on to the next record: true when there is one. The record before counts as consumed from then on.
   */
  #next(): boolean {
    const result = this.#core.ringReceive(this.#ring, this.#capacity, this.#at, this.#advance) >>> 0;
    if (result < ERRORS_END) throw this.#failed(result);
    this.#advance = 0;
    const flags = result & (FLAG_WAKE | FLAG_EMPTY);
    const at = result - flags;
    this.#at = at;
    if (flags !== 0) {
      if (flags & FLAG_WAKE) this.#lease.attachment.notify(this.#waitersRoom);
      if (flags & FLAG_EMPTY) return false;
    }
    // The core has checked this length, but a hostile peer may have changed it since: the view must stay in the ring.
    const length = this.#u32[at >>> 2];
    if (length > this.#geometry.end - at - RECORD_HEADER_BYTES) throw this.#failed(CORRUPT);
    this.#length = length;
    this.#record.place(at, length);
    return true;
  }

  #usable(): void {
    const name = this.#geometry.name;
    if (this.#closed) throw new IsthmusError("CLOSED", `the consumer of ring "${name}" was closed`);
    if (this.#peeked)
      throw new IsthmusError("BUSY", `ring "${name}": a record is peeked at; release it first`);
  }

  /** The record at hand is copied: it counts as consumed with the next call, or at once when it is large. */
  #taken(): void {
    this.#advance = recordBytes(this.#length);
    if (this.#advance > this.#heldMax) this.#release();
  }

  #releasePeeked(): void {
    if (this.#draining) throw new IsthmusError("BUSY", "drain releases its records itself");
    this.#advance = recordBytes(this.#length);
    this.#peek(false);
    this.#release();
  }

  /** Whether the record at hand is in the user's hands. */
  #peek(peeked: boolean): void {
    this.#peeked = peeked;
    this.#record.valid = peeked;
  }

  #release(): void {
    const result = this.#core.ringRelease(this.#ring, this.#capacity, this.#at, this.#advance) >>> 0;
    if (result < ERRORS_END) throw this.#failed(result);
    this.#advance = 0;
    this.#at = result & FLAG_WAKE ? result - FLAG_WAKE : result;
    if (result & FLAG_WAKE) this.#lease.attachment.notify(this.#waitersRoom);
  }

  /**
   * A copy of the next record.
   *
   * @returns undefined when there is none now
   * @throws {IsthmusError} BUSY while a record is peeked at; CLOSED; EVICTED; CORRUPT
   */
  tryReceive(): Uint8Array | undefined {
    if (this.#closed || this.#peeked) this.#usable();
    if (!this.#next()) return undefined;
    const copy = this.#record.slice();
    this.#taken();
    return copy;
  }

  /**
   * Copies the next record to the start of a buffer that the caller keeps: no memory is allocated.
   *
   * @param target at least as long as the record
   * @returns bytes of the record; -1 when there is none now
   * @throws {RangeError} when the target is too short; the record stays
   * @throws {IsthmusError} as `tryReceive`
   */
  tryReceiveInto(target: Uint8Array): number {
    if (this.#closed || this.#peeked) this.#usable();
    if (!this.#next()) return -1;
    this.#record.copy(target);
    this.#taken();
    return this.#length;
  }

  /**
   * The next record in place, without a copy. It stays the next one until it is released.
   *
   * @returns undefined when there is none now
   * @throws {IsthmusError} CLOSED; EVICTED; CORRUPT; BUSY inside drain
   */
  tryPeek(): RingRecord | undefined {
    if (this.#draining) this.#usable();
    if (this.#peeked && !this.#closed) return this.#record;
    this.#usable();
    if (!this.#next()) return undefined;
    this.#peek(true);
    return this.#record;
  }

  /**
   * A copy of the next record, waiting for one.
   *
   * @returns undefined once when the producer has closed its end and everything was received; the next call waits for the
   *   next producer
   * @throws {IsthmusError} PEER_DIED once when the producer died and everything it had sent was received; TIMED_OUT; CLOSED
   */
  async receive(options?: WaitOptions): Promise<Uint8Array | undefined> {
    this.#usable();
    const place = {};
    this.#queue.push(place);
    return wait(this.#lease.attachment, this.#data(place), options);
  }

  /**
   * A copy of the next record, blocking the thread until there is one.
   *
   * @returns as `receive`
   * @throws {IsthmusError} as `receive`
   */
  receiveSync(options?: WaitSyncOptions): Uint8Array | undefined {
    this.#usable();
    if (this.#queue.length > 0) {
      throw new IsthmusError(
        "BUSY",
        `ring "${this.#geometry.name}": receives that wait come first; await them`,
      );
    }
    return waitSync(this.#lease.attachment, this.#data(undefined), options);
  }

  #data(place: object | undefined): Condition<Uint8Array | undefined> {
    return {
      what: `waiting for a record in ring "${this.#geometry.name}"`,
      waiters: this.#waitersData,
      attempt: () => {
        if (place !== undefined && this.#queue[0] !== place) return NOT_YET;
        const record = this.tryReceive() ?? this.#checkProducer();
        if (record !== NOT_YET && place !== undefined) this.#queue.shift();
        return record;
      },
      recheck: () => {
        if (this.#core.ringProducerState(this.#ring) === END_LIVE) this.#lease.attachment.burySuspect();
      },
      failed: () => {
        const index = place === undefined ? -1 : this.#queue.indexOf(place);
        if (index >= 0) this.#queue.splice(index, 1);
      },
    };
  }

  /** Nothing is there: is more to come? What was sent right before the end comes first. */
  #checkProducer(): Uint8Array | undefined | typeof NOT_YET {
    const state = this.#core.ringProducerState(this.#ring);
    if (state !== END_CLOSED && state !== END_DEAD) return NOT_YET;
    const last = this.tryReceive();
    if (last !== undefined) return last;
    this.#core.ringProducerReported(this.#ring);
    if (state === END_CLOSED) return undefined;
    throw new IsthmusError(
      "PEER_DIED",
      `the producer of ring "${this.#geometry.name}" died; everything it had sent was received. ` +
        "Receiving again waits for the next producer",
    );
  }

  /**
   * Hands every record that is there now to a function, in place, and releases them in batches.
   *
   * @param handle gets a record that is valid during the call; when it throws, that record stays
   * @returns number of records handled
   * @throws {IsthmusError} as `tryReceive`
   */
  drain(handle: (record: RingRecord) => void, given?: { limit?: number }): number {
    callback("handle", handle);
    const { limit = Number.MAX_SAFE_INTEGER } = options<{ limit?: number }>("options", given);
    integer("limit", limit, 0, Number.MAX_SAFE_INTEGER);
    this.#usable();
    let handled = 0;
    this.#draining = true;
    try {
      while (handled < limit && this.#next()) {
        this.#peek(true);
        handle(this.#record);
        this.#peek(false);
        this.#advance = recordBytes(this.#length);
        handled++;
      }
    } finally {
      this.#draining = false;
      this.#peek(false);
      if (handled > 0 && !this.#closed) this.#release();
    }
    return handled;
  }

  /** Copies of all records until the producer closes its end; throws PEER_DIED if it died. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const bytes = await this.receive();
      if (bytes === undefined) return;
      yield bytes;
    }
  }

  /** Gives the end back. A record that is peeked at and not released is the next consumer's first. */
  close(): void {
    if (this.#closed) return;
    if (this.#advance > 0 && !this.#peeked) {
      try {
        this.#release();
      } catch {
        // Damaged or evicted: nothing can be released, and the end is given up all the same.
      }
    }
    this.#closed = true;
    this.#record.valid = false;
    this.#lease.attachment.parts.delete(this);
    if (this.#core.ringCloseConsumer(this.#ring)) this.#lease.attachment.notify(this.#waitersRoom);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #failed(status: number): IsthmusError {
    return failure(status, `receiving from ring "${this.#geometry.name}" failed: ${ringAdvice(status)}`);
  }
}
