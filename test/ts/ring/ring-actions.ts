/** What children of the tests of rings do. */
import process from "node:process";
import { type ReadableStream, WritableStream } from "node:stream/web";
import { type Consumer, MiB, type Producer, type Ring, Segment } from "isthmus";
import { collect } from "../../lib/garbage.js";
import { until } from "../../lib/watchdog.js";

const RING = { bytes: MiB };

let ring: Ring;
let consumer: Consumer | undefined;
let producer: Producer | undefined;

/** Ways to take one record, and to have done what it asks for. */
const ways: Record<string, (consumer: Consumer) => Promise<unknown>> = {
  receive: (c) => c.receive(),
  receiveSync: async (c) => c.receiveSync(),
  tryReceive: async (c) => c.tryReceive(),
  receiveInto: (c) => c.receiveInto(new Uint8Array(64)),
  tryReceiveInto: async (c) => c.tryReceiveInto(new Uint8Array(64)),
  peek: async (c) => (await c.peek())?.release(),
  tryPeek: async (c) => c.tryPeek()?.release(),
  drain: (c) => c.drain(() => {}, { limit: 1 }),
  tryDrain: async (c) => c.tryDrain(() => {}, { limit: 1 }),
  drainSync: async (c) => c.drainSync(() => {}, { limit: 1 }),
  peekSync: async (c) => c.peekSync()?.release(),
  receiveIntoSync: async (c) => c.receiveIntoSync(new Uint8Array(64)),
  drainInto: (c) => c.drainInto(new Uint8Array(64), new Uint32Array(1)),
  tryDrainInto: async (c) => c.tryDrainInto(new Uint8Array(64), new Uint32Array(1)),
  records: (c) => c.records().next(),
  loop: async (c) => {
    for await (const _ of c) return;
  },
};

/** Takes so many records in one way, and is killed with the last one done. */
export async function takeAndDie(
  name: string,
  way: string,
  acknowledge: "batch" | "each",
  count: number,
): Promise<void> {
  const taking = Segment.open(name).ring("jobs", RING).consumer({ acknowledge });
  for (let i = 0; i < count; i++) await ways[way](taking);
  process.kill(process.pid, "SIGKILL");
}

/** Ways to work on one record after the other. */
const works: Record<string, (ring: Ring, acknowledge: "batch" | "each", work: () => void) => Promise<void>> =
  {
    loop: async (ring, acknowledge, work) => {
      for await (const _ of ring.consumer({ acknowledge })) work();
    },
    records: async (ring, acknowledge, work) => {
      for await (const _ of ring.consumer({ acknowledge }).records({ timeoutMs: 1e6 })) work();
    },
    drain: async (ring, acknowledge, work) => {
      await ring.consumer({ acknowledge }).drain(work);
    },
    drainSync: async (ring, acknowledge, work) => {
      ring.consumer({ acknowledge }).drainSync(work);
    },
    peek: async (ring, acknowledge, work) => {
      const taking = ring.consumer({ acknowledge });
      for (let record = await taking.peek(); record; record = await taking.peek()) {
        work();
        record.release();
      }
    },
    "stream, read": async (ring, acknowledge, work) => {
      const reader = (ring.readable({ acknowledge }) as ReadableStream<Uint8Array>).getReader();
      for (;;) {
        await reader.read();
        work();
      }
    },
    "stream, loop": async (ring, acknowledge, work) => {
      for await (const _ of ring.readable({ acknowledge }) as ReadableStream<Uint8Array>) work();
    },
    "stream, pipe": async (ring, acknowledge, work) => {
      const target = new WritableStream({ write: work });
      await (ring.readable({ acknowledge }) as ReadableStream<Uint8Array>).pipeTo(target);
    },
  };

/** The same in one loop, in the body of a drain, or through a stream: killed while the last record is at work. */
export async function dieAtWork(
  name: string,
  way: string,
  acknowledge: "batch" | "each",
  count: number,
): Promise<void> {
  let done = 0;
  await works[way](Segment.open(name).ring("jobs", RING), acknowledge, () => {
    if (++done === count) process.kill(process.pid, "SIGKILL");
  });
}

export function open(name: string): void {
  ring = Segment.open(name).ring("r", { bytes: 4096 });
}

export function takeProducer(): void {
  producer = ring.producer();
}

export function takeConsumer(): void {
  consumer = ring.consumer();
}

export function closeEnds(): void {
  producer?.close();
  consumer?.close();
}

export async function waitForProducer(): Promise<void> {
  producer = await ring.waitForProducer();
}

export function waitForProducerSync(): void {
  producer = ring.waitForProducerSync();
}

export function send(value: number): boolean {
  return producer?.trySend(Uint8Array.of(value)) ?? false;
}

let kept: Segment;

function sendAndForget(): WeakRef<Producer> {
  const forgotten = kept.ring("r", { bytes: 4096 }).producer();
  forgotten.trySend(Uint8Array.of(1));
  return new WeakRef(forgotten);
}

/** Takes the producer's end, sends one record, and forgets the end, but not the segment. */
export async function forgetProducer(name: string): Promise<void> {
  kept = Segment.open(name);
  const forgotten = sendAndForget();
  await until("the producer is collected", async () => {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    return forgotten.deref() === undefined;
  });
}

export function closeSegment(): void {
  kept.close();
}
