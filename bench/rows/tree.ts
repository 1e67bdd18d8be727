import { type Lock, Segment } from "isthmus";
import { insertAll, keysOf, removeAll, searchAll, Tree } from "../../examples/shared-tree.js";
import { PATIENCE_MS } from "../clock.js";
import type { Contestant } from "../contest.js";

const options = { timeoutMs: PATIENCE_MS };
/** Bytes of the segment per key: a node, its header, and room to spare. */
const KEY_BYTES = 64;

function programme(lock: Lock, tree: Tree, keys: number[], searches: number): void {
  insertAll(lock, tree, keys);
  searchAll(lock, tree, keys, searches);
  removeAll(lock, tree, keys);
}

/**
 * One worker after the other, in the very segment that is measured: V8 compiles a call into Wasm for one instance, and starts
 * over when it meets a second one.
 */
function warmUp(segment: Segment, body: () => void): void {
  using _turn = segment.lock("warm-up").acquireSync("exclusive", options);
  body();
}

/** What workers wait for and are waited for with, in the round of so many. */
function roundOf(segment: Segment, workers: number) {
  return {
    ready: segment.semaphore(`ready ${workers}`, { initial: 0 }),
    go: segment.event(`go ${workers}`),
    done: segment.semaphore(`done ${workers}`, { initial: 0 }),
  };
}

/** The left end starts each round and waits for its end; the right ones, as many as the round wants, do the work. */
export const contestant: Contestant = {
  async left(plan, link) {
    const bytes = (8 << 20) + plan.rights * plan.count * KEY_BYTES;
    using segment = Segment.create(plan.segment, { bytes });
    const tree = new Tree(segment);
    const warm = segment.semaphore("warm", { initial: 0 });
    for (const name of ["tree", "warm-up"]) segment.lock(name);
    const rounds = plan.workers.map((workers) => ({ workers, ...roundOf(segment, workers) }));
    const { blocks } = segment.heap.stats;
    link.send("open");
    for (let i = 0; i < plan.rights; i++) await warm.acquire(options);
    const parts: Record<string, number> = {};
    for (const { workers, ready, go, done } of rounds) {
      for (let i = 0; i < workers; i++) await ready.acquire(options);
      const start = performance.now();
      go.signal();
      for (let i = 0; i < workers; i++) done.acquireSync(options);
      parts[workers] = (performance.now() - start) * 1e6;
      if (!tree.isEmpty || segment.heap.stats.blocks !== blocks || !segment.heap.check().ok)
        throw new Error("something is left in the heap");
    }
    segment.unlink();
    return { latenciesNs: [parts[plan.workers[0]]], parts };
  },

  async right(plan, link, index) {
    await link.receive();
    using segment = Segment.open(plan.segment);
    const lock = segment.lock("tree");
    const tree = new Tree(segment);
    const own = keysOf(index, plan.count);
    warmUp(segment, () => {
      for (let round = 0; round < plan.warmup; round++) programme(lock, tree, own, plan.searches);
    });
    segment.semaphore("warm", { initial: 0 }).release();
    for (const workers of plan.workers) {
      if (index >= workers) continue;
      const { ready, go, done } = roundOf(segment, workers);
      ready.release();
      go.waitSync(options);
      programme(lock, tree, own, plan.searches);
      done.release();
    }
  },
};
