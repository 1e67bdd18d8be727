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
import { MiB, Segment } from "isthmus";
import { insertAll, keysOf, removeAll, searchAll, Tree } from "./shared-tree.js";

const script = fileURLToPath(import.meta.url);

interface Work {
  name: string;
  worker: number;
  keys: number;
  searches: number;
}

function work({ name, worker, keys, searches }: Work): void {
  using segment = Segment.open(name);
  const lock = segment.lock("tree");
  const tree = new Tree(segment);
  const own = keysOf(worker, keys);
  segment.semaphore("ready", { initial: 0 }).release();
  segment.event("go").waitSync({ timeoutMs: 60_000 });
  insertAll(lock, tree, own, (key, index) => {
    if (index % 1000 !== 0) return;
    using _nested = lock.acquireSync("shared");
    const { ok, problems } = segment.heap.check();
    if (!ok || !tree.has(key)) throw new Error(`the tree is damaged: ${JSON.stringify(problems)}`);
    segment.flush();
  });
  searchAll(lock, tree, own, searches);
  removeAll(lock, tree, own);
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
