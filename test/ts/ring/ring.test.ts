import fc from "fast-check";
import { type Claim, type Consumer, IsthmusError, type Producer, type Ring, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { RING_WAITERS_OFFSET, WAITERS_SUMMARY_OFFSET } from "../../../protocol/layout.js";
import { objectOffset, peek32 } from "../../lib/poke.js";
import { segmentName } from "../../lib/segments.js";
import { unless } from "../../lib/skips.js";
import { until } from "../../lib/watchdog.js";

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

/** Not in the library of types that we compile with. */
type ResizableArrayBuffer = new (
  bytes: number,
  options: { maxByteLength: number },
) => ArrayBuffer & { resize(bytes: number): void };

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
          // Only an end, and then padding, can be in the way. The consumer passes over them when it looks.
          let claim: Claim | undefined;
          for (let looks = 0; looks < 2 && !claim; looks++) {
            assert.is(ends.consumer.tryReceive(), undefined);
            claim = ends.producer.tryClaim(bytes.length);
          }
          assert.ok(claim, "an empty ring has room for every record that fits");
          ends.producer.close();
          ends.producer = ends.ring.producer();
        }
      };
      for (const one of calls) {
        if (one === "receive") expectNext(ends.consumer.tryReceive());
        else if (one === "receiveInto") {
          const got = ends.consumer.tryReceiveInto(kept);
          expectNext(got === undefined ? undefined : kept.slice(0, got));
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
          const handled = ends.consumer.tryDrain((record) => expectNext(Uint8Array.from(record.bytes)), {
            limit: one.drain,
          });
          assert.ok(handled <= one.drain);
        } else if ("send" in one) {
          const bytes = payload(number++, one.send);
          sent(bytes, ends.producer.trySend(bytes));
        } else if ("sendMany" in one) {
          const all = one.sendMany.map((length) => payload(number++, length));
          const accepted = ends.producer.trySendMany(all);
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

test("sendMany with a payload of a wrong type sends nothing half", () => {
  withRing(1024, ({ producer, consumer }) => {
    const wrong = [payload(1, 20), payload(2, 30), "three" as unknown as Uint8Array];
    assert.throws(() => producer.trySendMany(wrong), /arrayOfBytes/);
    assert.ok(producer.trySend(payload(4, 9)));
    assert.is(producer.trySendMany([payload(5, 9), payload(6, 9)]), 2);
    const got: Uint8Array[] = [];
    consumer.tryDrain((record) => got.push(Uint8Array.from(record.bytes)));
    assert.equal(got, [payload(4, 9), payload(5, 9), payload(6, 9)]);
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
      code(() => producer.trySendMany([new Uint8Array(1)])),
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
    assert.throws(() => consumer.tryDrain(failing), /enough/);
    assert.equal(consumer.tryReceive(), payload(2, 9));
  });
});

test("drain gives exactly what was sent, whatever the lengths, limits, wraps and exceptions", () => {
  const capacities = [64, 200, 1024, 4096, 65536 - 8];
  const lengths = fc.array(fc.oneof(fc.nat(24), fc.nat(24), fc.nat(200)), { minLength: 1, maxLength: 120 });
  const drain = fc.record({ limit: fc.option(fc.nat(150), { nil: undefined }), throwsAt: fc.nat(200) });
  const call = fc.oneof(
    fc.record({ send: lengths }),
    drain,
    drain,
    fc.record({ receive: fc.nat(50) }),
    fc.constant("new consumer" as const),
  );
  const property = fc.property(
    fc.constantFrom(...capacities),
    fc.array(call, { maxLength: 40 }),
    (capacity, calls) =>
      withRing(capacity, (ends) => {
        const model: Uint8Array[] = [];
        let [number, received] = [0, 0];
        const send = (length: number): boolean => {
          const bytes = payload(number, Math.min(length, capacity - 8));
          if (!ends.producer.trySend(bytes)) return false;
          number++;
          return model.push(bytes) > 0;
        };
        const take = (bytes: Uint8Array | undefined): void => {
          assert.equal(bytes, model.shift());
          received++;
        };
        for (const one of calls) {
          if (one === "new consumer") {
            ends.consumer.close();
            ends.consumer = ends.ring.consumer();
          } else if ("send" in one) one.send.every(send);
          else if ("receive" in one) {
            for (let i = 0; i < one.receive && model.length > 0; i++) take(ends.consumer.tryReceive());
          } else {
            const { limit = Number.POSITIVE_INFINITY, throwsAt } = one;
            let calls = 0;
            // Every seventh record brings another one, so that the end of the stream moves while it is drained.
            const handle = (record: { bytes: Uint8Array }): void => {
              assert.equal(Uint8Array.from(record.bytes), model[0]);
              if (calls++ === throwsAt) throw new Error("enough");
              take(model[0]);
              if (calls % 7 === 0) send(calls % 50);
            };
            const given = one.limit === undefined ? {} : { limit };
            const there = model.length;
            try {
              const handled = ends.consumer.tryDrain(handle, given);
              assert.is(handled, calls);
              assert.ok(handled <= limit && handled >= Math.min(limit, there));
            } catch (error) {
              assert.match((error as Error).message, /^enough$/);
              assert.is(calls, throwsAt + 1);
            }
            // Nothing was asked for, so the core was not told of the record that was received before.
            if (limit > 0) assert.is(ends.ring.stats.received, received);
            if (model.length === 0 && limit > calls && calls <= throwsAt) assert.is(ends.ring.stats.used, 0);
          }
        }
        const left = model.length;
        assert.is(
          ends.consumer.tryDrain((record) => take(Uint8Array.from(record.bytes))),
          left,
        );
        assert.is(received, number);
      }),
  );
  fc.assert(property, { numRuns: 300 });
});

test("drain holds back no more than single calls do, also behind them", () => {
  for (const before of [0, 1, 40, 63, 64]) {
    withRing(16384, ({ ring, producer, consumer }) => {
      for (let i = 0; i < 300; i++) assert.ok(producer.trySend(new Uint8Array(1)));
      for (let i = 0; i < before; i++) assert.ok(consumer.tryReceive());
      let taken = before;
      consumer.tryDrain(() => {
        const released = 300 - ring.stats.used / 16;
        assert.ok(++taken - released <= 64, `${taken - released} would come again`);
      });
      assert.is(taken, 300);
    });
  }
});

test("drain lets a producer that waits for room have it after one record", async () => {
  using segment = Segment.create(segmentName("waits"), { bytes: 65536 });
  const ring = segment.ring("r", { bytes: 16384 });
  using producer = ring.producer();
  using consumer = ring.consumer();
  while (producer.trySend(new Uint8Array(8)));
  const sending = producer.send(new Uint8Array(8));
  const waitersRoom = objectOffset(segment.name, "r") + RING_WAITERS_OFFSET + 128;
  await until(
    "the producer is armed",
    () => peek32(segment.name, waitersRoom + WAITERS_SUMMARY_OFFSET) !== 0,
  );
  const used: number[] = [];
  consumer.tryDrain(() => used.push(ring.stats.used), { limit: 20 });
  assert.equal(used.slice(0, 2), [16384, 16384 - 16]);
  await sending;
});

test("inside drain its consumer is BUSY, at every record", () => {
  withRing(1024, ({ producer, consumer }) => {
    for (let i = 0; i < 3; i++) producer.trySend(payload(i, 9));
    const handled = consumer.tryDrain((record) => {
      for (const call of [
        () => consumer.tryDrain(() => {}),
        () => consumer.tryReceive(),
        () => consumer.tryReceiveInto(new Uint8Array(100)),
        () => consumer.tryPeek(),
        () => consumer.receiveSync(),
        () => record.release(),
      ])
        assert.is(code(call), "BUSY");
    });
    assert.is(handled, 3);
  });
});

test("a consumer that is closed inside drain ends it; what was handed out then is the next one's first", () => {
  withRing(1024, ({ ring, producer, consumer }) => {
    for (let i = 0; i < 5; i++) producer.trySend(payload(i, 9));
    let calls = 0;
    const kept: { bytes: Uint8Array }[] = [];
    consumer.tryDrain((record) => {
      if (++calls < 3) return;
      consumer.close();
      kept.push(record);
    });
    assert.is(calls, 3);
    assert.is(
      code(() => kept[0].bytes),
      "CLOSED",
    );
    assert.is(
      code(() => consumer.tryDrain(() => {})),
      "CLOSED",
    );
    using next = ring.consumer();
    assert.equal(next.tryReceive(), payload(2, 9));
  });
});

test("a segment that is closed inside drain ends it", () => {
  using segment = Segment.createAnonymous({ bytes: 65536 });
  const ring = segment.ring("r", { bytes: 4096 });
  const producer = ring.producer();
  const consumer = ring.consumer();
  for (let i = 0; i < 5; i++) producer.trySend(payload(i, 9));
  let calls = 0;
  consumer.tryDrain(() => {
    if (++calls === 2) segment.close();
  });
  assert.is(calls, 2);
});

test("what was taken before a record that is peeked at does not come again when the end is closed", () => {
  withRing(1024, ({ ring, producer, consumer }) => {
    for (let i = 0; i < 4; i++) producer.trySend(payload(i, 9));
    for (let i = 0; i < 2; i++) consumer.tryReceive();
    assert.ok(consumer.tryPeek());
    consumer.close();
    using next = ring.consumer();
    assert.equal(next.tryReceive(), payload(2, 9));
  });
});

test("sendMany with one payload that is too large, or none at all, sends none", () => {
  withRing(256, ({ ring, producer, consumer }) => {
    assert.is(
      code(() => producer.trySendMany([payload(1, 9), payload(2, 249)])),
      "TOO_LARGE",
    );
    // Enough to be published in the middle before the wrong one is met.
    const many = [...Array(20).fill(payload(1, 9)), "text"];
    assert.throws(() => producer.trySendMany(many), /arrayOfBytes/);
    assert.is(ring.stats.sent, 0);
    assert.is(consumer.tryReceive(), undefined);
  });
});

test("an array of bytes that lies about its length is refused, and nothing is sent", () => {
  class Short extends Uint8Array {
    override get length(): number {
      return 8;
    }
  }
  withRing(1024, ({ ring, producer }) => {
    const long = Object.defineProperty(new Uint8Array(8), "length", { value: 100 });
    for (const wrong of [new Short(200), long, Object.create(Uint8Array.prototype)]) {
      assert.throws(() => producer.trySend(wrong), TypeError);
      assert.throws(() => producer.sendSync(wrong), TypeError);
      assert.throws(() => producer.trySendMany([new Uint8Array(1), wrong]), TypeError);
    }
    assert.throws(() => producer.trySendMany([new Uint8Array(1), new Short(9)]), /arrayOfBytes\[1\]/);
    assert.is(ring.stats.sent, 0);
  });
});

test("elements of sendMany that send when they are read are refused; what was sent is whole", () => {
  withRing(1024, ({ producer, consumer }) => {
    let reads = 0;
    const many = [payload(1, 20), payload(2, 20)];
    Object.defineProperty(many, 1, {
      get() {
        if (++reads === 2) producer.trySend(payload(3, 4));
        return payload(2, 20);
      },
    });
    assert.is(
      code(() => producer.trySendMany(many)),
      "BUSY",
    );
    assert.equal(consumer.tryReceive(), payload(3, 4));
    assert.is(consumer.tryReceive(), undefined);
    producer.close();
    assert.is(
      code(() => producer.trySendMany([])),
      "CLOSED",
    );
  });
});

test("what is sent at once does not overtake what waits for room", async () => {
  using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const ring = segment.ring("r", { bytes: 256 });
  const producer = ring.producer();
  const consumer = ring.consumer();
  assert.ok(producer.trySend(payload(0, 200)));
  const waiting = [producer.send(payload(1, 200)), producer.send(payload(2, 9))];
  // There would be room for these.
  assert.not(producer.trySend(payload(9, 9)));
  assert.is(producer.trySendMany([payload(9, 9)]), 0);
  assert.is(producer.tryClaim(9), undefined);
  assert.is(
    code(() => producer.sendSync(payload(9, 9))),
    "BUSY",
  );
  for (const expected of [payload(0, 200), payload(1, 200), payload(2, 9)])
    assert.equal(await consumer.receive(), expected);
  await Promise.all(waiting);
  assert.ok(producer.trySend(payload(3, 9)));
  assert.equal(consumer.tryReceive(), payload(3, 9));
});

test("a record that is peeked at is released at the end of its block", () => {
  withRing(256, ({ producer, consumer }) => {
    producer.trySendMany([payload(1, 5), payload(2, 5)]);
    {
      using record = consumer.tryPeek();
      assert.equal(record?.bytes.slice(), payload(1, 5));
    }
    {
      using record = consumer.tryPeek();
      record?.release();
    }
    assert.is(consumer.tryPeek(), undefined);
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

const notResizable = "resize" in ArrayBuffer.prototype ? undefined : "this runtime resizes no buffers";
unless(notResizable, test)("a target whose buffer grows between two records gets them whole", () => {
  withRing(16384, ({ producer, consumer }) => {
    const buffer = new (ArrayBuffer as unknown as ResizableArrayBuffer)(16, { maxByteLength: 6000 });
    const target = new Uint8Array(buffer);
    for (const length of [16, 64, 5000]) {
      buffer.resize(length);
      producer.trySend(payload(1, length));
      assert.is(consumer.tryReceiveInto(target), length);
      assert.equal(target.slice(), payload(1, length));
    }
  });
});

test("statistics count what was sent, received and is in use", () => {
  withRing(1024, ({ ring, producer, consumer }) => {
    assert.is(ring.stats.lastSentAt, undefined);
    producer.trySendMany([payload(1, 10), payload(2, 20)]);
    const before = ring.stats;
    assert.is(before.sent, 2);
    assert.is(before.bytes, 30);
    assert.is(before.used, 24 + 32);
    assert.ok(before.lastSentAt instanceof Date);
    consumer.tryDrain(() => {});
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
