import { detached, integer, objectOf, unknownName, wrongType } from "../arguments.js";
import { brand, isBranded, isRevoked } from "../brand.js";
import { bytesUnder, isDataView, isDetached, type PrivateBytes } from "../bytes.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { arrayCodec, blobCodec, type Codec, FIELD_BYTES_MAX, located, scalarCodec } from "./codecs.js";
import { fnv1a } from "./hash.js";
import { structReader } from "./reader.js";
import { type Scalar, type ScalarName, scalars } from "./scalars.js";
import { type Staged, Staging } from "./staging.js";
import { structWriter } from "./writer.js";

/**
 * Type of a field: a scalar, "utf8:N" (a text of at most N bytes in UTF-8) or "bytes:N" (at most N bytes), N from 1 to 2^28,
 * an array of so many of one of these, or another struct.
 */
export type FieldType =
  | ScalarName
  | `utf8:${number}`
  | `bytes:${number}`
  | readonly [ScalarName | `utf8:${number}` | `bytes:${number}` | Struct<Fields>, number]
  | Struct<Fields>;

/** Names and types of the fields of a struct. */
export type Fields = { readonly [name: string]: FieldType };

type ScalarValue<S extends ScalarName> = ReturnType<(typeof scalars)[S]["read"]>;

/** The value of a field: a number, bigint (u64, i64), boolean, string, Uint8Array, array, or object of a struct. */
export type FieldValue<F> = F extends ScalarName
  ? ScalarValue<F>
  : F extends `utf8:${number}`
    ? string
    : F extends `bytes:${number}`
      ? PrivateBytes
      : F extends Struct<infer G>
        ? StructValue<G>
        : F extends readonly [infer E, number]
          ? FieldValue<E>[]
          : never;

/** The value of a struct: an object with one entry for each field. */
export type StructValue<F extends Fields> = { -readonly [K in keyof F]: FieldValue<F[K]> };

/** The value of a struct: `type Pose = Infer<typeof Pose>`. */
export type Infer<S> = S extends Struct<infer F> ? StructValue<F> : never;

/** A value that can be written to a field: as `FieldValue`; for arrays, any object with a length and elements. */
export type FieldInput<F> =
  F extends Struct<infer G>
    ? StructInput<G>
    : F extends `bytes:${number}`
      ? Uint8Array
      : F extends readonly [infer E, number]
        ? ArrayLike<FieldInput<E>>
        : FieldValue<F>;

/** A value that can be written to a struct: an object with one entry for each field. */
export type StructInput<F extends Fields> = { readonly [K in keyof F]: FieldInput<F[K]> };

function codecOf(path: string, type: unknown): Codec {
  if (isBranded(type, "Struct")) return structOf(`type of field ${path}`, type as Struct<Fields>).codec;
  if (Array.isArray(type) && type.length === 2) {
    return arrayCodec(codecOf(path, type[0]), integer(`count of field ${path}`, type[1], 1, FIELD_BYTES_MAX));
  }
  if (typeof type === "string") {
    if (Object.hasOwn(scalars, type)) return scalarCodec(type as ScalarName);
    const [, kind, max] = /^(utf8|bytes):(\d+)$/.exec(type) ?? [];
    if (kind)
      return blobCodec(
        kind as "utf8" | "bytes",
        integer(`size of field ${path}`, Number(max), 1, FIELD_BYTES_MAX),
      );
    throw new RangeError(
      `field ${path} has the unknown type "${type}"; known are ${Object.keys(scalars).join(", ")}, utf8:N, bytes:N`,
    );
  }
  throw wrongType(`type of field ${path}`, "a type name, [type, count] or a struct", type);
}

function align(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}

/** @internal A field of a struct: its offset, how it is read, and private memory for its values. */
export class StructField {
  readonly name: string;
  /** Offset from the start of the struct. */
  readonly offset: number;
  readonly codec: Codec;
  #staging: Staging | undefined;

  constructor(name: string, offset: number, codec: Codec) {
    this.name = name;
    this.offset = offset;
    this.codec = codec;
  }

  get staging(): Staging {
    this.#staging ??= new Staging(this.codec);
    return this.#staging;
  }
}

