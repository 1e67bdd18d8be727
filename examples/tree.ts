/**
 * One binary tree for all: each worker inserts its keys under the exclusive lock, searches each of them under the shared lock,
 * and removes them all. Runs with 1, 2, 4, 8 workers, as processes and as threads, in each runtime that is there.
 *
 *     node build/examples/tree.js [--keys 10000] [--searches 10] [--workers 1,2,4,8] [--runtimes node,bun,deno]
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { MiB, Segment, struct } from "isthmus";

const Node = struct({ key: "u32", left: "u32", right: "u32" });
/** A link is the number of a 32-bit word that holds the offset of a node, or 0. */
const LEFT = Node.offsets.left / 4;
const RIGHT = Node.offsets.right / 4;
const script = fileURLToPath(import.meta.url);

class Tree {
  readonly #segment: Segment;
  /** All of the segment: an offset, divided by 4, is an index. */
  readonly #words: Uint32Array;
  readonly top: number;

  constructor(segment: Segment) {
    segment.root ??= segment.heap.allocate(4);
    if (!segment.root) throw new Error("no room for the tree");
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
    if (!block) throw new Error("the segment is full");
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

interface Work {
  name: string;
  worker: number;
  keys: number;
  searches: number;
}

/** Different numbers become different keys, in no order. */
function keyOf(number: number): number {
  const mixed = Math.imul(number ^ (number >>> 15), 0x9e3779b1) >>> 0;
  return Math.imul(mixed ^ (mixed >>> 13), 0x85ebca6b) >>> 0;
}

function work({ name, worker, keys, searches }: Work): void {
  using segment = Segment.open(name);
  const lock = segment.lock("tree");
  const tree = new Tree(segment);
  const numbers = Array.from({ length: keys }, (_, index) => keyOf(worker * keys + index));
  segment.semaphore("ready", { initial: 0 }).release();
  segment.event("go").waitSync({ timeoutMs: 60_000 });
  for (const [index, key] of numbers.entries()) {
    using _held = lock.acquireSync("exclusive");
    tree.insert(key);
    if (index % 1000 !== 0) continue;
    using _nested = lock.acquireSync("shared");
    const { ok, problems } = segment.heap.check();
    if (!ok || !tree.has(key)) throw new Error(`the tree is damaged: ${JSON.stringify(problems)}`);
    segment.flush();
  }
  for (let turn = 0; turn < searches; turn++) {
    for (const key of numbers) {
      using _held = lock.acquireSync("shared");
      if (!tree.has(key)) throw new Error(`key ${key} is lost`);
    }
  }
  for (const key of numbers) {
    using _held = lock.acquireSync("exclusive");
    tree.remove(key);
  }
}

const commands: Record<string, string[]> = {
  node: ["node"],
  bun: ["bun", "run"],
  deno: ["deno", "run", "-A"],
};

function start(runtime: string, work: Work): Promise<void> {
  const [command, ...flags] = commands[runtime] as string[];
  const child = spawn(command as string, [...flags, script, "--work", JSON.stringify(work)], {
    stdio: "inherit",
  });
  return once(child, "exit").then(([code]) => {
    if (code !== 0) throw new Error(`a worker ended with code ${code}`);
  });
}

function startThread(work: Work): Promise<void> {
  const thread = new Worker(new URL(import.meta.url), { workerData: work });
  return once(thread, "exit").then(([code]) => {
    if (code !== 0) throw new Error(`a thread ended with code ${code}`);
  });
}

/** Milliseconds that so many workers take together, from the moment when all are ready. */
async function measure(
  workers: number,
  keys: number,
  searches: number,
  begin: (work: Work) => Promise<void>,
) {
  using segment = Segment.create(`example-tree-${process.pid}`, { bytes: 8 * MiB + workers * keys * 64 });
  try {
    const tree = new Tree(segment);
    const ready = segment.semaphore("ready", { initial: 0 });
    const go = segment.event("go");
    segment.lock("tree");
    const { blocks } = segment.heap.stats;
    const all = Promise.all(
      Array.from({ length: workers }, (_, worker) => begin({ name: segment.name, worker, keys, searches })),
    );
    const failed = all.then(() => {});
    for (let i = 0; i < workers; i++) await Promise.race([ready.acquire({ timeoutMs: 60_000 }), failed]);
    const before = performance.now();
    go.signal();
    await all;
    const milliseconds = performance.now() - before;
    if (!tree.isEmpty || segment.heap.stats.blocks !== blocks || !segment.heap.check().ok)
      throw new Error("something is left in the heap");
    return milliseconds;
  } finally {
    segment.unlink();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      keys: { type: "string", default: "10000" },
      searches: { type: "string", default: "10" },
      workers: { type: "string", default: "1,2,4,8" },
      runtimes: { type: "string", default: "node,bun,deno" },
      work: { type: "string" },
    },
  });
  if (values.work) return work(JSON.parse(values.work));
  const [keys, searches] = [Number(values.keys), Number(values.searches)];
  const runtimes = values.runtimes
    .split(",")
    .filter((name) => commands[name] && spawnSync(commands[name][0], ["--version"]).status === 0);
  const heads = [...runtimes.map((name) => `${name}, ms`), "threads, ms"];
  console.log(["workers", ...heads].map((head) => head.padStart(12)).join(""));
  for (const workers of values.workers.split(",").map(Number)) {
    const times: number[] = [];
    for (const name of runtimes) {
      times.push(await measure(workers, keys, searches, (work) => start(name, work)));
    }
    times.push(await measure(workers, keys, searches, startThread));
    console.log([workers, ...times.map(Math.round)].map((cell) => `${cell}`.padStart(12)).join(""));
  }
}

if (isMainThread) await main();
else work(workerData);
