import {
  ANSWER_CELL_OFFSET,
  FLAG_EMPTY,
  VALUE_BOX,
  VALUE_DICT,
  VALUE_HEADER_BYTES,
  VALUE_LIST,
} from "../../protocol/layout.js";
import { VALUE_KEY_BYTES_MAX } from "../../protocol/limits.js";
import { integer, text } from "../arguments.js";
import { IsthmusError } from "../errors.js";
import { describe } from "../host/describe.js";
import type { Attachment, Lease } from "../segment/attachment.js";
import {
  acquireValue,
  changeValue,
  damaged,
  gone,
  type Handle,
  LOOKS_MAX,
  type Plain,
  Reference,
  readBytes,
  readCell,
  releaseHandle,
  TORN,
} from "./access.js";
import {
  BEGIN,
  contentOf,
  entryBehind,
  hasKey,
  itemOf,
  lengthOf,
  type PlainValue,
  plainOf,
} from "./reading.js";
import { SharedValue } from "./shared.js";
import { deleteKey, pushCell, type Shareable, Sharing, setCell, setItem } from "./sharing.js";

/** What lists and dictionaries contain: a copy of what cannot change, and a reference to another list or dictionary. */
export type Content = Plain | Dict | List;

/** @internal Puts a value of the user into a list or dictionary: `write` gets the cell; `name` is what errors call the value. */
export function put(
  value: SharedValue,
  content: unknown,
  name: string,
  write: (attachment: Attachment, cell: ReturnType<Sharing["cellOf"]>) => void,
): void {
  const attachment = value.use(true);
  const work = new Sharing(attachment, name);
  try {
    const cell = work.cellOf(content);
    const { embedded } = work;
    const linked = { values: embedded, target: value.reference };
    write(attachment, embedded.length > 0 ? { ...cell, linked } : cell);
  } finally {
    work.end();
  }
}

/** The object for what a cell contains; TORN when that is gone, and the caller looks again. */
function opened(lease: Lease, content: Plain | Reference | undefined): Content | undefined | typeof TORN {
  if (!(content instanceof Reference)) return content;
  const { attachment } = lease;
  const handle = attachment.readOnly ? { handle: 0, reference: content } : acquireValue(attachment, content);
  return handle ? (wrap(lease, handle) as Dict | List) : TORN;
}

function content(value: SharedValue, look: () => Plain | Reference | undefined): Content | undefined {
  for (let turn = 0; turn < LOOKS_MAX; turn++) {
    const found = opened(value.lease, look());
    if (found !== TORN) return found;
  }
  throw damaged("the value");
}

/** @internal The object for a handle. It takes no property: `dict.key = value` would be kept in this process only. */
export function wrap(lease: Lease, handle: Handle): Dict | List | SharedScalar {
  return Object.preventExtensions(objectOf(lease, handle));
}

function objectOf(lease: Lease, handle: Handle): Dict | List | SharedScalar {
  const { kind } = handle.reference;
  if (kind === VALUE_DICT) return new Dict(lease, handle);
  return kind === VALUE_LIST ? new List(lease, handle) : new SharedScalar(lease, handle);
}

/**
 * A dictionary in shared memory: strings lead to values, in the order in which they were set first. Any process reads and changes
 * it. Reading takes no lock, and sees each change whole or not at all; a change takes the write lock of the segment for
 * microseconds.
 *
 * @example
 * ```ts
 * import { type Dict, MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * using state = segment.share({ name: "a", list: [1, 2n ** 80n, null] });
 * segment.root = state; // other processes find it as segment.rootValue
 * state.set("__proto__", "a key like all others").delete("name");
 * console.log(state.size, [...state.keys()], state.toJSON(), (segment.rootValue as Dict).get("list"));
 * ```
 */
export class Dict extends SharedValue {
  static {
    describe(Dict.prototype, "Dict", ({ size, refCount }) => ({ size, refCount }));
  }

  /** Tells a `Dict` from a `List` and a `SharedScalar`, whichever copy of the package made it. */
  readonly kind = "dict";

  /** How many entries it has. @throws {IsthmusError} CLOSED; NOT_FOUND: a read-only opener has it, and it was freed */
  get size(): number {
    return lengthOf(this.use(false), this.reference, "the dictionary");
  }

