import fc from "fast-check";
import { type Consumer, IsthmusError, type Producer, type Ring, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";

interface Ends {
  ring: Ring;
  producer: Producer;
  consumer: Consumer;
}

function withRing<T>(bytes: number, body: (ends: Ends) => T): T {
  using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const ring = segment.ring("r", { bytes });
  using producer = ring.producer();
  using consumer = ring.consumer();
  return body({ ring, producer, consumer });
}

function code(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof IsthmusError) return error.code;
    throw error;
  }
  return "nothing was thrown";
}

/** Bytes that say which record they belong to. */
function payload(number: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (number * 31 + i * 7) & 0xff);
}

test("a ring behaves like a queue of bounded bytes, whatever the order of the calls", () => {
  const capacity = 256;
  const length = fc.integer({ min: 0, max: capacity - 8 });
  const call = fc.oneof(
    fc.record({ send: length }),
    fc.record({ sendMany: fc.array(length, { maxLength: 6 }) }),
    fc.record({ claim: length, used: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ abort: length }),
    fc.constant("receive" as const),
    fc.constant("receiveInto" as const),
    fc.constant("peek" as const),
    fc.record({ drain: fc.integer({ min: 0, max: 5 }) }),
    fc.constant("new producer" as const),
    fc.constant("new consumer" as const),
  );
  const property = fc.property(fc.array(call, { maxLength: 120 }), (calls) =>
    withRing(capacity, (ends) => {
      const model: Uint8Array[] = [];
      let number = 0;
      const kept = new Uint8Array(capacity);
      const expectNext = (bytes: Uint8Array | undefined): void => assert.equal(bytes, model.shift());
      const sent = (bytes: Uint8Array, ok: boolean): void => {
        if (ok) model.push(bytes);
        else if (model.length === 0) {
          // Only padding can be in the way, which the consumer skips when it looks.
          assert.is(ends.consumer.tryReceive(), undefined);
          assert.ok(
            ends.producer.tryClaim(bytes.length),
            "an empty ring has room for every record that fits",
          );
          ends.producer.close();
          ends.producer = ends.ring.producer();
        }
      };
      for (const one of calls) {
        if (one === "receive") expectNext(ends.consumer.tryReceive());
        else if (one === "receiveInto") {
          const got = ends.consumer.tryReceiveInto(kept);
          expectNext(got < 0 ? undefined : kept.slice(0, got));
        } else if (one === "peek") {
          const record = ends.consumer.tryPeek();
          expectNext(record && Uint8Array.from(record.bytes));
          record?.release();
        } else if (one === "new producer") {
          ends.producer.close();
          ends.producer = ends.ring.producer();
        } else if (one === "new consumer") {
          ends.consumer.close();
          ends.consumer = ends.ring.consumer();
        } else if ("drain" in one) {
          const handled = ends.consumer.drain((record) => expectNext(Uint8Array.from(record.bytes)), {
            limit: one.drain,
          });
          assert.ok(handled <= one.drain);
        } else if ("send" in one) {
          const bytes = payload(number++, one.send);
          sent(bytes, ends.producer.trySend(bytes));
        } else if ("sendMany" in one) {
          const all = one.sendMany.map((length) => payload(number++, length));
          const accepted = ends.producer.sendMany(all);
          for (const bytes of all.slice(0, accepted)) sent(bytes, true);
          if (accepted < all.length) sent(all[accepted], false);
        } else if ("claim" in one) {
          const claim = ends.producer.tryClaim(one.claim);
          const bytes = payload(number++, Math.floor(one.claim * one.used));
          claim?.bytes.set(bytes);
          claim?.commit(bytes.length);
          sent(bytes, claim !== undefined);
        } else ends.producer.tryClaim(one.abort)?.abort();
      }
      while (model.length > 0) expectNext(ends.consumer.tryReceive());
      assert.is(ends.consumer.tryReceive(), undefined);
    }),
  );
  fc.assert(property, { numRuns: 300 });
});

test("a ring of n bytes takes a record of n - 8, from every index, and refuses one byte more for ever", () => {
  withRing(256, ({ producer, consumer }) => {
    for (let i = 0; i < 40; i++) {
      assert.ok(producer.trySend(payload(i, 1 + (i % 5) * 8)));
      assert.ok(consumer.tryReceive());
      let sent = producer.trySend(payload(i, 248));
      // The padding may have to be skipped by the consumer first.
      if (!sent) {
        assert.is(consumer.tryReceive(), undefined);
        sent = producer.trySend(payload(i, 248));
      }
      assert.ok(sent);
      assert.equal(consumer.tryReceive(), payload(i, 248));
    }
    assert.is(
      code(() => producer.trySend(new Uint8Array(249))),
      "TOO_LARGE",
    );
    assert.is(
      code(() => producer.tryClaim(249)),
      "TOO_LARGE",
    );
  });
});

