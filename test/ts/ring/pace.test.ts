/** When a consumer pauses before it looks: in a stream of which each look finds a little, and at no other time. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Pace } from "../../../ts/ring/pace.js";
import { randomFrom } from "../../lib/schedule.js";

const RECORD_BYTES = 72;

/** A consumer that counts its pauses; `turn` is one look in vain after the other, then one that finds records. */
function paced() {
  let pauses = 0;
  let position = 0xffff_ff00; // low halves of positions wrap
  const pace = new Pace(position, () => pauses++);
  const turn = (vain: number, records: number): number => {
    const before = pauses;
    pace.look(position);
    for (let i = 0; i < vain; i++) {
      pace.missed();
      pace.look(position);
    }
    pace.found(records > 1);
    position = (position + records * RECORD_BYTES) >>> 0;
    return pauses - before;
  };
  return turn;
}

test("a consumer pauses once per look when records come one after the other", () => {
  const turn = paced();
  let pauses = 0;
  for (let i = 0; i < 100; i++) pauses += turn(i % 3, 3);
  assert.ok(pauses > 90 && pauses <= 100, `${pauses}`);
});

test("it does not pause when looks find much", () => {
  const turn = paced();
  for (let i = 0; i < 100; i++) assert.is(turn(0, 64), 0);
});

test("it does not pause for answers, which take a while", () => {
  const turn = paced();
  for (let i = 0; i < 100; i++) assert.is(turn(10, 1), 0);
});

test("it stops when a stream ends", () => {
  const turn = paced();
  for (let i = 0; i < 10; i++) turn(0, 3);
  turn(10, 1);
  for (let i = 0; i < 10; i++) assert.is(turn(10, 3), 0);
});

test("it does without pauses that bring one record each, and tries them again ever more seldom", () => {
  const turn = paced();
  for (let i = 0; i < 10; i++) turn(0, 3);
  const counts = [200, 2000, 20_000].map((records) => {
    let pauses = 0;
    for (let i = 0; i < records; i++) pauses += turn(1, 1);
    return pauses;
  });
  assert.ok(
    counts.every((pauses) => pauses > 0 && pauses < 10),
    `${counts}`,
  );
  while (turn(0, 3) === 0);
  for (let i = 0; i < 10; i++) assert.is(turn(0, 3), 1, "it pauses again when they bring some");
});

test("lines that are fetched for the next records hold no record that is still there", () => {
  const random = randomFrom(7);
  using segment = Segment.createAnonymous({ bytes: MiB });
  const ring = segment.ring("r", { bytes: 4096 });
  const [producer, consumer] = [ring.producer(), ring.consumer({ acknowledge: "each" })];
  let sent = 0;
  let received = 0;
  for (let turn = 0; turn < 2000; turn++) {
    while (producer.trySend(new Uint8Array(1 + (sent % 200)).fill(sent + 1))) sent++;
    for (let take = random(12); take >= 0; take--) {
      const bytes = consumer.tryReceive();
      if (bytes === undefined) break;
      assert.is(bytes.length, 1 + (received % 200));
      assert.ok(
        bytes.every((byte) => byte === ((received + 1) & 255)),
        `record ${received}`,
      );
      received++;
    }
  }
  assert.ok(received > 2000);
});

test.run();