  /**
   * What a key leads to.
   *
   * @param key any string
   * @returns a copy of what cannot change, or an object for a list or dictionary, with a reference of its own; undefined when
   * there is
   *   no such key
   * @throws {TypeError} when the key is no string
   * @throws {IsthmusError} CLOSED; NOT_FOUND: a read-only opener has it, and it was freed; BUSY when a stopped process is in the
   *   middle of a change for 5 s; CORRUPT when it is damaged
   */
  get(key: string): Content | undefined {
    text("key", key);
    return content(this, () => contentOf(this.use(false), this.reference, key));
  }

  /**
   * Whether there is such a key.
   *
   * @param key any string
   * @returns whether `get` would give something
   * @throws as `get`
   */
  has(key: string): boolean {
    text("key", key);
    return hasKey(this.use(false), this.reference, key);
  }

  /**
   * Sets what a key leads to. When this throws, the dictionary is as it was before.
   *
   * @param key a string of up to 1 MiB in memory
   * @param value as for `segment.share`; or a shared value of this segment, to which the dictionary then refers
   * @returns this dictionary
   * @throws {TypeError} when the value cannot be shared, naming where in it; when it contains this dictionary
   * @throws {RangeError} when the key is too long
   * @throws {IsthmusError} SEGMENT_FULL; READ_ONLY; CLOSED; BUSY inside of a transaction, or when another process had the
   * segment for
   *   5 s; EVICTED; CORRUPT
   */
  set(key: string, value: Shareable): this {
    text("key", key);
    if (key.length > VALUE_KEY_BYTES_MAX)
      throw new RangeError(`key must have at most ${VALUE_KEY_BYTES_MAX} bytes`);
    put(this, value, "value", (attachment, cell) => setCell(attachment, this.reference, key, cell));
    return this;
  }

  /**
   * Removes a key.
   *
   * @param key any string
   * @returns whether there was such a key
   * @throws as `set`
   */
  delete(key: string): boolean {
    text("key", key);
    return deleteKey(this.use(true), this.reference, key);
  }

  /**
   * The keys, in the order in which they were set first. Others may change the dictionary meanwhile: a key that stays is seen
   * once.
   *
   * @returns an iterator, which looks at one key after the other
   * @throws as `get`
   */
  *keys(): Generator<string, void, undefined> {
    for (let entry = entryBehind(this.use(false), this.reference, BEGIN); entry; ) {
      yield entry.key;
      entry = entryBehind(this.use(false), this.reference, entry.position);
    }
  }

  /**
   * Keys and what they lead to, in the same order.
   *
   * @returns an iterator, which looks at one entry after the other
   * @throws as `get`
   */
  *entries(): Generator<[string, Content], void, undefined> {
    for (let entry = entryBehind(this.use(false), this.reference, BEGIN); entry; ) {
      const { key, position } = entry;
      let found = opened(this.lease, entry.content);
      if (found === TORN) found = this.get(key);
      if (found !== undefined) yield [key, found as Content];
      entry = entryBehind(this.use(false), this.reference, position);
    }
  }

  /**
   * As `entries`.
   *
   * @returns an iterator, which looks at one entry after the other
   * @throws as `get`
   */
  [Symbol.iterator](): Generator<[string, Content], void, undefined> {
    return this.entries();
  }

  /**
   * A private copy, of all that it contains, too.
   *
   * @returns an object with the same keys, also `__proto__`
   * @throws as `get`
   */
  override toJSON(): { [key: string]: PlainValue } {
    return plainOf(this.use(false), this.reference) as { [key: string]: PlainValue };
  }
}

/**
 * A list in shared memory. Any process reads and changes it, as a `Dict`. It grows without moving what it contains.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * using list = segment.share(["a", 2]);
 * list.push({ deep: true }, null);
 * console.log(list.length, list.at(-1), list.pop(), list.toJSON());
 * ```
 */
export class List extends SharedValue {
  static {
    describe(List.prototype, "List", ({ length, refCount }) => ({ length, refCount }));
  }

  /** Tells a `List` from a `Dict` and a `SharedScalar`. */
  readonly kind = "list";

  /** How many items it has. @throws as `at` */
  get length(): number {
    return lengthOf(this.use(false), this.reference, "the list");
  }

