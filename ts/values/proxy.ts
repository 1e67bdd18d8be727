/**
 * Shared lists and dictionaries that are used like plain arrays and objects. Each operation of the language is one or several
 * operations of a `Dict` or a `List`: each of those is whole, and all of them together are not.
 */
import { VALUE_DICT, VALUE_LIST } from "../../protocol/layout.js";
import { showAs } from "../host/describe.js";
import type { Attachment, Lease } from "../segment/attachment.js";
import { acquireValue, damaged, gone, LOOKS_MAX, type Plain, Reference } from "./access.js";
import { Dict, type List, put, wrap } from "./containers.js";
import { contentOf, hasKey, itemOf } from "./reading.js";
import { isShared, proxied, type SharedValue, sharedUnder } from "./shared.js";
import { deleteKey, pushCell, type Shareable, Sharing, setCell, setItem } from "./sharing.js";

type Looked = Plain | Reference | undefined;

/** Proxies that are in use, by the offset of their value: one value is one object as long as somebody has it. */
const known = new WeakMap<Lease, Map<number, WeakRef<object>>>();

/** Forgets those that nobody has. */
const collected =
  typeof FinalizationRegistry === "function"
    ? new FinalizationRegistry<{ proxies: Map<number, WeakRef<object>>; at: number }>(({ proxies, at }) => {
        if (proxies.get(at)?.deref() === undefined) proxies.delete(at);
      })
    : undefined;

/** @internal The proxy for what the user gives: shared already, or not yet. */
export function proxy(lease: Lease, value: unknown): object {
  const { attachment } = lease;
  attachment.check(false);
  const shared = sharedUnder(value);
  if (shared) return proxyOfShared(lease, shared);
  attachment.check(true);
  if (typeof value !== "object" || value === null)
    throw notOne(value === null ? "null" : `a ${typeof value}`);
  const work = new Sharing(attachment, "value");
  try {
    const { reference } = work.handleOf(value);
    if (!hasParts(reference)) throw notOne("a Date or bytes");
    const made = proxyOf(lease, reference);
    if (!made) throw gone("the value");
    return made;
  } finally {
    work.end();
  }
}

const notOne = (got: string): TypeError =>
  new TypeError(`value must be a Dict, a List, an array, a plain object or a Map, got ${got}`);

const hasParts = ({ kind }: Reference): boolean => kind === VALUE_DICT || kind === VALUE_LIST;

function proxyOfShared(lease: Lease, shared: SharedValue): object {
  const reference = shared.referenceIn(lease.attachment, "value");
  if (!hasParts(reference))
    throw new TypeError("value must be a Dict or a List, got a SharedScalar: its `value` is a copy");
  const made = proxyOf(lease, reference);
  if (!made) throw gone("the value");
  return made;
}

/** The proxy of a list or dictionary; undefined when that is gone. */
function proxyOf(lease: Lease, reference: Reference): object | undefined {
  let proxies = known.get(lease);
  if (!proxies) {
    proxies = new Map();
    known.set(lease, proxies);
  }
  const { at, generation } = reference;
  const before = proxies.get(at)?.deref();
  if (before && proxied.get(before)?.reference.generation === generation) return before;
  const { attachment } = lease;
  const handle = attachment.readOnly ? { handle: 0, reference } : acquireValue(attachment, reference);
  if (!handle) return undefined;
  const value = wrap(lease, handle);
  const made = value instanceof Dict ? proxyOfDict(value) : proxyOfList(value as List);
  proxied.set(made, value);
  proxies.set(at, new WeakRef(made));
  collected?.register(made, { proxies, at });
  return made;
}

/** What the user gets for what a cell contains; looks again when that was gone before it could be referred to. */
function seen(value: SharedValue, look: (attachment: Attachment) => Looked): unknown {
  for (let turn = 0; turn < LOOKS_MAX; turn++) {
    const found = look(value.use(false));
    if (!(found instanceof Reference)) return found;
    const made = proxyOf(value.lease, found);
    if (made) return made;
  }
  throw damaged("the value");
}

const own = (value: unknown): PropertyDescriptor => ({
  value,
  writable: true,
  enumerable: true,
  configurable: true,
});

/** What all traps have in common. */
const REFUSED: ProxyHandler<object> = {
  preventExtensions: () => false,
  setPrototypeOf: () => false,
};

/** A property with a value that can be changed and removed; anything else has no place in shared memory. */
function checkDefined(
  key: string | symbol,
  { get, set, writable, enumerable, configurable }: PropertyDescriptor,
): void {
  if (get || set || writable === false || enumerable === false || configurable === false)
    throw new TypeError(`${nameOf(key)} must be a property with a value that can change to be shared`);
}

const nameOf = (key: string | symbol): string =>
  typeof key === "symbol"
    ? String(key)
    : /^[A-Za-z_$][\w$]*$/.test(key)
      ? `value.${key}`
      : `value[${JSON.stringify(key.slice(0, 60))}]`;

function refuseSymbol(key: string | symbol): asserts key is string {
  if (typeof key === "symbol")
    throw new TypeError(`${String(key)} must be a string to be shared: keys are strings`);
}

// --- dictionaries --------------------------------------------------------------------------------------------------------

