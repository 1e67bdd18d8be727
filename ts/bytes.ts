/**
 * Arrays of bytes as users pass them: of any realm, over private or shared memory, of fixed or variable length. This file uses
 * only the getters of the engine, because a subclass, or a property of the array itself, may return something else.
 */

/**
 * A copy of bytes in private memory: `Uint8Array<ArrayBuffer>` where TypeScript distinguishes private from shared memory (5.7
 * and later), `Uint8Array` before. Web APIs such as `crypto.subtle.digest`, `Response` and `Blob` take only private bytes.
 */
export type PrivateBytes = ReturnType<Uint8Array["slice"]>;

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;

/**
 * A getter of the engine. Each use calls it with `call`, which engines inline; they would not inline one function for all
 * getters.
 */
function getter<T>(prototype: object, name: PropertyKey): (this: unknown) => T {
  return Object.getOwnPropertyDescriptor(prototype, name)?.get as (this: unknown) => T;
}

const kind = getter<string | undefined>(typedArray, Symbol.toStringTag);
const elements = getter<number>(typedArray, "length");
const arrayBuffer = getter<ArrayBufferLike>(typedArray, "buffer");
const arrayOffset = getter<number>(typedArray, "byteOffset");
const arrayBytes = getter<number>(typedArray, "byteLength");
const viewBuffer = getter<ArrayBufferLike>(DataView.prototype, "buffer");
const viewOffset = getter<number>(DataView.prototype, "byteOffset");
const viewBytes = getter<number>(DataView.prototype, "byteLength");
const { indexOf } = typedArray as Float64Array;

/** Whether a value is a Uint8Array or an instance of a subclass, of any realm. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return kind.call(value) === "Uint8Array";
}

/** The name of a typed array's type: "Float64Array", also for a subclass. Undefined for a DataView. */
export function typeName(array: ArrayBufferView): string | undefined {
  return kind.call(array);
}

/** Whether a value is a DataView, of any realm. */
export function isDataView(value: unknown): value is DataView {
  return ArrayBuffer.isView(value) && kind.call(value) === undefined;
}

/** Whether an array of bytes returns its true length. A subclass, or a property of the array itself, may return another one. */
export function isHonest(bytes: Uint8Array): boolean {
  return elements.call(bytes) === bytes.length;
}

/** Elements of a typed array. 0 when its memory is gone: see `isDetached`. */
export function trueLength(array: ArrayBufferView): number {
  return elements.call(array);
}

/** A copy that nobody else changes. `slice` of a `Buffer` is no copy: it shows the same memory. */
export function copyOf(bytes: Uint8Array): PrivateBytes {
  return new Uint8Array(bytes);
}

/** Whether the memory behind a view is gone: its buffer was transferred, or became smaller than where the view begins or ends. */
export function isDetached(view: ArrayBufferView): boolean {
  try {
    if (isDataView(view)) viewBytes.call(view);
    else if (elements.call(view) === 0) indexOf.call(view as Float64Array, 0); // the engine's methods throw then
    return false;
  } catch {
    return true;
  }
}

/** The bytes under a view that is not detached. */
export function bytesUnder(view: ArrayBufferView): Uint8Array {
  return isDataView(view)
    ? new Uint8Array(viewBuffer.call(view), viewOffset.call(view), viewBytes.call(view))
    : new Uint8Array(arrayBuffer.call(view), arrayOffset.call(view), arrayBytes.call(view));
}
