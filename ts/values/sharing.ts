/**
 * Puts values of JavaScript into shared memory. Everything that is made has a handle of this participant until the whole is
 * complete: if something cannot be shared, or the segment is full, the handles are given back, and nothing of it stays.
 */
import { NOT_FOUND } from "../../protocol/errors.js";
import {
  FLAG_LINKS_CHANGED,
  VALUE_BIG,
  VALUE_BOX,
  VALUE_BYTES,
  VALUE_CELL_BYTES,
  VALUE_COPY,
  VALUE_DATE,
  VALUE_DICT,
  VALUE_FALSE,
  VALUE_HEADER_BYTES,
  VALUE_INTEGER,
  VALUE_LATIN1,
  VALUE_LIST,
  VALUE_NULL,
  VALUE_NUMBER,
  VALUE_TRUE,
  VALUE_UTF16,
} from "../../protocol/layout.js";
import { VALUE_KEY_BYTES_MAX, WRITE_LOCK_TIMEOUT_MS } from "../../protocol/limits.js";
import { isArray } from "../arguments.js";
import { isRevoked } from "../brand.js";
import { bytesUnder, isDetached, isUint8Array, trueLength } from "../bytes.js";
import { IsthmusError } from "../errors.js";
import { monotonicMs } from "../host/runtime.js";
import type { Attachment } from "../segment/attachment.js";
import { changeValue, gone, type Handle, makeValue, Reference, releaseHandle } from "./access.js";
import { bytesOfInteger } from "./integers.js";
import { BEGIN, entryBehind, itemOf } from "./reading.js";
import { type SharedValue, sharedUnder } from "./shared.js";
import { isWide, keyWord, textBytes, writeText } from "./text.js";

/**
 * What can be shared: null, booleans, numbers, BigInts, strings, bytes, `Date`s, arrays, plain objects and Maps with such
 * contents, and shared values.
 */
export type Shareable =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Date
  | SharedValue
  | readonly Shareable[]
  | ReadonlyMap<string, Shareable>
  | { readonly [key: string]: Shareable };

/** Half of the scratch is for a key, and half for a string; longer ones become values first. */
const SCRATCH_HALF = 128;

const words = new Uint32Array(2);
const wordsAsNumber = new Float64Array(words.buffer);
const wordsAsInteger = new BigInt64Array(words.buffer);

/** @internal What is to be put into a cell; with `text`, a string that is to be copied. */
export interface Cell {
  readonly kind: number;
  readonly low: number;
  readonly high: number;
  readonly text?: string;
  readonly wide?: boolean;
  /** What it contains that other processes may change, and what it is put into. */
  readonly linked?: { readonly values: readonly Reference[]; readonly target: Reference };
}

const isPlainDate = (value: object): value is Date => isOf(() => Date.prototype.getTime.call(value));
const isMap = (value: object): value is Map<unknown, unknown> => isOf(() => Map.prototype.has.call(value, 0));

/** Whether a method of the engine takes it for one of its own, of any realm. */
function isOf(method: () => unknown): boolean {
  try {
    method();
    return true;
  } catch {
    return false;
  }
}

/** Whether it was written as `{ … }`, in any realm, or has no prototype. */
function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, "isPrototypeOf");
}

/** @internal One call of `share` or `set`. */
export class Sharing {
  readonly #attachment: Attachment;
  /** Handles, by the offset of the value. */
  readonly #handles = new Map<number, number>();
  readonly #known = new Map<object, Reference>();
  readonly #open = new Set<object>();
  readonly #path: string[];
  /** Shared values that the new ones contain. */
  readonly embedded: Reference[] = [];

  /** @param name what the argument is called in errors */
  constructor(attachment: Attachment, name: string) {
    this.#attachment = attachment;
    this.#path = [name];
  }

