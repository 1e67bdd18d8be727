/** Classes whose objects a function makes: `new` says which function. */
import { MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("new of a class whose objects are made by a function names the function", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const layout = struct({ id: "u32" });
  const ring = segment.ring("r", { bytes: 4096 });
  const producer = ring.producer();
  const consumer = ring.consumer();
  producer.trySend(Uint8Array.of(1));
  const latest = segment.latest("latest", layout);
  const lock = segment.lock("lock");
  const block = segment.heap.allocate(8);
  const queue = segment.queue("q", { capacity: 4, slotBytes: 8 });
  queue.trySend(new Uint8Array(1));
  const topic = segment.broadcast("t", { bytes: 4096 });
  const subscriber = topic.subscriber();
  const publisher = topic.publisher();
  publisher.publish(new Uint8Array(1));
  using held = lock.acquireSync("exclusive");
  const made: [object, RegExp][] = [
    [segment, /^Segment cannot .* call Segment\.create, /],
    [ring, /^Ring cannot .* call segment\.ring\(name/],
    [producer, /^Producer .* ring\.producer/],
    [consumer, /^Consumer .* ring\.consumer/],
    [producer.tryClaim(8) as object, /^Claim .* producer\.claim/],
    [consumer.tryPeek() as object, /^RingRecord .* consumer\.peek/],
    [queue, /^Queue cannot .* segment\.queue\(name/],
    [queue.tryTake() as object, /^Job .* queue\.take/],
    [topic, /^Broadcast cannot .* segment\.broadcast\(name/],
    [publisher, /^Publisher .* broadcast\.publisher/],
    [subscriber, /^Subscriber .* broadcast\.subscriber/],
    [subscriber.tryPeek() as object, /^BroadcastRecord .* subscriber\.peek/],
    [latest, /^Latest .* segment\.latest/],
    [latest.claim(), /^LatestClaim .* latest\.claim/],
    [lock, /^Lock .* segment\.lock/],
    [held as object, /^Held .* lock\.acquire/],
    [segment.semaphore("s", { initial: 1 }), /^Semaphore .* segment\.semaphore/],
    [segment.event("e"), /^SharedEvent .* segment\.event/],
    [segment.counter("c"), /^Counter .* segment\.counter/],
    [segment.heap, /^Heap .* segment\.heap/],
    [block, /^Block .* segment\.heap\.allocate/],
    [block.view(layout), /^StructView .* block\.view/],
  ];
  for (const [one, text] of made) {
    const Made = one.constructor as new (...given: unknown[]) => unknown;
    const madeUp = new Proxy({}, { get: () => segment });
    const first = [
      {},
      null,
      1,
      "name",
      () => {},
      one,
      segment,
      producer,
      Object.create(Made.prototype),
      madeUp,
    ];
    for (const given of [[], ["name", { bytes: 65536 }], ...first.map((value) => [value, 0, 64])]) {
      assert.throws(
        () => new Made(...given),
        (error: Error) => error instanceof TypeError && text.test(error.message),
        Made.name,
      );
    }
  }
});

test.run();
