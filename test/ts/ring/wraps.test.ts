/** Numbers that come to their end go on from the beginning, and nothing notices: each is put right before that. */
import { KiB, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as layout from "../../../protocol/layout.js";
import { objectOffset, peek32, peek64, poke32, poke64 } from "../../lib/poke.js";
import { refused } from "../../lib/refusals.js";
import { segmentName } from "../../lib/segments.js";
import { payload } from "../../lib/series.js";

const BEFORE = 0xffffffff;

function slotAt(slot: number): number {
  return layout.PARTICIPANTS_OFFSET + slot * layout.PARTICIPANT_BYTES;
}

/** A segment of its own, gone afterwards. */
function withSegment(use: (segment: Segment) => void): void {
  using segment = Segment.create(segmentName("wraps"), { bytes: MiB });
  try {
    use(segment);
  } finally {
    segment.unlink();
  }
}

for (const before of [BEFORE, 0x003fffff, 0x00fffffe, 0x7fffffff]) {
  test(`the generation after ${before.toString(16)} is no other one's, and holds what it takes`, () => {
    withSegment((segment) => {
      const { name } = segment;
      const word = slotAt(1) + layout.PARTICIPANT_WORD_OFFSET;
      poke64(name, word, (BigInt(before) << 32n) | (1n << 16n) | BigInt(layout.SLOT_FREE));
      using second = Segment.open(name);
      // No token is 0, nor its short form: a word that is 0 says that nobody holds it.
      const plain = (before + 1) >>> 0;
      assert.is(Number(peek64(name, word) >> 32n), (plain & 0x3fffff) === 0 ? plain + 1 : plain);
      for (const mode of ["exclusive", "shared"] as const) {
        const held = second.lock("lock").tryAcquire(mode);
        assert.ok(held);
        assert.is(segment.lock("lock").tryAcquire("exclusive"), undefined, mode);
        held.release();
        segment.lock("lock").tryAcquire("exclusive")?.release();
      }
      const producer = second.ring("ring", { bytes: 4 * KiB }).producer();
      refused("BUSY", () => segment.ring("ring", { bytes: 4 * KiB }).producer());
      producer.trySend(new Uint8Array(9));
      const large = struct({ bytes: "bytes:5000" });
      const mine = second.latest("large", large);
      for (let turn = 1; turn < 6; turn++) {
        segment.latest("large", large).write({ bytes: new Uint8Array(5000).fill(turn) });
        assert.is(mine.read()?.bytes[4999], turn);
        mine.write({ bytes: new Uint8Array(5000).fill(100 + turn) });
        assert.is(segment.latest("large", large).read()?.bytes[0], 100 + turn);
      }
      assert.is(
        second.transactionSync(second.lock("lock"), () => second.heap.allocate(10).byteLength),
        10,
      );
      assert.is(segment.participants().length, 2);
      assert.ok(segment.heap.check().ok);
    });
  });
}

test("the count of the heap's changes may pass its end", () => {
  withSegment((segment) => {
    poke32(segment.name, layout.HEAP_CHANGES_OFFSET, BEFORE - 1);
    const blocks = [1, 2, 3].map((bytes) => segment.heap.allocate(bytes));
    assert.ok(peek32(segment.name, layout.HEAP_CHANGES_OFFSET) < 10);
    assert.equal(segment.heap.check(), { ok: true, problems: [] });
    for (const block of blocks) block?.free();
    assert.equal(segment.heap.check(), { ok: true, problems: [] });
    poke32(segment.name, layout.HEAP_CHANGES_OFFSET, BEFORE);
    segment.heap.allocate(8).free();
    assert.ok(segment.heap.check().ok);
  });
});

/** Puts the positions of an empty ring to `position`, and its counts to `count`. */
function moveRing(name: string, position: bigint, count: bigint): void {
  const ring = objectOffset(name, "ring");
  for (const offset of [
    layout.RING_HEAD_OFFSET,
    layout.RING_TAIL_OFFSET,
    layout.RING_CURSOR_OFFSET,
    layout.RING_CACHED_HEAD_OFFSET,
  ])
    poke64(name, ring + offset, position);
  for (const offset of [layout.RING_SENT_OFFSET, layout.RING_RECEIVED_OFFSET, layout.RING_RELEASED_OFFSET])
    poke64(name, ring + offset, count);
}

for (const capacity of [256, 264, 4096]) {
  for (const power of [31n, 32n, 53n]) {
    test(`positions of a ring of ${capacity} bytes may pass 2^${power}`, () => {
      withSegment((segment) => {
        const ring = segment.ring("ring", { bytes: capacity });
        const before = (2n ** power / BigInt(capacity)) * BigInt(capacity) - BigInt(capacity);
        moveRing(segment.name, before, 2n ** power - 3n);
        using producer = ring.producer();
        using consumer = ring.consumer();
        for (let i = 0; i < 400; i++) {
          const bytes = payload(i).subarray(0, 100);
          const sent = i % 3 === 0 ? producer.trySendMany([bytes]) === 1 : producer.trySend(bytes);
          assert.ok(sent, `no room for record ${i}`);
          if (i % 2 === 0) assert.equal(consumer.tryReceive(), Uint8Array.from(bytes));
          else
            assert.is(
              consumer.tryDrain((record) =>
                assert.equal(Uint8Array.from(record.bytes), Uint8Array.from(bytes)),
              ),
              1,
            );
        }
        assert.is(ring.stats.used, 0);
      });
    });
  }
}

test("the version of a value may pass 2^32", () => {
  const layouts = { small: struct({ number: "u32" }), large: struct({ number: "u32", rest: "bytes:1000" }) };
  withSegment((segment) => {
    const rest = new Uint8Array(1000);
    const small = segment.latest("small", layouts.small);
    const large = segment.latest("large", layouts.large);
    small.write({ number: 1 });
    large.write({ number: 1, rest });
    for (const name of ["small", "large"]) {
      const at = objectOffset(segment.name, name);
      const current = peek64(segment.name, at + layout.LATEST_CURRENT_OFFSET);
      const slot = current & 0xffn;
      poke64(segment.name, at + layout.LATEST_CURRENT_OFFSET, ((2n ** 32n - 2n) << 8n) | slot);
      poke64(segment.name, at + layout.LATEST_VERSIONS_OFFSET + 8 * Number(slot), 2n ** 32n - 2n);
    }
    for (let number = 2; number < 9; number++) {
      assert.is(small.version, 2 ** 32 - 4 + number);
      small.write({ number });
      large.write({ number, rest });
      assert.is(large.nextSync({ timeoutMs: 1000 }).number, number);
      assert.is(small.nextSync({ timeoutMs: 1000 }).number, number);
    }
  });
});

test("the word of an event may pass its end while somebody waits", async () => {
  using segment = Segment.create(segmentName("wraps"), { bytes: MiB });
  try {
    const event = segment.event("event");
    poke32(segment.name, objectOffset(segment.name, "event") + layout.SIGNAL_VALUE_OFFSET, BEFORE - 1);
    assert.not(event.isSignaled);
    const waiting = event.wait({ timeoutMs: 10_000 });
    event.signal();
    event.reset();
    await waiting;
    assert.not(event.isSignaled);
    event.signal();
    event.waitSync({ timeoutMs: 0 });
  } finally {
    segment.unlink();
  }
});

test("an end may be taken more often than its word counts", () => {
  withSegment((segment) => {
    const ring = segment.ring("ring", { bytes: 256 });
    using consumer = ring.consumer();
    for (let turn = 0; turn < 33_000; turn++) ring.producer().close();
    assert.is(consumer.receiveSync({ timeoutMs: 1000 }), undefined);
    using producer = ring.producer();
    refused("BUSY", () => ring.producer());
    producer.trySend(Uint8Array.of(7));
    assert.equal(consumer.tryReceive(), Uint8Array.of(7));
  });
});

test.run();
