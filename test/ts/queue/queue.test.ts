/** Queues: every form, between openers of one segment. */
import { type Job, MiB, type Queue, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { refused, rejected } from "../../lib/refusals.js";
import { forget, keep, segmentName } from "../../lib/segments.js";
import { within } from "../../lib/watchdog.js";

const SMALL = { capacity: 4, slotBytes: 8 };
const Order = struct({ id: "u32", name: "utf8:12" });

function openers() {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const other = Segment.fromHandle(segment.handle);
  const looking = Segment.fromHandle(segment.handle, { access: "read-only" });
  const close = (): void => {
    for (const one of [looking, other, segment]) one.close();
  };
  return { segment, other, looking, [Symbol.dispose]: close };
}

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);
/** Sends messages that are one byte each. */
const fill = (queue: Queue, ...values: number[]): number =>
  queue.trySendMany(values.map((one) => bytes(one)));
const first = (message: Uint8Array | undefined): number | undefined => message?.[0];
test("messages go to any opener, in the order in which they were sent, each to one", () => {
  using scene = openers();
  const queue = scene.segment.queue("q", SMALL);
  const there = scene.other.queue("q", SMALL);
  assert.is(queue.trySend(bytes(1)), true);
  assert.is(there.trySend(bytes(2)), true);
  assert.is(queue.trySend(bytes(3)), true);
  assert.equal(
    [there, queue, there, queue].map((one) => first(one.tryReceive())),
    [1, 2, 3, undefined],
  );
  assert.equal([queue.stats.sent, queue.stats.received, queue.stats.queued, queue.stats.taken], [3, 3, 0, 0]);
});

test("there are exactly as many messages as the capacity says, those that were taken included", () => {
  using scene = openers();
  for (const capacity of [1, 2, 31, 32, 33, 100]) {
    const queue = scene.segment.queue(`q${capacity}`, { capacity, slotBytes: 8 });
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < capacity; i++) assert.is(queue.trySend(bytes(i)), true);
      assert.is(queue.trySend(bytes(0)), false);
      const job = queue.tryTake() as Job;
      assert.is(queue.trySend(bytes(0)), false);
      assert.is(queue.stats.queued + queue.stats.taken, capacity);
      job.done();
      assert.is(queue.trySend(bytes(capacity)), true);
      for (let i = 1; i <= capacity; i++) assert.is(first(queue.tryReceive()), i);
      assert.is(queue.tryReceive(), undefined);
    }
  }
});

test("a message has 0 to slotBytes bytes, and is a private copy", () => {
  using scene = openers();
  const queue = scene.segment.queue("q", { capacity: 4, slotBytes: 10_000 });
  for (const length of [0, 1, 255, 256, 4095, 4096, 10_000]) {
    const message = Uint8Array.from({ length }, (_, i) => i * 7);
    queue.sendSync(message);
    const received = scene.other.queue("q").receiveSync();
    assert.equal(received, message);
    assert.ok(received.buffer instanceof ArrayBuffer);
  }
  const text = /10001 bytes can never fit into queue "q": a slot has 10000 bytes/;
  const large = new Uint8Array(10_001);
  refused("TOO_LARGE", () => queue.trySend(large), text);
  refused("TOO_LARGE", () => queue.sendSync(large), text);
  refused("TOO_LARGE", () => queue.trySendMany([bytes(1), large]), text);
  assert.is(queue.stats.sent, 7);
});

test("a job is in the queue until it is done, and the next one when it is given back", () => {
  using scene = openers();
  const queue = scene.segment.queue("q", SMALL);
  fill(queue, 1, 2, 3);
  const job = queue.tryTake() as Job;
  assert.equal([...job.bytes], [1]);
  assert.equal([job.byteLength, job.deliveries, job.view], [1, 1, undefined]);
  assert.ok(job.bytes.buffer instanceof SharedArrayBuffer);
  assert.equal(
    queue.stats.holders.map(({ slot, self, alive, taken }) => ({ slot, self, alive, taken })),
    [{ slot: 0, self: true, alive: true, taken: 1 }],
  );
  assert.is(scene.other.queue("q").stats.holders[0]?.self, false);
  job.giveBack();
  refused("CLOSED", () => job.bytes, /given back already/);
  refused("CLOSED", () => job.done(), /given back already/);
  const again = scene.other.queue("q").tryTake() as Job;
  assert.equal([...again.copy()], [1]);
  assert.is(again.deliveries, 2);
  const own = bytes(9, 9, 9);
  assert.is(again.copyInto(own), 1);
  assert.equal(own, bytes(1, 9, 9));
  again.done();
  refused("CLOSED", () => again.done(), /done already/);
  refused("CLOSED", () => again.giveBack(), /done already/);
  refused("RangeError", () => (queue.tryTake() as Job).copyInto(bytes()));
  assert.is(queue.stats.taken, 1);
  assert.equal([queue.stats.redelivered, queue.stats.dropped, queue.stats.unsent], [0, 0, 0]);
});

