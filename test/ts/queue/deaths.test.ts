/** Processes that are killed or stopped with messages of a queue in their hands: nobody waits for them. */
import { type Job, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { QUEUE_WAITERS_OFFSET, WAITERS_WORDS_OFFSET } from "../../../protocol/layout.js";
import { evictSlot, stop } from "../../lib/evict.js";
import { objectOffset, peek32 } from "../../lib/poke.js";
import { Agent } from "../../lib/processes.js";
import { rejected } from "../../lib/refusals.js";
import { presentRuntimes } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { noStops, unless } from "../../lib/skips.js";
import { until, within } from "../../lib/watchdog.js";

const ACTIONS = "ts/queue/queue-actions.ts";
const QUEUE = { capacity: 4, slotBytes: 8 };
/** Much longer than it takes, and not so long that a planted bug takes a minute. */
const SOON_MS = 15_000;
const [node] = presentRuntimes();

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);
const first = (job: Job): number | undefined => job.bytes[0];

async function agent(name: string, ...given: unknown[]): Promise<Agent> {
  const one = await Agent.start(node as NonNullable<typeof node>, ACTIONS);
  await one.call("open", name, ...given);
  return one;
}

/** Whether a participant sleeps until there is a message. */
function waits(name: string, slot: number): boolean {
  const word = peek32(name, objectOffset(name, "q") + QUEUE_WAITERS_OFFSET + WAITERS_WORDS_OFFSET);
  return ((word >>> slot) & 1) !== 0;
}

for (const runtime of presentRuntimes()) {
  test(`what a killed consumer had taken is delivered again, first of all (${runtime.name})`, async () => {
    const name = segmentName("deaths");
    const dying = await Agent.start(runtime, ACTIONS);
    assert.is(await dying.call("open", name, MiB, QUEUE), 0);
    // It has the slot before ours, so the one that we watch is behind the last slot.
    using segment = Segment.open(name);
    const queue = segment.queue("q");
    queue.trySendMany([bytes(1), bytes(2), bytes(3)]);
    assert.equal(await dying.call("take", 2), [1, 2]);
    queue.tryTake()?.done();
    const waiting = [queue.take(), queue.take()];
    await dying.kill();
    const jobs = await within("both messages", Promise.all(waiting));
    assert.equal(jobs.map(first).sort(), [1, 2]);
    assert.equal([jobs[0]?.deliveries, queue.stats.redelivered, queue.stats.dropped], [2, 2, 0]);
    for (const job of jobs) job.done();
    assert.equal([queue.stats.received, queue.stats.queued, queue.stats.taken], [3, 0, 0]);
    segment.unlink();
  });
}

test("a consumer that never waits gets them, too", async () => {
  using segment = Segment.create(segmentName("deaths"), { bytes: MiB });
  const queue = segment.queue("q", QUEUE);
  const dying = await agent(segment.name);
  queue.trySend(bytes(1));
  await dying.call("take", 1);
  await dying.kill();
  let job: Job | undefined;
  const comesBack = (): boolean => {
    job = queue.tryTake();
    return job !== undefined;
  };
  await until("the message comes back", comesBack, SOON_MS);
  assert.is(first(job as Job), 1);
  assert.is(queue.stats.redelivered, 1);
});

unless(noStops, test)("what a participant that was removed had taken comes back", async () => {
  using segment = Segment.create(segmentName("deaths"), { bytes: MiB });
  const queue = segment.queue("q", QUEUE);
  const removed = await agent(segment.name);
  queue.trySend(bytes(1));
  await removed.call("take", 1);
  await stop(removed);
  evictSlot(segment.name, 1);
  await until("the message comes back", () => queue.stats.queued === 1, SOON_MS);
  assert.is(queue.tryReceive()?.[0], 1);
  removed.signal("SIGCONT");
  await rejected("EVICTED", removed.call("done"));
  await removed.kill();
});

test("a consumer in the slot before, whose death a blocked thread notices behind the last slot", async () => {
  const name = segmentName("deaths");
  const dying = await agent(name, MiB, QUEUE);
  using segment = Segment.open(name);
  const queue = segment.queue("q");
  queue.trySend(bytes(1));
  await dying.call("take", 1);
  await dying.kill();
  assert.is(first(queue.takeSync({ timeoutMs: SOON_MS })), 1);
});

