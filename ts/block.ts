import { BUSY, CORRUPT } from "../protocol/errors.js";
import { bytesOf, integer, wrongType } from "./arguments.js";
import type { Attachment, Lease } from "./attachment.js";
import { codeName, failure, IsthmusError } from "./errors.js";
import { withRight } from "./right.js";
import { type Fields, Struct, type StructValue } from "./struct.js";
import { beforeWriting, freeLater } from "./transaction.js";

/** A block of the heap. Other processes find it by its `offset`, which may be stored anywhere in the segment. */
export class Block {
  /** Where the bytes begin in the segment; the same for every process. */
  readonly offset: number;
  readonly byteLength: number;
  readonly #lease: Lease;

  /** @internal */
  constructor(lease: Lease, offset: number, byteLength: number) {
    this.#lease = lease;
    this.offset = offset;
    this.byteLength = Math.min(byteLength, lease.attachment.bytes - offset);
  }

  get #attachment(): Attachment {
    return this.#lease.attachment;
  }

  /** @internal */
  get buffer(): ArrayBufferLike {
    return this.#attachment.u8.buffer;
  }

  /**
   * The bytes, in shared memory. What is written here is not undone by transactions: see `write`.
   *
   * @throws {IsthmusError} CLOSED; READ_ONLY, because writing to such bytes would end the process: use `copy`
   */
  get bytes(): Uint8Array {
    this.#attachment.check(true);
    return this.#attachment.u8.subarray(this.offset, this.offset + this.byteLength);
  }

  /** A copy of the bytes; for read-only openers too. */
  copy(): Uint8Array {
    this.#attachment.check(false);
    return this.#attachment.u8.slice(this.offset, this.offset + this.byteLength);
  }

  /**
   * Writes bytes into the block; undone when the transaction around it is.
   *
   * @param bytes what to write
   * @param at where in the block
   * @throws {RangeError} when they do not fit
   */
  write(bytes: Uint8Array, at = 0): void {
    const source = bytesOf("bytes", bytes);
    integer("at", at, 0, this.byteLength);
    if (source.length > this.byteLength - at) {
      throw new RangeError(
        `bytes must fit: ${source.length} at ${at} do not, the block has ${this.byteLength}`,
      );
    }
    this.#attachment.check(true);
    beforeWriting(this.#attachment, this.offset + at, source.length);
    this.#attachment.copyIn(source, this.offset + at);
  }

  /**
   * The block's bytes with a layout. The first view of a block gives it the layout; others must have the same.
   *
   * @throws {RangeError} when the block is too short
   * @throws {IsthmusError} LAYOUT_MISMATCH; NOT_FOUND when the block was freed; CLOSED
   */
  view<F extends Fields>(layout: Struct<F>): StructView<F> {
    if (!(layout instanceof Struct)) throw wrongType("layout", "a struct", layout);
    const attachment = this.#attachment;
    attachment.check(false);
    if (layout.bytes > this.byteLength) {
      throw new RangeError(`layout takes ${layout.bytes} bytes, the block has ${this.byteLength}`);
    }
    let found = attachment.core.heapLayout(this.offset) >>> 0;
    if (found === 0 && !attachment.readOnly) found = this.#giveLayout(layout.hash);
    if (found !== 0 && found !== layout.hash) {
      throw new IsthmusError(
        "LAYOUT_MISMATCH",
        `the block at offset ${this.offset} has a layout with hash ${found}, not ${layout.hash}`,
      );
    }
    return new StructView(this.#lease, this.offset, layout);
  }

  /** The first to ask gives the block its layout. Returns the one that holds. */
  #giveLayout(hash: number): number {
    const { core } = this.#attachment;
    const result = withRight(this.#attachment, "giving a block its layout", () =>
      core.heapSetLayout(this.offset, hash),
    );
    const found = core.heapLayout(this.offset) >>> 0;
    if (codeName(result) === "NOT_FOUND" || (result === 0 && found === 0)) {
      throw new IsthmusError(
        "NOT_FOUND",
        `there is no block at offset ${this.offset} any more: it was freed`,
      );
    }
    if (result !== 0) throw failure(result, `giving the block at offset ${this.offset} its layout failed`);
    return found;
  }

  /**
   * Gives the block back; inside a transaction when that has committed.
   *
   * @throws {IsthmusError} NOT_FOUND when it was freed already; READ_ONLY; CLOSED; CORRUPT
   */
  free(): void {
    const attachment = this.#attachment;
    attachment.check(true);
    if (attachment.inTransaction) this.#checkInUse();
    if (freeLater(attachment, this.offset)) return;
    let result = attachment.core.heapFree(this.offset) >>> 0;
    if (result === BUSY) result = this.#freeLater();
    if (result !== 0) this.#freeFailed(result);
  }

  /** Waits for the right to change the heap: a method of its own, so that a call that finds it free makes no closure. */
  #freeLater(): number {
    const attachment = this.#attachment;
    return withRight(attachment, "freeing a block", () => attachment.core.heapFree(this.offset));
  }

  #checkInUse(): void {
    if (this.#attachment.core.heapBlockBytes(this.offset) !== 0) return;
    throw new IsthmusError(
      "NOT_FOUND",
      `there is no block at offset ${this.offset} any more: it was freed already`,
    );
  }

  /** The core says CORRUPT of a block that is not there, too. */
  #freeFailed(status: number): never {
    if (status !== CORRUPT) throw failure(status, `freeing the block at offset ${this.offset} failed`);
    this.#checkInUse();
    throw failure(status, `the heap around offset ${this.offset} is damaged; see heap.check()`);
  }
}

/** A struct that lies in a block. `write` and `set` are undone when the transaction around them is. */
export class StructView<F extends Fields> {
  readonly layout: Struct<F>;
  readonly #lease: Lease;
  readonly #offset: number;

  /** @internal */
  constructor(lease: Lease, offset: number, layout: Struct<F>) {
    this.#lease = lease;
    this.#offset = offset;
    this.layout = layout;
  }

  /** @internal */
  get buffer(): ArrayBufferLike {
    return this.#lease.attachment.u8.buffer;
  }

  /** All fields. */
  read(): StructValue<F> {
    this.#lease.attachment.check(false);
    return this.layout.read(this.#lease.attachment.view, this.#offset);
  }

  /** Writes all fields. @throws {TypeError | RangeError} naming the field that does not fit */
  write(value: StructValue<F>): void {
    const { attachment } = this.#lease;
    attachment.check(true);
    const bytes = new Uint8Array(this.layout.bytes); // so that a value that does not fit changes nothing
    this.layout.stage(new DataView(bytes.buffer), value);
    beforeWriting(attachment, this.#offset, bytes.length);
    attachment.u8.set(bytes, this.#offset);
  }

  /** One field. */
  get<K extends keyof F & string>(field: K): StructValue<F>[K] {
    this.#lease.attachment.check(false);
    return this.layout.field(field).read(this.#lease.attachment.view, this.#offset) as StructValue<F>[K];
  }

  /** Writes one field. @throws {TypeError | RangeError} when the value does not fit; nothing is written then */
  set<K extends keyof F & string>(field: K, value: StructValue<F>[K]): void {
    const { attachment } = this.#lease;
    attachment.check(true);
    const part = this.layout.field(field);
    beforeWriting(attachment, this.#offset + part.offset, part.bytes);
    part.write(attachment.view, this.#offset, value);
  }
}
