import { BUSY, CORRUPT } from "../../protocol/errors.js";
import { bytesOf, callback, integer, OURS, wrongType } from "../arguments.js";
import { brand } from "../brand.js";
import { type PrivateBytes, trueLength } from "../bytes.js";
import { codeName, failure, IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { type Attachment, checkMade, type Lease } from "../segment/attachment.js";
import { type Described, differenceText, keepDescription } from "../segment/layouts.js";
import { type Fields, type Struct, structOf } from "../struct/struct.js";
import { generationAt } from "./generation.js";
import { beforeWriting, freeLater } from "./transaction.js";
import { type Place, StructView } from "./view.js";
import { withWriteLock } from "./write-lock.js";

/**
 * The argument of `block.as`: the constructor of a typed array, or DataView, of any realm.
 *
 * @typeParam T what it constructs
 */
export type ViewConstructor<T extends ArrayBufferView> = (new (
  buffer: ArrayBuffer,
  byteOffset: number,
  length: number,
) => T) & { readonly BYTES_PER_ELEMENT?: number };

/**
 * A block of the heap, made by `heap.allocate`. Other processes find it by its `offset`, which may be stored anywhere in the
 * segment. The segment stays open as long as you keep this object, or any other object of the segment. After any process has
 * freed the block, through any object, the methods of this one throw NOT_FOUND.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * const block = segment.heap.allocate(64);
 * block.write(new TextEncoder().encode("hello"));
 * block.as(Float64Array)[7] = 0.5; // the last 8 bytes
 * const same = segment.heap.blockAt(block.offset); // here or in another process
 * console.log(same?.bytes.length, new TextDecoder().decode(same?.copy().subarray(0, 5)));
 * block.free();
 * ```
 */
export class Block {
  static {
    describe(Block.prototype, "Block", ({ offset, byteLength, layout }) => ({ offset, byteLength, layout }));
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** Offset of the first byte from the start of the segment, below 2^32. It is the same in every process. */
  readonly offset: number;
  /**
   * Bytes of the block. In the object that `allocate` returned, it is the requested number; in others, the number to which the
   * heap rounded it up.
   */
  readonly byteLength: number;
  readonly #lease: Lease;
  /** @internal */
  readonly generation: number;
  #bytes: Uint8Array | undefined;

  static {
    brand(Block.prototype, "Block");
  }

  /** @internal */
  constructor(lease: Lease, offset: number, byteLength: number, generation: number) {
    checkMade(lease, "Block", "segment.heap.allocate(length), or heap.blockAt(offset)");
    this.#lease = lease;
    this.generation = generation;
    this.offset = offset;
    this.byteLength = Math.min(byteLength, lease.attachment.bytes - offset);
  }

  get #attachment(): Attachment {
    return this.#lease.attachment;
  }

  /** @internal Throws when the segment cannot be used in this way, or the block was freed. */
  check(writing: boolean): void {
    const { attachment } = this.#lease;
    attachment.check(writing);
    if (generationAt(attachment, this.offset) !== this.generation) throw this.#gone();
  }

  #gone(): IsthmusError {
    return new IsthmusError("NOT_FOUND", `there is no block at offset ${this.offset} any more: it was freed`);
  }

  /** @internal */
  get buffer(): ArrayBufferLike {
    return this.#attachment.u8.buffer;
  }

  /**
   * Hash of the layout that the first view gave to the block; undefined when it has none yet.
   *
   * @throws {IsthmusError} CLOSED: the segment was closed; NOT_FOUND when the block was freed
   */
  get layout(): number | undefined {
    this.check(false);
    return this.#attachment.core.heapLayout(this.offset) >>> 0 || undefined;
  }

  /**
   * The bytes, in shared memory. It is the same array each time. Other processes see at once what you write here, and a
   * transaction does not undo it: see `write`. The buffer of the array is a SharedArrayBuffer. `crypto.subtle.digest`,
   * `Response`, `Blob` and, in some runtimes, `TextDecoder` refuse such arrays; `copy` gives private bytes. See
   * docs/shared-views.md. The memory stays mapped until the segment is closed or the process ends, whatever the garbage
   * collector does. After `close`, the array reads zeros.
   *
   * @throws {IsthmusError} CLOSED: the segment was closed; NOT_FOUND when the block was freed; READ_ONLY, because writing to
   *   such bytes would end the process: use `copy`; EVICTED: this participant was removed
   */
  get bytes(): Uint8Array {
    this.check(true);
    this.#attachment.rawBytesGiven = true;
    this.#bytes ??= this.#attachment.u8.subarray(this.offset, this.offset + this.byteLength);
    return this.#bytes;
  }

  /**
   * The bytes as a typed array or DataView of any kind, in place, like `bytes`.
   *
   * @param type the constructor: Float64Array, BigInt64Array, DataView, Buffer …; of a subclass, too, whose own constructor
   *   passes its arguments on
   * @returns an array with as many whole elements as the block has room for
   * @throws {TypeError} when it is not such a constructor
   * @throws {IsthmusError} as `bytes`
   */
  as<T extends ArrayBufferView>(type: ViewConstructor<T>): T {
    callback("type", type);
    this.check(true);
    const element = type.BYTES_PER_ELEMENT ?? 1;
    const made = viewOver(type, this.buffer, this.offset, Math.floor(this.byteLength / element));
    this.#attachment.rawBytesGiven = true;
    return made;
  }

  /**
   * Returns a copy of the bytes in private memory, for APIs that refuse shared memory. It also works for read-only openers.
   *
   * @returns `byteLength` bytes
   * @throws {IsthmusError} CLOSED: the segment was closed; NOT_FOUND when the block was freed
   */
  copy(): PrivateBytes {
    this.check(false);
    return this.#attachment.u8.slice(this.offset, this.offset + this.byteLength) as PrivateBytes;
  }

  /**
   * Writes bytes into the block. If a surrounding transaction is undone, so is the write.
   *
   * @param bytes the bytes to write; a view of any kind
   * @param at offset in the block: 0 (the default) to `byteLength`
   * @throws {TypeError | RangeError} when they are not bytes, or do not fit
   * @throws {IsthmusError} CLOSED: the segment was closed; NOT_FOUND when the block was freed; READ_ONLY; EVICTED: this
   *   participant was removed; TOO_LARGE when the transaction around it changes more than the journal holds
   */
  write(bytes: Uint8Array, at = 0): void {
    const source = bytesOf("bytes", bytes);
    const length = trueLength(source);
    integer("at", at, 0, this.byteLength);
    if (length > this.byteLength - at) {
      throw new RangeError(`bytes must fit: ${length} at ${at} do not, the block has ${this.byteLength}`);
    }
    this.check(true);
    beforeWriting(this.#attachment, this.offset + at, length);
    this.#attachment.copyIn(source, this.offset + at);
  }

  /**
   * Returns a view of the block with a layout. The first view of a block gives it the layout. Later views must have the same
   * layout.
   *
   * @param layout a layout made by `struct`
   * @returns a view, which keeps the segment open as the block does
   * @throws {TypeError | RangeError} when it is not a struct, or the block is too short
   * @throws {IsthmusError} LAYOUT_MISMATCH when the block has another layout; NOT_FOUND when the block was freed; CLOSED: the
   *   segment was closed; BUSY when another process had the heap for 5 s; TOO_LARGE in a transaction that changes too much;
   *   EVICTED: this participant was removed
   */
  view<F extends Fields>(layout: Struct<F>): StructView<F> {
    const own = structOf("layout", layout);
    const attachment = this.#attachment;
    this.check(false);
    if (own.bytes > this.byteLength) {
      throw new RangeError(`layout takes ${own.bytes} bytes, the block has ${this.byteLength}`);
    }
    let found = attachment.core.heapLayout(this.offset) >>> 0;
    if (found === 0 && !attachment.readOnly) found = this.#giveLayout(own);
    if (found !== 0 && found !== own.hash) {
      throw new IsthmusError(
        "LAYOUT_MISMATCH",
        `the block at offset ${this.offset} has another layout: ${differenceText(attachment, found, own)}`,
      );
    }
    return new StructView(OURS, this.#place(), own);
  }

  #place(): Place {
    const { offset } = this;
    const attachment = this.#attachment;
    return {
      memory: attachment.view,
      offset,
      check: (writing) => this.check(writing),
      changing: (at, bytes) => beforeWriting(attachment, at, bytes),
      copyIn: attachment.copyIn,
      shareMemory() {
        attachment.rawBytesGiven = true;
      },
    };
  }

  /**
   * Gives the block this layout, unless another participant was faster. Returns the hash of the layout that it has afterwards.
   */
  #giveLayout(own: Described): number {
    const { core } = this.#attachment;
    const result = withWriteLock(this.#attachment, "giving a block its layout", () =>
      core.heapSetLayout(this.offset, own.hash),
    );
    const found = core.heapLayout(this.offset) >>> 0;
    if (codeName(result) === "NOT_FOUND" || (result === 0 && found === 0)) {
      throw this.#gone();
    }
    if (result !== 0) throw failure(result, `giving the block at offset ${this.offset} its layout failed`);
    keepDescription(this.#attachment, own);
    return found;
  }

  /**
   * Frees the block; in a transaction, when that commits. Afterwards, views of it throw NOT_FOUND. Do not use typed arrays over
   * it (`bytes`, `as`, `view.array`) any more: they show what the next owner of the bytes writes.
   *
   * @throws {IsthmusError} NOT_FOUND when it was freed already; READ_ONLY; CLOSED; CORRUPT when the heap is damaged; BUSY when
   *   another process had the heap for 5 s; TOO_LARGE in a transaction that changes too much; EVICTED
   */
  free(): void {
    const attachment = this.#attachment;
    this.check(true);
    if (freeLater(attachment, this)) return;
    let result = attachment.core.heapFree(this.offset) >>> 0;
    if (result === BUSY) result = this.#freeLater();
    else attachment.passOn();
    if (result !== 0) this.#freeFailed(result);
  }

  /** Waits for the write lock. It is a separate method, so that `free` makes no closure when the lock is free. */
  #freeLater(): number {
    const attachment = this.#attachment;
    return withWriteLock(attachment, "freeing a block", () => attachment.core.heapFree(this.offset));
  }

  /** The core also returns CORRUPT if another process has freed the block since the check. */
  #freeFailed(status: number): never {
    if (status !== CORRUPT) throw failure(status, `freeing the block at offset ${this.offset} failed`);
    if (this.#attachment.core.heapBlockBytes(this.offset) === 0) throw this.#gone();
    throw failure(status, `the heap around offset ${this.offset} is damaged; see heap.check()`);
  }
}

