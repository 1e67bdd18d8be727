/** What hosts do with shared values, as scripts; and a walk over everything that values consist of, which says what is wrong. */
import { strict as assert } from "node:assert";
import { CORRUPT, NOT_FOUND } from "../../../protocol/errors.js";
import {
  ANSWER_CELL_OFFSET,
  BLOCK_BEFORE_OFFSET,
  BLOCK_FREE,
  BLOCK_GENERATION_OFFSET,
  BLOCK_HEADER_BYTES,
  BLOCK_LAYOUT_OFFSET,
  BLOCK_SIZE_OFFSET,
  CHUNKS_FIRST_SHIFT,
  CHUNKS_MAX,
  DICT_BUCKETS_OFFSET,
  DICT_CHUNKS_OFFSET,
  DICT_ENTRY_CHAIN_OFFSET,
  DICT_ENTRY_HASH_OFFSET,
  DICT_ENTRY_KEY_BYTES_OFFSET,
  DICT_ENTRY_KEY_OFFSET,
  DICT_ENTRY_NEXT_OFFSET,
  DICT_ENTRY_NUMBER_OFFSET,
  DICT_ENTRY_PREVIOUS_OFFSET,
  DICT_FIRST_OFFSET,
  DICT_LAST_OFFSET,
  FLAG_EMPTY,
  FLAG_LINKS_CHANGED,
  HANDLE_LEDGER_OFFSET,
  HANDLE_NEXT_OFFSET,
  HANDLE_PREVIOUS_OFFSET,
  HANDLE_VALUE_OFFSET,
  HEAP_ROOT_OFFSET,
  LEDGER_FIRST_OFFSET,
  LEDGER_NEXT_OFFSET,
  LIST_CHUNKS_OFFSET,
  RESULT_OFFSETS,
  VALUE_CELL_BYTES,
  VALUE_CELL_CONTENT_OFFSET,
  VALUE_CHANGING,
  VALUE_CHUNK,
  VALUE_COPY,
  VALUE_COUNT_OFFSET,
  VALUE_DICT,
  VALUE_ENTRY,
  VALUE_HANDLE,
  VALUE_HEADER_BYTES,
  VALUE_KIND_MASK,
  VALUE_LATIN1,
  VALUE_LEDGER,
  VALUE_LENGTH_OFFSET,
  VALUE_LINK_OFFSET,
  VALUE_LIST,
  VALUE_MARK,
  VALUE_NUMBER,
  VALUE_SEQUENCE_OFFSET,
  VALUE_UNUSED,
  VALUES_CHANGING_OFFSET,
  VALUES_LEDGERS_OFFSET,
  VALUES_UNUSED_OFFSET,
} from "../../../protocol/layout.js";
import { attempt, call, read, type Script, write } from "../script.js";
import { CoreError, overcome } from "./segment.js";

/** A value as somebody knows it. */
export interface Shared {
  at: number;
  generation: number;
}

/** What a cell is to contain: a number, a string that is copied, or a value. */
export type Content = number | string | (Shared & { kind: number });

export function sharedAt(view: DataView, at: number): Shared {
  return { at, generation: view.getUint32(at - BLOCK_HEADER_BYTES + BLOCK_GENERATION_OFFSET, true) };
}

export function kindAt(view: DataView, at: number): number {
  const layout = view.getUint32(at - BLOCK_HEADER_BYTES + BLOCK_LAYOUT_OFFSET, true);
  return layout >>> 8 === VALUE_MARK >>> 8 ? layout & VALUE_KIND_MASK : 0;
}

/** The result of a function that changes values; `undefined` while a live one is in the way. Throws what is `no` answer. */
function* changed(
  dead: readonly number[],
  name: string,
  args: number[],
  no: number[] = [],
): Script<number | undefined> {
  const result = yield* overcome(dead, () => call(name, ...args));
  if (result !== undefined && result >= 16 && result < RESULT_OFFSETS && !no.includes(result))
    throw new CoreError(name, result);
  return result;
}