test("an end is BUSY while it is held, and free again when it is closed", () => {
  withRing(256, ({ ring, producer, consumer }) => {
    assert.is(
      code(() => ring.producer()),
      "BUSY",
    );
    assert.is(
      code(() => ring.consumer()),
      "BUSY",
    );
    producer.close();
    consumer.close();
    ring.producer().close();
    ring.consumer().close();
    assert.is(
      code(() => producer.trySend(new Uint8Array(1))),
      "CLOSED",
    );
    assert.is(
      code(() => consumer.tryReceive()),
      "CLOSED",
    );
  });
});

test("while a claim is open nothing else is sent, and a claim ends once", () => {
  withRing(256, ({ producer, consumer }) => {
    const claim = producer.tryClaim(8);
    assert.is(
      code(() => producer.trySend(new Uint8Array(1))),
      "BUSY",
    );
    assert.is(
      code(() => producer.sendMany([new Uint8Array(1)])),
      "BUSY",
    );
    assert.is(
      code(() => producer.tryClaim(1)),
      "BUSY",
    );
    assert.throws(() => claim?.commit(9), /usedLength/);
    claim?.commit(3);
    assert.is(
      code(() => claim?.commit()),
      "CLOSED",
    );
    assert.is(
      code(() => claim?.abort()),
      "CLOSED",
    );
    assert.is(consumer.tryReceive()?.length, 3);
    {
      using unused = producer.tryClaim(8);
      assert.ok(unused);
    }
    assert.ok(producer.trySend(new Uint8Array(1)));
  });
});

test("a peeked record stays the next one until it is released, and then it cannot be looked at", () => {
  withRing(256, ({ ring, producer, consumer }) => {
    producer.trySend(payload(1, 20));
    producer.trySend(payload(2, 20));
    const record = consumer.tryPeek();
    assert.is(consumer.tryPeek(), record);
    assert.is(
      code(() => consumer.tryReceive()),
      "BUSY",
    );
    consumer.close();
    using next = ring.consumer();
    const again = next.tryPeek();
    assert.equal(again && Uint8Array.from(again.bytes), payload(1, 20));
    again?.release();
    assert.is(
      code(() => again?.bytes),
      "CLOSED",
    );
    assert.is(
      code(() => again?.release()),
      "CLOSED",
    );
    assert.equal(next.tryReceive(), payload(2, 20));
  });
});

test("a function that throws inside drain leaves its record in the ring", () => {
  withRing(1024, ({ producer, consumer }) => {
    for (let i = 0; i < 5; i++) producer.trySend(payload(i, 9));
    let handled = 0;
    const failing = (): void => {
      if (++handled === 3) throw new Error("enough");
    };
    assert.throws(() => consumer.drain(failing), /enough/);
    assert.equal(consumer.tryReceive(), payload(2, 9));
  });
});

test("a target that is too short is refused, and the record stays", () => {
  withRing(256, ({ producer, consumer }) => {
    producer.trySend(payload(1, 20));
    assert.throws(
      () => consumer.tryReceiveInto(new Uint8Array(19)),
      (e: Error) => e instanceof RangeError,
    );
    assert.is(consumer.tryReceiveInto(new Uint8Array(20)), 20);
  });
});

test("records go to targets of any alignment unchanged", () => {
  withRing(16384, ({ producer, consumer }) => {
    const buffer = new ArrayBuffer(6000);
    for (let at = 0; at < 8; at++) {
      for (const length of [0, 1, 3, 4, 7, 64, 255, 256, 257, 4095, 4096, 5001]) {
        producer.trySend(payload(at, length));
        const target = new Uint8Array(buffer, at, 5100);
        assert.is(consumer.tryReceiveInto(target), length);
        assert.equal(target.slice(0, length), payload(at, length));
        producer.trySend(payload(at, length));
        assert.equal(consumer.tryReceive(), payload(at, length));
      }
    }
  });
});

test("statistics count what was sent, received and is in use", () => {
  withRing(1024, ({ ring, producer, consumer }) => {
    assert.is(ring.stats.lastSentAt, undefined);
    producer.sendMany([payload(1, 10), payload(2, 20)]);
    const before = ring.stats;
    assert.is(before.sent, 2);
    assert.is(before.bytes, 30);
    assert.is(before.used, 24 + 32);
    assert.ok(before.lastSentAt instanceof Date);
    consumer.drain(() => {});
    assert.is(ring.stats.received, 2);
    assert.is(ring.stats.used, 0);
  });
});

test("opening a ring with other bytes says both sizes", () => {
  using segment = Segment.createAnonymous({ bytes: 65536 });
  segment.ring("r", { bytes: 1000 });
  assert.is(segment.ring("r", { bytes: 1000 }).capacity, 1000);
  assert.throws(() => segment.ring("r", { bytes: 2000 }), /OBJECT_MISMATCH.*1000.*2000/);
});

test.run();
