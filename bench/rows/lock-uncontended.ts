import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Lock, Segment } from "isthmus";
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

type Way = () => void;

/**
 * `using` as the runtime has it: the compiler makes helper functions and an object per block of it, for runtimes that have none.
 * Undefined in those.
 */
function usingOf(lock: Lock, words: Uint32Array): Way | undefined {
  const body = `return () => { using held = lock.acquireSync("exclusive"); words[${WORD}]++; };`;
  try {
    return new Function("lock", "words", body)(lock, words);
  } catch {
    return undefined;
  }
}

/** One process that takes and gives back a lock, in the ways in which users write it; `figure` is the way of the row. */
export function lockContestant(figure: "acquireSync and release" | "using"): Contestant {
  return {
    async left(plan) {
      using segment = Segment.create(plan.segment, { bytes: 1 << 20 });
      const lock = segment.lock("lock");
      const words = segment.heap.allocate(4).as(Uint32Array);
      const compiled = (): void => {
        using _held = lock.acquireSync("exclusive");
        words[WORD]++;
      };
      const own = usingOf(lock, words);
      const ways: Record<string, Way> = {
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
        using: own ?? compiled,
        ...(own && { "using, compiled for runtimes without it": compiled }),
        boundary: boundary(),
      };
      const parts: Record<string, number> = {};
      let latenciesNs: number[] = [];
      for (const [name, way] of Object.entries(ways)) {
        const taken = timeBlocks(plan, way);
        if (name === figure) latenciesNs = taken;
        parts[name] = median(taken);
      }
      const holds = (Object.keys(ways).length - 1) * (plan.warmup + plan.count) * plan.block;
      if (words[WORD] !== holds) throw new Error(`${words[WORD]} of ${holds} holds were counted`);
      segment.unlink();
      return { latenciesNs, parts };
    },
  };
}

export const contestant = lockContestant("acquireSync and release");