const KEY_ROOM = 64;

/** The three words that stand for a content; writes the bytes of a string into the scratch. */
function* wordsOf(content: Content): Script<number[]> {
  if (typeof content === "number") {
    const words = new Uint32Array(Float64Array.of(content).buffer);
    return [VALUE_NUMBER, words[0] as number, words[1] as number];
  }
  if (typeof content !== "string") return [content.kind, content.at, content.generation];
  const at = ((yield* call("scratch")) >>> 0) + KEY_ROOM;
  yield* write(at, Buffer.from(content, "latin1"));
  return [VALUE_LATIN1 | VALUE_COPY, at, content.length];
}

function* keyed(key: string): Script<number[]> {
  const at = (yield* call("scratch")) >>> 0;
  yield* write(at, Buffer.from(key, "latin1"));
  return [at, key.length];
}

/** A handle of a new value; a string gets its bytes. */
export function* make(kind: number, text = "", dead: readonly number[] = []): Script<number | undefined> {
  const handle = yield* changed(dead, "valueMake", [kind, text.length]);
  if (handle !== undefined && text !== "") {
    const word = yield* read(handle + HANDLE_VALUE_OFFSET, 4);
    const at = new DataView(word.buffer, word.byteOffset).getUint32(0, true);
    yield* write(at + VALUE_HEADER_BYTES, Buffer.from(text, "latin1"));
  }
  return handle;
}

/** A handle; 0 when the value is gone. */
export function* acquire(value: Shared, dead: readonly number[] = []): Script<number | undefined> {
  const result = yield* changed(dead, "valueAcquire", [value.at, value.generation], [NOT_FOUND]);
  return result === NOT_FOUND ? 0 : result;
}

export function* release(handle: number, dead: readonly number[] = []): Script<number | undefined> {
  return yield* changed(dead, "valueRelease", [handle]);
}

export function* set(
  dict: Shared,
  key: string,
  content: Content,
  dead: readonly number[] = [],
  links = 0,
): Script<number | undefined> {
  const words = yield* wordsOf(content);
  const where = yield* keyed(key);
  return yield* changed(dead, "dictSet", [dict.at, dict.generation, ...where, ...words, links]);
}

export function* remove(dict: Shared, key: string, dead: readonly number[] = []): Script<number | undefined> {
  return yield* changed(dead, "dictDelete", [dict.at, dict.generation, ...(yield* keyed(key))]);
}

export function* push(
  list: Shared,
  content: Content,
  dead: readonly number[] = [],
  links = 0,
): Script<number | undefined> {
  const words = yield* wordsOf(content);
  return yield* changed(dead, "listPush", [list.at, list.generation, ...words, links]);
}

/** Pushes a list with at most two items to another one, if it does not contain that one. Whether it did. */
export function* pushUnlessCircle(
  list: Shared,
  inner: Shared,
  dead: () => readonly number[] = () => [],
  looksAgain = true,
): Script<boolean> {
  for (;;) {
    const links = (yield* call("valuesLinks")) >>> 0;
    for (const index of [0, 1]) {
      const item = yield* attempt(() => at(inner, index));
      if (Array.isArray(item) && item[0] === list.at) return false;
    }
    const content = { ...inner, kind: VALUE_LIST };
    const result = yield* attempt(() => push(list, content, dead(), looksAgain ? links : 0));
    if (result !== FLAG_LINKS_CHANGED) return true;
  }
}

export function* replace(
  list: Shared,
  index: number,
  content: Content,
  dead: readonly number[] = [],
  links = 0,
): Script<number | undefined> {
  const words = yield* wordsOf(content);
  return yield* changed(dead, "listSet", [list.at, list.generation, index, ...words, links]);
}

