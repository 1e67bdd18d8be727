/**
 * One binary tree for all: each worker inserts its keys under the exclusive lock, searches each of them under the shared lock,
 * and removes them all. Prints how long 1, 2, 4, 8 workers take, as processes and as threads of one process, in each runtime.
 *
 *     node build/examples/tree.js [--keys 10000] [--searches 10] [--workers 1,2,4,8] [--runtimes node,bun,deno]
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { MiB, Segment } from "isthmus";
import { done, start, temporary } from "./children.js";
import { participantsFor, wholeNumber } from "./numbers.js";
import { type Runtime, runtime } from "./runtimes.js";
import { insertAll, keysOf, removeAll, searchAll, Tree } from "./shared-tree.js";

const script = fileURLToPath(import.meta.url);

interface Work {
  name: string;
  /** Numbers of the workers that one process has: one, or a thread for each. */
  workers: number[];
  keys: number;
  searches: number;
}

/** What one worker does. */
function work({ name, workers: [worker = 0], keys, searches }: Work): void {
  using segment = Segment.open(name);
  const lock = segment.lock("tree");
  const tree = new Tree(segment);
  const own = keysOf(worker, keys);
  segment.semaphore("ready", { initial: 0 }).release();
  segment.event("go").waitSync({ timeoutMs: 60_000 });
  insertAll(lock, tree, own, (key, index, held) => {
    if (index % 1000 !== 0) return;
    using _nested = held.acquireSync("shared");
    const { ok, problems } = segment.heap.check();
    if (!ok || !tree.has(key)) throw new Error(`the tree is damaged: ${JSON.stringify(problems)}`);
    segment.flush();
  });
  searchAll(lock, tree, own, searches);
  removeAll(lock, tree, own);
}

/** A thread for each worker. A thread that fails ends the process. */
function workInThreads(all: Work): void {
  for (const worker of all.workers) {
    new Worker(new URL(import.meta.url), { workerData: { ...all, workers: [worker] } });
  }
}

/** Milliseconds that so many workers take together, from the moment when all are ready. */
async function measure(
  { command, flags }: Runtime,
  kind: "processes" | "threads",
  workers: number,
  keys: number,
  searches: number,
): Promise<number> {
  const bytes = 8 * MiB + workers * keys * 64;
  const options = { bytes, participants: participantsFor(workers) };
  using segment = temporary(() => Segment.create(`example-tree-${process.pid}`, options));
  const tree = new Tree(segment);
  const ready = segment.semaphore("ready", { initial: 0 });
  const go = segment.event("go");
  segment.lock("tree");
  const { blocks } = segment.heap.stats;
  const numbers = Array.from({ length: workers }, (_, worker) => worker);
  const all = Promise.all(
    (kind === "threads" ? [numbers] : numbers.map((worker) => [worker])).map((own) => {
      const given = JSON.stringify({ name: segment.name, workers: own, keys, searches });
      return done(start(command, [...flags, script, `--${kind}`, given], { stdio: "inherit" }));
    }),
  );
  const failed = all.then(() => {});
  for (const _ of numbers) await Promise.race([ready.acquire({ timeoutMs: 60_000 }), failed]);
  const before = performance.now();
  go.signal();
  await all;
  const milliseconds = performance.now() - before;
  if (!tree.isEmpty || segment.heap.stats.blocks !== blocks || !segment.heap.check().ok)
    throw new Error("something is left in the heap");
  segment.unlink();
  return milliseconds;
}

const KINDS = ["processes", "threads"] as const;
const WIDTHS = { workers: 7, time: 11 };

function print(text: string, width: number): void {
  process.stdout.write(text.padStart(width));
}

async function compare(runtimes: Runtime[], counts: number[], keys: number, searches: number): Promise<void> {
  print("ms", WIDTHS.workers);
  for (const { name } of runtimes) print(name, WIDTHS.time * KINDS.length);
  print("\nworkers", WIDTHS.workers + 1);
  for (const _ of runtimes) for (const kind of KINDS) print(kind, WIDTHS.time);
  for (const workers of counts) {
    print(`\n${`${workers}`.padStart(WIDTHS.workers)}`, 0);
    for (const one of runtimes) {
      for (const kind of KINDS) {
        print(`${Math.round(await measure(one, kind, workers, keys, searches))}`, WIDTHS.time);
      }
    }
  }
  print("\n", 0);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      keys: { type: "string", default: "10000" },
      searches: { type: "string", default: "10" },
      workers: { type: "string", default: "1,2,4,8" },
      runtimes: { type: "string", default: "node,bun,deno" },
      processes: { type: "string" },
      threads: { type: "string" },
    },
  });
  if (values.processes) return work(JSON.parse(values.processes));
  if (values.threads) return workInThreads(JSON.parse(values.threads));
  const runtimes = values.runtimes.split(",").flatMap((name) => {
    const found = runtime(name);
    if (!found) console.error(`${name} is not installed: no columns of it`);
    return found ?? [];
  });
  const counts = values.workers.split(",").map((text) => wholeNumber("workers", text));
  const keys = wholeNumber("keys", values.keys);
  await compare(runtimes, counts, keys, wholeNumber("searches", values.searches));
}

if (isMainThread) await main();
else work(workerData);