  /** Gives back all handles but one. */
  end(but = 0): void {
    for (const handle of this.#handles.values()) if (handle !== but) releaseHandle(this.#attachment, handle);
    this.#handles.clear();
  }

  /** The handle of a value of its own: of what only cells contain, a box is made. */
  handleOf(value: unknown): Handle {
    if (sharedUnder(value)) throw this.#refused("a value that is not shared yet", value);
    const { kind, low, high } = this.cellOf(value, false);
    if (kind >= VALUE_LATIN1)
      return { handle: this.#handles.get(low) as number, reference: new Reference(kind, low, high) };
    const { u32 } = this.#attachment;
    const reference = this.#make(VALUE_BOX, VALUE_CELL_BYTES);
    u32.set([kind, 0, low, high], (reference.at + VALUE_HEADER_BYTES) >>> 2);
    return { handle: this.#handles.get(reference.at) as number, reference };
  }

  /** What a cell is to contain. `copies`: a short string may be left to the core to copy. */
  cellOf(value: unknown, copies = true): Cell {
    switch (typeof value) {
      case "boolean":
        return { kind: value ? VALUE_TRUE : VALUE_FALSE, low: 0, high: 0 };
      case "number":
        return numberCell(VALUE_NUMBER, value);
      case "bigint":
        return this.#integerCell(value);
      case "string":
        return this.#textCell(value, copies);
      case "object":
        return value === null ? { kind: VALUE_NULL, low: 0, high: 0 } : this.#objectCell(value);
      default:
        throw this.#refused(
          "null, a boolean, a number, a BigInt, a string, bytes, a Date, an array, a plain object or a Map",
          value,
        );
    }
  }

  #integerCell(value: bigint): Cell {
    if (BigInt.asIntN(64, value) !== value) return this.#bytesCell(VALUE_BIG, bytesOfInteger(value));
    wordsAsInteger[0] = value;
    return { kind: VALUE_INTEGER, low: words[0] as number, high: words[1] as number };
  }

  #textCell(text: string, copies: boolean): Cell {
    const wide = isWide(text);
    const kind = wide ? VALUE_UTF16 : VALUE_LATIN1;
    const bytes = textBytes(text, wide);
    if (copies && bytes <= SCRATCH_HALF) return { kind: kind | VALUE_COPY, low: 0, high: bytes, text, wide };
    const made = this.#make(kind, bytes);
    writeText(this.#attachment.u8, made.at + VALUE_HEADER_BYTES, text, wide);
    return cellTo(made);
  }

  #bytesCell(kind: number, bytes: Uint8Array): Cell {
    const made = this.#make(kind, trueLength(bytes));
    this.#attachment.copyIn(bytes, made.at + VALUE_HEADER_BYTES);
    return cellTo(made);
  }

  #make(kind: number, bytes: number): Reference {
    const { handle, reference } = makeValue(this.#attachment, kind, bytes);
    this.#handles.set(reference.at, handle);
    return reference;
  }

  #objectCell(value: object): Cell {
    if (isRevoked(value)) throw this.#refused("something that can be read", value);
    const shared = sharedUnder(value);
    if (shared) return this.#sharedCell(shared);
    if (isPlainDate(value)) return numberCell(VALUE_DATE, Date.prototype.getTime.call(value));
    const known = this.#known.get(value);
    if (known) return cellTo(known);
    if (ArrayBuffer.isView(value)) {
      if (!isUint8Array(value)) throw this.#refused("bytes as a Uint8Array", value);
      if (isDetached(value)) throw this.#refused("bytes that are there: its buffer was transferred", value);
      const cell = this.#bytesCell(VALUE_BYTES, bytesUnder(value));
      this.#known.set(value, new Reference(cell.kind, cell.low, cell.high));
      return cell;
    }
    if (this.#open.has(value))
      throw new TypeError(
        `${this.path} must not contain itself: shared values that form a circle would never be freed`,
      );
    this.#open.add(value);
    const made = isArray(value) ? this.#list(value) : this.#dict(value);
    this.#open.delete(value);
    this.#known.set(value, made);
    return cellTo(made);
  }

