/** Ends of a ring that are waited for: a rolling restart, a hot standby. */
import { type Consumer, type IsthmusError, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../../lib/processes.js";
import { refused } from "../../lib/refusals.js";
import { presentRuntimes } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { codeWithin, within } from "../../lib/watchdog.js";

const byte = (value: number): Uint8Array => Uint8Array.of(value);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("an end that is free is there at once, and one that is held when it is closed", async () => {
  using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const ring = segment.ring("r", { bytes: 4096 });
  const producer = await within("a free end", ring.waitForProducer());
  const consumer = ring.waitForConsumerSync();
  refused("BUSY", () => ring.producer(), /waitForProducer/);
  assert.is(await codeWithin(ring.waitForProducer({ timeoutMs: 1 })), "TIMED_OUT");
  assert.is(await codeWithin(ring.waitForConsumer({ timeoutMs: 0 })), "TIMED_OUT");
  const [next, another] = [ring.waitForProducer(), ring.waitForProducer()];
  const reader = ring.waitForConsumer({ acknowledge: "each" });
  await turn();
  producer.trySend(byte(1));
  producer.close();
  consumer.close();
  assert.equal((await within("the consumer", reader)).tryReceive(), byte(1));
  const second = await within("the next producer", next);
  second.trySend(byte(2));
  second.close();
  (await within("the one after", another)).close();
  assert.is(ring.stats.producer, undefined);
});

test("a wait for an end that was aborted takes nothing", async () => {
  using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const ring = segment.ring("r", { bytes: 4096 });
  const producer = ring.producer();
  const controller = new AbortController();
  const waiting = ring.waitForProducer({ signal: controller.signal });
  await turn();
  controller.abort("enough");
  assert.is(
    await within(
      "the wait",
      waiting.catch((reason: unknown) => reason),
    ),
    "enough",
  );
  producer.close();
  ring.producer().close();
});

/** What a loop over the consumer gives, and how it ends. */
async function loop(consumer: Consumer): Promise<unknown[]> {
  const seen: unknown[] = [];
  try {
    for await (const [byte] of consumer) seen.push(byte);
  } catch (error) {
    seen.push((error as IsthmusError).code);
  }
  return seen;
}

test("a consumer is told of the end of a stream, though a standby has taken the end before it has looked", async () => {
  for (const end of ["closed", "aborted"]) {
    using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
    const ring = segment.ring("r", { bytes: 4096 });
    const consumer = ring.consumer();
    const writer = ring.writable().getWriter();
    writer.closed.catch(() => {});
    await writer.write(Uint8Array.of(1));
    const standby = ring.waitForProducer();
    await within("the end", end === "closed" ? writer.close() : writer.abort("enough"));
    const producer = await within("the standby", standby);
    producer.trySend(Uint8Array.of(2));
    producer.close();
    assert.equal(await within("the first stream", loop(consumer)), end === "closed" ? [1] : [1, "PEER_DIED"]);
    assert.equal(await within("the second stream", loop(consumer)), [2]);
  }
});

test("each of several ends that the consumer comes to late is told in its place; who polls passes over them", async () => {
  for (const polls of [false, true]) {
    using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
    const ring = segment.ring("r", { bytes: 96 });
    const consumer = ring.consumer();
    const streams = [[1], [], [2, 3], [4]];
    for (const values of streams) {
      const producer = ring.producer();
      for (const value of values) assert.ok(producer.trySend(byte(value)));
      if (values.length === 0) assert.ok(producer.tryClaim(1)?.abort() === undefined);
      producer.close();
    }
    const last = ring.producer();
    assert.is(last.trySend(byte(5)), false, "there is room");
    if (polls) {
      const got: unknown[] = [];
      for (let value = consumer.tryReceive(); value; value = consumer.tryReceive()) got.push(value[0]);
      assert.equal(got, [1, 2, 3, 4]);
      assert.ok(last.trySend(byte(5)));
      assert.equal(consumer.tryReceive(), byte(5));
      assert.is(await codeWithin(consumer.receive({ timeoutMs: 1 })), "TIMED_OUT");
      continue;
    }
    for (const values of streams) assert.equal(await within("a stream", loop(consumer)), values);
    assert.is(await codeWithin(consumer.receive({ timeoutMs: 1 })), "TIMED_OUT");
    assert.ok(last.trySend(byte(5)));
    last.close();
    assert.equal(await within("the last stream", loop(consumer)), [5]);
  }
});

test("an end is told while the next producer has the end and has sent nothing, blocking or not", async () => {
  using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const ring = segment.ring("r", { bytes: 256 });
  const consumer = ring.consumer();
  ring.producer().close();
  const second = ring.producer();
  assert.is(consumer.receiveSync({ timeoutMs: 1000 }), undefined);
  second.close();
  const third = ring.producer();
  assert.is(await within("the end", consumer.receive()), undefined);
  assert.is(await codeWithin(consumer.receive({ timeoutMs: 1 })), "TIMED_OUT");
  third.trySend(byte(1));
  assert.equal(consumer.receiveSync(), byte(1));
});

test("waiting without end for an end that this very opener holds is DEADLOCK where the thread would block", () => {
  using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const ring = segment.ring("r", { bytes: 4096 });
  ring.producer();
  ring.consumer();
  refused("DEADLOCK", () => ring.waitForProducerSync());
  refused("DEADLOCK", () => ring.waitForConsumerSync({ timeoutMs: 10 }));
});

for (const runtime of presentRuntimes()) {
  test(`${runtime.name}: an end passes from one process to the next, when it is closed and when its holder is killed`, async () => {
    using segment = Segment.create(segmentName("handed"), { bytes: 65536 * 2 });
    const ring = segment.ring("r", { bytes: 4096 });
    const consumer = ring.consumer();
    for (const wait of ["waitForProducer", "waitForProducerSync"]) {
      const [old, standby] = [
        await Agent.start(runtime, "ts/ring/ring-actions.ts"),
        await Agent.start(runtime, "ts/ring/ring-actions.ts"),
      ];
      for (const child of [old, standby]) await child.call("open", segment.name);
      await old.call("takeProducer");
      const { pid, alive, self } = ring.stats.producer as NonNullable<typeof ring.stats.producer>;
      assert.equal({ pid, alive, self }, { pid: old.pid, alive: true, self: false });
      const handed = standby.call(wait);
      await old.call("send", 1);
      await old.call("closeEnds");
      await within("the end of the first", handed);
      assert.is(ring.stats.producer?.pid, standby.pid);
      assert.ok(await standby.call("send", 2));
      const mine = ring.waitForProducer();
      await standby.kill();
      const producer = await within("the end of the dead", mine);
      producer.trySend(byte(3));
      assert.equal(await consumer.receive(), byte(1));
      assert.is(await within("the end of the first", consumer.receive()), undefined);
      assert.equal(await consumer.receive(), byte(2));
      assert.is(await codeWithin(consumer.receive()), "PEER_DIED");
      assert.equal(await consumer.receive(), byte(3));
      producer.close();
      await within("the end of the stream", consumer.receive());
      await old.end();
    }
    segment.unlink();
  });
}

test("the holder of an end that died is shown as dead, until the next one takes it", async () => {
  using segment = Segment.create(segmentName("dead"), { bytes: 65536 * 2 });
  const ring = segment.ring("r", { bytes: 4096 });
  const child = await Agent.start(presentRuntimes()[0], "ts/ring/ring-actions.ts");
  await child.call("open", segment.name);
  await child.call("takeConsumer");
  await child.kill();
  assert.is(ring.stats.consumer?.pid, child.pid);
  assert.is(ring.stats.consumer?.alive, false);
  assert.is(ring.stats.producer, undefined);
  ring.consumer();
  assert.is(ring.stats.consumer?.self, true);
  using reader = Segment.open(segment.name, { access: "read-only" });
  assert.is(reader.ring("r").stats.consumer?.self, false);
  assert.is(reader.ring("r").stats.consumer?.alive, true);
  const [object] = reader.objects();
  assert.is(object.producer, undefined);
  assert.is(object.consumer?.pid, process.pid);
  segment.unlink();
});

test.run();