test("a queue made to drop them counts them, and who waits for room gets it", async () => {
  using segment = Segment.create(segmentName("deaths"), { bytes: MiB });
  const queue = segment.queue("q", { ...QUEUE, onConsumerDeath: "drop" });
  const dying = await agent(segment.name);
  queue.trySendMany([1, 2, 3, 4].map((one) => bytes(one)));
  await dying.call("take", 2);
  const sending = queue.send(bytes(5));
  await dying.kill();
  await within("there is room", sending);
  assert.equal([queue.stats.dropped, queue.stats.redelivered, queue.stats.queued], [2, 0, 3]);
  assert.equal(
    [3, 4, 5].map(() => queue.tryReceive()?.[0]),
    [3, 4, 5],
  );
  assert.is(queue.stats.received, 3);
});

for (const onConsumerDeath of ["redeliver", "drop"] as const) {
  test(`a process that exits with a job in its hands counts as one that died (${onConsumerDeath})`, async () => {
    using segment = Segment.create(segmentName("deaths"), { bytes: MiB });
    const queue = segment.queue("q", { ...QUEUE, onConsumerDeath });
    const leaving = await agent(segment.name);
    queue.trySend(bytes(1));
    await leaving.call("take", 1);
    await leaving.call("exit");
    await leaving.ended;
    assert.is(queue.stats.taken, 0);
    assert.equal([queue.stats.queued, queue.stats.dropped], onConsumerDeath === "drop" ? [0, 1] : [1, 0]);
  });
}

unless(noStops, test)("nobody waits for a consumer that was stopped; it goes on where it was", async () => {
  using segment = Segment.create(segmentName("deaths"), { bytes: MiB });
  const queue = segment.queue("q", QUEUE);
  const stopped = await agent(segment.name);
  queue.trySend(bytes(1));
  await stopped.call("take", 1);
  await stop(stopped);
  for (let i = 2; i < 100; i++) {
    queue.sendSync(bytes(i));
    assert.is(queue.receiveSync()[0], i);
  }
  assert.equal(
    queue.stats.holders.map(({ pid, alive, taken }) => [pid, alive, taken]),
    [[stopped.pid, true, 1]],
  );
  stopped.signal("SIGCONT");
  await stopped.call("done");
  assert.equal([queue.stats.taken, queue.stats.received], [0, 99]);
  await stopped.end();
});

for (const how of ["SIGSTOP", "SIGKILL"] as const) {
  const possible = how === "SIGSTOP" ? unless(noStops, test) : test;
  possible(
    `a message for which a consumer was called that got ${how} goes to another one that waits`,
    async () => {
      using segment = Segment.create(segmentName("deaths"), { bytes: MiB });
      segment.queue("q", QUEUE);
      const sleeping = await agent(segment.name);
      const staying = await agent(segment.name);
      await sleeping.call("waitForOne");
      await until("the first one sleeps", () => waits(segment.name, 1));
      if (how === "SIGSTOP") await stop(sleeping);
      await staying.call("waitForOne");
      await until("the second one sleeps", () => waits(segment.name, 2));
      if (how === "SIGKILL") await sleeping.kill();
      segment.queue("q").trySend(bytes(7));
      assert.is(await staying.call("received"), 7);
      await staying.end();
      if (how === "SIGSTOP") await sleeping.kill();
    },
  );
}

unless(noStops, test)("a dead one is noticed behind others that are dead or stopped", async () => {
  using segment = Segment.create(segmentName("deaths"), { bytes: MiB });
  const queue = segment.queue("q", QUEUE);
  const stopped = await agent(segment.name);
  const dying = [await agent(segment.name), await agent(segment.name)];
  queue.trySendMany([bytes(1), bytes(2)]);
  for (const one of dying) await one.call("take", 1);
  await stop(stopped);
  for (const one of dying) await one.kill();
  const jobs = await within("both messages", Promise.all([queue.take(), queue.take()]));
  assert.equal(jobs.map(first).sort(), [1, 2]);
  await stopped.kill();
});

test("a thread that blocks gets what a killed consumer had taken", async () => {
  using segment = Segment.create(segmentName("deaths"), { bytes: MiB });
  const queue = segment.queue("q", QUEUE);
  const dying = await agent(segment.name);
  queue.trySend(bytes(1));
  await dying.call("take", 1);
  await dying.kill();
  assert.is(first(queue.takeSync({ timeoutMs: 60_000 })), 1);
});

test.run();
