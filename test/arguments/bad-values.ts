/** Odd values, each made anew. */

/** What getters of odd objects throw: their own error is what the caller gets. */
export const OWN_ERROR = new Error("of the argument itself");

function fail(): never {
  throw OWN_ERROR;
}

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

function detachedArray(): Uint8Array {
  const array = new Uint8Array(8);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

type Resizable = new (
  bytes: number,
  options: { maxByteLength: number },
) => ArrayBuffer & { resize(bytes: number): void };

function shrunk(): Uint8Array {
  const buffer = new (ArrayBuffer as unknown as Resizable)(16, { maxByteLength: 32 });
  const array = new Uint8Array(buffer, 8, 8);
  buffer.resize?.(4);
  return array;
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

const failing = { get: fail, has: fail, ownKeys: fail, getOwnPropertyDescriptor: fail, getPrototypeOf: fail };
const options = {
  timeoutMs: fail,
  signal: fail,
  bytes: fail,
  limit: fail,
  count: fail,
  length: fail,
  id: fail,
};

export const BAD_VALUES: (() => unknown)[] = [
  ...[undefined, null, true, false, 0, -0, -1, 0.5, Number.NaN, Infinity, -Infinity].map(
    (value) => () => value,
  ),
  ...[2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 1e308, Number.MIN_VALUE, 0n, 1n, -1n, 2n ** 64n].map(
    (value) => () => value,
  ),
  ...["", "\0", "a\0b", "\ud800", "x\udfff", "x".repeat(1e6), "toString", "__proto__", "1"].map(
    (text) => () => text,
  ),
  () => Symbol("bad"),
  () => Symbol.iterator,
  () => ({}),
  () => [],
  () => [undefined],
  () => new Array(3),
  () => Object.create(null),
  () => new Date(Number.NaN),
  () => new Map([["bytes", 1]]),
  () => new (class Odd {})(),
  () => Object.freeze({ length: 3 }),
  () => ({ length: -1 }),
  () => ({ length: 2 ** 53 }),
  () => Promise.resolve(1),
  () => () => {},
  () => class {},
  () => async () => {},
  () => function* () {},
  () => new ArrayBuffer(8),
  () => new ArrayBuffer(0),
  () => detached(),
  () => new SharedArrayBuffer(8),
  () => new Uint8Array(0),
  () => detachedArray(),
  () => shrunk(),
  () => new Uint8Array(new SharedArrayBuffer(8)),
  () => new Float64Array(2),
  () => new BigInt64Array(1),
  () => new DataView(new ArrayBuffer(8)),
  () => new DataView(new SharedArrayBuffer(0)),
  () => new Proxy({}, {}),
  () => new Proxy([], {}),
  () => new Proxy(new Uint8Array(8), {}),
  () => new Proxy(() => {}, {}),
  () => new Proxy({}, failing),
  () => revoked({}),
  () => revoked([]),
  () => revoked(() => {}),
  () =>
    Object.defineProperties(
      {},
      Object.fromEntries(Object.entries(options).map(([k, get]) => [k, { get, enumerable: true }])),
    ),
  () => ({ toString: fail, valueOf: fail, [Symbol.toPrimitive]: fail }),
  () => ({
    get [Symbol.toStringTag]() {
      return fail();
    },
  }),
  () => ({ [Symbol.iterator]: fail }),
];

export function shownValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 10));
  if (typeof value === "symbol" || value === null) return String(value);
  if (typeof value !== "object" && typeof value !== "function") return `${typeof value} ${String(value)}`;
  try {
    return `${Object.prototype.toString.call(value)} ${JSON.stringify(value) ?? ""}`.slice(0, 60);
  } catch {
    return "an object that cannot be shown";
  }
}
