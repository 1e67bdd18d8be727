import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Segment } from "isthmus";
import { timeBlocks } from "../clock.js";
import type { Contestant } from "../contest.js";
import { median } from "../figures.js";

/** What a hold guards: one word, so that the twin's loop has the same body. */
const WORD = 0;

/**
 * Two calls of the cheapest function that the core has: it loads one word. That is what any lock inside the core pays for
 * being called from JavaScript, once to acquire and once to release.
 */
function boundary(): () => void {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
  const path = createRequire(import.meta.url).resolve("isthmus/core.wasm");
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(path)), {
    env: { memory },
  });
  const isStale = exports.isStale as () => number;
  let stale = 0;
  return () => {
    stale += isStale();
    stale += isStale();
    if (stale !== 0) throw new Error("an empty memory is a stale segment");
  };
}

/** One process that takes and gives back a lock, in the ways in which users write it. */
export const contestant: Contestant = {
  async left(plan) {
    using segment = Segment.create(plan.segment, { bytes: 1 << 20 });
    const lock = segment.lock("lock");
    const guarded = segment.heap.allocate(4);
    const words = guarded.as(Uint32Array);
    const crossing = boundary();
    const ways: Record<string, () => void> = {
      using() {
        using _held = lock.acquireSync("exclusive");
        words[WORD]++;
      },
      "acquireSync and release"() {
        const held = lock.acquireSync("exclusive");
        words[WORD]++;
        held.release();
      },
      "tryAcquire and release"() {
        const held = lock.tryAcquire("exclusive");
        if (!held) throw new Error("a lock that nobody else knows was taken");
        words[WORD]++;
        held.release();
      },
      boundary: crossing,
    };
    const parts: Record<string, number> = {};
    let latenciesNs: number[] = [];
    for (const [name, way] of Object.entries(ways)) {
      const taken = timeBlocks(plan, way);
      if (name === "using") latenciesNs = taken;
      else parts[name] = median(taken);
    }
    const holds = (Object.keys(ways).length - 1) * (plan.warmup + plan.count) * plan.block;
    if (words[WORD] !== holds) throw new Error(`${words[WORD]} of ${holds} holds were counted`);
    segment.unlink();
    return { latenciesNs, parts };
  },
};