/** Whether it is Node's Buffer or a subclass, which print a warning when they are called as a constructor. */
function isBufferClass(
  type: unknown,
): type is { from(buffer: ArrayBufferLike, at: number, bytes: number): unknown } {
  const { from, isBuffer } = type as { from?: unknown; isBuffer?: unknown };
  return typeof from === "function" && typeof isBuffer === "function";
}

/** Calls a constructor and checks the result, because constructors of other realms cannot be compared with those of this one. */
function viewOver<T extends ArrayBufferView>(
  type: ViewConstructor<T>,
  buffer: ArrayBufferLike,
  offset: number,
  elements: number,
): T {
  try {
    const made: unknown = isBufferClass(type)
      ? type.from(buffer, offset, elements)
      : new type(buffer as ArrayBuffer, offset, elements);
    if (ArrayBuffer.isView(made) && made.buffer === buffer && made.byteOffset === offset) {
      if (made.byteLength === elements * (type.BYTES_PER_ELEMENT ?? 1) && made instanceof type)
        return made as T;
    }
  } catch {
    // A function that cannot be called in this way is not such a constructor either.
  }
  throw wrongType(
    "type",
    "the constructor of a typed array (or of a subclass that passes its arguments on), DataView or Buffer",
    type.name ? `class ${type.name}` : type,
  );
}
