/** A binary tree in shared memory, and the steps that each worker of the tree programme takes: see tree.ts. */
import { type Held, type Lock, type Segment, struct } from "isthmus";

const Node = struct({ key: "u32", left: "u32", right: "u32" });
/** A link is the number of a 32-bit word that holds the offset of a node, or 0. */
const LEFT = Node.offsets.left / 4;
const RIGHT = Node.offsets.right / 4;

/** The tree whose root is the root of the segment. The caller holds the lock: shared to look, exclusive to change. */
export class Tree {
  readonly #segment: Segment;
  /** All of the segment: an offset, divided by 4, is an index. */
  readonly #words: Uint32Array;
  readonly top: number;

  constructor(segment: Segment) {
    segment.root ??= segment.heap.allocate(4);
    this.#segment = segment;
    this.#words = new Uint32Array(segment.root.bytes.buffer);
    this.top = segment.root.offset / 4;
  }

  get isEmpty(): boolean {
    return this.#words[this.top] === 0;
  }

  /** The link that leads to the key, or would. */
  #find(key: number): number {
    const words = this.#words;
    let link = this.top;
    for (let node = words[link] / 4; node !== 0 && words[node] !== key; node = words[link] / 4) {
      link = node + (key < words[node] ? LEFT : RIGHT);
    }
    return link;
  }

  has(key: number): boolean {
    return this.#words[this.#find(key)] !== 0;
  }

  insert(key: number): void {
    const block = this.#segment.heap.allocate(Node.bytes, { zero: true });
    this.#words[block.offset / 4] = key;
    this.#words[this.#find(key)] = block.offset;
  }

  remove(key: number): void {
    const words = this.#words;
    const link = this.#find(key);
    const node = words[link] / 4;
    if (node === 0) throw new Error(`key ${key} is lost`);
    if (words[node + LEFT] === 0) words[link] = words[node + RIGHT];
    else if (words[node + RIGHT] === 0) words[link] = words[node + LEFT];
    else this.#replace(link, node);
    this.#segment.heap.blockAt(node * 4)?.free();
  }

  /** Puts the smallest node of the right subtree in the place of one that has two. */
  #replace(link: number, node: number): void {
    const words = this.#words;
    let next = node + RIGHT;
    while (words[words[next] / 4 + LEFT] !== 0) next = words[next] / 4 + LEFT;
    const smallest = words[next] / 4;
    words[next] = words[smallest + RIGHT];
    words[smallest + LEFT] = words[node + LEFT];
    words[smallest + RIGHT] = words[node + RIGHT];
    words[link] = smallest * 4;
  }
}

/** Different numbers become different keys, in no order. */
function keyOf(number: number): number {
  const mixed = Math.imul(number ^ (number >>> 15), 0x9e3779b1) >>> 0;
  return Math.imul(mixed ^ (mixed >>> 13), 0x85ebca6b) >>> 0;
}

/** The keys of one worker; no two workers have one in common. */
export function keysOf(worker: number, keys: number): number[] {
  return Array.from({ length: keys }, (_, index) => keyOf(worker * keys + index));
}

/** Inserts all keys under the exclusive lock. `inserted` is called while it is held. */
export function insertAll(
  lock: Lock,
  tree: Tree,
  keys: number[],
  inserted?: (key: number, index: number, held: Held) => void,
): void {
  for (const [index, key] of keys.entries()) {
    using held = lock.acquireSync("exclusive");
    tree.insert(key);
    inserted?.(key, index, held);
  }
}

/** Searches each key `searches` times, each time under the shared lock. */
export function searchAll(lock: Lock, tree: Tree, keys: number[], searches: number): void {
  for (let turn = 0; turn < searches; turn++) {
    for (const key of keys) {
      using _held = lock.acquireSync("shared");
      if (!tree.has(key)) throw new Error(`key ${key} is lost`);
    }
  }
}

/** Removes all keys under the exclusive lock. */
export function removeAll(lock: Lock, tree: Tree, keys: number[]): void {
  for (const key of keys) {
    using _held = lock.acquireSync("exclusive");
    tree.remove(key);
  }
}
