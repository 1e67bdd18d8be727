import type { ScalarName } from "./scalars.js";

/** The typed array of each scalar. All platforms of this package are little-endian, as the layout of structs is. */
export const arraysOf = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
  bool: Uint8Array,
} as const satisfies Record<ScalarName, unknown>;

/** What `view.array` returns for a field: the typed array of its elements; `never` for a field that is no array of scalars. */
export type ArrayOf<T> = T extends readonly [infer S extends ScalarName, number]
  ? InstanceType<(typeof arraysOf)[S]>
  : never;
