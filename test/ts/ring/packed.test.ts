/** Payloads in slabs: what is sent in one piece arrives as records, and records come out in one piece. */
import { type Consumer, MiB, type Producer, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { refused } from "../../lib/refusals.js";
import { randomFrom } from "../../lib/schedule.js";
import { codeWithin, within } from "../../lib/watchdog.js";

function ringOf(bytes: number, acknowledge: "batch" | "each" = "batch") {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const ring = segment.ring("r", { bytes });
  const [producer, consumer] = [ring.producer(), ring.consumer({ acknowledge })];
  return { segment, ring, producer, consumer, [Symbol.dispose]: () => segment.close() };
}

/** Payloads whose bytes tell their number and their length. */
function payloadOf(number: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => number * 7 + length + index);
}

function packed(payloads: Uint8Array[]): { slab: Uint8Array; lengths: Uint32Array } {
  return {
    slab: Uint8Array.from(Buffer.concat(payloads)),
    lengths: Uint32Array.from(payloads, (payload) => payload.length),
  };
}

function unpacked(slab: Uint8Array, lengths: Uint32Array, count: number): Uint8Array[] {
  let end = 0;
  return Array.from({ length: count }, (_, index) => {
    const begin = end;
    end += lengths[index] as number;
    return slab.slice(begin, end);
  });
}

function receiveAll(consumer: Consumer): Uint8Array[] {
  const all: Uint8Array[] = [];
  consumer.tryDrain((record) => void all.push(record.copy()));
  return all;
}

for (const [name, capacity, longest] of [
  ["short payloads", 4096, 24],
  ["payloads of all lengths", 16384, 900],
  ["payloads that wrap often", 512, 100],
] as const) {
  test(`slabs in, records out, and records in, slabs out: ${name}`, () => {
    using t = ringOf(capacity);
    const random = randomFrom(longest);
    let [sent, received] = [0, 0];
    const lengthOf: number[] = [];
    const check = (payload: Uint8Array): void => {
      assert.equal(payload, payloadOf(received, lengthOf[received] as number), `record ${received}`);
      received++;
    };
    // A slab that begins anywhere in its buffer.
    const slab = new Uint8Array(new ArrayBuffer(4 * longest + 8), random(8));
    while (received < 5000) {
      const payloads = Array.from({ length: random(90) }, (_, index) =>
        payloadOf(sent + index, random(longest)),
      );
      if (random(4) === 0) {
        for (const payload of payloads) {
          if (!t.producer.trySend(payload)) break;
          lengthOf[sent++] = payload.length;
        }
      } else {
        const { slab: bytes, lengths } = packed(payloads);
        const count = t.producer.trySendPacked(bytes, random(2) === 0 ? lengths : [...lengths]);
        for (let i = 0; i < count; i++) lengthOf[sent++] = (payloads[i] as Uint8Array).length;
      }
      if (random(3) === 0) receiveAll(t.consumer).forEach(check);
      else {
        const lengths = new Uint32Array(random(80));
        for (let turns = random(9); turns > 0; turns--)
          unpacked(slab, lengths, t.consumer.tryDrainInto(slab, lengths)).forEach(check);
      }
    }
    assert.is(t.ring.stats.sent, sent);
  });
}

test("a slab that does not fit is sent in part; the other forms wait for the rest, and progress tells", async () => {
  using t = ringOf(512);
  const payloads = Array.from({ length: 200 }, (_, index) => payloadOf(index, index % 60));
  const { slab, lengths } = packed(payloads);
  const sent = t.producer.trySendPacked(slab, lengths);
  assert.ok(sent > 0 && sent < 200, `${sent}`);
  const first = receiveAll(t.consumer);
  assert.equal(first, payloads.slice(0, sent));
  const progress = { sent: 0 };
  const sending = t.producer.sendPacked(slab, lengths, { progress });
  assert.is(t.producer.trySendPacked(slab, lengths), 0, "others come first");
  const got: Uint8Array[] = [];
  const [into, long] = [new Uint8Array(300), new Uint32Array(300)];
  while (got.length < 200)
    got.push(...unpacked(into, long, await within("records", t.consumer.drainInto(into, long))));
  await within("the rest", sending);
  assert.equal(got, payloads);
  assert.is(progress.sent, 200);
  assert.is(await codeWithin(t.producer.sendPacked(slab, lengths, { timeoutMs: 20, progress })), "TIMED_OUT");
  assert.is(progress.sent, receiveAll(t.consumer).length);
  refused("TIMED_OUT", () => t.producer.sendPackedSync(slab, lengths, { timeoutMs: 20, progress }));
  assert.is(progress.sent, t.consumer.drainIntoSync(new Uint8Array(512), long));
});