test("using gives a job back unless it is done", () => {
  using scene = openers();
  const queue = scene.segment.queue("q", SMALL);
  fill(queue, 1, 2);
  {
    using job = queue.tryTake();
    assert.is(first(job?.bytes), 1);
  }
  {
    using job = queue.tryTake();
    assert.is(job?.deliveries, 2);
    job?.done();
  }
  assert.is(first(queue.tryReceive()), 2);
  assert.is(queue.stats.queued, 0);
});

test("a job that was forgotten goes back when its segment is closed", () => {
  using scene = openers();
  const queue = scene.segment.queue("q", { ...SMALL, onConsumerDeath: "drop" });
  const there = scene.other.queue("q");
  fill(queue, 1, 2);
  const job = there.tryTake() as Job;
  scene.other.close();
  refused("CLOSED", () => job.bytes);
  refused("CLOSED", () => job.done());
  job[Symbol.dispose]();
  const again = queue.tryTake() as Job;
  assert.equal([first(again.bytes), again.deliveries], [1, 2]);
  assert.is(queue.stats.dropped, 0);
});

test("drain handles what is there, up to a limit; what its function did not finish goes back", () => {
  using scene = openers();
  const queue = scene.segment.queue("q", { capacity: 10, slotBytes: 8 });
  fill(queue, 1, 2, 3, 4, 5, 6);
  const seen: (number | undefined)[] = [];
  assert.is(
    queue.tryDrain((job) => void seen.push(first(job.bytes)), { limit: 2 }),
    2,
  );
  assert.equal([seen, queue.stats.queued, queue.stats.taken], [[1, 2], 4, 0]);
  assert.throws(
    () =>
      queue.tryDrain((job) => {
        if (first(job.bytes) === 4) throw new Error("of the function");
      }),
    /of the function/,
  );
  assert.is(first((queue.tryTake() as Job).bytes), 4);
  refused("TypeError", () => queue.tryDrain((() => Promise.resolve()) as never), /returned a promise/);
  refused("TypeError", () => queue.tryDrain((async () => {}) as never), /must not be async/);
  assert.is(first(queue.tryReceive()), 5);
  assert.is(
    queue.drainSync((job) => job.done()),
    1,
  );
  assert.is(
    queue.tryDrain(() => {}),
    0,
  );
  assert.is(queue.stats.taken, 1);
});

test("drain ends although its function gives everything back, or sends as fast as it receives", () => {
  using scene = openers();
  const queue = scene.segment.queue("q", SMALL);
  fill(queue, 1, 2);
  assert.is(
    queue.tryDrain((job) => job.giveBack()),
    4,
  );
  assert.is(queue.stats.queued, 2);
  const handled = queue.tryDrain((job) => {
    const copy = job.copy();
    job.done();
    queue.trySend(copy);
  });
  assert.is(handled, 4);
  assert.is(queue.stats.queued, 2);
});

test("a drain that closes its segment ends", () => {
  using scene = openers();
  const queue = scene.segment.queue("q", SMALL);
  fill(queue, 1, 2);
  assert.is(
    scene.other.queue("q").tryDrain(() => scene.other.close()),
    1,
  );
  assert.equal([first(queue.tryReceive()), first(queue.tryReceive())], [1, 2]);
});

test("calls that wait are served in their order, before the forms with try", async () => {
  using scene = openers();
  const queue = scene.segment.queue("q", SMALL);
  const order: string[] = [];
  let drained: number | undefined;
  const calls = [
    queue.receive().then((message) => order.push(`receive ${first(message)}`)),
    queue.take().then((job) => order.push(`take ${first(job.bytes)}`)),
    queue
      .drain((job) => (drained = first(job.bytes)), { limit: 1 })
      .then(() => order.push(`drain ${drained}`)),
  ];
  fill(scene.other.queue("q"), 1, 2, 3, 4);
  assert.is(queue.tryReceive(), undefined);
  assert.is(queue.tryTake(), undefined);
  assert.is(
    queue.tryDrain(() => {}),
    0,
  );
  await within("all are served", Promise.all(calls));
  assert.equal(order, ["receive 1", "take 2", "drain 3"]);
  assert.is(first(queue.tryReceive()), 4);
});

