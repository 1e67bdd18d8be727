import { BUSY, CORRUPT } from "../../protocol/errors.js";
import { bytesOf, integer, wrongType } from "../arguments.js";
import { codeName, failure, IsthmusError } from "../errors.js";
import type { Attachment, Lease } from "../segment/attachment.js";
import { type Fields, Struct, type StructInput, type StructValue } from "../struct/struct.js";
import { beforeWriting, freeLater } from "./transaction.js";
import { withWriteLock } from "./write-lock.js";

/** A segment that nobody refers to is closed, and its bytes are gone; who has the bytes of a block refers to it. */
const keptOpen = new WeakMap<Uint8Array, Lease>();

/**
 * A block of the heap, made by `heap.allocate`. Other processes find it by its `offset`, which may be stored anywhere in the
 * segment. The segment stays open as long as this object, or any other of the segment, is kept.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * const block = segment.heap.allocate(64);
 * block?.write(new TextEncoder().encode("hello"));
 * const same = segment.heap.blockAt(block?.offset ?? 0); // here or in another process
 * console.log(same?.bytes.length, new TextDecoder().decode(same?.copy().subarray(0, 5)));
 * block?.free();
 * ```
 */
export class Block {
  /** Where the bytes begin: bytes from the start of the segment, below 2^32; the same for every process. */
  readonly offset: number;
  /** Bytes of the block. The object that `allocate` gave has what was asked for, others what the heap rounded that up to. */
  readonly byteLength: number;
  readonly #lease: Lease;
  #freed = false;
  #bytes: Uint8Array | undefined;

  /** @internal */
  constructor(lease: Lease, offset: number, byteLength: number) {
    this.#lease = lease;
    this.offset = offset;
    this.byteLength = Math.min(byteLength, lease.attachment.bytes - offset);
  }

  get #attachment(): Attachment {
    return this.#lease.attachment;
  }

  /** @internal It was given back by this very object: its bytes may be somebody else's. */
  markFreed(): void {
    this.#freed = true;
  }

  #check(writing: boolean): void {
    this.#attachment.check(writing);
    if (this.#freed) throw this.#gone();
  }

  #gone(): IsthmusError {
    return new IsthmusError("NOT_FOUND", `there is no block at offset ${this.offset} any more: it was freed`);
  }

  /** @internal */
  get buffer(): ArrayBufferLike {
    return this.#attachment.u8.buffer;
  }

  /**
   * The bytes, in shared memory: the same array each time, which keeps the segment open; zeros after it was closed. What is
   * written here is not undone by transactions: see `write`.
   *
   * @throws {IsthmusError} CLOSED: the segment was closed; NOT_FOUND when this object was used to free the block; READ_ONLY,
   *   because writing to such bytes would end the process: use `copy`; EVICTED: this participant was removed
   */
  get bytes(): Uint8Array {
    this.#check(true);
    if (this.#bytes) return this.#bytes;
    this.#attachment.rawBytesGiven = true;
    const bytes = this.#attachment.u8.subarray(this.offset, this.offset + this.byteLength);
    keptOpen.set(bytes, this.#lease);
    this.#bytes = bytes;
    return bytes;
  }

  /**
   * A copy of the bytes; for read-only openers too.
   *
   * @returns `byteLength` bytes
   * @throws {IsthmusError} CLOSED: the segment was closed; NOT_FOUND when this object was used to free the block
   */
  copy(): Uint8Array {
    this.#check(false);
    return this.#attachment.u8.slice(this.offset, this.offset + this.byteLength);
  }

  /**
   * Writes bytes into the block; undone when the transaction around it is.
   *
   * @param bytes what to write; a view of any kind
   * @param at where in the block: bytes from its start, 0 (the default) to `byteLength`
   * @throws {TypeError | RangeError} when they are no bytes, or do not fit
   * @throws {IsthmusError} CLOSED: the segment was closed; NOT_FOUND when this object was used to free the block; READ_ONLY;
   *   EVICTED: this participant was removed; TOO_LARGE when the transaction around it changes more than the journal holds
   */
  write(bytes: Uint8Array, at = 0): void {
    const source = bytesOf("bytes", bytes);
    integer("at", at, 0, this.byteLength);
    if (source.length > this.byteLength - at) {
      throw new RangeError(
        `bytes must fit: ${source.length} at ${at} do not, the block has ${this.byteLength}`,
      );
    }
    this.#check(true);
    beforeWriting(this.#attachment, this.offset + at, source.length);
    this.#attachment.copyIn(source, this.offset + at);
  }

  /**
   * The block's bytes with a layout. The first view of a block gives it the layout; others must have the same.
   *
   * @param layout what `struct` made
   * @returns a view that keeps the segment open as the block does
   * @throws {TypeError | RangeError} when it is no struct, or the block is too short
   * @throws {IsthmusError} LAYOUT_MISMATCH when the block has another layout; NOT_FOUND when the block was freed; CLOSED: the
   *   segment was closed; BUSY when another process had the heap for 5 s; TOO_LARGE in a transaction that changes too much;
   *   EVICTED: this participant was removed
   */
  view<F extends Fields>(layout: Struct<F>): StructView<F> {
    if (!(layout instanceof Struct)) throw wrongType("layout", "a struct", layout);
    const attachment = this.#attachment;
    this.#check(false);
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
    const result = withWriteLock(this.#attachment, "giving a block its layout", () =>
      core.heapSetLayout(this.offset, hash),
    );
    const found = core.heapLayout(this.offset) >>> 0;
    if (codeName(result) === "NOT_FOUND" || (result === 0 && found === 0)) {
      throw this.#gone();
    }
    if (result !== 0) throw failure(result, `giving the block at offset ${this.offset} its layout failed`);
    return found;
  }

  /**
   * Gives the block back; inside a transaction when that has committed. Views of it are not to be used any more.
   *
   * @throws {IsthmusError} NOT_FOUND when it was freed already; READ_ONLY; CLOSED; CORRUPT when the heap is damaged; BUSY when
   *   another process had the heap for 5 s; TOO_LARGE in a transaction that changes too much; EVICTED
   */
  free(): void {
    const attachment = this.#attachment;
    this.#check(true);
    if (attachment.inTransaction) this.#checkInUse();
    if (freeLater(attachment, this)) return;
    let result = attachment.core.heapFree(this.offset) >>> 0;
    if (result === BUSY) result = this.#freeLater();
    if (result !== 0) this.#freeFailed(result);
    this.#freed = true;
  }

  /** Waits for the right to change the heap: a method of its own, so that a call that finds it free makes no closure. */
  #freeLater(): number {
    const attachment = this.#attachment;
    return withWriteLock(attachment, "freeing a block", () => attachment.core.heapFree(this.offset));
  }

  #checkInUse(): void {
    if (this.#attachment.core.heapBlockBytes(this.offset) !== 0) return;
    throw this.#gone();
  }

  /** The core says CORRUPT of a block that is not there, too. */
  #freeFailed(status: number): never {
    if (status !== CORRUPT) throw failure(status, `freeing the block at offset ${this.offset} failed`);
    this.#checkInUse();
    throw failure(status, `the heap around offset ${this.offset} is damaged; see heap.check()`);
  }
}