function proxyOfDict(dict: Dict): object {
  const target = {};
  showAs(target, () => dict.toJSON());
  const get = (key: string): unknown =>
    seen(dict, (attachment) => contentOf(attachment, dict.reference, key));
  const has = (key: string): boolean => hasKey(dict.use(false), dict.reference, key);
  const set = (key: string | symbol, value: unknown): boolean => {
    refuseSymbol(key);
    put(dict, value, nameOf(key), (attachment, cell) => setCell(attachment, dict.reference, key, cell));
    return true;
  };
  const made: object = new Proxy<object>(target, {
    ...REFUSED,
    get(_, key, receiver) {
      const found = typeof key === "string" ? get(key) : undefined;
      return found === undefined ? Reflect.get(target, key, receiver) : found;
    },
    set: (_, key, value, receiver) =>
      receiver === made ? set(key, value) : Reflect.set(target, key, value, receiver),
    has: (_, key) => (typeof key === "string" && has(key)) || Reflect.has(target, key),
    deleteProperty: (_, key) => {
      if (typeof key === "string") deleteKey(dict.use(true), dict.reference, key);
      return true;
    },
    ownKeys: () => [...new Set(dict.keys())],
    getOwnPropertyDescriptor(_, key) {
      const found = typeof key === "string" ? get(key) : undefined;
      return found === undefined ? undefined : own(found);
    },
    defineProperty(_, key, given) {
      checkDefined(key, given);
      return set(key, given.value);
    },
  });
  return made;
}

// --- lists ---------------------------------------------------------------------------------------------------------------

/** The index that a key of an array means; undefined when it means none. */
function indexOf(key: string | symbol): number | undefined {
  if (typeof key === "symbol") return undefined;
  const index = Number(key);
  return Number.isInteger(index) && index >= 0 && index < 2 ** 32 - 1 && String(index) === key
    ? index
    : undefined;
}

function proxyOfList(list: List): object {
  const target: unknown[] = [];
  showAs(target, () => list.toJSON());
  const get = (index: number): unknown =>
    seen(list, (attachment) => itemOf(attachment, list.reference, index));
  // At once, not as the language does it: item by item, so that another process comes in between.
  const methods: Record<string, unknown> = {
    push: (...values: unknown[]): number => {
      for (const value of values) add(value, list.length);
      return list.length;
    },
    pop: (): unknown => {
      const popped = list.pop();
      if (!isShared(popped)) return popped;
      const found = proxyOfShared(list.lease, popped);
      popped.close();
      return found;
    },
  };
  const add = (value: unknown, index: number): void =>
    put(list, value, `value[${index}]`, (attachment, cell) => pushCell(attachment, list.reference, cell));
  const set = (key: string | symbol, value: unknown): boolean => {
    if (key === "length") return shorten(value);
    const index = indexOf(key);
    if (index === undefined)
      throw new TypeError(`${nameOf(key)} must be an index to be shared: lists have no other properties`);
    const { length } = list;
    if (index > length)
      throw new RangeError(`index must be at most the length of the list, ${length}, got ${index}`);
    if (index === length) add(value, index);
    else
      put(list, value, `value[${index}]`, (attachment, cell) => {
        if (!setItem(attachment, list.reference, index, cell))
          throw new RangeError(`index must be below the length of the list, ${list.length}, got ${index}`);
      });
    return true;
  };
  const shorten = (length: unknown): boolean => {
    if (typeof length !== "number" || !Number.isInteger(length) || length < 0 || length > list.length)
      throw new RangeError(`length must be 0 to ${list.length}: lists have no holes, got ${String(length)}`);
    while (list.length > length) {
      const popped = list.pop();
      if (isShared(popped)) popped.close();
    }
    return true;
  };
  const made: object = new Proxy<object>(target, {
    ...REFUSED,
    get(_, key, receiver) {
      const index = indexOf(key);
      if (index !== undefined) return get(index);
      if (key === "length") return list.length;
      return typeof key === "string" && Object.hasOwn(methods, key)
        ? methods[key]
        : Reflect.get(target, key, receiver);
    },
    set: (_, key, value, receiver) =>
      receiver === made ? set(key, value) : Reflect.set(target, key, value, receiver),
    has(_, key) {
      const index = indexOf(key);
      return index === undefined ? Reflect.has(target, key) : index < list.length;
    },
    deleteProperty(_, key) {
      const index = indexOf(key);
      if (index === undefined || index >= list.length) return key !== "length";
      if (index < list.length - 1)
        throw new TypeError(`value[${index}] cannot be deleted: lists have no holes; use splice`);
      shorten(index);
      return true;
    },
    ownKeys: () => [...Array.from({ length: list.length }, (_, index) => String(index)), "length"],
    getOwnPropertyDescriptor(_, key) {
      if (key === "length")
        return { value: list.length, writable: true, enumerable: false, configurable: false };
      const index = indexOf(key);
      const found = index === undefined ? undefined : get(index);
      return found === undefined ? undefined : own(found);
    },
    defineProperty(_, key, given) {
      if (key !== "length") checkDefined(key, given);
      return set(key, given.value);
    },
  });
  return made;
}

/** What `segment.proxy` can be given. */
export type Proxied = Dict | List | Shareable;