test("sends that wait for room are served in their order, before the forms with try", async () => {
  using scene = openers();
  const queue = scene.segment.queue("q", { capacity: 2, slotBytes: 8 });
  fill(queue, 1, 2);
  const progress = { sent: -1 };
  const sends = [
    queue.send(bytes(3)),
    queue.sendMany(
      [4, 5, 6].map((one) => bytes(one)),
      { progress },
    ),
  ];
  assert.is(queue.trySend(bytes(9)), false);
  assert.is(queue.trySendMany([bytes(9)]), 0);
  const there = scene.other.queue("q");
  const received: (number | undefined)[] = [];
  for (let i = 0; i < 6; i++) received.push(first(await within("a message", there.receive())));
  await within("all are sent", Promise.all(sends));
  assert.equal(received, [1, 2, 3, 4, 5, 6]);
  assert.is(progress.sent, 3);
});

test("a blocking call has priority over tasks that wait", async () => {
  using scene = openers();
  const queue = scene.segment.queue("q", SMALL);
  const waiting = queue.receive();
  fill(scene.other.queue("q"), 1, 2);
  assert.is(first(queue.receiveSync()), 1);
  assert.is(first(await within("the task is served", waiting)), 2);
  refused("TIMED_OUT", () => queue.receiveSync({ timeoutMs: 5 }), /waiting for a message in queue "q"/);
  refused("TIMED_OUT", () => queue.takeSync({ timeoutMs: 5 }));
  refused("TIMED_OUT", () => queue.drainSync(() => {}, { timeoutMs: 5 }));
});

test("a call that waits ends with its time, its signal, or its segment, and takes nothing", async () => {
  using scene = openers();
  const queue = scene.segment.queue("q", SMALL);
  await rejected("TIMED_OUT", queue.receive({ timeoutMs: 5 }));
  await rejected("TIMED_OUT", queue.take({ timeoutMs: 0 }));
  const leaving = new AbortController();
  const aborted = queue.receive({ signal: leaving.signal });
  leaving.abort(new Error("left"));
  const error = await aborted.catch((reason: Error) => reason);
  assert.is((error as Error).message, "left");
  fill(queue, 1, 2, 3, 4);
  const late = rejected("TIMED_OUT", queue.send(bytes(5), { timeoutMs: 5 }), /waiting for room in queue "q"/);
  const drops = scene.segment.header.drops;
  await late;
  assert.is(scene.segment.header.drops, drops + 1);
  refused("TIMED_OUT", () => queue.sendSync(bytes(5), { timeoutMs: 0 }));
  const part = await rejected("TIMED_OUT", queue.sendMany([bytes(5), bytes(6)], { timeoutMs: 5 }), /0 of 2/);
  assert.is((part as unknown as { sent: number }).sent, 0);
  const there = scene.other.queue("q");
  const closing = [there.send(bytes(7)), there.send(bytes(8))].map((one) => rejected("CLOSED", one));
  scene.other.close();
  await within("they end", Promise.all(closing));
  assert.equal(
    [1, 2, 3, 4, undefined].map(() => first(queue.tryReceive())),
    [1, 2, 3, 4, undefined],
  );
  refused("CLOSED", () => there.tryReceive());
  refused("CLOSED", () => there.stats);
});

test("sendManySync says how many were sent before its time was over", () => {
  using scene = openers();
  const queue = scene.segment.queue("q", SMALL);
  const messages = [1, 2, 3, 4, 5, 6].map((one) => bytes(one));
  const part = refused("TIMED_OUT", () => queue.sendManySync(messages, { timeoutMs: 5 }), /4 of 6 messages/);
  assert.is((part as unknown as { sent: number }).sent, 4);
  assert.is(queue.trySendMany(messages), 0);
  assert.is(
    queue.tryDrain(() => {}, { limit: 3 }),
    3,
  );
  assert.is(queue.trySendMany(messages), 3);
  refused("TypeError", () => queue.trySendMany([bytes(1), "two" as never]), /messages\[1\]/);
  refused("TypeError", () => queue.trySendMany(bytes(1) as never), /messages must be an array/);
});

