import { checkOurs, type OURS } from "../arguments.js";
import type { PrivateBytes } from "../bytes.js";
import { describe } from "../host/describe.js";
import type { ViewOf } from "../ring/payload.js";
import { HandedBytes } from "../ring/record.js";
import type { Fields, Struct } from "../struct/struct.js";
import type { BroadcastCursor } from "./cursor.js";

/**
 * A record of a broadcast in shared memory, from `subscriber.peek`, `drain` and their other forms. The publisher does not wait
 * for its readers: it may overwrite the record at any moment, also while it is read. So use what you have read only if
 * `isWhole()` is true afterwards; before that, the bytes may be a mixture of two records, and must not be trusted: a length or
 * an index from them may be anything. A subscriber gives one record at a time. `drain` uses one object for all of its records.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const numbers = segment.broadcast("numbers", { bytes: 1 * MiB });
 * const subscriber = numbers.subscriber();
 * numbers.publisher().publish(new Uint8Array([1, 2, 3]));
 * using record = subscriber.tryPeek();
 * const sum = record?.bytes.reduce((a, b) => a + b, 0);
 * if (record?.isWhole()) console.log(sum, record.number);
 * ```
 */
export interface BroadcastRecord<F extends Fields = never> {
  /**
   * The payload, in place; see above when it counts. Do not use it after the release. Its buffer is a SharedArrayBuffer.
   *
   * @throws {IsthmusError} CLOSED when it was released already
   */
  readonly bytes: Uint8Array;
  /** Bytes of the payload. */
  readonly byteLength: number;
  /** Number of the record: the first one that was published in the broadcast has 1. */
  readonly number: number;
  /**
   * The fields of the payload, in place; see above when they count. Do not use them after the release. undefined in a broadcast
   * without a layout.
   *
   * @throws {IsthmusError} CLOSED when it was released already
   */
  readonly view: ViewOf<F>;
  /**
   * Whether the record was whole until now, so that everything that was read of it counts. If not, it counts as lost, and stays
   * so.
   *
   * @returns false when the publisher has overwritten it, or was about to
   * @throws {IsthmusError} CLOSED when it was released already, or its segment was closed
   */
  isWhole(): boolean;
  /**
   * Returns a copy of the payload in private memory, which counts.
   *
   * @returns the copy; undefined when the record was overwritten meanwhile
   * @throws {IsthmusError} as `isWhole`
   */
  copy(): PrivateBytes | undefined;
  /**
   * Copies the payload.
   *
   * @param target the payload is copied to its start; at least `byteLength` bytes
   * @returns the number of bytes; undefined when the record was overwritten meanwhile, and what the target has does not count
   * @throws {TypeError | RangeError} when the target is not a Uint8Array, or is too short
   * @throws {IsthmusError} as `isWhole`
   */
  copyInto(target: Uint8Array): number | undefined;
  /**
   * Goes on to the next record. If nobody has asked whether this one was whole, it is asked now: a record that was overwritten
   * counts as lost. `drain` releases its records itself.
   *
   * @throws {IsthmusError} CLOSED when it was released already; BUSY inside `drain`
   */
  release(): void;
  /**
   * As `release`, but does nothing when the record was already released: for `using`.
   *
   * @throws {IsthmusError} BUSY inside `drain`
   */
  [Symbol.dispose](): void;
}

/** @internal The current record of a subscriber, as the object that the user has. */
export class HandedBroadcastRecord extends HandedBytes implements BroadcastRecord<Fields> {
  static {
    describe(HandedBroadcastRecord.prototype, "BroadcastRecord", ({ valid, number, byteLength }) =>
      valid ? { number, byteLength } : { state: "released" },
    );
  }

  readonly #cursor: BroadcastCursor;
  /** Whether it was whole when that was asked last; undefined before. */
  #whole: boolean | undefined;

  constructor(
    by: typeof OURS,
    cursor: BroadcastCursor,
    layout: Struct<Fields> | undefined,
    release: () => void,
  ) {
    checkOurs(by, "BroadcastRecord", "subscriber.peek()");
    super(cursor.record, layout, release);
    this.#cursor = cursor;
  }

  /** From now on, it is the current record of the subscriber. */
  hand(): void {
    this.#whole = undefined;
    this.valid = true;
  }

  /** Whether it counts as received. */
  get received(): boolean {
    this.#whole ??= this.#cursor.isWhole();
    return this.#whole;
  }

  get number(): number {
    return this.#cursor.number;
  }

  isWhole(): boolean {
    this.check();
    this.record.attachment.check(false);
    if (this.#whole !== false) this.#whole = this.#cursor.isWhole();
    return this.#whole;
  }

  copy(): PrivateBytes | undefined {
    this.check();
    this.record.attachment.check(false);
    const copy = this.record.slice();
    return this.isWhole() ? copy : undefined;
  }

  copyInto(target: Uint8Array): number | undefined {
    this.check();
    this.record.attachment.check(false);
    const bytes = this.record.copy(target);
    return this.isWhole() ? bytes : undefined;
  }
}
