/** What a consumer that is killed costs: how many records its successor gets again, in each form and mode. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { someOf } from "../../lib/depth.js";
import { Agent } from "../../lib/processes.js";
import { node } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";

const RECORDS = 100;
const DONE = 50;

/** The number of the record that the next consumer gets first, after a child has died. */
async function firstAfter(action: string, way: string, acknowledge: string): Promise<number | undefined> {
  using segment = Segment.create(segmentName("acknowledge"), { bytes: 2 * MiB });
  const ring = segment.ring("jobs", { bytes: MiB });
  const producer = ring.producer();
  for (let i = 0; i < RECORDS; i++) assert.ok(producer.trySend(Uint8Array.of(i)));
  const child = await Agent.start(node, "ts/ring/ring-actions.ts");
  child.call(action, segment.name, way, acknowledge, DONE).catch(() => {});
  await child.ended;
  const first = ring.consumer().tryReceive()?.[0];
  segment.unlink();
  return first;
}

/** In batches nothing was acknowledged yet: 50 are fewer than 64. A release, and each drain, acknowledges at once. */
const BATCH: Record<string, number> = {
  receive: 0,
  receiveSync: 0,
  tryReceive: 0,
  receiveInto: 0,
  tryReceiveInto: 0,
  loop: 0,
  peek: DONE,
  tryPeek: DONE,
  drain: DONE,
  tryDrain: DONE,
  drainSync: DONE,
  peekSync: DONE,
  receiveIntoSync: 0,
  drainInto: 0,
  tryDrainInto: 0,
  records: 0,
};

for (const [way, first] of someOf(Object.entries(BATCH), 2)) {
  test(`killed after ${DONE} records by ${way}: in batches ${first} come first, acknowledging each only the last one`, async () => {
    assert.is(await firstAfter("takeAndDie", way, "batch"), first);
    assert.is(await firstAfter("takeAndDie", way, "each"), Math.max(first, DONE - 1));
  });
}

for (const [way, batch] of Object.entries({
  loop: 0,
  records: 0,
  drain: 0,
  drainSync: 0,
  peek: DONE - 1,
  "stream, read": 0,
  "stream, loop": 0,
  "stream, pipe": 0,
})) {
  test(`killed while record ${DONE - 1} is at work in a ${way}: that one comes first when each is acknowledged`, async () => {
    assert.is(await firstAfter("dieAtWork", way, "batch"), batch);
    assert.is(await firstAfter("dieAtWork", way, "each"), DONE - 1);
  });
}

test("acknowledging each, a large record that was received comes again, too, and counts when the next one is asked for", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const ring = segment.ring("large", { bytes: 1024 });
  const producer = ring.producer();
  const consumer = ring.consumer({ acknowledge: "each" });
  assert.ok(producer.trySend(new Uint8Array(800)));
  assert.is(consumer.tryReceive()?.length, 800);
  assert.is(ring.stats.received, 0);
  assert.is(ring.stats.used, 808);
  assert.is(consumer.tryReceive(), undefined);
  assert.is(ring.stats.used, 0);
});

test("acknowledging each, a small record counts when the next one is asked for, too", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const ring = segment.ring("small", { bytes: 4096 });
  ring.producer().trySendMany(Array.from({ length: 10 }, () => new Uint8Array(8)));
  const consumer = ring.consumer({ acknowledge: "each" });
  for (let left = 10; left > 0; left--) {
    assert.ok(consumer.tryReceive());
    assert.equal([ring.stats.used, ring.stats.received], [left * 16, 10 - left]);
  }
  assert.is(consumer.tryReceive(), undefined);
  assert.is(ring.stats.used, 0);
});

test("a release acknowledges at once, each time, in both modes", () => {
  for (const acknowledge of ["batch", "each"] as const) {
    using segment = Segment.createAnonymous({ bytes: MiB });
    const ring = segment.ring("r", { bytes: 4096 });
    ring.producer().trySendMany(Array.from({ length: 10 }, () => new Uint8Array(8)));
    const consumer = ring.consumer({ acknowledge });
    for (let left = 9; left >= 0; left--) {
      consumer.tryPeek()?.release();
      assert.is(ring.stats.used, left * 16);
    }
  }
});

test("acknowledging each, drain releases a record when the function that handled it has returned", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const ring = segment.ring("r", { bytes: 4096 });
  ring.producer().trySendMany(Array.from({ length: 10 }, () => new Uint8Array(8)));
  const used: number[] = [];
  ring.consumer({ acknowledge: "each" }).tryDrain(() => used.push(ring.stats.used));
  assert.equal(
    used,
    Array.from({ length: 10 }, (_, i) => (10 - i) * 16),
  );
});

test("an unknown mode is refused, and the end stays free", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const ring = segment.ring("r", { bytes: 4096 });
  assert.throws(
    () => ring.consumer({ acknowledge: "all" as "each" }),
    /acknowledge must be "batch" or "each"/,
  );
  assert.throws(() => ring.consumer({ acknowledges: "each" } as never), /did you mean "acknowledge"/);
  ring.consumer().close();
});

test.run();