test("loops give messages, or jobs, and take nothing when they are left", async () => {
  using scene = openers();
  const queue = scene.segment.queue("q", { capacity: 10, slotBytes: 8 });
  fill(queue, 1, 2, 3, 4, 5);
  const seen: (number | undefined)[] = [];
  for await (const message of queue) if (seen.push(first(message)) === 2) break;
  for await (using job of queue.jobs()) {
    seen.push(first(job.bytes));
    if (seen.length === 4) break;
    job.done();
  }
  assert.equal(seen, [1, 2, 3, 4]);
  assert.equal([queue.stats.queued, queue.stats.taken], [2, 0]);
  const leaving = new AbortController();
  const loop = async (): Promise<void> => {
    for await (const message of queue.records({ signal: leaving.signal })) {
      seen.push(first(message));
      if (seen.length === 6) queueMicrotask(() => leaving.abort(new Error("left")));
    }
  };
  const end = await within(
    "the loop ends",
    loop().catch((error: Error) => error),
  );
  assert.is((end as Error).message, "left");
  assert.equal(seen.slice(4), [4, 5]);
  fill(queue, 6);
  assert.is(first(queue.tryReceive()), 6);
  await rejected("TIMED_OUT", queue.records({ timeoutMs: 5 }).next());
});

test("values are sent and received, and seen in place", async () => {
  using scene = openers();
  const queue = scene.segment.queue("q", { capacity: 4, layout: Order });
  assert.equal([queue.slotBytes, queue.layout], [Order.bytes, Order]);
  assert.is(queue.trySend({ id: 1, name: "one" }), true);
  await queue.sendMany([
    { id: 2, name: "two" },
    { id: 3, name: "three" },
  ]);
  const there = scene.other.queue("q", { layout: Order });
  assert.equal(there.tryReceive(), { id: 1, name: "one" });
  const job = there.tryTake() as Job<typeof Order.fields>;
  const { view } = job;
  assert.equal(view.read(), { id: 2, name: "two" });
  view.set("id", 22);
  job.giveBack();
  refused("CLOSED", () => view.read());
  assert.is((await there.receive()).id, 22);
  for await (const { name } of there) {
    assert.is(name, "three");
    break;
  }
  refused("RangeError", () => queue.trySend({ id: -1, name: "" }), /id/);
  refused("TypeError", () => queue.trySend({ id: 1, name: "", age: 3 } as never), /age/);
  assert.is(queue.stats.sent, 3);
});

test("every opener passes the same parameters, or none", () => {
  using scene = openers();
  const { segment, other, looking } = scene;
  refused("NOT_FOUND", () => other.queue("q"), /give \{ capacity, slotBytes \} to make a queue/);
  segment.queue("q", { ...SMALL, onConsumerDeath: "drop" });
  segment.queue("values", { capacity: 4, slotBytes: 64, layout: Order });
  segment.ring("r", { bytes: 100 });
  for (const opener of [other, looking]) {
    const { capacity, slotBytes, onConsumerDeath, layout, name } = opener.queue("q");
    assert.equal([capacity, slotBytes, onConsumerDeath, layout, name], [4, 8, "drop", undefined, "q"]);
    const different: [object, RegExp][] = [
      [
        { capacity: 5, slotBytes: 8, onConsumerDeath: "drop" },
        /made with capacity 4, opened with capacity 5/,
      ],
      [{ capacity: 4, slotBytes: 9, onConsumerDeath: "drop" }, /made with slotBytes 8, .*slotBytes 9/],
      [SMALL, /made with onConsumerDeath "drop", opened with onConsumerDeath "redeliver"/],
      [{ onConsumerDeath: "redeliver" }, /made with onConsumerDeath "drop", .*"redeliver"/],
      [{ layout: Order }, /no layout|another layout/],
    ];
    for (const [options, text] of different) {
      refused("OBJECT_MISMATCH", () => opener.queue("q", options as never), text);
    }
    refused("OBJECT_MISMATCH", () => opener.queue("r"), /"r" is a ring in this segment, not a queue/);
    refused("OBJECT_MISMATCH", () => opener.ring("q"), /"q" is a queue in this segment, not a ring/);
  }
  const Foreign = struct({ id: "u32", name: "utf8:13" });
  const text = /another layout: field 2 is "name", "utf8:12" at 4, there, and "name", "utf8:13" at 4, here/;
  refused("OBJECT_MISMATCH", () => other.queue("values", { layout: Foreign }), text);
  const hidden = other.queue("values");
  assert.is(hidden.stats.queued, 0);
  for (const call of [() => hidden.trySend(bytes(1)), () => hidden.tryReceive(), () => hidden.tryTake()])
    refused("OBJECT_MISMATCH", call, /have a layout; open it with \{ layout \}/);
});

