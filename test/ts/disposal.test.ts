/**
 * Contexts without any global of a runtime: no AbortController, and in Node before 24 no `Symbol.dispose`. Jest and Vitest make
 * such ones.
 */
import type { Claim } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { copyInContext } from "../lib/realm.js";
import { within } from "../lib/watchdog.js";

const copy = copyInContext({});
const { MiB, Segment, struct, IsthmusError } = copy;

/** As tools that compile `using` look for it. */
function symbolOf(name: "dispose" | "asyncDispose", one: object): symbol {
  const known = Symbol[name];
  return known !== undefined && known in one ? known : Symbol.for(`Symbol.${name}`);
}

function dispose(one: object): unknown {
  return (one as Record<symbol, () => unknown>)[symbolOf("dispose", one)]?.call(one);
}

function disposeLater(one: object): Promise<unknown> {
  return (one as Record<symbol, () => Promise<unknown>>)[symbolOf("asyncDispose", one)]?.call(
    one,
  ) as Promise<unknown>;
}

test("whatever holds something is ended by a using block", async () => {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const ring = segment.ring("ring", { bytes: 4096 });
  const lock = segment.lock("lock");
  const producer = ring.producer();
  const consumer = ring.consumer();
  const claim = producer.tryClaim(1) as Claim;
  dispose(claim);
  assert.ok(producer.trySend(new Uint8Array(1)), "the claim was aborted");
  const record = consumer.tryPeek() as object;
  dispose(record);
  assert.is(consumer.tryReceive(), undefined, "the record was released");
  const loop = consumer.records();
  await disposeLater(loop);
  assert.ok((await loop.next()).done);
  await disposeLater(producer);
  dispose(ring.producer());
  dispose(consumer);
  dispose(ring.consumer());
  dispose(lock.acquireSync());
  dispose(lock.acquireSync());
  const queue = segment.queue("queue", { capacity: 4, slotBytes: 8 });
  queue.trySend(new Uint8Array(1));
  const job = queue.tryTake() as object;
  dispose(job);
  assert.is(queue.tryReceive()?.length, 1, "the job was given back");
  const topic = segment.broadcast("topic", { bytes: 4096 });
  const publisher = topic.publisher();
  const subscriber = topic.subscriber();
  publisher.publish(new Uint8Array(1));
  const published = subscriber.tryPeek() as object;
  dispose(published);
  assert.is(subscriber.tryReceive(), undefined, "the record was released");
  dispose(subscriber);
  assert.throws(() => subscriber.tryReceive(), /was closed/);
  dispose(publisher);
  dispose(topic.publisher());
  const latest = segment.latest("latest", struct({ n: "u32" }));
  dispose(latest.claim());
  latest.write({ n: 1 });
  for (const one of [segment, producer, consumer, claim, record, loop, job, publisher, subscriber, published])
    assert.not("undefined" in one);
  dispose(segment);
  assert.throws(
    () => segment.lock("lock"),
    (error: Error) => error instanceof IsthmusError && error.code === "CLOSED",
  );
});

test("a lock is held for a function, and free after it", async () => {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const lock = segment.lock("lock");
  assert.is(await lock.request(async (held) => held.mode), "exclusive");
  const failing = lock.request("shared", () => {
    throw new RangeError("in the function");
  });
  assert.match(await failing.then(String, String), "in the function");
  lock.acquireSync().release();
  segment.close();
});

test("loops over the newest value end with the signal, and with the loop", async () => {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const latest = segment.latest("latest", struct({ n: "u32" }));
  latest.write({ n: 1 });
  const values: number[] = [];
  for await (const { n } of latest) {
    values.push(n);
    break;
  }
  assert.equal(values, [1]);
  const leaving = new AbortController();
  const loop = latest.values({ signal: leaving.signal });
  await loop.next();
  const pending = loop.next();
  leaving.abort("reason");
  const ended = pending.catch((reason) => reason);
  assert.is(await within("the end of the loop", ended), "reason");
  assert.ok((await loop.next()).done);
  segment.close();
});

test.run();
