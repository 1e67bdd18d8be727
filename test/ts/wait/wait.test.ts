import { Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NOT_SUPPORTED } from "../../../protocol/errors.js";
import { flawed } from "../../lib/steps.js";
import { codeWithin, within } from "../../lib/watchdog.js";

function ends(bytes = 256) {
  const segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const ring = segment.ring("r", { bytes });
  return { segment, ring, producer: ring.producer(), consumer: ring.consumer() };
}

const byte = (value: number): Uint8Array => Uint8Array.of(value);

test("a receive is served by the next send, and several in the order of their calls", async () => {
  const { segment, producer, consumer } = ends();
  using _ = segment;
  const waiting = [consumer.receive(), consumer.receive(), consumer.receive()];
  producer.trySendMany([byte(1), byte(2), byte(3)]);
  const got = await within("three records", Promise.all(waiting));
  assert.equal(
    got.map((bytes) => bytes?.[0]),
    [1, 2, 3],
  );
});

test("sends that wait for room keep their order, also when a later one would fit", async () => {
  const { segment, producer, consumer } = ends();
  using _ = segment;
  assert.ok(producer.trySend(new Uint8Array(230)));
  const large = producer.send(new Uint8Array(200).fill(1));
  const small = producer.send(byte(2));
  const order: number[] = [];
  for await (const bytes of consumer) {
    order.push(bytes[0]);
    if (order.length === 2) producer.close();
    if (order.length === 1)
      await within(
        "both sends",
        Promise.all([large, small]).then(
          () => undefined,
          () => undefined,
        ),
      );
    if (order.length === 3) break;
  }
  assert.equal(order.slice(0, 3), [0, 1, 2]);
});

test("the stream ends once when the producer closes, and goes on with the next producer", async () => {
  const { segment, ring, producer, consumer } = ends();
  using _ = segment;
  producer.trySend(byte(1));
  producer.close();
  const got: number[] = [];
  for await (const bytes of consumer) got.push(bytes[0]);
  assert.equal(got, [1]);
  const next = consumer.receive();
  using second = ring.producer();
  second.trySend(byte(2));
  assert.is((await within("the next producer's record", next))?.[0], 2);
});

test("a wait ends with TIMED_OUT, with the signal's reason, or with CLOSED, and nothing stays behind", async () => {
  const { segment, ring, producer, consumer } = ends();
  assert.is(await codeWithin(consumer.receive({ timeoutMs: 5 })), "TIMED_OUT");
  assert.is(await codeWithin(consumer.receive({ timeoutMs: 0 })), "TIMED_OUT");
  const reason = new Error("enough");
  const controller = new AbortController();
  const aborted = consumer.receive({ signal: controller.signal });
  controller.abort(reason);
  assert.is(
    await within(
      "an abort",
      aborted.catch((error) => error),
    ),
    reason,
  );
  assert.is(await consumer.receive({ signal: AbortSignal.abort(reason) }).catch((error) => error), reason);
  producer.trySend(new Uint8Array(248));
  assert.is(await codeWithin(producer.send(byte(1), { timeoutMs: 5 })), "TIMED_OUT");
  assert.is(segment.header.drops, 1);
  assert.is(
    await producer.send(byte(1), { signal: AbortSignal.abort(reason) }).catch((error) => error),
    reason,
  );
  assert.is(segment.header.drops, 2);
  assert.is(await codeWithin(producer.send(new Uint8Array(300), { timeoutMs: 5 })), "TOO_LARGE");
  await producer.send(byte(1), { timeoutMs: "soon" as never }).catch(() => {});
  assert.is(segment.header.drops, 2, "what could never be sent is no drop");
  assert.is(consumer.tryReceive()?.length, 248);
  assert.is(ring.stats.used, 0);
  const closed = consumer.receive();
  segment.close();
  assert.is(await codeWithin(closed), "CLOSED");
  assert.is(await codeWithin(consumer.receive()), "CLOSED");
});