/** A handle, or 0; FLAG_EMPTY. */
export function* pop(list: Shared, dead: readonly number[] = []): Script<number | undefined> {
  return yield* changed(dead, "listPop", [list.at, list.generation]);
}

/** The kind of the cell that was popped last. */
export function* popped(view: DataView): Script<number> {
  return view.getUint32(((yield* call("answers")) >>> 0) + ANSWER_CELL_OFFSET, true);
}

export function* setRoot(value: Shared, dead: readonly number[] = []): Script<number | undefined> {
  return yield* changed(dead, "valueSetRoot", [value.at, value.generation]);
}

/** Everything that the dead have left is given back, and what nobody refers to is freed. False while a live one is in the way. */
export function* settle(dead: readonly number[] = [], steps = 64): Script<boolean> {
  for (let turn = 0; turn < 100; turn++) {
    const result = yield* changed(dead, "valuesSettle", [steps]);
    if (result === undefined) return false;
    if (result === 0) return true;
  }
  throw new Error("valuesSettle does not come to an end");
}

// --- reading without a lock ----------------------------------------------------------------------------------------------

/** What a reader sees: between two looks that say the same; `undefined` when it is to try again. `null`: the value is gone. */
function* between<T>(
  value: Shared,
  body: () => Script<T | undefined>,
  looksAgain = true,
): Script<T | null | undefined> {
  const before = (yield* call("valueLook", value.at, value.generation)) >>> 0;
  if (before === NOT_FOUND) return null;
  if (before === VALUE_CHANGING) return undefined;
  const seen = yield* body();
  if (!looksAgain) return seen;
  const after = (yield* call("valueLook", value.at, value.generation)) >>> 0;
  return after === before ? seen : undefined;
}

