/** The end of a publisher, and loops over subscribers: each is told once, and goes on with the next publisher. */
import { type Broadcast, KiB, Segment, type Subscriber } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { rejected } from "../../lib/refusals.js";
import { within } from "../../lib/watchdog.js";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const byte = (value: number): Uint8Array => Uint8Array.of(value);

interface Scene extends Disposable {
  topic: Broadcast;
  /** The same, for a reader that can only read. */
  looking: Broadcast;
}

function scene(): Scene {
  const segment = Segment.createAnonymous({ bytes: 256 * KiB });
  const topic = segment.broadcast("t", { bytes: KiB });
  const reader = Segment.fromHandle(segment.handle, { access: "read-only" });
  return {
    topic,
    looking: reader.broadcast("t"),
    [Symbol.dispose]() {
      reader.close();
      segment.close();
    },
  };
}

async function loop(subscriber: Subscriber): Promise<number[]> {
  const got: number[] = [];
  for await (const record of subscriber) got.push(record[0] as number);
  return got;
}

test("loops end when the publisher closes, and the next loop serves the next publisher", async () => {
  for (const access of ["topic", "looking"] as const) {
    using all = scene();
    const subscriber = all[access].subscriber();
    for (const records of [0, 1, 5]) {
      for (const when of ["before", "after"]) {
        const publisher = all.topic.publisher();
        const values = Array.from({ length: records }, (_, i) => i);
        for (const one of values) publisher.publish(byte(one));
        if (when === "before") publisher.close();
        const looping = loop(subscriber);
        await turn();
        publisher.close();
        assert.equal(await within(`${records} records, closed ${when}`, looping), values);
      }
    }
    assert.is(subscriber.lost, 0);
  }
});

test("each call that waits is told of the end, whatever form it has", async () => {
  for (const access of ["topic", "looking"] as const) {
    using all = scene();
    const publisher = all.topic.publisher();
    const subscriber = all[access].subscriber();
    const waits = [
      subscriber.receive(),
      subscriber.peek(),
      subscriber.drain(() => {}),
      subscriber.records().next(),
      subscriber.receive(),
    ];
    await turn();
    publisher.close();
    const done = { done: true, value: undefined };
    assert.equal(await within("all", Promise.all(waits)), [undefined, undefined, 0, done, undefined]);
    const next = subscriber.receive();
    await turn();
    using other = all.topic.publisher();
    other.publish(byte(7));
    assert.equal(await within("a record of the next publisher", next), byte(7));
  }
});

test("a call that blocks is told once, too", () => {
  for (const access of ["topic", "looking"] as const) {
    using all = scene();
    const subscriber = all[access].subscriber();
    all.topic.publisher().close();
    assert.is(subscriber.receiveSync({ timeoutMs: 60_000 }), undefined);
    all.topic.publisher().close();
    assert.is(subscriber.peekSync({ timeoutMs: 60_000 }), undefined);
    all.topic.publisher().close();
    assert.is(
      subscriber.drainSync(() => {}, { timeoutMs: 60_000 }),
      0,
    );
    assert.throws(() => subscriber.receiveSync({ timeoutMs: 1 }), /TIMED_OUT/);
  }
});

test("who begins now is not told of an end before, who begins with the oldest record is", async () => {
  for (const access of ["topic", "looking"] as const) {
    using all = scene();
    const publisher = all.topic.publisher();
    publisher.publish(byte(1));
    publisher.close();
    const now = all[access].subscriber();
    assert.equal(await within("the end", loop(all[access].subscriber({ from: "oldest" }))), [1]);
    await rejected("TIMED_OUT", now.receive({ timeoutMs: 20 }));
    const later = all.topic.publisher();
    later.publish(byte(2));
    later.close();
    assert.equal(await within("the next end", loop(now)), [2]);
  }
});

test("each subscriber is told by itself", async () => {
  using all = scene();
  const publisher = all.topic.publisher();
  const subscribers = [all.topic, all.topic, all.looking].map((one) => one.subscriber());
  publisher.publish(byte(1));
  publisher.close();
  for (const one of subscribers) assert.equal(await within("its end", loop(one)), [1]);
});

test("an end that nobody has noticed when the next publisher comes is not told", async () => {
  using all = scene();
  const first = all.topic.publisher();
  const subscriber = all.topic.subscriber();
  first.publish(byte(1));
  first.close();
  const second = all.topic.publisher();
  second.publish(byte(2));
  second.close();
  assert.equal(await within("the end", loop(subscriber)), [1, 2]);
});

test("what was lost right before the end is counted with it", async () => {
  for (const access of ["topic", "looking"] as const) {
    using all = scene();
    const publisher = all.topic.publisher();
    const subscriber = all[access].subscriber();
    const waiting = all[access].subscriber();
    const looping = loop(waiting);
    await turn();
    for (let i = 0; i < 300; i++) publisher.publish(byte(i));
    publisher.close();
    const got = await within("the end", loop(subscriber));
    assert.ok(subscriber.lost > 0);
    assert.is(got.length + subscriber.lost, 300);
    assert.is((await within("the other end", looping)).length + waiting.lost, 300);
  }
});

test("leaving a loop ends its wait and takes no record", async () => {
  for (const access of ["topic", "looking"] as const) {
    using all = scene();
    using publisher = all.topic.publisher();
    const subscriber = all[access].subscriber();
    const records = subscriber.records();
    const pending = records.next();
    await turn();
    await records.return?.();
    assert.ok((await within("the wait", pending)).done);
    publisher.publish(byte(1));
    const leaving = new AbortController();
    const aborted = subscriber.records({ signal: leaving.signal });
    assert.equal((await aborted.next()).value, byte(1));
    const last = aborted.next();
    leaving.abort(new RangeError("left"));
    await rejected("RangeError", last, /left/);
    publisher.publish(byte(2));
    for await (const one of subscriber) {
      assert.equal(one, byte(2));
      break;
    }
    assert.is(subscriber.tryReceive(), undefined);
  }
});

test("several loops share a subscriber: each record goes to one, and all end", async () => {
  using all = scene();
  const publisher = all.topic.publisher();
  const subscriber = all.topic.subscriber();
  const loops = [loop(subscriber), loop(subscriber), loop(subscriber)];
  await turn();
  for (let i = 0; i < 10; i++) publisher.publish(byte(i));
  publisher.close();
  const got = (await within("all loops", Promise.all(loops))).flat();
  assert.equal(
    got.sort((a, b) => a - b),
    Array.from({ length: 10 }, (_, i) => i),
  );
});

test("a peeked record comes before the end, and a wait behind it goes on when it is released", async () => {
  using all = scene();
  const publisher = all.topic.publisher();
  const subscriber = all.topic.subscriber();
  const waits = [subscriber.peek(), subscriber.receive(), subscriber.receive()];
  await turn();
  publisher.publish(byte(1));
  publisher.publish(byte(2));
  publisher.close();
  const record = (await within("the record", waits[0] as Promise<{ release(): void }>)) as {
    release(): void;
  };
  record.release();
  assert.equal(await within("the others", Promise.all(waits.slice(1))), [byte(2), undefined]);
});

test.run();
