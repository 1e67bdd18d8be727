/** Looking into lists and dictionaries without a lock: see `readValue`. */
import {
  DICT_ENTRY_KEY_BYTES_OFFSET,
  DICT_ENTRY_KEY_OFFSET,
  DICT_ENTRY_NUMBER_OFFSET,
  VALUE_KEY_WIDE,
  VALUE_LENGTH_OFFSET,
  VALUE_LIST,
} from "../../protocol/layout.js";
import { isError } from "../core.js";
import { IsthmusError } from "../errors.js";
import { generationAt } from "../memory/generation.js";
import type { Attachment } from "../segment/attachment.js";
import { damaged, LOOKS_MAX, type Plain, Reference, readCell, readValue, TORN } from "./access.js";
import { hashOfKey, isKeyAt, isWide, readText } from "./text.js";

/** What `toJSON` of shared values gives. */
export type PlainValue = Plain | PlainValue[] | { [key: string]: PlainValue };

/** No two keys have the same hash by chance; more of them than this are damage. */
const SAME_HASH_MAX = 1_000_000;

/** @internal Where an iteration is: the last entry that it has seen. */
export interface Position {
  readonly entry: number;
  readonly generation: number;
  readonly number: number;
}

/** @internal */
export const BEGIN: Position = { entry: 0, generation: 0, number: 0 };

/** @internal */
export interface Entry {
  readonly position: Position;
  readonly key: string;
  readonly content: Plain | Reference;
}

/** @internal Items of a list, or entries of a dictionary. */
export function lengthOf(attachment: Attachment, value: Reference, what: string): number {
  const at = (value.at + VALUE_LENGTH_OFFSET) >>> 2;
  return readValue(attachment, value, what, () => attachment.u32[at] as number);
}

/** @internal What the entry of a key contains; undefined when there is none. */
export function contentOf(
  attachment: Attachment,
  dict: Reference,
  key: string,
): Plain | Reference | undefined {
  const wide = isWide(key);
  const hash = hashOfKey(key, wide);
  return readValue(attachment, dict, "the dictionary", () => {
    const entry = findEntry(attachment, dict, key, wide, hash);
    return typeof entry !== "number" ? TORN : entry === 0 ? undefined : readCell(attachment, entry);
  });
}

/** @internal */
export function hasKey(attachment: Attachment, dict: Reference, key: string): boolean {
  const wide = isWide(key);
  const hash = hashOfKey(key, wide);
  return readValue(attachment, dict, "the dictionary", () => {
    const entry = findEntry(attachment, dict, key, wide, hash);
    return typeof entry !== "number" ? TORN : entry !== 0;
  });
}

function findEntry(
  { core, u8, u32 }: Attachment,
  { at }: Reference,
  key: string,
  wide: boolean,
  hash: number,
): number | typeof TORN {
  let entry = 0;
  for (let turn = 0; turn < SAME_HASH_MAX; turn++) {
    entry = core.dictFind(at, hash, entry) >>> 0;
    if (entry === 0) return 0;
    if (isError(entry)) return TORN;
    const word = u32[(entry + DICT_ENTRY_KEY_BYTES_OFFSET) >>> 2] as number;
    if (isKeyAt(u8, entry + DICT_ENTRY_KEY_OFFSET, word, key, wide)) return entry;
  }
  return TORN;
}

/** @internal The entry behind that position in the order of insertion. */
export function entryBehind(attachment: Attachment, dict: Reference, position: Position): Entry | undefined {
  const { core, u8, u32, view, bytes } = attachment;
  return readValue(attachment, dict, "the dictionary", () => {
    const { entry: after, generation, number } = position;
    const entry = core.dictNext(dict.at, after, generation, number) >>> 0;
    if (entry === 0) return undefined;
    if (isError(entry)) return TORN;
    const word = u32[(entry + DICT_ENTRY_KEY_BYTES_OFFSET) >>> 2] as number;
    const wide = word >= VALUE_KEY_WIDE;
    const keyBytes = wide ? word - VALUE_KEY_WIDE : word;
    const from = entry + DICT_ENTRY_KEY_OFFSET;
    if (keyBytes > bytes - from) return TORN;
    const content = readCell(attachment, entry);
    if (content === TORN) return TORN;
    const found = {
      entry,
      generation: generationAt(attachment, entry),
      number: Number(view.getBigUint64(entry + DICT_ENTRY_NUMBER_OFFSET, true)),
    };
    return { position: found, key: readText(u8, from, keyBytes, wide), content };
  });
}

/** @internal What an item of a list contains; undefined when there is none. */
export function itemOf(
  attachment: Attachment,
  list: Reference,
  index: number,
): Plain | Reference | undefined {
  const { core, u32 } = attachment;
  return readValue(attachment, list, "the list", () => {
    const length = u32[(list.at + VALUE_LENGTH_OFFSET) >>> 2] as number;
    const at = index < 0 ? length + index : index;
    if (at < 0 || at >= length) return undefined;
    const cell = core.listItem(list.at, at) >>> 0;
    return cell === 0 ? TORN : readCell(attachment, cell);
  });
}

// --- copies --------------------------------------------------------------------------------------------------------------

/** A private copy of a list or dictionary, and of all that it contains. What several cells refer to is one object in the copy,
 * too. */
/** @internal */
export function plainOf(attachment: Attachment, top: Reference): PlainValue {
  return new Copying(attachment).copyOf(top) as PlainValue;
}

class Copying {
  readonly #attachment: Attachment;
  readonly #done = new Map<number, PlainValue>();
  readonly #open = new Set<number>();

  constructor(attachment: Attachment) {
    this.#attachment = attachment;
  }

  copyOf(value: Reference): PlainValue {
    const known = this.#done.get(value.at);
    if (known !== undefined) return known;
    if (this.#open.has(value.at))
      throw new IsthmusError(
        "CORRUPT",
        "the value contains itself: two processes have put each into the other",
      );
    this.#open.add(value.at);
    const copy = value.kind === VALUE_LIST ? this.#list(value) : this.#dict(value);
    this.#open.delete(value.at);
    this.#done.set(value.at, copy);
    return copy;
  }

  #list(list: Reference): PlainValue[] {
    const copy: PlainValue[] = [];
    for (let index = 0; ; index++) {
      const item = this.#content(() => itemOf(this.#attachment, list, index));
      if (item === undefined) return copy;
      copy.push(item);
    }
  }

  #dict(dict: Reference): { [key: string]: PlainValue } {
    const copy: { [key: string]: PlainValue } = {};
    for (let entry = entryBehind(this.#attachment, dict, BEGIN); entry; ) {
      const { key, position, content } = entry;
      let first = true;
      const look = (): Plain | Reference | undefined =>
        first ? content : contentOf(this.#attachment, dict, key);
      const value = this.#content(() => {
        const found = look();
        first = false;
        return found;
      });
      // Also for the key "__proto__".
      if (value !== undefined)
        Object.defineProperty(copy, key, { value, enumerable: true, configurable: true, writable: true });
      entry = entryBehind(this.#attachment, dict, position);
    }
    return copy;
  }

  /** Looks again when what it leads to was replaced meanwhile, and is gone. */
  #content(look: () => Plain | Reference | undefined): PlainValue | undefined {
    for (let turn = 0; turn < LOOKS_MAX; turn++) {
      const found = look();
      if (!(found instanceof Reference)) return found;
      try {
        return this.copyOf(found);
      } catch (error) {
        this.#open.delete(found.at);
        if (!(error instanceof IsthmusError) || error.code !== "NOT_FOUND") throw error;
      }
    }
    throw damaged("the value");
  }
}
