import { bytesOf, checkOurs, OURS, wrongType } from "../arguments.js";
import { isUint8Array, type PrivateBytes } from "../bytes.js";
import { disposable } from "../disposal.js";
import { IsthmusError } from "../errors.js";
import { copierTo, LARGE_BYTES_MIN } from "../host/copy.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { StructView } from "../memory/view.js";
import type { Attachment } from "../segment/attachment.js";
import type { Fields, Struct } from "../struct/struct.js";
import type { ViewOf } from "./payload.js";

/**
 * A record in shared memory, from `peek`, `drain` and their other forms. It is valid until it is released. A consumer gives one
 * record at a time. `drain` uses one object for all of its records.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const ring = segment.ring("numbers", { bytes: 1 * MiB });
 * ring.producer().trySend(new Uint8Array([1, 2, 3]));
 * const record = ring.consumer().tryPeek();
 * const own = new Uint8Array(16);
 * console.log(record?.bytes, record?.copyInto(own), own);
 * record?.release();
 * ```
 */
export interface RingRecord<F extends Fields = never> {
  /**
   * The payload, in place. Do not use it after the release. Its buffer is a SharedArrayBuffer.
   *
   * @throws {IsthmusError} CLOSED when it was released already
   */
  readonly bytes: Uint8Array;
  /** Bytes of the payload. */
  readonly byteLength: number;
  /**
   * The fields of the payload, in place. Do not use them after the release. undefined in a ring without a layout.
   *
   * @throws {IsthmusError} CLOSED when it was released already
   */
  readonly view: ViewOf<F>;
  /**
   * Returns a copy of the payload in private memory, to keep it, or for an API that does not accept shared bytes.
   *
   * @returns the copy
   * @throws {IsthmusError} CLOSED when the record was released already
   */
  copy(): PrivateBytes;
  /**
   * Copies the payload.
   *
   * @param target the payload is copied to its start; at least `byteLength` bytes
   * @returns the number of bytes
   * @throws {TypeError | RangeError} when the target is not a Uint8Array, or is too short
   * @throws {IsthmusError} CLOSED when the record was released already
   */
  copyInto(target: Uint8Array): number;
  /**
   * Acknowledges the record at once: the producer may reuse its room, and the record is not delivered again. `drain` releases
   * its records itself.
   *
   * @throws {IsthmusError} CLOSED when the record was released already; BUSY inside `drain`; EVICTED; CORRUPT
   */
  release(): void;
  /**
   * As `release`, but does nothing when the record was already released: for `using`.
   *
   * @throws {IsthmusError} BUSY inside `drain`; otherwise as `release`
   */
  [Symbol.dispose](): void;
}

/** Records of up to this many bytes are copied word by word, because making a view costs more than copying them. */
export const WORD_COPY_BYTES_MAX = 256;

/** @internal The current record of a consumer: where it is, and how it is copied. */
export class RecordAtHand {
  readonly attachment: Attachment;
  readonly #u8: Uint8Array;
  readonly #i32: Int32Array;
  #from = 0;
  #length = 0;
  /** The buffer that the last record was copied into. It is usually the same one again. */
  #target: unknown = this; // which is no target
  /** Its length when it was last checked. It changes when the buffer under it is resized. */
  #targetLength = 0;
  #targetWords: Int32Array | undefined;
  #copyLarge: ((source: Uint8Array) => void) | undefined;

  constructor(attachment: Attachment) {
    this.attachment = attachment;
    this.#u8 = attachment.u8;
    this.#i32 = attachment.i32;
  }

  /** Sets the record: its payload begins at `from`, and its length was checked. */
  place(from: number, length: number): void {
    this.#from = from;
    this.#length = length;
  }

  get from(): number {
    return this.#from;
  }

  get length(): number {
    return this.#length;
  }