  #sharedCell(value: SharedValue): Cell {
    const { kind, at } = value.referenceIn(this.#attachment, this.path);
    if (kind === VALUE_BOX) {
      const [inner, , low, high] = this.#attachment.u32.subarray((at + VALUE_HEADER_BYTES) >>> 2);
      return { kind: inner as number, low: low as number, high: high as number };
    }
    this.embedded.push(value.reference);
    return cellTo(value.reference);
  }

  #list(array: readonly unknown[]): Reference {
    const list = this.#make(VALUE_LIST, 0);
    for (let index = 0; index < array.length; index++) {
      this.#path.push(`[${index}]`);
      pushCell(this.#attachment, list, this.cellOf(array[index]));
      this.#path.pop();
    }
    return list;
  }

  #dict(object: object): Reference {
    if (!isMap(object) && !isPlainObject(object))
      throw this.#refused("a plain object, an array, a Map, bytes or a Date", object);
    const dict = this.#make(VALUE_DICT, 0);
    const entries: Iterable<[unknown, unknown]> = isMap(object)
      ? Map.prototype.entries.call(object)
      : ownEntries(object);
    for (const [key, value] of entries) {
      if (typeof key !== "string") throw this.#refused("a Map whose keys are strings", object);
      this.#path.push(/^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key.slice(0, 60))}]`);
      setCell(this.#attachment, dict, key, this.cellOf(value));
      this.#path.pop();
    }
    return dict;
  }

  /** Where in the argument this is: `value.list[2]`. */
  get path(): string {
    return this.#path.join("");
  }

  #refused(expected: string, value: unknown): TypeError {
    return new TypeError(`${this.path} must be ${expected} to be shared, got ${typeName(value)}`);
  }
}

/** What something is that cannot be shared. */
function typeName(value: unknown): string {
  if (value === undefined) return "undefined (leave it out, or use null)";
  if (typeof value !== "object" || value === null) return `a ${typeof value}`;
  try {
    const { name } = (value as { constructor: { name: unknown } }).constructor;
    if (typeof name === "string" && name !== "") return `an instance of ${name.slice(0, 60)}`;
  } catch {
    // It does not let itself be looked at.
  }
  return "an object";
}

/** Read one by one: a getter may change the object. */
function* ownEntries(object: object): Generator<[string, unknown]> {
  for (const key of Object.keys(object)) yield [key, (object as Record<string, unknown>)[key]];
}

function numberCell(kind: number, value: number): Cell {
  wordsAsNumber[0] = value;
  return { kind, low: words[0] as number, high: words[1] as number };
}

function cellTo({ kind, at, generation }: Reference): Cell {
  return { kind, low: at, high: generation };
}

// --- changes -------------------------------------------------------------------------------------------------------------

/** Writes a string that is to be copied into the scratch; where it lies, else the low word. */
function staged(attachment: Attachment, { low, text, wide = false }: Cell): number {
  if (text === undefined) return low;
  attachment.scratchUses++;
  const at = attachment.scratch + SCRATCH_HALF;
  writeText(attachment.u8, at, text, wide);
  return at;
}

/** A change that puts a cell somewhere. It looks for circles as the opening comment of `assembly/values.ts` has it. */
function changeWithCell(
  attachment: Attachment,
  what: string,
  cell: Cell,
  call: (links: number) => number,
): number {
  const { core } = attachment;
  const { linked } = cell;
  if (!linked) return changeValue(attachment, what, () => call(0));
  const end = monotonicMs() + WRITE_LOCK_TIMEOUT_MS;
  do {
    const links = core.valuesLinks();
    refuseCircle(attachment, linked.values, linked.target);
    const result = changeValue(attachment, what, () => call(links));
    if (result !== FLAG_LINKS_CHANGED) return result;
  } while (monotonicMs() < end);
  throw new IsthmusError(
    "BUSY",
    `${what}: for ${WRITE_LOCK_TIMEOUT_MS} ms other processes have put lists and dictionaries into each other faster than this ` +
      "one could look for a circle; try again",
  );
}

