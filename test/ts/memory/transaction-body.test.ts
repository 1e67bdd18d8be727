/** What the function of a transaction may be, and what of its deeds is undone with it. */
import { runInNewContext } from "node:vm";
import { KiB, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { refused } from "../../lib/refusals.js";
import { pause } from "../../lib/watchdog.js";

const Account = struct({ balance: "i32" });

function scene() {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const view = segment.heap.allocate(64).view(Account);
  view.set("balance", 100);
  return { segment, view, lock: segment.lock("lock"), [Symbol.dispose]: () => segment.close() };
}

test("a function that runs later is refused before anything of it runs", () => {
  using all = scene();
  const { segment, lock, view } = all;
  let ran = false;
  const bodies: (() => unknown)[] = [
    async () => {
      ran = true;
      view.set("balance", 5);
    },
    function* () {
      ran = true;
      yield;
    },
    async function* () {
      ran = true;
      yield;
    },
  ];
  for (const body of bodies) refused("TypeError", () => segment.transactionSync(lock, body), /body/);
  assert.not(ran);
  assert.is(view.get("balance"), 100);
  assert.ok(segment.transactionSync(lock, () => true));
});

test("what returns a promise is undone, and the promise's own error disturbs nobody", async () => {
  using all = scene();
  const { segment, lock, view } = all;
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on("unhandledRejection", note);
  let asked = false;
  try {
    const later = async (): Promise<never> => {
      view.set("balance", 5);
      await pause(1);
      throw new Error("too late");
    };
    refused("TypeError", () => segment.transactionSync(lock, () => later()), /undone/);
    const lazy = {
      // biome-ignore lint/suspicious/noThenProperty: what is tested
      then: () => {
        asked = true;
      },
    };
    refused("TypeError", () => segment.transactionSync(lock, () => lazy), /undone/);
    const foreign = runInNewContext("Promise.reject(new Error('of another realm'))");
    refused("TypeError", () => segment.transactionSync(lock, () => foreign), /undone/);
    await pause(20);
  } finally {
    process.off("unhandledRejection", note);
  }
  assert.equal(unhandled, []);
  assert.not(asked, "something that only begins when it is asked was begun");
  assert.is(view.get("balance"), 100);
  assert.ok(lock.tryAcquire("exclusive"));
});

test("rings, latest values, semaphores, events and counters are used inside, and nothing of that is undone", () => {
  using all = scene();
  const { segment, lock, view } = all;
  const ring = segment.ring("ring", { bytes: KiB });
  const [producer, consumer] = [ring.producer(), ring.consumer()];
  const latest = segment.latest("latest", Account);
  const semaphore = segment.semaphore("semaphore", { initial: 2 });
  const event = segment.event("event");
  const counter = segment.counter("counter");
  producer.trySend(Uint8Array.of(1));
  const error = new Error("no");
  const body = (): never => {
    view.set("balance", 7);
    assert.equal(consumer.tryReceive(), Uint8Array.of(1));
    assert.ok(producer.trySend(Uint8Array.of(2)));
    latest.write({ balance: 3 });
    assert.ok(semaphore.tryAcquire());
    event.signal();
    counter.add(5);
    throw error;
  };
  assert.throws(
    () => segment.transactionSync(lock, body),
    (thrown: unknown) => thrown === error,
  );
  assert.is(view.get("balance"), 100);
  assert.equal(consumer.tryReceive(), Uint8Array.of(2));
  assert.equal(latest.read(), { balance: 3 });
  assert.equal([semaphore.value, event.isSignaled, counter.value], [1, true, 5]);
  assert.ok(segment.heap.check().ok);
});

test("locks are taken and given back inside, also under a hold around it that is given back there", () => {
  using all = scene();
  const { segment, lock, view } = all;
  using other = Segment.fromHandle(segment.handle);
  const second = segment.lock("second");
  const around = lock.acquireSync();
  segment.transactionSync(around, () => {
    second.acquireSync("shared").release();
    around.acquireSync("shared").release();
    around.release();
    view.set("balance", 1);
    assert.is(other.lock("lock").tryAcquire("shared"), undefined);
  });
  assert.is(view.get("balance"), 1);
  assert.is(other.lock("lock").tryAcquire("exclusive")?.ownerDied, false);
  assert.is(other.lock("second").tryAcquire("exclusive")?.ownerDied, false);
});

test.run();