  /** The payload in place. */
  get bytes(): Uint8Array {
    return this.attachment.giveBytes(this.#from, this.#length);
  }

  /** A copy in new memory. */
  slice(): PrivateBytes {
    const end = this.#from + this.#length;
    if (this.#length < LARGE_BYTES_MIN) return this.#u8.slice(this.#from, end);
    const copy = new Uint8Array(this.#length);
    copierTo(copy)(this.#u8.subarray(this.#from, end));
    return copy;
  }

  /** Copies the payload to the start of a buffer. It checks the buffer if it is not the one of the last time. */
  copy(target: Uint8Array): number {
    if (target !== this.#target || target.length !== this.#targetLength) this.#keep("target", target);
    if (this.#targetLength < this.#length) throw tooShort("target", this.#length, target);
    return this.#copyTo(target, 0);
  }

  /** The same, behind the payloads that the buffer has already. False when there is not enough left of it. */
  pack(slab: Uint8Array, at: number): boolean {
    if (slab !== this.#target || slab.length !== this.#targetLength) this.#keep("slab", slab);
    if (this.#targetLength - at < this.#length) return false;
    this.#copyTo(slab, at);
    return true;
  }

  /** What to throw when a slab has not even room for this record. */
  tooShort(slab: Uint8Array): RangeError {
    return tooShort("slab", this.#length, slab);
  }

  /** The words of a buffer, to which `copyWords` can copy; undefined when they do not lie at multiples of 4. */
  wordsOf(slab: Uint8Array): Int32Array | undefined {
    if (slab !== this.#target || slab.length !== this.#targetLength) this.#keep("slab", slab);
    return this.#targetWords;
  }

  #copyTo(target: Uint8Array, at: number): number {
    const length = this.#length;
    const from = this.#from;
    if (length > WORD_COPY_BYTES_MAX) {
      const source = this.#u8.subarray(from, from + length);
      if (length < LARGE_BYTES_MIN || at > 0) {
        target.set(source, at);
        return length;
      }
      this.#copyLarge ??= copierTo(target);
      this.#copyLarge(source);
      return length;
    }
    const words = this.#targetWords;
    const whole = words === undefined || (at & 3) !== 0 ? 0 : length >>> 2;
    if (words !== undefined) copyWords(words, at >>> 2, this.#i32, from >>> 2, whole);
    for (let i = whole * 4; i < length; i++) target[at + i] = this.#u8[from + i];
    return length;
  }

  /** Throws if records cannot be copied into the target. */
  aim(target: Uint8Array): void {
    if (target !== this.#target || target.length !== this.#targetLength) this.#keep("target", target);
  }

  #keep(name: string, target: Uint8Array): void {
    if (!isUint8Array(target)) throw wrongType(name, "a Uint8Array", target);
    bytesOf(name, target);
    this.#target = target;
    this.#targetLength = target.length;
    this.#copyLarge = undefined;
    const aligned = target.byteOffset % 4 === 0;
    this.#targetWords = aligned
      ? new Int32Array(target.buffer, target.byteOffset, target.length >>> 2)
      : undefined;
  }
}

function tooShort(name: string, length: number, target: Uint8Array): RangeError {
  return new RangeError(`${name} must have at least ${length} bytes for this record, got ${target.length}`);
}

function released(): IsthmusError {
  return new IsthmusError("CLOSED", "this record was released already; peek again");
}

/** @internal The current record, as the object that the user has. It is valid until it is released. */
export class HandedBytes {
  static {
    disposable(HandedBytes.prototype, (record) => (record.valid ? record.release() : undefined));
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** Whether the user may access it. */
  valid = false;
  protected readonly record: RecordAtHand;
  readonly #layout: Struct<Fields> | undefined;
  readonly #release: () => void;

  /** `release` implements the `release` of the record. */
  constructor(record: RecordAtHand, layout: Struct<Fields> | undefined, release: () => void) {
    this.record = record;
    this.#layout = layout;
    this.#release = release;
  }

  protected check(): void {
    if (!this.valid) throw released();
  }

  get bytes(): Uint8Array {
    this.check();
    return this.record.bytes;
  }

  get byteLength(): number {
    return this.record.length;
  }

  /** A view of the fields; its type is that of the object. */
  get view(): never {
    this.check();
    const layout = this.#layout;
    if (layout === undefined) return undefined as never;
    const { attachment, from } = this.record;
    return new StructView(
      OURS,
      {
        memory: attachment.view,
        offset: from,
        check: (writing) => {
          attachment.check(writing);
          this.check();
          if (this.record.from !== from) throw released(); // another record is the current one by now
        },
        changing() {},
        copyIn: attachment.copyIn,
        shareMemory() {
          attachment.rawBytesGiven = true;
        },
      },
      layout,
    ) as never;
  }

  release(): void {
    this.check();
    this.#release();
  }

  [Symbol.dispose](): void {
    if (this.valid) this.#release();
  }
}

/** @internal The same for a record of a ring. */
export class HandedRecord extends HandedBytes implements RingRecord<Fields> {
  static {
    describe(HandedRecord.prototype, "RingRecord", (record) =>
      record.valid ? { byteLength: record.byteLength } : { state: "released" },
    );
  }

  constructor(
    by: typeof OURS,
    record: RecordAtHand,
    layout: Struct<Fields> | undefined,
    release: () => void,
  ) {
    checkOurs(by, "RingRecord", "consumer.peek()");
    super(record, layout, release);
  }

  copy(): PrivateBytes {
    this.check();
    return this.record.slice();
  }

  copyInto(target: Uint8Array): number {
    this.check();
    return this.record.copy(target);
  }
}

/** Copies sixteen words in each turn, because engines check both arrays in each turn, which costs more than copying a word. */
export function copyWords(
  target: Int32Array,
  to: number,
  source: Int32Array,
  from: number,
  count: number,
): void {
  let i = to;
  let at = from;
  const end = to + count;
  for (; i + 16 <= end; i += 16, at += 16) {
    target[i] = source[at];
    target[i + 1] = source[at + 1];
    target[i + 2] = source[at + 2];
    target[i + 3] = source[at + 3];
    target[i + 4] = source[at + 4];
    target[i + 5] = source[at + 5];
    target[i + 6] = source[at + 6];
    target[i + 7] = source[at + 7];
    target[i + 8] = source[at + 8];
    target[i + 9] = source[at + 9];
    target[i + 10] = source[at + 10];
    target[i + 11] = source[at + 11];
    target[i + 12] = source[at + 12];
    target[i + 13] = source[at + 13];
    target[i + 14] = source[at + 14];
    target[i + 15] = source[at + 15];
  }
  for (; i < end; i++, at++) target[i] = source[at];
}