/** @internal */
export function pushCell(attachment: Attachment, list: Reference, cell: Cell): void {
  const { core } = attachment;
  const result = changeWithCell(attachment, "adding to a list", cell, (links) =>
    core.listPush(list.at, list.generation, cell.kind, staged(attachment, cell), cell.high, links),
  );
  if (result !== 0) throw gone("the list");
}

/** @internal Whether there is such an item. */
export function setItem(attachment: Attachment, list: Reference, index: number, cell: Cell): boolean {
  const { core } = attachment;
  const result = changeWithCell(attachment, "setting an item of a list", cell, (links) =>
    core.listSet(list.at, list.generation, index, cell.kind, staged(attachment, cell), cell.high, links),
  );
  if (result === NOT_FOUND) throw gone("the list");
  return result === 0;
}

/** @internal */
export function setCell(attachment: Attachment, dict: Reference, key: string, cell: Cell): void {
  const { core } = attachment;
  withKey(attachment, key, (keyAt, word) => {
    const result = changeWithCell(attachment, "setting an entry of a dictionary", cell, (links) =>
      core.dictSet(
        dict.at,
        dict.generation,
        keyAt(),
        word,
        cell.kind,
        staged(attachment, cell),
        cell.high,
        links,
      ),
    );
    if (result !== 0) throw gone("the dictionary");
  });
}

/** @internal Whether there was such an entry. */
export function deleteKey(attachment: Attachment, dict: Reference, key: string): boolean {
  const { core } = attachment;
  return withKey(attachment, key, (keyAt, word) => {
    const result = changeValue(attachment, "removing an entry of a dictionary", () =>
      core.dictDelete(dict.at, dict.generation, keyAt(), word),
    );
    if (result === NOT_FOUND) throw gone("the dictionary");
    return result === 0;
  });
}

/** Has the bytes of a key in the segment: in the scratch, each time that they are needed, or in a value. */
function withKey<T>(attachment: Attachment, key: string, body: (keyAt: () => number, word: number) => T): T {
  const wide = isWide(key);
  const bytes = textBytes(key, wide);
  if (bytes > VALUE_KEY_BYTES_MAX)
    throw new RangeError(`key must have at most ${VALUE_KEY_BYTES_MAX} bytes, got ${bytes}`);
  if (bytes <= SCRATCH_HALF) {
    const keyAt = (): number => {
      attachment.scratchUses++;
      writeText(attachment.u8, attachment.scratch, key, wide);
      return attachment.scratch;
    };
    return body(keyAt, keyWord(key, wide));
  }
  const { handle, reference } = makeValue(attachment, VALUE_LATIN1, bytes);
  try {
    const at = reference.at + VALUE_HEADER_BYTES;
    writeText(attachment.u8, at, key, wide);
    return body(() => at, keyWord(key, wide));
  } finally {
    releaseHandle(attachment, handle);
  }
}

// --- circles -------------------------------------------------------------------------------------------------------------

/** Throws when one of the values contains `target`: it would contain itself. */
function refuseCircle(attachment: Attachment, values: readonly Reference[], target: Reference): void {
  const seen = new Set<number>();
  const open = [...values];
  for (let value = open.pop(); value; value = open.pop()) {
    if (value.at === target.at)
      throw new TypeError(
        "value must not contain what it is put into: values that form a circle would never be freed",
      );
    if (seen.has(value.at) || (value.kind !== VALUE_LIST && value.kind !== VALUE_DICT)) continue;
    seen.add(value.at);
    for (const content of contentsOf(attachment, value)) if (content instanceof Reference) open.push(content);
  }
}

function* contentsOf(attachment: Attachment, value: Reference): Generator<unknown> {
  if (value.kind === VALUE_LIST) {
    for (let index = 0; ; index++) {
      const item = itemOf(attachment, value, index);
      if (item === undefined) return;
      yield item;
    }
  }
  for (
    let entry = entryBehind(attachment, value, BEGIN);
    entry;
    entry = entryBehind(attachment, value, entry.position)
  )
    yield entry.content;
}
