/** The points of the growth plots: `growth-points.js MEASUREMENT X QUICK` measures one, and prints nanoseconds by line. */
import { fileURLToPath } from "node:url";
import { MiB, Segment } from "isthmus";
import { median } from "./figures.js";
import { cacheBytes } from "./rows/cache.js";
import { keysOf } from "./rows/cache-programme.js";
import { measureHeap } from "./rows/heap.js";
import { dictionaryBytes } from "./rows/values.js";
import { Series } from "./series.js";

/** Nanoseconds by the name of the line. */
export type Measured = Record<string, number>;

/** Engines have compiled by then what they are going to compile. Milliseconds. */
const WARMUP_MS = 300;
const MEASURED_MS = 300;
/** One timed block is to take so long, that the clock is not what is measured. Milliseconds. */
const BLOCK_MS = 0.05;
/** How much less `--quick` takes. */
const QUICK = 10;

let shorter = 1;

function repeat(times: number, operation: () => void): number {
  const start = performance.now();
  for (let i = 0; i < times; i++) operation();
  return performance.now() - start;
}

/** Nanoseconds per call: the median of many timed blocks. */
function nsPerCall(operation: () => void): number {
  const warm = performance.now() + WARMUP_MS / shorter;
  let block = 1;
  while (performance.now() < warm) if (repeat(block, operation) < BLOCK_MS) block *= 2;
  const blocks: number[] = [];
  const until = performance.now() + MEASURED_MS / shorter;
  do blocks.push((repeat(block, operation) * 1e6) / block);
  while (performance.now() < until);
  return median(blocks);
}

function withSegment(bytes: number, body: (segment: Segment) => Measured): Measured {
  using segment = Segment.create(`bench-growth-${process.pid}`, { bytes });
  try {
    return body(segment);
  } finally {
    segment.unlink();
  }
}

/** A ring between two ends of this process: nanoseconds per message that goes in and comes out. */
function messages(segment: Segment, bytes: number, capacity: number): number {
  const ring = segment.ring("messages", { bytes: capacity });
  using producer = ring.producer();
  using consumer = ring.consumer();
  const message = new Uint8Array(bytes).fill(42);
  const target = new Uint8Array(bytes);
  return nsPerCall(() => {
    if (!producer.trySend(message)) throw new Error("no room in an empty ring");
    if (consumer.tryReceiveInto(target) !== bytes) throw new Error("a message is missing");
    if (target[bytes - 1] !== 42) throw new Error("a message is not what was sent");
  });
}

export const measurements = {
  /** So many openers, all of this process: to the segment each is a participant. Only the first one works. */
  participants(count: number): Measured {
    return withSegment(2 * MiB, (segment) => {
      const others = Array.from({ length: count - 1 }, () => Segment.open(segment.name));
      if (segment.participants().length !== count) throw new Error("somebody did not join");
      const lock = segment.lock("lock");
      const measured = {
        "lock, acquireSync and release": nsPerCall(() => lock.acquireSync("exclusive").release()),
        "ring, 64 B sent and received": messages(segment, 64, MiB),
      };
      for (const other of others) other.close();
      return measured;
    });
  },

  blocks(live: number): Measured {
    const plan = { warmup: 1000, count: Math.ceil(2000 / shorter), block: 100 };
    return { isthmus: median(measureHeap(`bench-growth-${process.pid}`, plan, live)) };
  },

  /** Opens one after the other, in turn: what is found first is not found faster. */
  objects(count: number): Measured {
    return withSegment(16 * MiB, (segment) => {
      const names = Array.from({ length: count }, (_, index) => `object ${index}`);
      for (const name of names) segment.counter(name);
      let next = 0;
      return {
        isthmus: nsPerCall(() => {
          segment.counter(names[next]);
          next = (next + 1) % count;
        }),
      };
    });
  },

  /** Gets and sets of random entries of 64 B, of so many. */
  entries(count: number): Measured {
    const bytes = cacheBytes(count, 64);
    return withSegment(bytes + 4 * MiB, (segment) => {
      const cache = segment.cache("entries", { bytes });
      const keys = keysOf(count);
      const value = new Uint8Array(64).fill(42);
      for (const key of keys) cache.set(key, value);
      if (cache.size !== count) throw new Error("entries were evicted");
      const series = new Series(42);
      const key = (): string => keys[series.next() % count] as string;
      return {
        get: nsPerCall(() => {
          if (cache.get(key())?.[63] !== 42) throw new Error("a value is not what was set");
        }),
        set: nsPerCall(() => cache.set(key(), value)),
      };
    });
  },

  /** Gets and sets of random values of 64 B of a shared dictionary, of so many. */
  keys(count: number): Measured {
    return withSegment(dictionaryBytes(count, 64), (segment) => {
      const dictionary = segment.share({});
      const keys = keysOf(count);
      const value = new Uint8Array(64).fill(42);
      for (const key of keys) dictionary.set(key, value);
      const series = new Series(42);
      const key = (): string => keys[series.next() % count] as string;
      return {
        get: nsPerCall(() => {
          if ((dictionary.get(key()) as Uint8Array)[63] !== 42)
            throw new Error("a value is not what was set");
        }),
        set: nsPerCall(() => dictionary.set(key(), value)),
      };
    });
  },

  message(bytes: number): Measured {
    const capacity = Math.max(MiB, 4 * bytes);
    return withSegment(capacity + 2 * MiB, (segment) => ({ isthmus: messages(segment, bytes, capacity) }));
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, x, quick] = process.argv.slice(2);
  if (quick === "true") shorter = QUICK;
  console.log(JSON.stringify(measurements[name as keyof typeof measurements](Number(x))));
}
