/** Rings whose records are values of a struct. */
import { type Consumer, type Infer, type Producer, type Ring, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { RECORD_HEADER_BYTES, RING_WAITERS_OFFSET } from "../../../protocol/layout.js";
import { objectOffset, poke32 } from "../../lib/poke.js";
import { refused } from "../../lib/refusals.js";
import { segmentName } from "../../lib/segments.js";
import { within } from "../../lib/watchdog.js";

const Pose = struct({ id: "u32", position: ["f64", 3], label: "utf8:16", raw: "bytes:4" });
type Pose = Infer<typeof Pose>;

const pose = (id: number): Pose => ({ id, position: [1, 2, id], label: `no. ${id}`, raw: Uint8Array.of(id) });

function typed(bytes = 4096): { segment: Segment; ring: Ring<Pose, typeof Pose.fields> } & Disposable {
  const segment = Segment.create(segmentName("typed"), { bytes: 65536 * 2 });
  segment.unlink();
  const ring = segment.ring("poses", { bytes, layout: Pose });
  return { segment, ring, [Symbol.dispose]: () => segment.close() };
}

test("values go through in every form, and types follow the layout", async () => {
  using t = typed();
  const producer: Producer<Pose> = t.ring.producer();
  const consumer: Consumer<Pose> = t.ring.consumer();
  assert.ok(producer.trySend(pose(1)));
  await producer.send(pose(2));
  producer.sendSync(pose(3));
  assert.is(producer.trySendMany([pose(4), pose(5)]), 2);
  await producer.sendMany([pose(6)]);
  producer.sendManySync([pose(7)]);
  const label: string | undefined = consumer.tryReceive()?.label;
  assert.is(label, "no. 1");
  assert.equal(await consumer.receive(), pose(2));
  assert.equal(consumer.receiveSync(), pose(3));
  const ids: number[] = [];
  consumer.tryDrain((record) => ids.push(record.view.get("id") as number), { limit: 2 });
  assert.equal(ids, [4, 5]);
  producer.close();
  for await (const value of consumer) ids.push(value.id);
  assert.equal(ids, [4, 5, 6, 7]);
});

test("claims and records have their fields in place", async () => {
  using t = typed();
  const producer = t.ring.producer();
  const consumer = t.ring.consumer();
  const claim = await producer.claim();
  assert.is(claim.bytes.length, Pose.bytes);
  claim.view.write(pose(1));
  claim.view.set("id", 9);
  claim.view.array("position")[2] = 0.5;
  assert.throws(() => claim.commit(8), /usedLength/);
  claim.commit();
  assert.throws(() => claim.view, /committed or aborted/);
  producer.trySend(pose(2));
  const record = consumer.tryPeek();
  assert.equal(record?.view.read(), { ...pose(1), id: 9, position: [1, 2, 0.5] });
  const old = record?.view;
  record?.release();
  assert.throws(() => old?.get("id"), /released already/);
  const next = consumer.tryPeek();
  assert.throws(() => old?.get("id"), /released already/);
  assert.is(next?.view.get("id"), 2);
  assert.throws(() => producer.tryClaim(8), /length must be \d+, got 8/);
});

test("a ring of bytes has no views", () => {
  using segment = Segment.createAnonymous({ bytes: 65536 });
  const ring = segment.ring("r", { bytes: 64 });
  const claim = ring.producer().tryClaim(8);
  const none: undefined = claim?.view;
  assert.is(none, undefined);
  claim?.commit();
  assert.is(ring.consumer().tryPeek()?.view, undefined);
});

test("a value that does not fit sends nothing, in any form", async () => {
  using t = typed();
  const producer = t.ring.producer();
  const wrong = [
    { ...pose(1), id: -1 },
    { ...pose(1), position: [1, 2] },
    { ...pose(1), label: "far too long for sixteen" },
    { ...pose(1), extra: 1 },
    undefined,
    new Uint8Array(Pose.bytes),
  ] as Pose[];
  for (const value of wrong) {
    assert.throws(() => producer.trySend(value));
    assert.throws(() => producer.sendSync(value));
    assert.throws(() => producer.trySendMany([pose(1), value]));
    assert.throws(() => producer.sendManySync([pose(1), value]));
    for (const sending of [producer.send(value), producer.sendMany([pose(1), value])])
      await sending.then(
        () => assert.unreachable(),
        () => {},
      );
  }
  assert.is(t.ring.stats.sent, 0);
  assert.ok(producer.trySend(pose(2)));
  assert.equal(t.ring.consumer().tryReceive(), pose(2));
});

test("a value that is sent while it waits is as it was when send was called", async () => {
  using t = typed(Pose.bytes + RECORD_HEADER_BYTES);
  const producer = t.ring.producer();
  const consumer = t.ring.consumer();
  const value = pose(1);
  producer.trySend(value);
  const sending = producer.send(value);
  const many = producer.sendMany([value, value]);
  value.id = 99;
  for (let i = 0; i < 4; i++) assert.is((await within("a value", consumer.receive()))?.id, 1);
  await within("all", Promise.all([sending, many]));
});

test("a getter that closes the producer, or sends, breaks nothing", () => {
  using t = typed();
  const producer = t.ring.producer();
  const sends = {
    ...pose(1),
    get id() {
      producer.trySend(pose(5));
      return 1;
    },
  };
  assert.ok(producer.trySend(sends));
  const consumer = t.ring.consumer();
  assert.is(consumer.tryReceive()?.id, 5);
  assert.is(consumer.tryReceive()?.id, 1);
  const closes = {
    ...pose(1),
    get id() {
      producer.close();
      return 1;
    },
  };
  refused("CLOSED", () => producer.trySend(closes));
  assert.is(consumer.tryReceive(), undefined);
});

test("programs that disagree about the layout are refused, and say what differs", () => {
  using t = typed();
  const { segment } = t;
  const Other = struct({ id: "u32", position: ["f32", 3] });
  refused("OBJECT_MISMATCH", () => segment.ring("poses", { bytes: 4096, layout: Other }), /layout/);
  refused("OBJECT_MISMATCH", () => segment.ring("poses", { layout: Other }), /layout/);
  refused("OBJECT_MISMATCH", () => segment.ring("poses", { bytes: 4096 }), /no layout/);
  refused("OBJECT_MISMATCH", () => segment.ring("poses", { bytes: 8192, layout: Pose }), /4096.*8192/);
  segment.ring("bytes", { bytes: 4096 });
  refused("OBJECT_MISMATCH", () => segment.ring("bytes", { bytes: 4096, layout: Pose }), /no layout/);
  refused("OBJECT_MISMATCH", () => segment.ring("bytes", { layout: Pose }), /no layout/);
  assert.throws(() => segment.ring("new", { bytes: 64, layout: Pose }), /bytes must be at least/);
  assert.throws(
    () => segment.ring("new", { bytes: 64, layout: {} as typeof Pose }),
    /layout must be a struct/,
  );
});

test("a ring that exists is opened without its bytes; its ends only with its layout", () => {
  using t = typed();
  const { segment } = t;
  assert.is(segment.ring("poses", { layout: Pose }).capacity, 4096);
  const looking = segment.ring("poses");
  assert.is(looking.stats.capacity, 4096);
  refused("OBJECT_MISMATCH", () => looking.consumer(), /open it with \{ layout \}/);
  refused("OBJECT_MISMATCH", () => looking.producer(), /open it with \{ layout \}/);
  refused("NOT_FOUND", () => segment.ring("none"), /give \{ bytes \}/);
  refused("NOT_FOUND", () => segment.ring("none", { layout: Pose }), /give \{ bytes \}/);
  segment.event("event");
  refused("OBJECT_MISMATCH", () => segment.ring("event"), /is an event/);
  segment.ring("bytes", { bytes: 128 });
  assert.ok(segment.ring("bytes").producer().trySend(new Uint8Array(1)));
});

test("the directory says the layout of a ring that has one", () => {
  using t = typed();
  t.segment.ring("bytes", { bytes: 64 });
  const parameters = Object.fromEntries(t.segment.objects().map((one) => [one.name, one.parameters]));
  assert.equal(parameters, { poses: { bytes: 4096, layout: Pose.hash }, bytes: { bytes: 64 } });
});

test("a record of another length, which only damage can be, is CORRUPT in every form", () => {
  const segment = Segment.create(segmentName("length"), { bytes: 65536 * 2 });
  const ring = segment.ring("poses", { bytes: 4096, layout: Pose });
  ring.producer().trySendMany([pose(1), pose(2)]);
  poke32(segment.name, objectOffset(segment.name, "poses") + RING_WAITERS_OFFSET + 3 * 128, Pose.bytes - 1);
  const consumer = ring.consumer();
  refused("CORRUPT", () => consumer.tryReceive());
  refused("CORRUPT", () => consumer.tryPeek());
  refused("CORRUPT", () => consumer.tryDrain(() => assert.unreachable()));
  segment.unlink();
  segment.close();
});

test.run();