function fieldsOf(given: Fields): StructField[] {
  const fields: StructField[] = [];
  let end = 0;
  for (const [name, type] of Object.entries(objectOf("fields", given))) {
    if (/^\d+$/.test(name)) {
      throw new RangeError(
        `field ${name} must not have a number as its name: JavaScript puts such names before all others, so that ` +
          "the fields would lie in another order than they are written",
      );
    }
    const codec = codecOf(name, type);
    const offset = align(end, codec.alignment);
    fields.push(new StructField(name, offset, codec));
    end = offset + codec.bytes;
  }
  if (fields.length === 0) throw new RangeError("fields must have at least one field");
  if (end > FIELD_BYTES_MAX)
    throw new RangeError(`fields take ${end} bytes; at most ${FIELD_BYTES_MAX} are allowed`);
  return fields;
}

/** A function that refuses a value with a field that the struct does not have. */
function fieldsCheck(names: readonly string[]): (given: object, path: string) => void {
  const known = new Set(names);
  function checkAll(given: object, path: string): void {
    for (const name of Object.keys(given)) {
      if (!known.has(name)) throw unknownName(path, "field", name, names);
    }
  }
  return (given, path) => {
    let index = 0;
    // Nearly all values have the fields of the struct in the same order. Comparing the names one by one allocates nothing.
    for (const name in given) if (name !== names[index++]) return checkAll(given, path);
  };
}

function structCodec(bytes: number, fields: readonly StructField[]): Codec {
  const checkFields = fieldsCheck(fields.map(({ name }) => name));
  const reader = structReader(
    fields.map(({ name, offset, codec }) => ({
      name,
      offset,
      read: codec.read,
      readInto: codec.readInto,
    })),
  );
  const writeFields = structWriter(
    fields.map(({ name, offset, codec }) => ({
      name,
      offset,
      write: codec.write,
      scalar: codec.scalar && (scalars[codec.scalar.name] as Scalar<unknown>),
    })),
  );
  const parts = fields.map(({ name, offset, codec }) => `${name}@${offset}:${codec.signature}`);
  return {
    bytes,
    alignment: 8,
    signature: `{${parts.join(",")}}`,
    read: reader.read,
    readInto(view, offset, target) {
      return typeof target === "object" && target !== null
        ? reader.readInto(view, offset, target as Record<string, unknown>)
        : reader.read(view, offset);
    },
    write(view, offset, value, path, index) {
      const own = located(path, index);
      if (typeof value !== "object" || value === null || isRevoked(value))
        throw wrongType(own, "an object", value);
      checkFields(value, own);
      writeFields(view, offset, value as Record<string, unknown>, own);
    },
  };
}

/**
 * A layout of fields with fixed widths. Made by `struct`.
 *
 * @example
 * ```ts
 * import { struct } from "isthmus";
 *
 * const Point = struct({ x: "f32", y: "f32" });
 * const Path = struct({ closed: "bool", points: [Point, 16] });
 * console.log(Path.bytes, Path.offsets.points, Path.hash === struct(Path.fields).hash);
 * ```
 */
