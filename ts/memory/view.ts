import { checkOurs, type OURS, wrongType } from "../arguments.js";
import { brand } from "../brand.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { type ArrayOf, arraysOf } from "../struct/arrays.js";
import type { Fields, Struct, StructInput, StructValue } from "../struct/struct.js";

/** @internal The bytes of a view, with the checks before each use and the function to call before each change. */
export interface Place {
  /** Over the memory that contains the struct. */
  readonly memory: DataView;
  /** Offset of the struct: bytes from the start of `memory`. */
  readonly offset: number;
  /** Throws when the bytes cannot be used, or written, any more. */
  check(writing: boolean): void;
  /** Called before bytes change: records the old bytes for a transaction. `offset` is from the start of `memory`. */
  changing(offset: number, bytes: number): void;
  /** Copies bytes to an offset of `memory`. */
  copyIn(bytes: Uint8Array, offset: number): void;
  /** Called when the user gets an array over the memory, which must stay mapped as long as the array can be used. */
  shareMemory(): void;
}

/**
 * A struct in a block, made by `block.view`, or in a claim. If a surrounding transaction is undone, so are `write` and `set`.
 * Reads and writes are not atomic: use a lock to guard what other participants change.
 *
 * @example
 * ```ts
 * import { MiB, Segment, struct } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * const State = struct({ runs: "u32", label: "utf8:16" });
 * const state = segment.heap.allocate(State.bytes).view(State);
 * state.write({ runs: 1, label: "first" });
 * state.set("runs", state.get("runs") + 1);
 * console.log(state.read());
 * ```
 */
export class StructView<F extends Fields> {
  static {
    describe(StructView.prototype, "StructView", (view) => view.read());
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** The layout of the view. */
  readonly layout: Struct<F>;
  readonly #place: Place;

  static {
    brand(StructView.prototype, "StructView");
  }

  /** @internal */
  constructor(by: typeof OURS, place: Place, layout: Struct<F>) {
    checkOurs(by, "StructView", "block.view(layout)");
    this.#place = place;
    this.layout = layout;
  }

  /** @internal */
  get buffer(): ArrayBufferLike {
    return this.#place.memory.buffer;
  }

  /**
   * All fields.
   *
   * @returns a new object, which later writes do not change
   * @throws {IsthmusError} CLOSED: the segment was closed; NOT_FOUND when the block was freed
   */
  read(): StructValue<F> {
    const place = this.#place;
    place.check(false);
    return this.layout.codec.read(place.memory, place.offset) as StructValue<F>;
  }

  /**
   * Writes all fields.
   *
   * @param value one entry for each field
   * @throws {TypeError | RangeError} naming the field that is missing, is not known or does not fit; nothing is written then
   * @throws {IsthmusError} CLOSED; READ_ONLY; EVICTED; NOT_FOUND when the block was freed; TOO_LARGE when the transaction around
   *   it changes too much
   */
  write(value: StructInput<F>): void {
    const place = this.#place;
    place.check(true);
    const staged = this.layout.stage(value);
    this.#copyIn(staged.bytes, place.offset);
    this.layout.done(staged);
  }

  /**
   * Checks again, because getters of the value have run since the first check. They may have closed the segment or freed the
   * block.
   */
  #copyIn(bytes: Uint8Array, offset: number): void {
    const place = this.#place;
    place.check(true);
    place.changing(offset, bytes.length);
    place.copyIn(bytes, offset);
  }

  /**
   * Reads one field. It creates no object except the value.
   *
   * @param field its name
   * @returns its value, as `read` returns it
   * @throws {TypeError} when there is no such field
   * @throws {IsthmusError} CLOSED: the segment was closed; NOT_FOUND when the block was freed
   */
  get<K extends keyof F & string>(field: K): StructValue<F>[K] {
    const place = this.#place;
    place.check(false);
    const { offset, codec } = this.layout.field(field);
    return codec.read(place.memory, place.offset + offset) as StructValue<F>[K];
  }

  /**
   * Writes one field.
   *
   * @param field its name
   * @param value a value of the type of the field
   * @throws {TypeError | RangeError} when there is no such field, or the value does not fit; nothing is written then
   * @throws {IsthmusError} CLOSED; READ_ONLY; EVICTED; NOT_FOUND when the block was freed; TOO_LARGE when the transaction around
   *   it changes too much
   */
  set<K extends keyof F & string>(field: K, value: StructInput<F>[K]): void {
    const place = this.#place;
    place.check(true);
    const found = this.layout.field(field);
    const { codec } = found;
    const offset = place.offset + found.offset;
    if (codec.scalar === undefined) {
      const staged = found.staging.stage(value, field);
      this.#copyIn(staged.bytes, offset);
      found.staging.done(staged);
      return;
    }
    codec.scalar.check(value, field);
    place.changing(offset, codec.bytes);
    codec.write(place.memory, offset, value, field);
  }

  /**
   * Returns an array field in place: a typed array over the shared bytes, without a copy. An access to an element is as fast as
   * in any typed array. Other processes see what you write there. A transaction does not undo it, and it is not atomic. The
   * buffer of the array is a SharedArrayBuffer: docs/shared-views.md says which APIs refuse it. Use it only until the block is
   * freed or the segment is closed. Its memory stays mapped until the segment is closed, whatever the garbage collector does.
   *
   * @param field the name of an array of numbers, bigints or booleans; a boolean is a byte that is 0 or 1
   * @returns a Uint8Array for u8 and bool, an Int8Array for i8, and so on; a BigUint64Array for u64, a BigInt64Array for i64
   * @throws {TypeError} when there is no such field, or it is not such an array
   * @throws {IsthmusError} CLOSED; NOT_FOUND when the block was freed; EVICTED; READ_ONLY, because writing to such an array
   *   would end the process: use `get`
   */
  array<K extends keyof F & string>(field: K): ArrayOf<F[K]> {
    const place = this.#place;
    place.check(true);
    const { offset, codec } = this.layout.field(field);
    const scalar = codec.elements?.codec.scalar;
    if (codec.elements === undefined || scalar === undefined) {
      throw wrongType("field", "an array of numbers, bigints or booleans", field);
    }
    place.shareMemory();
    const { buffer, byteOffset } = place.memory;
    return new arraysOf[scalar.name](
      buffer as ArrayBuffer,
      byteOffset + place.offset + offset,
      codec.elements.count,
    ) as ArrayOf<F[K]>;
  }
}
