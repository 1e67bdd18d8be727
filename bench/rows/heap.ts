import { type Block, Segment } from "isthmus";
import { timeBlocks } from "../clock.js";
import type { Contestant, Plan } from "../contest.js";
import { median } from "../figures.js";
import { blocksBytes, Series } from "../series.js";

const SEED = 0x2545f491;
const UNFILLED = { zero: false };

/** Fills a segment of that name with so many blocks, then frees and allocates: nanoseconds per pair. */
export function measureHeap(
  name: string,
  plan: Pick<Plan, "warmup" | "count" | "block">,
  live: number,
): number[] {
  using segment = Segment.create(name, { bytes: blocksBytes(live) });
  try {
    const { heap } = segment;
    const series = new Series(SEED);
    const take = (): Block => heap.allocate(series.nextBytes(), UNFILLED);
    const blocks = Array.from({ length: live }, take);
    const before = heap.stats.blocks;
    const words = new Uint32Array(blocks[0].bytes.buffer);
    const latenciesNs = timeBlocks(plan, () => {
      const index = series.next() % live;
      blocks[index].free();
      const block = take();
      words[block.offset >>> 2] = index;
      blocks[index] = block;
    });
    const { ok, problems } = heap.check();
    if (!ok) throw new Error(`the heap is damaged: ${JSON.stringify(problems)}`);
    if (heap.stats.blocks !== before) throw new Error(`${heap.stats.blocks - before} blocks too many`);
    return latenciesNs;
  } finally {
    segment.unlink();
  }
}

export const contestant: Contestant = {
  async left(plan) {
    const measured = new Map<number, number[]>();
    // The most first: by then the engine has compiled all that the fewest need.
    for (const live of [...plan.liveBlocks].reverse())
      measured.set(live, measureHeap(plan.segment, plan, live));
    const parts = [...measured].map(([live, latenciesNs]) => [`${live} live`, median(latenciesNs)]);
    return { latenciesNs: measured.get(plan.liveBlocks[0]) ?? [], parts: Object.fromEntries(parts) };
  },
};
