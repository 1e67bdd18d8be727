import { integer, objectOf, wrongType } from "../arguments.js";
import { arrayCodec, blobCodec, type Codec, FIELD_BYTES_MAX, scalarCodec } from "./codecs.js";
import { fnv1a } from "./hash.js";
import { structReader } from "./reader.js";
import { type ScalarName, scalars } from "./scalars.js";

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

/** What a field of a type holds: a number, bigint (u64, i64), boolean, string, Uint8Array, array, or object of a struct. */
export type FieldValue<F> = F extends ScalarName
  ? ScalarValue<F>
  : F extends `utf8:${number}`
    ? string
    : F extends `bytes:${number}`
      ? Uint8Array
      : F extends Struct<infer G>
        ? StructValue<G>
        : F extends readonly [infer E, number]
          ? FieldValue<E>[]
          : never;

/** What a struct holds: an object with one entry for each field. */
export type StructValue<F extends Fields> = { -readonly [K in keyof F]: FieldValue<F[K]> };

/** What a field can be written with: as `FieldValue`, and for arrays anything with a length and elements. */
export type FieldInput<F> =
  F extends Struct<infer G>
    ? StructInput<G>
    : F extends readonly [infer E, number]
      ? ArrayLike<FieldInput<E>>
      : FieldValue<F>;

/** What a struct can be written with: one entry for each field. */
export type StructInput<F extends Fields> = { readonly [K in keyof F]: FieldInput<F[K]> };

function codecOf(path: string, type: unknown): Codec {
  if (type instanceof Struct) return type.codec;
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

function object(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw wrongType(path, "an object", value);
  return value as Record<string, unknown>;
}

function within(path: string, name: string): string {
  return path === "value" ? name : `${path}.${name}`;
}

function align(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}

/** @internal */
export interface StructField {
  offset: number;
  bytes: number;
  /** A value has several parts: `write` may throw after it has written some. */
  composite: boolean;
  read(view: DataView, at: number): unknown;
  write(view: DataView, at: number, value: unknown): void;
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
  /** What it was made of. */
  readonly fields: F;
  /** Bytes of one value, a multiple of 8, at most 2^28. */
  readonly bytes: number;
  /** Two structs with the same hash lay out the same fields in the same way. */
  readonly hash: number;
  /** Where each field lies: bytes from the start of the value. */
  readonly offsets: { readonly [K in keyof F]: number };
  /** @internal */
  readonly codec: Codec;
  readonly #parts: { name: string; offset: number; codec: Codec }[] = [];

  /**
   * As `struct`, which infers more.
   *
   * @param fields as for `struct`
   * @throws {TypeError | RangeError} as `struct`
   */
  constructor(fields: F) {
    this.fields = fields;
    const parts = this.#parts;
    let end = 0;
    for (const [name, type] of Object.entries(objectOf("fields", fields))) {
      const codec = codecOf(name, type);
      const offset = align(end, codec.alignment);
      parts.push({ name, offset, codec });
      end = offset + codec.bytes;
    }
    if (parts.length === 0) throw new RangeError("fields must have at least one field");
    if (end > FIELD_BYTES_MAX)
      throw new RangeError(`fields take ${end} bytes; at most ${FIELD_BYTES_MAX} are allowed`);
    this.bytes = align(end, 8);
    this.offsets = Object.fromEntries(parts.map(({ name, offset }) => [name, offset])) as {
      [K in keyof F]: number;
    };
    const signature = `{${parts.map((p) => `${p.name}@${p.offset}:${p.codec.signature}`).join(",")}}`;
    this.hash = fnv1a(signature);
    this.codec = {
      composite: true,
      bytes: this.bytes,
      alignment: 8,
      signature,
      read: structReader(
        parts.map(({ name, offset, codec }) => ({ name, offset, read: codec.read.bind(codec) })),
      ),
      check(value, path) {
        const given = object(value, path);
        for (const p of parts) p.codec.check(given[p.name], within(path, p.name));
      },
      write(view, offset, value, path) {
        const given = object(value, path);
        for (const p of parts) p.codec.write(view, offset + p.offset, given[p.name], within(path, p.name));
      },
    };
  }

  /** @internal One field: where it lies, and how it is read and written in a struct that begins at an offset of a view. */
  field(name: keyof F & string): StructField {
    const found = this.#parts.find((part) => part.name === name);
    if (!found)
      throw new RangeError(
        `field must be one of ${Object.keys(this.offsets).join(", ")}, got ${String(name)}`,
      );
    const { offset, codec } = found;
    return {
      offset,
      bytes: codec.bytes,
      composite: codec.composite,
      read: (view, at) => codec.read(view, at + offset),
      write: (view, at, value) => codec.write(view, at + offset, value, name),
    };
  }

  /**
   * The value that lies at an offset of a view.
   *
   * @param view over any memory, shared or not
   * @param offset bytes from the start of the view; default 0
   * @returns a value of its own: later writes do not change it
   * @throws {RangeError} when the view ends before
   */
  read(view: DataView, offset = 0): StructValue<F> {
    return this.codec.read(view, offset) as StructValue<F>;
  }

  /**
   * Writes a value at an offset of a view.
   *
   * @param view over any memory, shared or not
   * @param value one entry for each field
   * @param offset bytes from the start of the view; default 0
   * @throws {TypeError | RangeError} naming the field that is missing or does not fit; nothing is written then
   */
  write(view: DataView, value: StructInput<F>, offset = 0): void {
    this.codec.check(value, "value");
    this.codec.write(view, offset, value, "value");
  }

  /** @internal As `write`, for bytes that nobody sees when it throws: it may have written a part then. */
  stage(view: DataView, value: StructInput<F>, offset = 0): void {
    this.codec.write(view, offset, value, "value");
  }
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