/**
 * A struct that lies in a block, made by `block.view`. `write` and `set` are undone when the transaction around them is. Reads
 * and writes are not atomic: what others change meanwhile, a lock must guard.
 *
 * @example
 * ```ts
 * import { MiB, Segment, struct } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * const State = struct({ runs: "u32", label: "utf8:16" });
 * const state = segment.heap.allocate(State.bytes)?.view(State);
 * state?.write({ runs: 1, label: "first" });
 * state?.set("runs", state.get("runs") + 1);
 * console.log(state?.read());
 * ```
 */
export class StructView<F extends Fields> {
  /** What the block was viewed with. */
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

  /**
   * All fields.
   *
   * @returns a value of its own: later writes do not change it
   * @throws {IsthmusError} CLOSED: the segment was closed
   */
  read(): StructValue<F> {
    this.#lease.attachment.check(false);
    return this.layout.read(this.#lease.attachment.view, this.#offset);
  }

  /**
   * Writes all fields.
   *
   * @param value one entry for each field
   * @throws {TypeError | RangeError} naming the field that is missing or does not fit; nothing is written then
   * @throws {IsthmusError} CLOSED; READ_ONLY; EVICTED; TOO_LARGE when the transaction around it changes too much
   */
  write(value: StructInput<F>): void {
    const { attachment } = this.#lease;
    attachment.check(true);
    const bytes = new Uint8Array(this.layout.bytes); // so that a value that does not fit changes nothing
    this.layout.stage(new DataView(bytes.buffer), value);
    beforeWriting(attachment, this.#offset, bytes.length);
    attachment.u8.set(bytes, this.#offset);
  }

  /**
   * One field.
   *
   * @param field its name
   * @returns its value, as `read` gives it
   * @throws {RangeError} when there is no such field
   * @throws {IsthmusError} CLOSED: the segment was closed
   */
  get<K extends keyof F & string>(field: K): StructValue<F>[K] {
    this.#lease.attachment.check(false);
    return this.layout.field(field).read(this.#lease.attachment.view, this.#offset) as StructValue<F>[K];
  }

  /**
   * Writes one field.
   *
   * @param field its name
   * @param value what its type holds
   * @throws {TypeError | RangeError} when there is no such field, or the value does not fit; nothing is written then
   * @throws {IsthmusError} CLOSED; READ_ONLY; EVICTED; TOO_LARGE when the transaction around it changes too much
   */
  set<K extends keyof F & string>(field: K, value: StructInput<F>[K]): void {
    const { attachment } = this.#lease;
    attachment.check(true);
    const part = this.layout.field(field);
    const bytes = part.composite ? new Uint8Array(part.bytes) : undefined;
    // What has several parts is put together first: what does not fit changes nothing.
    if (bytes) part.write(new DataView(bytes.buffer), -part.offset, value);
    beforeWriting(attachment, this.#offset + part.offset, part.bytes);
    if (bytes) attachment.u8.set(bytes, this.#offset + part.offset);
    else part.write(attachment.view, this.#offset, value);
  }
}
