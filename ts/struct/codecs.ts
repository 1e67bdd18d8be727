/** How the types of fields are laid out, read and written: C's natural alignment, little-endian. */
import { bytesOf, wrongType } from "../arguments.js";
import { type Scalar, type ScalarName, scalars } from "./scalars.js";

/** How values of one type are laid out. */
export interface Codec {
  bytes: number;
  alignment: number;
  /** Canonical text, for the hash. */
  signature: string;
  read(view: DataView, offset: number): unknown;
  /** Throws when the value does not fit. */
  check(value: unknown, path: string): void;
  /** As `check`, but may have written what comes before the part that does not fit, if it has several parts. */
  write(view: DataView, offset: number, value: unknown, path: string): void;
  /** A value has several parts. */
  composite: boolean;
}

/** Largest text, bytes, array or struct. */
export const FIELD_BYTES_MAX = 2 ** 28;

export function scalarCodec(name: ScalarName): Codec {
  const scalar = scalars[name] as Scalar<unknown>;
  function check(value: unknown, path: string): void {
    if (scalar.fits(value)) return;
    const kind = typeof value === typeof scalar.read(new DataView(new ArrayBuffer(8)), 0);
    throw kind
      ? new RangeError(`${path} must be ${scalar.expected}, got ${value}`)
      : wrongType(path, scalar.expected, value);
  }
  return {
    composite: false,
    bytes: scalar.bytes,
    alignment: scalar.bytes,
    signature: name,
    read: scalar.read,
    check,
    write(view, offset, value, path) {
      check(value, path);
      scalar.write(view, offset, value);
    },
  };
}

const encoder = new TextEncoder();
/** What looks like a mark of the byte order is a part of the text. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A text or bytes: length u32, then the bytes, padded to 4. */
export function blobCodec(kind: "utf8" | "bytes", max: number): Codec {
  function fitting(value: unknown, path: string): Uint8Array {
    const expected = kind === "bytes" ? "a Uint8Array" : "a string";
    const fits = kind === "bytes" ? value instanceof Uint8Array : typeof value === "string";
    if (!fits) throw wrongType(path, expected, value);
    if (kind === "utf8" && /\p{Surrogate}/u.test(value as string))
      throw new RangeError(`${path} must not contain half a surrogate pair`);
    const bytes = kind === "bytes" ? bytesOf(path, value) : encoder.encode(value as string);
    if (bytes.length > max) throw new RangeError(`${path} holds at most ${max} bytes, got ${bytes.length}`);
    return bytes;
  }
  return {
    composite: false,
    bytes: 4 + Math.ceil(max / 4) * 4,
    alignment: 4,
    signature: `${kind}:${max}`,
    read(view, offset) {
      const length = Math.min(max, view.getUint32(offset, true));
      const bytes = new Uint8Array(view.buffer, view.byteOffset + offset + 4, length).slice();
      return kind === "bytes" ? bytes : decoder.decode(bytes);
    },
    check: fitting,
    write(view, offset, value, path) {
      const bytes = fitting(value, path);
      const target = new Uint8Array(view.buffer, view.byteOffset + offset + 4, this.bytes - 4);
      view.setUint32(offset, bytes.length, true);
      target.set(bytes);
      target.fill(0, bytes.length);
    },
  };
}

export function arrayCodec(element: Codec, count: number): Codec {
  function elements(value: unknown, path: string): ArrayLike<unknown> {
    const list = value as ArrayLike<unknown> | null;
    if (typeof list === "object" && list?.length === count) return list;
    throw typeof list === "object" && list !== null
      ? new RangeError(`${path} must have ${count} elements, got ${list.length}`)
      : wrongType(path, `an array of ${count} elements`, value);
  }
  return {
    composite: true,
    bytes: element.bytes * count,
    alignment: element.alignment,
    signature: `[${element.signature};${count}]`,
    read: (view, offset) =>
      Array.from({ length: count }, (_, i) => element.read(view, offset + i * element.bytes)),
    check(value, path) {
      const list = elements(value, path);
      for (let i = 0; i < count; i++) element.check(list[i], `${path}[${i}]`);
    },
    write(view, offset, value, path) {
      const list = elements(value, path);
      for (let i = 0; i < count; i++)
        element.write(view, offset + i * element.bytes, list[i], `${path}[${i}]`);
    },
  };
}