export class Struct<F extends Fields> {
  static {
    describe(Struct.prototype, "Struct", ({ bytes, fields }) => ({ bytes, fields }));
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** The fields that it was made of. */
  readonly fields: F;
  /** Bytes of one value, a multiple of 8, at most 2^28. */
  readonly bytes: number;
  /** Hash of the layout. Two structs with the same hash have the same fields in the same layout. */
  readonly hash: number;
  /** Offset of each field: bytes from the start of the value. */
  readonly offsets: { readonly [K in keyof F]: number };
  readonly #codec: Codec;
  readonly #fields: ReadonlyMap<string, StructField>;
  readonly #staging: Staging;

  static {
    brand(Struct.prototype, "Struct");
  }

  /**
   * As `struct`, which infers more.
   *
   * @param fields as for `struct`
   * @throws {TypeError | RangeError} as `struct`
   */
  constructor(fields: F) {
    const own = Object.fromEntries(Object.entries(objectOf("fields", fields)));
    const list = fieldsOf(own);
    const last = list[list.length - 1];
    this.fields = Object.freeze(own) as F;
    this.bytes = align(last.offset + last.codec.bytes, 8);
    this.offsets = Object.fromEntries(list.map(({ name, offset }) => [name, offset])) as {
      [K in keyof F]: number;
    };
    this.#codec = structCodec(this.bytes, list);
    this.hash = fnv1a(this.#codec.signature);
    this.#fields = new Map(list.map((field) => [field.name, field]));
    this.#staging = new Staging(this.#codec);
  }

  /** @internal */
  get codec(): Codec {
    return this.#codec;
  }

  /** @internal Whether this copy of the package made it. */
  static isOwn(value: unknown): boolean {
    return typeof value === "object" && value !== null && #staging in value;
  }

  /** @internal One field by its name. */
  field(name: string): StructField {
    const found = this.#fields.get(name);
    if (found) return found;
    if (typeof name !== "string") throw wrongType("field", "the name of a field", name);
    throw unknownName("the struct", "field", name, [...this.#fields.keys()]);
  }

  /**
   * Reads the value at an offset of a view.
   *
   * @param view over any memory, shared or not
   * @param offset bytes from the start of the view; default 0
   * @returns a new object, which later writes do not change
   * @throws {TypeError | RangeError} when it is not a view, its memory is gone, or the value does not fit into it
   */
  read(view: DataView, offset = 0): StructValue<F> {
    this.#place(view, offset);
    return this.#codec.read(view, offset) as StructValue<F>;
  }

  /**
   * Writes a value at an offset of a view.
   *
   * @param view over any memory, shared or not
   * @param value one entry for each field
   * @param offset bytes from the start of the view; default 0
   * @throws {TypeError | RangeError} naming the field that is missing, is not known or does not fit, or as `read`; nothing is
   *   written then
   */
  write(view: DataView, value: StructInput<F>, offset = 0): void {
    this.#place(view, offset);
    const staged = this.stage(value);
    this.#place(view, offset).set(staged.bytes, offset); // checked again: a getter of the value may have detached the view
    this.done(staged);
  }

  /** The bytes of a value at an offset of a view. */
  #place(view: DataView, offset: number): Uint8Array {
    if (!isDataView(view)) throw wrongType("view", "a DataView", view);
    if (isDetached(view)) throw detached("view");
    const bytes = bytesUnder(view);
    integer("offset", offset, 0, Number.MAX_SAFE_INTEGER);
    if (offset + this.bytes > bytes.length) {
      throw new RangeError(
        `offset ${offset} leaves no room for the ${this.bytes} bytes of the struct: the view has ${bytes.length}`,
      );
    }
    return bytes;
  }

  /** @internal Writes a value to private memory, which the caller gives back with `done`. */
  stage(value: StructInput<F>): Staged {
    return this.#staging.stage(value, "value");
  }

  /** @internal */
  done(staged: Staged): void {
    this.#staging.done(staged);
  }
}

/** For structs of other copies of the package: the struct that this copy has made of their fields. */
const adopted = new WeakMap<object, Struct<Fields>>();

/**
 * @internal Returns the struct itself; for one of another copy of the package, a struct that this copy makes of its fields.
 * Both copies must have the same layout for these fields, which the hashes show. Nothing else of the other copy is used.
 */
export function structOf<F extends Fields>(argument: string, value: Struct<F>): Struct<F> {
  if (Struct.isOwn(value)) return value as Struct<F>;
  if (!isBranded(value, "Struct")) throw wrongType(argument, "a struct", value);
  const known = adopted.get(value);
  if (known) return known as Struct<F>;
  const own = new Struct(value.fields);
  if (own.hash !== value.hash || own.bytes !== value.bytes) {
    throw new TypeError(
      `${argument} must be a struct that this release of Isthmus lays out in the same way; it was made by another copy of ` +
        `the package, with hash ${value.hash} instead of ${own.hash}. Use the same release in both places`,
    );
  }
  adopted.set(value, own);
  return own;
}

/**
 * Defines a layout of fields with fixed widths, as a C compiler would lay them out (natural alignment, little-endian; a text
 * or bytes field is a u32 length and so many bytes).
 *
 * @param fields names and types: u8 i8 u16 i16 u32 i32 u64 i64 (bigint) f32 f64 bool, "utf8:N" and "bytes:N" (at most N bytes),
 *   [type, count], or another struct
 * @returns the layout
 * @throws {TypeError | RangeError} naming the field whose type is not known, or when all take more than 2^28 bytes
 * @example
 * ```ts
 * import { struct } from "isthmus";
 *
 * const Pose = struct({ id: "u32", position: ["f64", 3], label: "utf8:32" });
 * const view = new DataView(new ArrayBuffer(Pose.bytes));
 * Pose.write(view, { id: 7, position: [1, 2, 3], label: "left hand" });
 * console.log(Pose.read(view).label);
 * ```
 */
export function struct<const F extends Fields>(fields: F): Struct<F> {
  return new Struct(fields);
}