test("blocking calls time out too, and give what is there at once", () => {
  const { segment, producer, consumer } = ends();
  using _ = segment;
  assert.throws(() => consumer.receiveSync({ timeoutMs: 20 }), /TIMED_OUT/);
  assert.throws(() => consumer.receiveSync({ timeoutMs: 0 }), /TIMED_OUT/);
  producer.sendSync(byte(7));
  assert.is(consumer.receiveSync({ timeoutMs: 0 })?.[0], 7);
  producer.trySend(new Uint8Array(248));
  assert.throws(() => producer.sendSync(byte(1), { timeoutMs: 20 }), /TIMED_OUT/);
});

test("a system that does not let a thread sleep is an error that says so", () => {
  const { segment, consumer } = ends();
  using _ = segment;
  const wait = () => () => {
    throw Object.assign(new Error("futex"), { status: NOT_SUPPORTED, errno: 1, syscall: "futex" });
  };
  flawed({ wait }, () =>
    assert.throws(
      () => consumer.receiveSync({ timeoutMs: 1000 }),
      (error: Error & { code?: string }) => error.code === "NOT_SUPPORTED" && /futex/.test(error.message),
    ),
  );
});

test("waiting for an object and for a value is served when it comes", async () => {
  using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  using other = Segment.fromHandle(segment.handle);
  const object = other.waitForObject("pose");
  const layout = struct({ id: "u32" });
  const writer = segment.latest("pose", layout);
  assert.equal((await within("the object", object)).type, "latest");
  const reader = other.latest("pose", layout);
  const next = reader.next();
  writer.write({ id: 1 });
  assert.equal(await within("the first value", next), { id: 1 });
  const later = reader.next();
  writer.write({ id: 2 });
  assert.equal(await within("the second value", later), { id: 2 });
  assert.is(await codeWithin(reader.next({ timeoutMs: 5 })), "TIMED_OUT");
  using readOnly = Segment.fromHandle(segment.handle, { access: "read-only" });
  const watcher = readOnly.latest("pose", layout);
  assert.equal(await watcher.next(), { id: 2 });
  const polled = watcher.next();
  writer.write({ id: 3 });
  assert.equal(await within("the third value", polled), { id: 3 });
});

test("a segment is waited for until it exists; without one the wait ends in time", async () => {
  assert.is(await codeWithin(Segment.waitFor("no-such-segment", { timeoutMs: 5 })), "TIMED_OUT");
  const reason = new Error("enough");
  const controller = new AbortController();
  const waiting = Segment.waitFor("no-such-segment", { signal: controller.signal });
  controller.abort(reason);
  assert.is(
    await within(
      "an abort",
      waiting.catch((error) => error),
    ),
    reason,
  );
});

test("who waits does not burn the processor, with a promise or blocked", async () => {
  const { segment, consumer } = ends();
  using _ = segment;
  const waits = [
    () => codeWithin(consumer.receive({ timeoutMs: 400 })),
    () => codeWithin(new Promise((resolve) => resolve(consumer.receiveSync({ timeoutMs: 400 })))),
  ];
  for (const wait of waits) {
    const cpu = process.cpuUsage();
    const begin = performance.now();
    assert.is(await wait(), "TIMED_OUT");
    const { user, system } = process.cpuUsage(cpu);
    const share = (user + system) / 1000 / (performance.now() - begin);
    assert.ok(share < 0.5, `${share} of a processor was used`);
  }
});

test("promises of many rings are served while they look, and while they sleep", async () => {
  using segment = Segment.createAnonymous({ bytes: 65536 * 8 });
  const rings = Array.from({ length: 50 }, (_, i) => segment.ring(`r${i}`, { bytes: 256 }));
  const producers = rings.map((ring) => ring.producer());
  const consumers = rings.map((ring) => ring.consumer());
  for (const turns of [0, 1, 5, 100]) {
    const waiting = consumers.map((consumer) => consumer.receive());
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    producers.forEach((producer, i) => void producer.trySend(byte(i)));
    const got = await within("all records", Promise.all(waiting));
    assert.equal(
      got.map((bytes) => bytes?.[0]),
      rings.map((_, i) => i),
    );
  }
});

test.run();
