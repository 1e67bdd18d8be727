/** Segments of another version or layout, and counters that are about to wrap. */
import { KiB, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as layout from "../../protocol/layout.js";
import { ABI_VERSION } from "../../protocol/layout.js";
import { objectOffset, peek32, peek64, poke16, poke32, poke64 } from "../lib/poke.js";
import { refused } from "../lib/refusals.js";
import { makeIdle, segmentName } from "../lib/segments.js";
import { checkPayload, payload } from "../lib/series.js";

test("another version is refused, and the message names both", () => {
  const name = makeIdle(segmentName("version"), MiB);
  poke16(name, layout.HEADER_ABI_VERSION_OFFSET, 77);
  const text = new RegExp(`version 77\\D+version ${ABI_VERSION}|version 77.* has ${ABI_VERSION}`);
  refused("VERSION_MISMATCH", () => Segment.open(name), text);
  refused("VERSION_MISMATCH", () => Segment.openOrCreate(name, { bytes: MiB }), text);
  refused("VERSION_MISMATCH", () => Segment.open(name, { access: "read-only" }), text);
  assert.is(peek32(name, layout.HEADER_VERSION_MISMATCHES_OFFSET), 2);
  refused("ALREADY_EXISTS", () => Segment.create(name, { bytes: MiB }));
  using next = Segment.create(name, { bytes: MiB, replace: true });
  assert.is(Segment.open(name).state, next.state);
});

test("another layout is refused", () => {
  const name = makeIdle(segmentName("layout"), MiB);
  poke32(name, layout.HEADER_FINGERPRINT_OFFSET, 1);
  refused("LAYOUT_MISMATCH", () => Segment.open(name), /same release/);
  poke16(name, layout.HEADER_HEADER_SIZE_OFFSET, 64);
  refused("LAYOUT_MISMATCH", () => Segment.open(name));
  assert.is(peek32(name, layout.HEADER_LAYOUT_MISMATCHES_OFFSET), 2);
});

test("an object is opened with the parameters it was made with, or the difference is named", () => {
  using segment = Segment.create(segmentName("objects"), { bytes: MiB });
  segment.ring("ring", { bytes: 4 * KiB });
  segment.latest("pose", struct({ x: "f64" }));
  refused("OBJECT_MISMATCH", () => segment.ring("ring", { bytes: 8 * KiB }), /4096.*8192/);
  refused("OBJECT_MISMATCH", () => segment.ring("pose", { bytes: 4 * KiB }), /latest/);
  refused("OBJECT_MISMATCH", () => segment.latest("ring", struct({ x: "f64" })), /ring/);
  refused("OBJECT_MISMATCH", () => segment.latest("pose", struct({ y: "f64" })));
  refused("OBJECT_MISMATCH", () => segment.latest("pose", struct({ x: "f64", y: "f64" })));
});

test("a slot's generation goes past its last value and never names two owners alike", () => {
  const name = makeIdle(segmentName("generation"), MiB);
  const words = new Set<bigint>();
  poke64(name, layout.PARTICIPANTS_OFFSET, (0xfffffffdn << 32n) | BigInt(layout.SLOT_FREE));
  for (let i = 0; i < 6; i++) {
    using segment = Segment.open(name);
    words.add(peek64(name, layout.PARTICIPANTS_OFFSET));
    const producer = segment.ring("ring", { bytes: KiB }).producer();
    assert.ok(producer.trySend(new Uint8Array(8)));
    refused("BUSY", () => Segment.open(name).ring("ring", { bytes: KiB }).producer());
    assert.not.equal(peek64(name, objectOffset(name, "ring") + layout.RING_PRODUCER_OFFSET), 0n);
  }
  assert.is(words.size, 6);
});

test("an end can be taken more often than its counter counts", () => {
  using segment = Segment.create(segmentName("attach"), { bytes: MiB });
  using other = Segment.open(segment.name);
  const ring = segment.ring("ring", { bytes: KiB });
  ring.producer().close();
  const at = objectOffset(segment.name, "ring") + layout.RING_PRODUCER_OFFSET;
  const closed = peek64(segment.name, at);
  poke64(segment.name, at, (closed & ~0xffffn) | 0xfffbn);
  const consumer = other.ring("ring", { bytes: KiB }).consumer();
  for (let i = 0; i < 6; i++) {
    const producer = ring.producer();
    producer.trySend(payload(i));
    refused("BUSY", () => other.ring("ring", { bytes: KiB }).producer());
    producer.close();
    checkPayload(i, consumer.tryReceive() as Uint8Array);
    assert.is(consumer.receiveSync(), undefined); // each end of a tenure is reported once
  }
});

/** Sends and receives `count` records that go around the ring many times. */
function goAround(segment: Segment, count: number): void {
  const ring = segment.ring("ring", { bytes: KiB });
  const producer = ring.producer();
  const consumer = ring.consumer();
  let received = 0;
  for (let sent = 0; sent < count; ) {
    while (sent < count && producer.trySend(payload(sent))) sent++;
    for (let bytes = consumer.tryReceive(); bytes; bytes = consumer.tryReceive())
      checkPayload(received++, bytes);
  }
  assert.is(received, count);
  producer.close();
  consumer.close();
}

test("positions of a ring go past 2 to the power of 31, 32 and 53", () => {
  for (const power of [31n, 32n, 53n, 63n]) {
    using segment = Segment.create(segmentName("position"), { bytes: MiB });
    segment.ring("ring", { bytes: KiB });
    const at = objectOffset(segment.name, "ring");
    const start = 2n ** power - 2048n;
    for (const offset of [layout.RING_HEAD_OFFSET, layout.RING_TAIL_OFFSET])
      poke64(segment.name, at + offset, start);
    goAround(segment, 400);
    assert.ok(peek64(segment.name, at + layout.RING_HEAD_OFFSET) > 2n ** power);
  }
});

test("versions of a latest value go past 2 to the power of 32", () => {
  for (const bytes of [8, 4000]) {
    using segment = Segment.create(segmentName("latest"), { bytes: MiB });
    const latest = segment.latest("value", struct({ bytes: `bytes:${bytes}` }));
    latest.write({ bytes: new Uint8Array([0]) });
    const at = objectOffset(segment.name, "value");
    const version = 2n ** 32n - 3n;
    const slot = Number(peek64(segment.name, at + layout.LATEST_CURRENT_OFFSET) & 0xffn);
    poke64(segment.name, at + layout.LATEST_VERSIONS_OFFSET + slot * 8, version);
    poke64(segment.name, at + layout.LATEST_CURRENT_OFFSET, (version << 8n) | BigInt(slot));
    for (let i = 1; i < 7; i++) {
      latest.write({ bytes: new Uint8Array([i]) });
      assert.equal(latest.read(), { bytes: new Uint8Array([i]) });
      assert.is(latest.version, Number(version) + i);
    }
  }
});

test("a doorbell rings on when its count begins again", async () => {
  using segment = Segment.create(segmentName("doorbell"), { bytes: MiB });
  using other = Segment.open(segment.name);
  const ring = segment.ring("ring", { bytes: KiB });
  const producer = other.ring("ring", { bytes: KiB }).producer();
  const consumer = ring.consumer();
  poke32(segment.name, layout.PARTICIPANTS_OFFSET + layout.PARTICIPANT_DOORBELL_OFFSET, 0xfffffffe);
  for (let i = 1; i < 6; i++) {
    const received = consumer.receive({ timeoutMs: 30_000 });
    producer.trySend(payload(i));
    checkPayload(i, (await received) as Uint8Array);
  }
});

test.run();
