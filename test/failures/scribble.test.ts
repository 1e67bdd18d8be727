// watchdog: 240 s
/**
 * Whatever the bytes of a segment are, every call gives a result or an error, in bounded time, and the process lives on. The
 * operations run in a child; the bytes are changed from here while they do.
 */
import { KiB, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as layout from "../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../protocol/limits.js";
import type { Attachment } from "../../ts/segment/attachment.js";
import { exportsOf, internal } from "../lib/internals.js";
import { entryOffset, objectOffset, peek32, peek64, poke32, pokeBytes } from "../lib/poke.js";
import { Agent } from "../lib/processes.js";
import { refused } from "../lib/refusals.js";
import { node, presentRuntimes } from "../lib/runtimes.js";
import { forget, segmentName } from "../lib/segments.js";
import { printedSeed, randomFrom } from "../lib/series.js";
import { pause } from "../lib/watchdog.js";
import { CACHE_BYTES, SERVICE } from "./scribble-actions.js";

const ACTIONS = "failures/scribble-actions.ts";
const ROUNDS = 12;
/** Of one round: so long, and so many calls at least. */
const MILLISECONDS = 250;
const CALLS_MIN = 200;

/** Bytes of a cache before its first shard. */
const CACHE_BEFORE_SHARD =
  layout.CACHE_WAITERS_OFFSET + layout.OBJECT_ALIGNMENT + PARTICIPANTS_MIN * layout.CACHE_COUNTS_BYTES;

const random = randomFrom(printedSeed());
const below = (limit: number): number => Math.floor(random() * limit);

/** Values that code with a missing check trips over. */
const ADVERSARIAL = [
  0n,
  1n,
  7n,
  8n,
  0xffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  0xffffffff_fffffff8n,
  0xffffffff_ffffffffn,
  0x7fffffff_ffffffffn,
  0x44415441_00000008n,
  0x44415441_ffffffffn,
  0x50414444_fffffff8n,
];

function hostileBytes(): Uint8Array {
  if (random() < 0.5) return Uint8Array.from({ length: 1 + below(64) }, () => below(256));
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(ADVERSARIAL[below(ADVERSARIAL.length)] as bigint);
  return random() < 0.5 ? bytes : bytes.subarray(0, 4);
}

/** Where it hurts: the words that steer the core. */
function targets(name: string): [from: number, bytes: number][] {
  const ring = objectOffset(name, "ring");
  return [
    [0, layout.HEADER_BYTES],
    [layout.SEGMENT_LOCK_OFFSET, 16],
    [layout.DIRECTORY_WAITERS_OFFSET, 128],
    [layout.PARTICIPANTS_OFFSET, 3 * layout.PARTICIPANT_BYTES],
    [entryOffset(name, 0), 4 * layout.ENTRY_BYTES],
    [objectOffset(name, "queue"), 4 * KiB], // its words, its lists and the first slots
    [objectOffset(name, "queue") + layout.QUEUE_HEAD_OFFSET, 2 * layout.QUEUE_LIST_BYTES],
    [objectOffset(name, "topic"), layout.BROADCAST_WAITERS_OFFSET + 2 * 128],
    [objectOffset(name, "topic"), 48],
    [objectOffset(name, "topic") + layout.BROADCAST_WAITERS_OFFSET + 2 * 128, 4 * KiB],
    ...["cache", "numbers"].flatMap((object): [number, number][] => [
      [objectOffset(name, object), CACHE_BYTES + CACHE_BEFORE_SHARD],
      [objectOffset(name, object) + CACHE_BEFORE_SHARD, layout.SHARD_HEADER_BYTES + KiB],
    ]),
    [objectOffset(name, "service"), 2 * layout.QUEUE_LIST_BYTES + layout.QUEUE_HEAD_OFFSET],
    [objectOffset(name, "service"), 4 * KiB], // its words, its lists and its calls
    [ring, layout.RING_WAITERS_OFFSET + 3 * 128],
    [ring, 32],
    [ring + layout.RING_TAIL_OFFSET, 40],
    [ring + layout.RING_WAITERS_OFFSET + 3 * 128, 4 * KiB],
    [objectOffset(name, "small"), 2 * KiB],
    [objectOffset(name, "large"), 24 * KiB],
    [layout.HEAP_OFFSET, layout.HEAP_END_OFFSET - layout.HEAP_OFFSET],
    [layout.PARTICIPANTS_OFFSET + PARTICIPANTS_MIN * layout.PARTICIPANT_BYTES, 256], // the journal
    [objectOffset(name, "large") + 24 * KiB, 64 * KiB], // blocks, in use and free
    ...["lock", "semaphore", "event", "counter"].map((object): [number, number] => [
      objectOffset(name, object) - layout.BLOCK_HEADER_BYTES,
      layout.BLOCK_HEADER_BYTES + 512,
    ]),
  ];
}

/** Changes bytes until the work is done. */
async function scribble(name: string, places: [number, number][], work: Promise<unknown>): Promise<void> {
  let done = false;
  const end = (): void => {
    done = true;
  };
  work.then(end, end);
  while (!done) {
    for (let i = 0; i < 20; i++) {
      const [from, bytes] = places[below(places.length)] as [number, number];
      pokeBytes(name, from + (below(bytes) & ~3), hostileBytes());
    }
    await pause(0);
  }
}

function prepare(): { name: string; segment: Segment; places: [number, number][] } {
  const segment = Segment.create(segmentName("scribble"), { bytes: MiB });
  segment.ring("ring", { bytes: 4 * KiB });
  segment.queue("queue", { capacity: 20, slotBytes: 100 });
  segment.broadcast("topic", { bytes: 4 * KiB });
  segment.cache("cache", { bytes: CACHE_BYTES });
  segment.cache("numbers", { bytes: CACHE_BYTES, value: "json", evict: "none" });
  segment.service("service", SERVICE);
  segment.latest("small", struct({ number: "u32", text: "utf8:16" }));
  segment.latest("large", struct({ bytes: "bytes:5000" }));
  segment.lock("lock");
  segment.semaphore("semaphore", { initial: 3 });
  segment.event("event");
  segment.counter("counter");
  return { name: segment.name, segment, places: targets(segment.name) };
}

for (const runtime of presentRuntimes()) {
  test(`${runtime.name}: operations end in bounded time while their bytes are scribbled on`, async () => {
    const child = await Agent.start(runtime, ACTIONS);
    const outcomes: Record<string, number> = {};
    for (let round = 0; round < ROUNDS || !outcomes.fine || !outcomes.CORRUPT; round++) {
      const { name, segment, places } = prepare();
      await child.call("begin", name);
      const operating = child.call<Record<string, number>>("operate", name, MILLISECONDS, CALLS_MIN);
      // One round in three goes for one place; else single words would rarely meet their reader in time.
      const aimed = round % 3 === 0 ? [places[below(places.length)] as [number, number]] : places;
      await scribble(name, aimed, operating);
      for (const [outcome, count] of Object.entries(await operating))
        outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
      await child.call("finish", name);
      segment.close();
      forget(name);
    }
    console.log(runtime.name, JSON.stringify(outcomes));
    await child.end();
  });
}

test("noticed: an operation that believes an offset", async () => {
  const { name, segment } = prepare();
  const child = await Agent.start(node, ACTIONS);
  await child.call("begin", name);
  await child.call("plant");
  assert.ok((await child.call<{ fine: number }>("operate", name, 0, 10)).fine === 10);
  poke32(name, layout.HEAP_ROOT_OFFSET, 0xfffffff8);
  const error = await child.call("operate", name, 0, 1).catch((reason: Error) => reason);
  assert.match(String(error), /RangeError/);
  await child.end();
  segment.close();
  forget(name);
});

test("a header that changes while drain is before it is damage, no view is made of it, and what came before is released", () => {
  const words = [
    [0xffffffff, layout.RECORD_DATA],
    [0xfffffff8, layout.RECORD_DATA],
    [0x7ffffff9, layout.RECORD_DATA],
    [4 * KiB, layout.RECORD_DATA],
    [3 * 24 - 7, layout.RECORD_DATA],
    [9, 0],
    [0xfffffff8, layout.RECORD_PADDING],
    [2, layout.RECORD_END],
    [0xffffffff, layout.RECORD_END],
  ];
  for (const [length, kind] of words as [number, number][]) {
    using segment = Segment.create(segmentName("header"), { bytes: MiB });
    const ring = segment.ring("ring", { bytes: 4 * KiB });
    using producer = ring.producer();
    using consumer = ring.consumer();
    const data = objectOffset(segment.name, "ring") + layout.RING_WAITERS_OFFSET + 3 * 128;
    for (let i = 0; i < 5; i++) producer.trySend(new Uint8Array(9).fill(i));
    let calls = 0;
    refused("CORRUPT", () =>
      consumer.tryDrain(({ bytes }) => {
        assert.equal(Uint8Array.from(bytes), new Uint8Array(9).fill(calls));
        if (++calls !== 2) return;
        poke32(segment.name, data + 2 * 24, length);
        poke32(segment.name, data + 2 * 24 + 4, kind);
      }),
    );
    assert.is(calls, 2);
    assert.is(ring.stats.received, 2);
    assert.is(ring.stats.used, 3 * 24);
    poke32(segment.name, data + 2 * 24, 9);
    poke32(segment.name, data + 2 * 24 + 4, layout.RECORD_DATA);
    assert.is(
      consumer.tryDrain(({ bytes }) => assert.is(bytes[0], calls++)),
      3,
    );
  }
});

test("a length that changes after the core has looked at it is damage, and no view is made of it", () => {
  const { offsetOf } = internal<{ offsetOf(result: number): number }>("core");
  using segment = Segment.createAnonymous({ bytes: MiB });
  const probe = segment.ring("probe", { bytes: 4 * KiB }).producer();
  const { attachment } = probe as unknown as { attachment: Attachment };
  const { core, u32 } = attachment;
  let at = 0;
  let length = 9;
  const ringReceive = (...given: Parameters<typeof core.ringReceive>): number => {
    if (at !== 0) u32[at >>> 2] = 9;
    const result = core.ringReceive(...given);
    at = offsetOf(result);
    u32[at >>> 2] = length;
    return result;
  };
  Object.assign(attachment, { core: { ...exportsOf(core), ringReceive } });
  const ring = segment.ring("ring", { bytes: 4 * KiB });
  const producer = ring.producer();
  const consumer = ring.consumer();
  producer.trySend(new Uint8Array(9).fill(7));
  for (length of [0xffffffff, 0x7ffffff9, 4 * KiB, 4 * KiB - 7])
    refused("CORRUPT", () => consumer.tryReceive());
  length = 9;
  assert.equal(consumer.tryReceive(), new Uint8Array(9).fill(7));
});

test("a free block that claims to be larger than the heap is damage, and is not followed", () => {
  for (const size of [0x7ffffff8, 0xfffffff8, 2 * MiB, 16, 12]) {
    using segment = Segment.create(segmentName("block"), { bytes: MiB });
    let at = Number(peek64(segment.name, layout.HEADER_PAYLOAD_OFFSET_OFFSET)) + layout.BLOCK_SIZE_OFFSET;
    // The last free block is the large one, before the fence that is in use.
    while (at + peek32(segment.name, at) < MiB - 64 * KiB)
      at += peek32(segment.name, at) & ~layout.BLOCK_FREE;
    assert.ok(peek32(segment.name, at) & layout.BLOCK_FREE);
    poke32(segment.name, at, (size | layout.BLOCK_FREE) >>> 0);
    refused("CORRUPT", () => segment.ring("ring", { bytes: 4 * KiB }));
    refused("CORRUPT", () => segment.heap.allocate(4 * KiB));
  }
});

test.run();
