/**
 * The scalars of fixed width that a struct can contain. They are little-endian. Each has its own pair of functions, so that
 * engines inline them.
 */

export interface Scalar<T> {
  bytes: number;
  /** What a value must be, for error texts. */
  expected: string;
  fits(value: unknown): value is T;
  read(view: DataView, offset: number): T;
  write(view: DataView, offset: number, value: T): void;
}

function whole(bits: number, signed: boolean): (value: unknown) => value is number {
  const min = signed ? -(2 ** (bits - 1)) : 0;
  const max = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  return (value): value is number =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

function big(signed: boolean): (value: unknown) => value is bigint {
  return (value): value is bigint =>
    typeof value === "bigint" && (signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value)) === value;
}

const isNumber = (value: unknown): value is number => typeof value === "number";
const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";

type Read<T> = (view: DataView, offset: number) => T;
type Write<T> = (view: DataView, offset: number, value: T) => void;
type Fits<T> = (value: unknown) => value is T;

function scalar<T>(
  bytes: number,
  expected: string,
  fits: Fits<T>,
  read: Read<T>,
  write: Write<T>,
): Scalar<T> {
  return { bytes, expected, fits, read, write };
}

export const scalars = {
  u8: scalar(
    1,
    "an integer from 0 to 255",
    whole(8, false),
    (view, at) => view.getUint8(at),
    (view, at, value) => view.setUint8(at, value),
  ),
  i8: scalar(
    1,
    "an integer from -128 to 127",
    whole(8, true),
    (view, at) => view.getInt8(at),
    (view, at, value) => view.setInt8(at, value),
  ),
  u16: scalar(
    2,
    "an integer from 0 to 65535",
    whole(16, false),
    (view, at) => view.getUint16(at, true),
    (view, at, value) => view.setUint16(at, value, true),
  ),
  i16: scalar(
    2,
    "an integer from -32768 to 32767",
    whole(16, true),
    (view, at) => view.getInt16(at, true),
    (view, at, value) => view.setInt16(at, value, true),
  ),
  u32: scalar(
    4,
    "an integer from 0 to 4294967295",
    whole(32, false),
    (view, at) => view.getUint32(at, true),
    (view, at, value) => view.setUint32(at, value, true),
  ),
  i32: scalar(
    4,
    "an integer from -2147483648 to 2147483647",
    whole(32, true),
    (view, at) => view.getInt32(at, true),
    (view, at, value) => view.setInt32(at, value, true),
  ),
  f32: scalar(
    4,
    "a number",
    isNumber,
    (view, at) => view.getFloat32(at, true),
    (view, at, value) => view.setFloat32(at, value, true),
  ),
  f64: scalar(
    8,
    "a number",
    isNumber,
    (view, at) => view.getFloat64(at, true),
    (view, at, value) => view.setFloat64(at, value, true),
  ),
  u64: scalar(
    8,
    "a bigint from 0n to 2n ** 64n - 1n",
    big(false),
    (view, at) => view.getBigUint64(at, true),
    (view, at, value) => view.setBigUint64(at, value, true),
  ),
  i64: scalar(
    8,
    "a bigint of 64 bits",
    big(true),
    (view, at) => view.getBigInt64(at, true),
    (view, at, value) => view.setBigInt64(at, value, true),
  ),
  bool: scalar(
    1,
    "a boolean",
    isBoolean,
    (view, at) => view.getUint8(at) !== 0,
    (view, at, value) => view.setUint8(at, value ? 1 : 0),
  ),
};

export type ScalarName = keyof typeof scalars;
