/** Payloads that lie one behind the other, without gaps, in one array of bytes: the slab. Their lengths are in another array. */
import { RECORD_HEADER_BYTES } from "../../protocol/layout.js";
import { detached, integer, isArray, wrongType } from "../arguments.js";
import { isDetached, isUint8Array, trueLength, typeName } from "../bytes.js";
import type { RingGeometry } from "./end.js";
import { checkFits } from "./errors.js";

/** Whether a value is an array of lengths that says its true length. */
export function isLengths(value: unknown): value is Uint32Array {
  return (
    ArrayBuffer.isView(value) && typeName(value) === "Uint32Array" && trueLength(value) === lengthOf(value)
  );
}

function lengthOf(view: ArrayBufferView): number {
  return (view as Uint32Array).length;
}

function attached<T extends Uint8Array | Uint32Array>(name: string, view: T): T {
  if (view.length === 0 && isDetached(view)) throw detached(name);
  return view;
}

/** Where the lengths of records are written to: it says its true length. */
export function lengthsInto(value: unknown): Uint32Array {
  if (isLengths(value)) return attached("lengths", value);
  throw wrongType("lengths", "a Uint32Array", value);
}

/** Where payloads are written to. */
export function slabInto(value: unknown): Uint8Array {
  if (isUint8Array(value) && trueLength(value) === value.length) return attached("slab", value);
  throw wrongType("slab", "a Uint8Array", value);
}

/** The lengths of payloads, which add up to no more than the slab, and each of which can fit. */
export function lengthsOf(value: unknown, slab: Uint8Array, geometry: RingGeometry): Uint32Array {
  const lengths = isArray(value) ? numbers(value) : lengthsInto(value);
  const most = geometry.capacity - RECORD_HEADER_BYTES;
  const values = geometry.layout?.bytes ?? -1;
  let sum = 0;
  for (let i = 0; i < lengths.length; i++) {
    const length = lengths[i];
    if (length > most) checkFits(length, geometry);
    if (values >= 0 && length !== values) integer(`lengths[${i}]`, length, values, values);
    sum += length;
  }
  if (sum <= slab.length) return lengths;
  throw new RangeError(`lengths must add up to at most ${slab.length}, the bytes of slab, got ${sum}`);
}

function numbers(array: unknown[]): Uint32Array {
  return Uint32Array.from(array, (length, index) => integer(`lengths[${index}]`, length, 0, 2 ** 32 - 1));
}
