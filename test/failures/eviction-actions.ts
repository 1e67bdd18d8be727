/** What a participant does when it is stopped, removed and continued: it works without end, until something throws. */
import { Segment, struct } from "isthmus";
import { randomFrom } from "../lib/series.js";
import { Bank } from "../processes/memory-soak/bank.js";

export * from "../lib/actions.js";

export const RING_BYTES = 4096;
export const Small = struct({ a: "f64", b: "f64" });

/** One kind of work, by name; each turn is one call that writes. */
const kinds: Record<string, (segment: Segment, random: () => number) => () => void> = {
  producer: (segment) => {
    const producer = segment.ring("ring", { bytes: RING_BYTES }).producer();
    return () => producer.sendSync(new Uint8Array(40), { timeoutMs: 30_000 });
  },
  consumer: (segment) => {
    const consumer = segment.ring("ring", { bytes: RING_BYTES }).consumer();
    return () => void consumer.receiveSync({ timeoutMs: 30_000 });
  },
  latest: (segment, random) => {
    const latest = segment.latest("latest", Small);
    return () => {
      const a = random();
      latest.write({ a, b: a });
    };
  },
  lock: (segment) => {
    const lock = segment.lock("lock");
    return () => lock.acquireSync("exclusive", { timeoutMs: 30_000 }).release();
  },
  heap: (segment) => () => segment.heap.allocate(500).free(),
  transaction: (segment, random) => {
    const bank = new Bank(segment);
    return () => bank.transfer(random);
  },
  semaphore: (segment) => {
    const semaphore = segment.semaphore("semaphore", { initial: 1 });
    return () => semaphore.release();
  },
};

export const KINDS = Object.keys(kinds);

let working: (() => void) | undefined;

export function prepare(name: string, kind: string, seed: number): void {
  working = kinds[kind]?.(Segment.open(name), randomFrom(seed));
}

/** Never returns; what ends it is thrown. */
export function workForEver(): never {
  for (;;) working?.();
}
