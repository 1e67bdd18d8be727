/** Shared values that go through a queue: a message is a reference, which is counted as long as it is there. */
import { type Dict, type List, MiB, type Queue, Segment, type SharedScalar, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../../lib/processes.js";
import { refused, rejected } from "../../lib/refusals.js";
import { presentRuntimes } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { until, within } from "../../lib/watchdog.js";

const ACTIONS = "ts/queue/values-actions.ts";
const QUEUE = { capacity: 4, slotBytes: 8 };

function scene() {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const other = Segment.fromHandle(segment.handle);
  const close = (): void => {
    for (const one of [other, segment]) one.close();
  };
  return {
    segment,
    other,
    queue: segment.queue("q", QUEUE),
    there: other.queue("q"),
    [Symbol.dispose]: close,
  };
}

/** Nobody else may free in between. */
const usedBy = (segment: Segment): number => segment.heap.stats.used;

test("a message is a reference: it is counted in the queue, and moves to whoever receives it", () => {
  using given = scene();
  const dict = given.segment.share({ a: 1 });
  assert.is(given.queue.tryShare(dict), true);
  assert.is(dict.refCount, 2);
  const received = given.there.tryReceive<Dict>() as Dict;
  assert.is(dict.refCount, 2);
  received.set("a", 2);
  assert.is(dict.get("a"), 2);
  received.close();
  assert.is(dict.refCount, 1);
  assert.is(given.there.tryReceive(), undefined);
});

test("the message alone keeps a value: nothing of it stays when it was received and closed", async () => {
  using given = scene();
  given.segment.share(1).close();
  const used = usedBy(given.segment);
  await given.queue.share({ list: [1, { deep: "text that is longer" }] });
  const dict = given.segment.share({ own: [1, 2, 3] });
  given.queue.shareSync(dict);
  dict.close();
  assert.ok(given.segment.heap.check().ok);
  const [first, second] = [await given.there.receive<Dict>(), given.there.receiveSync<Dict>()];
  assert.equal(first.toJSON(), { list: [1, { deep: "text that is longer" }] });
  assert.equal(second.toJSON(), { own: [1, 2, 3] });
  for (const one of [first, second]) one.close();
  const rest = given.segment.share(0);
  await until("all of it is freed", () => {
    given.segment.share(1).close();
    return usedBy(given.segment) <= used + 200;
  });
  rest.close();
});

test("single values, lists, bytes and values of a layout go through one queue, in order", async () => {
  using given = scene();
  given.queue.trySend(Uint8Array.of(7));
  await given.queue.share("a text");
  await given.queue.share([1, 2n ** 80n]);
  const all = given.there.records();
  assert.equal((await all.next()).value, Uint8Array.of(7));
  assert.is(((await all.next()).value as unknown as SharedScalar).value, "a text");
  assert.equal(((await all.next()).value as unknown as List).toJSON(), [1, 2n ** 80n]);
  await all.return?.();
  const typed = given.segment.queue("typed", { capacity: 2, layout: struct({ id: "u32" }) });
  typed.trySend({ id: 3 });
  await typed.share({ id: 4 });
  assert.equal(typed.tryReceive(), { id: 3 });
  using job = typed.tryTake();
  assert.is(job?.view, undefined);
  assert.equal(job?.value?.toJSON(), { id: 4 });
});

test("a job has the value; the message keeps its reference until it is done", () => {
  using given = scene();
  const dict = given.segment.share({ a: 1 });
  given.queue.tryShare(dict);
  const job = given.there.tryTake();
  assert.is(job?.byteLength, 0);
  assert.equal(job?.copy(), new Uint8Array(0));
  assert.is(dict.refCount, 3);
  const value = job?.value as Dict;
  assert.is(job?.value, value);
  job?.giveBack();
  assert.is(dict.refCount, 3);
  const again = given.queue.tryTake();
  assert.is(again?.deliveries, 2);
  // Its value is not looked at: the reference of the job ends with the job.
  again?.done();
  assert.is(dict.refCount, 2);
  assert.is(value.get("a"), 1);
  value.close();
  assert.is(dict.refCount, 1);
});

test("a drain gives values, too, and those that are not kept are given back", () => {
  using given = scene();
  const dict = given.segment.share({ a: 1 });
  for (let n = 0; n < 3; n++) given.queue.tryShare(dict);
  const kept: Dict[] = [];
  const handled = given.there.tryDrain((job) => {
    if (kept.length === 0) kept.push(job.value as Dict);
  });
  assert.is(handled, 3);
  assert.is(dict.refCount, 2);
  kept[0]?.close();
  assert.is(dict.refCount, 1);
});

test("a full queue waits, and what it did not take is not counted", async () => {
  using given = scene();
  const dict = given.segment.share({ a: 1 });
  for (let n = 0; n < QUEUE.capacity; n++) assert.ok(given.queue.tryShare(dict));
  assert.is(given.queue.tryShare(dict), false);
  assert.is(given.queue.tryShare([1]), false);
  await rejected("TIMED_OUT", given.queue.share(dict, { timeoutMs: 20 }), /room in queue "q"/);
  refused("TIMED_OUT", () => given.queue.shareSync(dict, { timeoutMs: 20 }), /room in queue "q"/);
  assert.is(dict.refCount, 1 + QUEUE.capacity);
  const waiting = given.queue.share({ last: true });
  given.there.tryReceive<Dict>()?.close();
  await within("the one that waits", waiting);
  for (let n = 1; n < QUEUE.capacity; n++) given.there.tryReceive<Dict>()?.close();
  assert.is(dict.refCount, 1);
  assert.equal(given.there.tryReceive<Dict>()?.toJSON(), { last: true });
});

test("a waiting consumer is woken by a value, and one that waits for room by its receiver", async () => {
  using given = scene();
  const waiting = given.there.receive<Dict>();
  await given.queue.share({ a: 1 });
  assert.equal((await within("the value", waiting)).toJSON(), { a: 1 });
});

test("what cannot be sent is refused, and nothing stays in the queue", async () => {
  using given = scene();
  const dict = given.segment.share({ a: 1 });
  assert.throws(
    () => given.queue.tryShare({ a: [() => 1] } as never),
    /value\.a\[0\] must be .* got a function/,
  );
  using apart = Segment.createAnonymous({ bytes: MiB });
  const strange = apart.share([1]);
  assert.throws(() => given.queue.tryShare(strange), /must be a value of segment .*got one of segment/);
  await given.segment.transaction(given.segment.lock("l"), () => {
    refused("BUSY", () => given.queue.tryShare(dict), /sharing through queue "q": .*inside a transaction/);
  });
  const closed = given.segment.share([1]);
  closed.close();
  refused("CLOSED", () => given.queue.tryShare(closed));
  assert.is(given.queue.stats.queued, 0);
  for (let n = 0; n < QUEUE.capacity; n++) assert.ok(given.queue.tryShare(dict), "a slot is lost");
  await given.segment.transaction(given.segment.lock("l"), () => {
    refused("BUSY", () => given.queue.tryReceive(), /receiving from queue "q": .*inside a transaction/);
  });
  assert.is(given.queue.stats.queued, QUEUE.capacity);
});

test("who leaves gives back what it had taken, with its value", async () => {
  using given = scene();
  const dict = given.segment.share({ a: 1 });
  given.queue.tryShare(dict);
  const job = given.there.tryTake();
  assert.equal(job?.value?.toJSON(), { a: 1 });
  given.other.close();
  const again = given.queue.tryReceive<Dict>();
  assert.equal(again?.toJSON(), { a: 1 });
  again?.close();
  // The reference of its job is given back bit by bit.
  await until("its references are back", () => dict.refCount === 1);
});

const [node] = presentRuntimes();

async function agent(name: string): Promise<Agent> {
  const one = await Agent.start(node as NonNullable<typeof node>, ACTIONS);
  await one.call("open", name);
  return one;
}

function named(onConsumerDeath?: "drop"): { segment: Segment; queue: Queue } {
  const segment = Segment.create(segmentName("shared"), { bytes: MiB });
  return { segment, queue: segment.queue("q", onConsumerDeath ? { ...QUEUE, onConsumerDeath } : QUEUE) };
}

for (const runtime of presentRuntimes()) {
  test(`a value outlives who has sent it, and a killed receiver gives it back (${runtime.name})`, async () => {
    const { segment, queue } = named();
    const sender = await Agent.start(runtime, ACTIONS);
    await sender.call("open", segment.name);
    await sender.call("send", 2);
    await sender.kill();
    const first = await within("the first", queue.receive<Dict>());
    assert.equal(first.toJSON(), { n: 0, list: ["text", [0]] });
    const receiver = await Agent.start(runtime, ACTIONS);
    await receiver.call("open", segment.name);
    queue.tryShare(first);
    assert.equal(await receiver.call("receive", 2), [
      { n: 1, list: ["text", [1]], seen: true },
      { n: 0, list: ["text", [0]], seen: true },
    ]);
    assert.is(first.refCount, 2);
    await receiver.kill();
    await until("its reference is back", () => first.refCount === 1);
    segment.unlink();
    segment.close();
  });
}

for (const policy of [undefined, "drop"] as const) {
  test(`what a killed consumer had taken is ${policy ? "dropped" : "delivered again"}, with an exact count`, async () => {
    const { segment, queue } = named(policy);
    const dict = segment.share({ a: 1 });
    for (let n = 0; n < 2; n++) queue.tryShare(dict);
    const dying = await agent(segment.name);
    assert.equal(await dying.call("take", 2), [{ a: 1 }, { a: 1 }]);
    assert.is(dict.refCount, 5);
    await dying.kill();
    await until("its references are back", () => dict.refCount === (policy ? 1 : 3));
    const { queued, dropped } = queue.stats;
    assert.equal([queued, dropped], policy ? [0, 2] : [2, 0]);
    segment.unlink();
    segment.close();
  });
}

test("several processes send and receive values at once: each comes once, and nothing stays", async () => {
  const { segment, queue } = named();
  const agents = await Promise.all([1, 2, 3].map(() => agent(segment.name)));
  const rounds = 300;
  segment.share(1).close();
  const used = usedBy(segment);
  const sums = await Promise.all(agents.map((one) => one.call("work", rounds)));
  assert.is(
    (sums as number[]).reduce((sum, one) => sum + one, 0),
    (3 * rounds * (rounds - 1)) / 2,
  );
  assert.equal([queue.stats.queued, queue.stats.taken], [0, 0]);
  for (const one of agents) await one.end();
  await until("all is freed", () => {
    segment.share(1).close();
    return usedBy(segment) <= used + 1000;
  });
  assert.ok(segment.heap.check().ok);
  segment.unlink();
  segment.close();
});

test.run();
