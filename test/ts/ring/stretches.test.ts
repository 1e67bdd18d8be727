/** A consumer looks once for many records. What it holds back, and what it gives back, is as if it looked for each. */
import { type Consumer, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { RECORD_HEADER_BYTES } from "../../../protocol/layout.js";
import { RING_HELD_RECORDS_MAX, RING_HELD_SHIFT } from "../../../protocol/limits.js";
import type { Attachment } from "../../../ts/segment/attachment.js";
import { randomFrom } from "../../lib/schedule.js";
import { within } from "../../lib/watchdog.js";

const PAYLOAD = 64;
const RECORD = RECORD_HEADER_BYTES + PAYLOAD;

function payload(number: number, bytes = PAYLOAD): Uint8Array {
  return new Uint8Array(bytes).fill(number);
}

const target = new Uint8Array(256);

/** Takes at most so many records in one of the forms; the first byte of each. */
const FORMS: ((consumer: Consumer, most: number) => number[])[] = [
  (consumer, most) => {
    const came: number[] = [];
    while (came.length < most) {
      const bytes = consumer.tryReceive();
      if (bytes === undefined) break;
      came.push(bytes[0] as number);
    }
    return came;
  },
  (consumer, most) => {
    const came: number[] = [];
    while (came.length < most && consumer.tryReceiveInto(target) !== undefined)
      came.push(target[0] as number);
    return came;
  },
  (consumer, most) => {
    const came: number[] = [];
    while (came.length < most) {
      const record = consumer.tryPeek();
      if (record === undefined) break;
      came.push(record.bytes[0] as number);
      record.release();
    }
    return came;
  },
  (consumer, most) => {
    const came: number[] = [];
    consumer.tryDrain((record) => void came.push(record.bytes[0] as number), { limit: most });
    return came;
  },
];

for (const each of [false, true]) {
  test(`forms that take turns lose nothing and repeat nothing, also past the end${each ? ", acknowledging each" : ""}`, () => {
    using segment = Segment.createAnonymous({ bytes: MiB });
    const ring = segment.ring("r", { bytes: 1024 });
    const producer = ring.producer();
    const acknowledge = each ? "each" : "batch";
    let consumer = ring.consumer({ acknowledge });
    const random = randomFrom(each ? 2 : 1);
    let sent = 0;
    let came = 0;
    while (came < 20_000) {
      for (let i = random(12); i > 0 && producer.trySend(payload(sent, 1 + random(90))); i--) sent++;
      for (const number of (FORMS[random(4)] as (typeof FORMS)[0])(consumer, 1 + random(9)))
        assert.is(number, came++ & 255, "order");
      if (random(50) === 0) {
        consumer.close();
        consumer = ring.consumer({ acknowledge });
      }
    }
  });
}

for (const [records, held] of [
  [56, 56 >>> RING_HELD_SHIFT],
  [1000, RING_HELD_RECORDS_MAX],
] as const) {
  test(`no more than ${held} records are held back in a ring of ${records}, and with each acknowledged no more than one`, () => {
    using segment = Segment.createAnonymous({ bytes: MiB });
    for (const each of [false, true]) {
      const ring = segment.ring(`r${each}`, { bytes: records * RECORD });
      const producer = ring.producer();
      const consumer = ring.consumer({ acknowledge: each ? "each" : "batch" });
      let most = 0;
      for (let turn = 0; turn < 3; turn++) {
        let sent = 0;
        while (producer.trySend(payload(sent))) sent++;
        for (let taken = 1; consumer.tryReceiveInto(target) !== undefined; taken++) {
          const released = sent - ring.stats.used / RECORD;
          most = Math.max(most, taken - released);
        }
      }
      assert.is(most, each ? 1 : held);
    }
  });
}

test("nothing of a batch is sent when an element behind what has room is wrong", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const ring = segment.ring("r", { bytes: 1024 });
  const producer = ring.producer();
  const consumer = ring.consumer();
  const good = Array.from({ length: 20 }, (_, index) => payload(index));
  assert.is(producer.trySendMany([payload(1)]), 1);
  for (const wrong of ["x", undefined, new Uint8Array(1017)]) {
    assert.throws(() => producer.trySendMany([...good, wrong as Uint8Array]));
    assert.is(ring.stats.sent, 1);
  }
  const sent = producer.trySendMany(good);
  assert.is(ring.stats.sent, 1 + sent);
  assert.is(
    consumer.tryDrain(() => {}),
    1 + sent,
  );
});

test("a producer that waits for room gets it with the next record that is taken", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const ring = segment.ring("r", { bytes: 1000 * RECORD });
  const producer = ring.producer();
  const consumer = ring.consumer();
  while (producer.trySend(payload(1)));
  consumer.tryReceive();
  consumer.tryReceive();
  const sending = producer.send(payload(2));
  const { attachment } = producer as unknown as { attachment: Attachment };
  while (attachment.sleepers.size === 0) await new Promise((resolve) => setImmediate(resolve));
  consumer.tryReceive();
  await within("room", sending);
});

test.run();
