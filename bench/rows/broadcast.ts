import { type BroadcastRecord, Segment } from "isthmus";
import { PATIENCE_MS } from "../clock.js";
import type { Contestant, Plan } from "../contest.js";
import { median } from "../figures.js";
import { expectSum, makeFrame, stamp, sumWords } from "../stamp.js";

const options = { timeoutMs: PATIENCE_MS };
/** Readers look this often, and the publisher rests as long between two timed blocks: so all of them get a core. Milliseconds. */
const PAUSE_MS = 1;

const still = new Int32Array(new SharedArrayBuffer(4));
const rest = (): unknown => Atomics.wait(still, 0, 0, PAUSE_MS);

/** What readers wait for and are waited for with, in the round of so many. */
function roundOf(segment: Segment, readers: number) {
  return {
    ready: segment.semaphore(`ready ${readers}`, { initial: 0 }),
    over: segment.event(`over ${readers}`),
    done: segment.semaphore(`done ${readers}`, { initial: 0 }),
    /** Records that came and that were lost, of all readers. */
    seen: segment.counter(`seen ${readers}`),
  };
}

/** Reads until the round is over, and checks what it gets. How many came and were lost. */
function read(segment: Segment, plan: Plan, over: { isSignaled: boolean }, ready: () => void): number {
  const subscriber = segment.broadcast("topic").subscriber();
  const { bytes, words } = makeFrame(plan.payloadBytes);
  let received = 0;
  const handle = (record: BroadcastRecord): void => {
    if (record.copyInto(bytes) === undefined) return;
    received++;
    const [first] = words;
    const wanted = words.length * first + (words.length * (words.length - 1)) / 2;
    expectSum(sumWords(words, 1), wanted | 0);
  };
  ready();
  for (let last = false; ; ) {
    subscriber.tryDrain(handle);
    if (last) return received + subscriber.lost;
    last = over.isSignaled;
    if (!last) rest();
  }
}

/** One process publishes, while so many others read, one number after the other. What a publish takes is what is measured. */
export const contestant: Contestant = {
  async left(plan, link) {
    using segment = Segment.create(plan.segment, { bytes: plan.ringBytes + (1 << 20) });
    using publisher = segment.broadcast("topic", { bytes: plan.ringBytes }).publisher();
    const rounds = plan.workers.map((readers) => ({ readers, ...roundOf(segment, readers) }));
    const { bytes, words } = makeFrame(plan.payloadBytes);
    const parts: Record<string, number> = {};
    let first: number[] = [];
    let sequence = 0;
    link.send("open");
    for (const { readers, ready, over, done, seen } of rounds) {
      for (let i = 0; i < readers; i++) await ready.acquire(options);
      const ns: number[] = [];
      for (let block = 0; block < plan.warmup + plan.count; block++) {
        const start = performance.now();
        for (let i = 0; i < plan.block; i++) {
          stamp(words, plan.strideWords, sequence++);
          publisher.publish(bytes);
        }
        if (block >= plan.warmup) ns.push(((performance.now() - start) * 1e6) / plan.block);
        rest();
      }
      over.signal();
      for (let i = 0; i < readers; i++) await done.acquire(options);
      expectSum(seen.value, readers * (plan.warmup + plan.count) * plan.block);
      if (first.length === 0) first = ns;
      parts[readers] = median(ns);
    }
    segment.unlink();
    return { latenciesNs: first, parts };
  },

  async right(plan, link, index) {
    await link.receive();
    using segment = Segment.open(plan.segment);
    for (const [round, readers] of plan.workers.entries()) {
      if (index >= readers) continue;
      if (round > 0) await roundOf(segment, plan.workers[round - 1]).over.wait(options);
      const { ready, over, done, seen } = roundOf(segment, readers);
      seen.add(read(segment, plan, over, () => ready.release()));
      done.release();
    }
  },
};