test("parameters that no queue can have are refused", () => {
  using scene = openers();
  const { segment } = scene;
  const wrong: [string, object, RegExp][] = [
    ["TypeError", { capacity: 1 }, /slotBytes must be a number/],
    ["TypeError", { slotBytes: 1 }, /capacity must be a number/],
    ["RangeError", { capacity: 0, slotBytes: 1 }, /capacity/],
    ["RangeError", { capacity: 2 ** 20 + 1, slotBytes: 1 }, /capacity/],
    ["RangeError", { capacity: 1, slotBytes: 0 }, /slotBytes/],
    ["RangeError", { capacity: 1, slotBytes: 2 ** 28 + 1 }, /slotBytes/],
    ["RangeError", { capacity: 1, slotBytes: Order.bytes - 1, layout: Order }, /slotBytes/],
    ["RangeError", { ...SMALL, onConsumerDeath: "retry" }, /onConsumerDeath must be "redeliver" or "drop"/],
    ["TypeError", { ...SMALL, size: 1 }, /no option "size"/],
    ["TypeError", { ...SMALL, layout: {} }, /layout must be a struct/],
    ["SEGMENT_FULL", { capacity: 2 ** 20, slotBytes: 2 ** 28 }, /no room/],
  ];
  for (const [code, options, text] of wrong) refused(code, () => segment.queue("q", options as never), text);
  assert.equal(segment.objects(), []);
});

test("a read-only opener sees the counters only", () => {
  using scene = openers();
  const queue = scene.segment.queue("q", SMALL);
  fill(queue, 1, 2);
  const job = queue.tryTake() as Job;
  const looking = scene.looking.queue("q");
  const { queued, taken, holders } = looking.stats;
  assert.equal([queued, taken, holders[0]?.taken, holders[0]?.alive], [1, 1, 1, true]);
  const calls = [
    () => looking.trySend(bytes(1)),
    () => looking.tryReceive(),
    () => looking.tryTake(),
    () => looking.sendSync(bytes(1)),
    () => looking.receiveSync(),
  ];
  for (const call of calls) refused("READ_ONLY", call);
  job.done();
});

test("the directory shows a queue: its parameters, how many messages wait, and who has taken some", () => {
  using scene = openers();
  const queue = scene.segment.queue("q", SMALL);
  fill(queue, 1, 2, 3);
  const job = queue.tryTake() as Job;
  const [info] = scene.looking.objects();
  assert.is(info?.type, "queue");
  assert.equal(info?.parameters, { capacity: 4, slotBytes: 8, onConsumerDeath: 0 });
  assert.equal([info?.queue?.queued, info?.queue?.holders[0]?.pid], [2, process.pid]);
  job.done();
});

test("two objects of one queue have one order of calls", async () => {
  using scene = openers();
  const queue = scene.segment.queue("q", SMALL);
  const same = scene.segment.queue("q");
  const waiting = [queue.receive(), same.receive()];
  fill(scene.other.queue("q"), 1, 2);
  const received = await within("both receive", Promise.all(waiting));
  assert.equal(received.map(first), [1, 2]);
});

test("a queue outlives those who use it, and waitForObject waits for it", async () => {
  const name = segmentName("outlive");
  {
    using segment = Segment.create(name, { bytes: MiB });
    const waiting = segment.waitForObject("q", { timeoutMs: 60_000 });
    fill(segment.queue("q", SMALL), 1);
    assert.is((await waiting).type, "queue");
    keep(name);
  }
  using segment = Segment.open(name);
  assert.is(first(segment.queue("q").tryReceive()), 1);
  forget(name);
});

test("many messages through a small queue, in batches of many lengths", async () => {
  using scene = openers();
  const queue = scene.segment.queue("q", { capacity: 7, slotBytes: 4 });
  const there = scene.other.queue("q");
  const count = 3000;
  const send = async (): Promise<void> => {
    for (let i = 0; i < count; ) {
      const batch = Array.from({ length: Math.min(1 + (i % 17), count - i) }, (_, j) => number(i + j));
      await there.sendMany(batch);
      i += batch.length;
    }
  };
  const sending = send();
  let received = 0;
  while (received < count) {
    await queue.drain((job) => assert.is(new DataView(job.copy().buffer).getUint32(0), received++));
  }
  await sending;
  assert.equal([queue.stats.sent, queue.stats.received], [count, count]);
});

function number(value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value);
  return new Uint8Array(view.buffer);
}

test.run();