test("anything wrong with one length, and nothing is sent", () => {
  using t = ringOf(256);
  const slab = new Uint8Array(300);
  const wrong: [unknown, RegExp][] = [
    [[1, 2, 300], /TOO_LARGE|can never fit/],
    [[1, 2.5], /lengths\[1\]/],
    [[1, -1], /lengths\[1\]/],
    [[1, "2"], /lengths\[1\]/],
    [[200, 101], /lengths must add up to at most 300/],
    [Uint32Array.of(200, 101), /lengths must add up to at most 300/],
    [Uint32Array.of(1, 249), /can never fit/],
    [new Uint16Array(1), /lengths must be a Uint32Array/],
    [undefined, /lengths must be a Uint32Array/],
  ];
  for (const [lengths, message] of wrong)
    assert.throws(() => t.producer.trySendPacked(slab, lengths as Uint32Array), message);
  assert.throws(() => t.producer.trySendPacked("x" as unknown as Uint8Array, [1]), /slab must be/);
  assert.is(t.ring.stats.sent, 0);
  assert.is(t.producer.trySendPacked(slab, [1, 0, 2]), 3, "what lies behind them in the slab does not count");
  assert.equal(
    receiveAll(t.consumer).map((payload) => payload.length),
    [1, 0, 2],
  );
});

test("a slab that is too short for the first record is refused, and the record stays; for a later one it is full", () => {
  using t = ringOf(4096);
  t.producer.trySendMany([new Uint8Array(8), new Uint8Array(40)]);
  const lengths = new Uint32Array(4);
  assert.throws(() => t.consumer.tryDrainInto(new Uint8Array(7), lengths), /slab must have at least 8 bytes/);
  assert.is(t.consumer.tryDrainInto(new Uint8Array(16), lengths), 1);
  assert.throws(
    () => t.consumer.tryDrainInto(new Uint8Array(39), lengths),
    /slab must have at least 40 bytes/,
  );
  assert.throws(
    () => t.consumer.tryDrainInto(new Uint8Array(64), [1] as unknown as Uint32Array),
    /lengths must be a Uint32Array/,
  );
  assert.is(t.consumer.tryDrainInto(new Uint8Array(64), new Uint32Array(0)), 0);
  assert.is(t.consumer.tryDrainInto(new Uint8Array(64), lengths), 1);
  assert.is(lengths[0], 40);
});

test("the end of a stream is 0, once", async () => {
  using t = ringOf(256);
  const [slab, lengths] = [new Uint8Array(64), new Uint32Array(4)];
  t.producer.trySendPacked(slab, [1]);
  t.producer.close();
  assert.is(await within("a record", t.consumer.drainInto(slab, lengths)), 1);
  assert.is(await within("the end", t.consumer.drainInto(slab, lengths)), 0);
  assert.is(t.consumer.tryDrainInto(slab, lengths), 0);
});

test("a ring with a layout takes and gives the bytes of values", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const Pair = struct({ a: "u32", b: "u32" });
  const ring = segment.ring("pairs", { bytes: 1024, layout: Pair });
  const producer: Producer<{ a: number; b: number }> = ring.producer() as never;
  const consumer = ring.consumer();
  const slab = new Uint8Array(Uint32Array.of(1, 2, 3, 4).buffer);
  assert.throws(() => producer.trySendPacked(slab, [8, 4]), /lengths\[1\] must be 8/);
  assert.throws(() => producer.trySendPacked(slab, Uint32Array.of(8, 4)), /lengths\[1\] must be 8/);
  assert.is(producer.trySendPacked(slab, Uint32Array.of(8, 8)), 2);
  assert.equal(consumer.tryReceive(), { a: 1, b: 2 });
  const into = new Uint32Array(2);
  assert.is(consumer.tryDrainInto(new Uint8Array(into.buffer), new Uint32Array(3)), 1);
  assert.equal(into, Uint32Array.of(3, 4));
});

test("acknowledging each, all records of a slab count as consumed when the next one is asked for, and no sooner", () => {
  using t = ringOf(4096, "each");
  const { slab, lengths } = packed(Array.from({ length: 5 }, (_, index) => payloadOf(index, 8)));
  assert.is(t.producer.trySendPacked(slab, lengths), 5);
  assert.is(t.consumer.tryDrainInto(slab, new Uint32Array(3)), 3);
  assert.is(t.ring.stats.used, 5 * 16);
  assert.is(t.consumer.tryReceive()?.length, 8);
  assert.is(t.ring.stats.used, 2 * 16);
  assert.is(t.consumer.tryReceive()?.length, 8);
  assert.is(t.ring.stats.used, 1 * 16);
  assert.is(t.consumer.tryDrainInto(slab, lengths), 0);
  assert.is(t.ring.stats.used, 0);
  assert.is(t.producer.trySendPacked(slab, lengths), 5);
  assert.is(t.consumer.tryDrainInto(slab, new Uint32Array(8)), 5);
  assert.is(t.ring.stats.used, 5 * 16, "also when there is room for more than there are");
  assert.is(t.consumer.tryReceive(), undefined);
  assert.is(t.ring.stats.used, 0);
});

test("in batches, no more is held back than by receives", () => {
  using t = ringOf(65536);
  const { slab, lengths } = packed(Array.from({ length: 300 }, (_, index) => payloadOf(index, 8)));
  assert.is(t.producer.trySendPacked(slab, lengths), 300);
  for (let taken = 0; taken < 300; taken += 50) {
    assert.is(t.consumer.tryDrainInto(slab, new Uint32Array(50)), 50);
    const released = 300 - t.ring.stats.used / 16;
    assert.ok(taken + 50 - released <= 64, `${released} of ${taken + 50} are released`);
  }
});

test.run();