  /**
   * An item.
   *
   * @param index from 0; a negative one counts from the end
   * @returns as `get` of a `Dict`; undefined when there is no such item
   * @throws {TypeError | RangeError} when the index is no integer of up to 2^32 - 1
   * @throws {IsthmusError} CLOSED; NOT_FOUND: a read-only opener has it, and it was freed; BUSY when a stopped process is in the
   *   middle of a change for 5 s; CORRUPT when it is damaged
   */
  at(index: number): Content | undefined {
    integer("index", index, -(2 ** 32), 2 ** 32 - 1);
    return content(this, () => itemOf(this.use(false), this.reference, index));
  }

  /**
   * Replaces an item. When this throws, the list is as it was before.
   *
   * @param index from 0 to the length - 1
   * @param value as for `set` of a `Dict`
   * @returns this list
   * @throws {RangeError} when there is no such item
   * @throws as `set` of a `Dict`
   */
  set(index: number, value: Shareable): this {
    integer("index", index, 0, 2 ** 32 - 1);
    put(this, value, "value", (attachment, cell) => {
      if (!setItem(attachment, this.reference, index, cell))
        throw new RangeError(`index must be below the length of the list, ${this.length}, got ${index}`);
    });
    return this;
  }

  /**
   * Adds items at the end, one after the other.
   *
   * @param values as for `set` of a `Dict`
   * @returns the length of the list afterwards, if nobody else has changed it meanwhile
   * @throws as `set` of a `Dict`; the values before the one that cannot be added stay in the list
   */
  push(...values: Shareable[]): number {
    for (const value of values)
      put(this, value, "value", (attachment, cell) => pushCell(attachment, this.reference, cell));
    return this.length;
  }

  /**
   * Takes the last item off: no two callers get the same one.
   *
   * @returns the item; undefined when the list is empty
   * @throws as `set` of a `Dict`
   */
  pop(): Content | undefined {
    const attachment = this.use(true);
    const { core } = attachment;
    const { at, generation } = this.reference;
    const handle = changeValue(attachment, "taking an item of a list", () => core.listPop(at, generation));
    if (handle === FLAG_EMPTY) return undefined;
    if (handle !== 0 && handle < 128) throw gone("the list");
    const found = readCell(attachment, (core.answers() >>> 0) + ANSWER_CELL_OFFSET);
    if (found instanceof Reference) return wrap(this.lease, { handle, reference: found }) as Dict | List;
    releaseHandle(attachment, handle);
    if (found === TORN) throw new IsthmusError("CORRUPT", "the list is damaged");
    return found;
  }

  /**
   * The items, in order. Others may change the list meanwhile.
   *
   * @returns an iterator, which looks at one item after the other
   * @throws as `at`
   */
  *[Symbol.iterator](): Generator<Content, void, undefined> {
    for (let index = 0; ; index++) {
      const item = this.at(index);
      if (item === undefined) return;
      yield item;
    }
  }

  /**
   * A private copy, of all that it contains, too.
   *
   * @returns an array with the same items
   * @throws as `at`
   */
  override toJSON(): PlainValue[] {
    return plainOf(this.use(false), this.reference) as PlainValue[];
  }
}

/**
 * A value in shared memory that is neither a list nor a dictionary, and does not change: what `segment.share` makes of a string,
 * for example. Lists and dictionaries give such values as themselves.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * using text = segment.share("a long text, that several dictionaries refer to");
 * const pages = segment.share({ first: text, second: text });
 * console.log(text.value, pages.get("second"), text.refCount);
 * ```
 */
export class SharedScalar extends SharedValue {
  static {
    describe(SharedScalar.prototype, "SharedScalar", ({ value, refCount }) => ({ value, refCount }));
  }

  /** Tells a `SharedScalar` from a `List` and a `Dict`. */
  readonly kind = "scalar";

  /** A copy of it. @throws {IsthmusError} CLOSED; CORRUPT when it is damaged */
  get value(): Plain {
    const attachment = this.use(false);
    const { at, kind } = this.reference;
    const found =
      kind === VALUE_BOX ? readCell(attachment, at + VALUE_HEADER_BYTES) : readBytes(attachment, kind, at);
    if (found === TORN || found instanceof Reference)
      throw new IsthmusError("CORRUPT", "the value is damaged");
    return found;
  }

  /**
   * The same as `value`.
   *
   * @returns a copy
   * @throws as `value`
   */
  override toJSON(): Plain {
    return this.value;
  }
}
