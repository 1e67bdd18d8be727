/** The layout of field types, and how they are read and written: natural alignment as in C, little-endian. */
import { bytesOf, wrongType } from "../arguments.js";
import { isRevoked } from "../brand.js";
import { isUint8Array, trueLength, typeName } from "../bytes.js";
import { TextDecoder, TextEncoder } from "../host/text.js";
import { arraysOf } from "./arrays.js";
import { type Scalar, type ScalarName, scalars } from "./scalars.js";

/** The layout of one type. Its functions do not use `this`, because readers call them directly. */
export interface Codec {
  bytes: number;
  alignment: number;
  /** Canonical text, for the hash. */
  signature: string;
  /** For a scalar: its name, and a check that throws if a value does not fit. Writing a scalar runs no code of the user. */
  scalar?: { name: ScalarName; check(value: unknown, path: string): void } | undefined;
  /** For an array: the codec of an element, and their number. */
  elements?: { codec: Codec; count: number } | undefined;
  read(view: DataView, offset: number): unknown;
  /** As `read`, but a type with parts overwrites the parts of `target`, an object or array that an earlier call has returned. */
  readInto(view: DataView, offset: number, target: unknown): unknown;
  /**
   * Writes a value, or throws if it does not fit. When it throws, a part may already be written, and getters of the value run
   * between the parts. So the view must be private memory. Only scalars are written in place.
   *
   * @param index for an element of an array; `path` is then that of the array, so that no text is made for an element that fits
   */
  write(view: DataView, offset: number, value: unknown, path: string, index?: number): void;
}

/** Largest text, bytes, array or struct. */
export const FIELD_BYTES_MAX = 2 ** 28;

/** How an error names an element of an array. */
export function located(path: string, index: number | undefined): string {
  return index === undefined ? path : `${path}[${index}]`;
}

export function scalarCodec(name: ScalarName): Codec {
  const scalar = scalars[name] as Scalar<unknown>;
  function unfit(value: unknown, path: string): Error {
    const kind = typeof scalar.read(new DataView(new ArrayBuffer(8)), 0);
    return typeof value === kind
      ? new RangeError(`${path} must be ${scalar.expected}, got ${value}`)
      : wrongType(path, scalar.expected, value);
  }
  return {
    bytes: scalar.bytes,
    alignment: scalar.bytes,
    signature: name,
    scalar: {
      name,
      check(value, path) {
        if (!scalar.fits(value)) throw unfit(value, path);
      },
    },
    read: scalar.read,
    readInto: scalar.read,
    write(view, offset, value, path, index) {
      if (!scalar.fits(value)) throw unfit(value, located(path, index));
      scalar.write(view, offset, value);
    },
  };
}

const encoder = new TextEncoder();
/** A text may begin with U+FEFF. Then it is a part of the text, not a byte order mark. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function encoded(value: unknown, path: string): Uint8Array {
  if (typeof value !== "string") throw wrongType(path, "a string", value);
  if (/\p{Surrogate}/u.test(value)) throw new RangeError(`${path} must not contain half a surrogate pair`);
  return encoder.encode(value);
}

function givenBytes(value: unknown, path: string): Uint8Array {
  if (!isUint8Array(value)) throw wrongType(path, "a Uint8Array", value);
  return bytesOf(path, value);
}

/** Texts of fields of up to this size are written character by character, which is faster than an encoder and an array. Bytes. */
const SHORT_TEXT_MAX = 64;

/**
 * Writes a short text of ASCII characters, and zeros after it. Returns false if the text has other characters: then what was
 * written is not valid.
 */
function writeShort(view: DataView, offset: number, capacity: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const letter = text.charCodeAt(i);
    if (letter > 0x7f) return false;
    view.setUint8(offset + 4 + i, letter);
  }
  for (let i = text.length; i < capacity; i++) view.setUint8(offset + 4 + i, 0);
  view.setUint32(offset, text.length, true);
  return true;
}

/** A text or bytes: length u32, then the bytes, padded to 4. */
export function blobCodec(kind: "utf8" | "bytes", max: number): Codec {
  const take = kind === "bytes" ? givenBytes : encoded;
  const capacity = Math.ceil(max / 4) * 4;
  const short = kind === "utf8" && capacity <= SHORT_TEXT_MAX;
  function read(view: DataView, offset: number): unknown {
    const length = Math.min(max, view.getUint32(offset, true));
    const bytes = new Uint8Array(view.buffer, view.byteOffset + offset + 4, length).slice();
    return kind === "bytes" ? bytes : decoder.decode(bytes);
  }
  return {
    bytes: 4 + capacity,
    alignment: 4,
    signature: `${kind}:${max}`,
    read,
    readInto: read,
    write(view, offset, value, path, index) {
      const fits = short && typeof value === "string" && value.length <= max;
      if (fits && writeShort(view, offset, capacity, value)) return;
      const source = take(value, located(path, index));
      const length = trueLength(source);
      if (length > max)
        throw new RangeError(`${located(path, index)} holds at most ${max} bytes, got ${length}`);
      const target = new Uint8Array(view.buffer, view.byteOffset + offset + 4, capacity);
      // Throws if another thread has made the source longer meanwhile, because the target has the first length.
      target.subarray(0, length).set(source);
      target.fill(0, length);
      view.setUint32(offset, length, true);
    },
  };
}

/** Whether a typed array can hold elements of that type. Float arrays can hold every number, rounded. */
function holds(arrayType: string | undefined, element: ScalarName): boolean {
  if (arrayType === arraysOf[element].name) return true;
  if (arrayType === "Uint8ClampedArray") return element === "u8" || element === "bool";
  const isNumber = element !== "u64" && element !== "i64" && element !== "bool";
  return isNumber && /^Float\d\dArray$/.test(arrayType ?? "");
}

export function arrayCodec(codec: Codec, count: number): Codec {
  const step = codec.bytes;
  function elements(value: unknown, path: string): ArrayLike<unknown> {
    if (typeof value !== "object" || value === null || isRevoked(value))
      throw wrongType(path, `an array of ${count} elements`, value);
    const { length } = value as ArrayLike<unknown>;
    if (length === count) return value as ArrayLike<unknown>;
    throw new RangeError(`${path} must have ${count} elements, got ${String(length)}`);
  }
  function read(view: DataView, offset: number): unknown[] {
    const list: unknown[] = [];
    for (let i = 0; i < count; i++) list.push(codec.read(view, offset + i * step));
    return list;
  }
  const elementType = codec.scalar?.name;
  /** Whether it is an array of so many elements that can hold the elements of this type. */
  function takes(target: unknown): target is unknown[] {
    if (isRevoked(target)) return false;
    if (Array.isArray(target)) return target.length === count;
    if (elementType === undefined || !ArrayBuffer.isView(target)) return false;
    return holds(typeName(target), elementType) && trueLength(target) === count;
  }
  return {
    bytes: step * count,
    alignment: codec.alignment,
    signature: `[${codec.signature};${count}]`,
    elements: { codec, count },
    read,
    readInto(view, offset, target) {
      if (!takes(target)) return read(view, offset);
      for (let i = 0; i < count; i++) target[i] = codec.readInto(view, offset + i * step, target[i]);
      return target;
    },
    write(view, offset, value, path, index) {
      const own = located(path, index);
      const list = elements(value, own);
      for (let i = 0; i < count; i++) codec.write(view, offset + i * step, list[i], own, i);
    },
  };
}