function wordsIn(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What a cell contains: a number, a string, or the offset of a list or dictionary in an array; `undefined`: it cannot be. */
function* contentAt(end: number, cell: number): Script<number | string | [number] | undefined> {
  const words = wordsIn(yield* read(cell, VALUE_CELL_BYTES));
  const kind = words.getUint32(0, true);
  if (kind === VALUE_NUMBER) return words.getFloat64(VALUE_CELL_CONTENT_OFFSET, true);
  const at = words.getUint32(VALUE_CELL_CONTENT_OFFSET, true);
  if (kind !== VALUE_LATIN1) return [at];
  if (at > end) return undefined;
  const length = wordsIn(yield* read(at + VALUE_LENGTH_OFFSET, 4)).getUint32(0, true);
  if (length > 100) return undefined;
  return Buffer.from(yield* read(at + VALUE_HEADER_BYTES, length)).toString("latin1");
}

const END = 60_000;

/** What the entry of a key contains; `null` when the dictionary is gone; `[]` when there is no such entry. */
export function* get(
  dict: Shared,
  key: string,
  looksAgain = true,
): Script<number | string | [number] | [] | null | undefined> {
  const look = function* (): Script<number | string | [number] | [] | undefined> {
    let entry = 0;
    for (;;) {
      entry = (yield* call("dictFind", dict.at, hashOf(Buffer.from(key, "latin1")), entry)) >>> 0;
      if (entry === CORRUPT) return undefined;
      if (entry === 0) return [];
      const bytes = wordsIn(yield* read(entry + DICT_ENTRY_KEY_BYTES_OFFSET, 4)).getUint32(0, true);
      if (bytes !== key.length) continue;
      const found = Buffer.from(yield* read(entry + DICT_ENTRY_KEY_OFFSET, bytes)).toString("latin1");
      if (found === key) return yield* contentAt(END, entry);
    }
  };
  return yield* between(dict, look, looksAgain);
}

/** An item; `null` when the list is gone; `[]` when there is no such item. */
export function* at(list: Shared, index: number): Script<number | string | [number] | [] | null | undefined> {
  return yield* between(list, function* () {
    const cell = (yield* call("listItem", list.at, index)) >>> 0;
    return cell === 0 ? [] : yield* contentAt(END, cell);
  });
}

/** The key of the next entry in order, and what the next call needs. */
export interface Step {
  entry: number;
  generation: number;
  number: number;
  key: string;
}

export const BEGIN: Step = { entry: 0, generation: 0, number: 0, key: "" };

/** `[]` at the end, `null` when the dictionary is gone, `undefined` when it is to try again. */
export function* next(view: DataView, dict: Shared, step: Step): Script<Step | [] | null | undefined> {
  return yield* between(dict, function* (): Script<Step | [] | undefined> {
    const { entry: after, generation, number } = step;
    const entry = (yield* call("dictNext", dict.at, after, generation, number)) >>> 0;
    if (entry === 0) return [];
    if (entry === CORRUPT) return undefined;
    const words = wordsIn(yield* read(entry, DICT_ENTRY_KEY_OFFSET));
    const bytes = words.getUint32(DICT_ENTRY_KEY_BYTES_OFFSET, true);
    if (bytes > 100) return undefined;
    const key = Buffer.from(yield* read(entry + DICT_ENTRY_KEY_OFFSET, bytes)).toString("latin1");
    const found = sharedAt(view, entry);
    return {
      entry,
      generation: found.generation,
      number: Number(words.getBigUint64(DICT_ENTRY_NUMBER_OFFSET, true)),
      key,
    };
  });
}

/** Hash of a key: what every host does. */
export function hashOf(key: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of key) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

// --- everything that values consist of ---------------------------------------------------------------------------------------

/** Walks over all blocks of values: counts, links, chains, order. Throws what is wrong. With nobody at work. */
export class Audit {
  readonly #view: DataView;
  /** Kind of each block of a value. */
  readonly #kinds = new Map<number, number>();
  readonly #unused = new Set<number>();
  readonly #counts = new Map<number, number>();
  /** Blocks that something has led to. */
  readonly #owned = new Set<number>();

  constructor(view: DataView, payload: number, messages: readonly number[] = []) {
    this.#view = view;
    for (let block = payload; ; ) {
      const size = this.#u32(block + BLOCK_SIZE_OFFSET);
      if (size === BLOCK_HEADER_BYTES) break;
      const bytes = block + BLOCK_HEADER_BYTES;
      const layout = this.#u32(block + BLOCK_LAYOUT_OFFSET);
      if (!(size & BLOCK_FREE) && layout >>> 8 === VALUE_MARK >>> 8) {
        this.#kinds.set(bytes, layout & VALUE_KIND_MASK);
        if (layout & VALUE_UNUSED) this.#unused.add(bytes);
      }
      const whole = size & ~BLOCK_FREE;
      assert.equal(this.#u32(block + whole + BLOCK_BEFORE_OFFSET), block, "blocks");
      block += whole;
    }
    assert.equal(this.#u32(VALUES_CHANGING_OFFSET), 0, "a change has not ended");
    const root = this.#u32(HEAP_ROOT_OFFSET);
    if (root !== 0 && this.#isValue(root)) this.#count(root);
    for (const value of messages) this.#count(value);
    this.#ledgers();
    for (const [value, kind] of this.#kinds) {
      if (kind === VALUE_LIST) this.#list(value);
      if (kind === VALUE_DICT) this.#dict(value);
    }
    this.#sums();
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  #isValue(at: number): boolean {
    const kind = this.#kinds.get(at) ?? 0;
    return kind >= VALUE_LATIN1 && kind <= VALUE_DICT;
  }

  #count(value: number): void {
    assert.ok(this.#isValue(value), `${value} is no value`);
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + 1);
  }

  #own(block: number, kind: number): void {
    assert.equal(this.#kinds.get(block), kind, `kind of block ${block}`);
    assert.ok(!this.#owned.has(block), `block ${block} has two owners`);
    this.#owned.add(block);
  }

  #ledgers(): void {
    for (let ledger = this.#u32(VALUES_LEDGERS_OFFSET); ledger !== 0; ) {
      this.#own(ledger, VALUE_LEDGER);
      let before = 0;
      for (let handle = this.#u32(ledger + LEDGER_FIRST_OFFSET); handle !== 0; ) {
        this.#own(handle, VALUE_HANDLE);
        assert.equal(this.#u32(handle + HANDLE_PREVIOUS_OFFSET), before, "handles");
        assert.equal(this.#u32(handle + HANDLE_LEDGER_OFFSET), ledger, "ledger of a handle");
        this.#count(this.#u32(handle + HANDLE_VALUE_OFFSET));
        before = handle;
        handle = this.#u32(handle + HANDLE_NEXT_OFFSET);
      }
      ledger = this.#u32(ledger + LEDGER_NEXT_OFFSET);
    }
  }

  #cell(at: number): void {
    const kind = this.#u32(at);
    if (kind < VALUE_LATIN1) return;
    const value = this.#u32(at + VALUE_CELL_CONTENT_OFFSET);
    assert.equal(this.#kinds.get(value), kind, `kind of the value of a cell at ${at}`);
    this.#count(value);
  }

  /** Where an element of an array lies. */
  #element(chunks: number, index: number, bytes: number): number {
    const number = 31 - Math.clz32((index >>> CHUNKS_FIRST_SHIFT) + 1);
    const chunk = this.#u32(chunks + 4 * number);
    assert.notEqual(chunk, 0, "no chunk");
    return chunk + (index - (((1 << number) - 1) << CHUNKS_FIRST_SHIFT)) * bytes;
  }

  #chunks(chunks: number): void {
    for (let number = 0; number < CHUNKS_MAX; number++) {
      const chunk = this.#u32(chunks + 4 * number);
      if (chunk !== 0) this.#own(chunk, VALUE_CHUNK);
    }
  }

  #list(list: number): void {
    this.#chunks(list + LIST_CHUNKS_OFFSET);
    for (let index = 0; index < this.#u32(list + VALUE_LENGTH_OFFSET); index++)
      this.#cell(this.#element(list + LIST_CHUNKS_OFFSET, index, VALUE_CELL_BYTES));
  }

  #dict(dict: number): void {
    this.#chunks(dict + DICT_CHUNKS_OFFSET);
    const whole = !this.#unused.has(dict);
    const entries = new Set<number>();
    let before = 0;
    let number = 0n;
    for (let entry = this.#u32(dict + DICT_FIRST_OFFSET); entry !== 0; ) {
      this.#own(entry, VALUE_ENTRY);
      entries.add(entry);
      if (whole) assert.equal(this.#u32(entry + DICT_ENTRY_PREVIOUS_OFFSET), before, "order, backwards");
      const own = this.#view.getBigUint64(entry + DICT_ENTRY_NUMBER_OFFSET, true);
      assert.ok(own > number, "numbers of entries");
      number = own;
      this.#cell(entry);
      before = entry;
      entry = this.#u32(entry + DICT_ENTRY_NEXT_OFFSET);
    }
    if (!whole) return;
    assert.equal(this.#u32(dict + DICT_LAST_OFFSET), before, "the last entry");
    assert.equal(this.#u32(dict + VALUE_LENGTH_OFFSET), entries.size, "length of a dictionary");
    this.#chains(dict, entries);
  }

  #chains(dict: number, entries: Set<number>): void {
    const buckets = this.#u32(dict + DICT_BUCKETS_OFFSET);
    for (let bucket = 0; bucket < buckets; bucket++) {
      let entry = this.#u32(this.#element(dict + DICT_CHUNKS_OFFSET, bucket, 4));
      for (; entry !== 0; entry = this.#u32(entry + DICT_ENTRY_CHAIN_OFFSET)) {
        assert.ok(entries.delete(entry), "an entry of a chain is not in the order, or in two chains");
        const bytes = this.#u32(entry + DICT_ENTRY_KEY_BYTES_OFFSET);
        const key = new Uint8Array(this.#view.buffer, entry + DICT_ENTRY_KEY_OFFSET, bytes);
        const hash = hashOf(key);
        assert.equal(this.#u32(entry + DICT_ENTRY_HASH_OFFSET), hash, "hash");
        const mask = 0xffffffff >>> Math.clz32(buckets);
        const own = (hash & mask) >>> 0;
        assert.equal(own < buckets ? own : own & (mask >>> 1), bucket, "bucket of an entry");
      }
    }
    assert.equal(entries.size, 0, "an entry is in no chain");
  }

  #sums(): void {
    const listed = new Set<number>();
    for (let value = this.#u32(VALUES_UNUSED_OFFSET); value !== 0; ) {
      assert.ok(this.#unused.has(value) && !listed.has(value), "the list of what is to be freed");
      listed.add(value);
      value = this.#u32(value + VALUE_LINK_OFFSET);
    }
    assert.equal(listed.size, this.#unused.size, "something is to be freed and not in the list");
    for (const [block, kind] of this.#kinds) {
      if (!this.#isValue(block))
        assert.ok(this.#owned.has(block), `block ${block}, kind ${kind}, has no owner`);
      else {
        assert.equal(
          this.#u32(block + VALUE_COUNT_OFFSET),
          this.#counts.get(block) ?? 0,
          `count of ${block}, kind ${kind}`,
        );
        assert.equal(this.#counts.has(block), !this.#unused.has(block), `${block} is lost`);
        assert.equal(this.#u32(block + VALUE_SEQUENCE_OFFSET) % 2, 0, "sequence");
      }
    }
  }

  /** All that the root leads to, as text. */
  get text(): string {
    const root = this.#u32(HEAP_ROOT_OFFSET);
    return root !== 0 && this.#isValue(root) ? this.#value(root, kindAt(this.#view, root)) : `root ${root}`;
  }

  #textOfCell(at: number): string {
    const kind = this.#u32(at);
    if (kind === VALUE_NUMBER) return `${this.#view.getFloat64(at + VALUE_CELL_CONTENT_OFFSET, true)}`;
    return kind < VALUE_LATIN1
      ? `kind ${kind}`
      : this.#value(this.#u32(at + VALUE_CELL_CONTENT_OFFSET), kind);
  }

  #value(at: number, kind: number): string {
    const length = this.#u32(at + VALUE_LENGTH_OFFSET);
    if (kind === VALUE_LIST) {
      const cells = Array.from({ length }, (_, index) =>
        this.#textOfCell(this.#element(at + LIST_CHUNKS_OFFSET, index, VALUE_CELL_BYTES)),
      );
      return `[${cells.join()}]`;
    }
    if (kind !== VALUE_DICT)
      return JSON.stringify(
        Buffer.from(this.#view.buffer, at + VALUE_HEADER_BYTES, length).toString("latin1"),
      );
    const texts: string[] = [];
    for (let entry = this.#u32(at + DICT_FIRST_OFFSET); entry !== 0; ) {
      const bytes = this.#u32(entry + DICT_ENTRY_KEY_BYTES_OFFSET);
      const key = Buffer.from(this.#view.buffer, entry + DICT_ENTRY_KEY_OFFSET, bytes).toString("latin1");
      texts.push(`${key}:${this.#textOfCell(entry)}`);
      entry = this.#u32(entry + DICT_ENTRY_NEXT_OFFSET);
    }
    return `{${texts.join()}}`;
  }
}

/**
 * Throws what is wrong with the values of a segment; returns what the root leads to. `messages`: what those of queues refer to.
 */
export function audit(view: DataView, payload: number, messages: readonly number[] = []): string {
  return new Audit(view, payload, messages).text;
}

export { FLAG_EMPTY, VALUE_DICT, VALUE_LATIN1, VALUE_LIST };
