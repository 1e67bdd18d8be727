// watchdog: 300 s
/**
 * An operator removes a participant that is alive. Whatever it holds is free for others at once, and each of its writing
 * calls stops with EVICTED: also when it was stopped, removed, robbed of what it held, and continued (failures 10).
 */
import { type Held, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as layout from "../../protocol/layout.js";
import { evictSlot, stop, tokenOf } from "../lib/evict.js";
import { objectOffset, peek64 } from "../lib/poke.js";
import { Agent } from "../lib/processes.js";
import { refused, rejected } from "../lib/refusals.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";
import { printedSeed, randomFrom } from "../lib/series.js";
import { noStops, unless } from "../lib/skips.js";
import { pause } from "../lib/watchdog.js";
import { Bank } from "../processes/memory-soak/bank.js";
import { KINDS, RING_BYTES, Small } from "./eviction-actions.js";

/** Two openers in this thread: one to be removed, and one that stays. */
function pair(): { victim: Segment; other: Segment; evict: () => void } {
  const other = Segment.create(segmentName("evict"), { bytes: MiB });
  const victim = Segment.open(other.name);
  const slot = victim.participants().find(({ self }) => self)?.slot as number;
  const evict = () => {
    evictSlot(other.name, slot);
    assert.is(other.participants().find((found) => found.slot === slot)?.state, "evicted");
  };
  return { victim, other, evict };
}

function end({ victim, other }: { victim: Segment; other: Segment }): void {
  const { ok, problems } = other.heap.check();
  victim.close();
  Segment.open(other.name).close(); // the slot can be taken again
  other.unlink();
  other.close();
  assert.ok(ok, JSON.stringify(problems));
}

const WAIT = { timeoutMs: 40_000 };

test("every way to send stops, and touches nothing that the next producer has sent", async () => {
  const all = pair();
  const ring = (segment: Segment) => segment.ring("ring", { bytes: RING_BYTES });
  const producer = ring(all.victim).producer();
  producer.trySend(new Uint8Array([1]));
  const claim = producer.tryClaim(8);
  all.evict();
  const next = ring(all.other).producer();
  for (let i = 2; i < 10; i++) assert.ok(next.trySend(new Uint8Array([i, i, i, i])));
  const bytes = new Uint8Array(16).fill(0xee);
  refused("EVICTED", () => claim?.commit());
  refused("EVICTED", () => producer.trySend(bytes));
  refused("EVICTED", () => producer.trySend(new Uint8Array(1000)));
  refused("EVICTED", () => producer.sendSync(bytes));
  refused("EVICTED", () => producer.sendSync(bytes, WAIT));
  refused("EVICTED", () => producer.trySendMany([bytes, bytes]));
  refused("EVICTED", () => producer.tryClaim(8));
  await rejected("EVICTED", producer.send(bytes, WAIT));
  refused("EVICTED", () => ring(all.victim).consumer());
  producer.close();
  const consumer = ring(all.other).consumer();
  assert.equal([...(consumer.tryReceive() ?? [])], [1]);
  for (let i = 2; i < 10; i++) assert.equal([...(consumer.tryReceive() ?? [])], [i, i, i, i]);
  assert.is(consumer.tryReceive(), undefined);
  refused("BUSY", () => ring(all.other).producer());
  end(all);
});

test("every way to receive stops, and what was not released goes to the next consumer", async () => {
  const all = pair();
  const ring = (segment: Segment) => segment.ring("ring", { bytes: RING_BYTES });
  const producer = ring(all.other).producer();
  for (let i = 0; i < 5; i++) producer.trySend(new Uint8Array([i]));
  const consumer = ring(all.victim).consumer();
  assert.equal([...(consumer.tryReceive() ?? [])], [0]);
  const record = consumer.tryPeek();
  all.evict();
  const next = ring(all.other).consumer();
  assert.equal([...(next.tryReceive() ?? [])], [0], "delivered again");
  refused("EVICTED", () => record?.release());
  refused("EVICTED", () => consumer.tryReceive());
  refused("EVICTED", () => consumer.tryReceiveInto(new Uint8Array(10)));
  refused("EVICTED", () => consumer.tryPeek());
  refused("EVICTED", () => consumer.receiveSync(WAIT));
  refused("EVICTED", () => consumer.tryDrain(() => {}));
  await rejected("EVICTED", consumer.receive(WAIT));
  consumer.close();
  for (let i = 1; i < 5; i++) assert.equal([...(next.tryReceive() ?? [])], [i]);
  end(all);
});

test("whoever waits for a peer or a lock is told", async () => {
  const all = pair();
  const ring = (segment: Segment, name: string) => segment.ring(name, { bytes: RING_BYTES });
  const full = ring(all.victim, "full").producer();
  ring(all.other, "full").consumer();
  while (full.trySend(new Uint8Array(100)));
  const empty = ring(all.victim, "empty").consumer();
  ring(all.other, "empty").producer();
  const held = all.other.lock("lock").acquireSync();
  all.other.semaphore("none", { initial: 0 });
  const waiting = [
    full.send(new Uint8Array(100), WAIT),
    empty.receive(WAIT),
    all.victim.lock("lock").acquire("exclusive", WAIT),
    all.victim.lock("lock").acquire("shared", WAIT),
    all.victim.semaphore("none", { initial: 0 }).acquire(WAIT),
  ];
  for (const promise of waiting) promise.catch(() => {});
  all.evict();
  for (const promise of waiting) await rejected("EVICTED", promise);
  held.release();
  end(all);
});

test("a writer of latest values stops, in the middle too", () => {
  const all = pair();
  const mine = all.victim.latest("latest", Small);
  mine.write({ a: 1, b: 1 });
  all.evict();
  refused("EVICTED", () => mine.write({ a: 2, b: 2 }));
  const theirs = all.other.latest("latest", Small);
  assert.equal(theirs.read(), { a: 1, b: 1 });
  theirs.write({ a: 3, b: 3 });
  refused("EVICTED", () => mine.write({ a: 4, b: 4 }));
  assert.equal(mine.read(), { a: 3, b: 3 }, "it may still read");
  end(all);
});

for (const mode of ["exclusive", "shared"] as const) {
  test(`a holder of a lock (${mode}) has lost it, and every use of its hold says so`, async () => {
    const all = pair();
    const lock = all.victim.lock("lock");
    const held = lock.acquireSync(mode);
    const nested = held.acquireSync(mode);
    all.evict();
    const next = all.other.lock("lock").tryAcquire("exclusive") as Held;
    assert.ok(next, "the lock is free");
    assert.is(next.ownerDied, mode === "exclusive");
    next.markConsistent();
    refused("EVICTED", () => held.markConsistent());
    refused("EVICTED", () => held.downgrade());
    refused("EVICTED", () => held.tryUpgrade());
    refused("EVICTED", () => held.upgradeSync(WAIT));
    await rejected("EVICTED", held.upgrade(WAIT));
    refused("EVICTED", () => held.tryAcquire("shared"));
    refused("EVICTED", () => held.acquireSync("exclusive", WAIT));
    await rejected("EVICTED", held.acquire("exclusive", WAIT));
    refused("EVICTED", () => held.release());
    nested.close();
    for (const wanted of ["exclusive", "shared"] as const) {
      refused("EVICTED", () => lock.tryAcquire(wanted));
      refused("EVICTED", () => lock.acquireSync(wanted, WAIT));
      await rejected("EVICTED", lock.acquire(wanted, WAIT));
    }
    assert.is(next.tryAcquire("exclusive")?.mode, "exclusive", "it is still theirs");
    end(all);
  });
}

test("heap, root, blocks and views can be read and not be changed", () => {
  const all = pair();
  const block = all.victim.heap.allocate(Small.bytes);
  if (!block) return assert.unreachable();
  const view = block.view(Small);
  view.write({ a: 1, b: 2 });
  all.victim.root = block;
  all.evict();
  refused("EVICTED", () => all.victim.heap.allocate(8));
  refused("EVICTED", () => block.free());
  refused("EVICTED", () => block.write(new Uint8Array(1)));
  refused("EVICTED", () => block.bytes);
  refused("EVICTED", () => view.write({ a: 3, b: 3 }));
  refused("EVICTED", () => view.set("a", 3));
  refused("EVICTED", () => {
    all.victim.root = undefined;
  });
  refused("EVICTED", () => all.victim.ring("fresh", { bytes: RING_BYTES }));
  assert.equal(view.read(), { a: 1, b: 2 });
  assert.is(all.victim.root?.offset, block.offset);
  end(all);
});

test("semaphores, events and counters stop", async () => {
  const all = pair();
  const semaphore = all.victim.semaphore("semaphore", { initial: 3 });
  const event = all.victim.event("event");
  const counter = all.victim.counter("counter");
  all.evict();
  refused("EVICTED", () => semaphore.tryAcquire());
  refused("EVICTED", () => semaphore.acquireSync(WAIT));
  await rejected("EVICTED", semaphore.acquire(WAIT));
  refused("EVICTED", () => semaphore.release());
  refused("EVICTED", () => event.signal());
  refused("EVICTED", () => event.reset());
  refused("EVICTED", () => counter.add(1));
  refused("EVICTED", () => counter.exchange(1));
  refused("EVICTED", () => counter.compareExchange(0, 1));
  assert.is(semaphore.value, 3);
  assert.is(counter.value, 0);
  end(all);
});

for (const robbed of [false, true]) {
  test(`a transaction stops and is undone${robbed ? ", also when another one came in between" : ""}`, () => {
    const all = pair();
    const lock = all.victim.lock("lock");
    const block = all.victim.heap.allocate(Small.bytes);
    all.victim.root = block;
    const view = block.view(Small);
    view.write({ a: 1, b: 1 });
    const blocks = all.other.heap.stats.blocks;
    const theirs = all.other.root?.view(Small);
    refused("EVICTED", () =>
      all.victim.transactionSync(lock, () => {
        view.write({ a: 2, b: 2 });
        all.victim.heap.allocate(100);
        all.evict();
        if (robbed) {
          all.other.transactionSync(all.other.lock("lock"), () => {
            assert.equal(theirs?.read(), { a: 1, b: 1 }, "undone before another sees it");
            theirs?.write({ a: 5, b: 5 });
          });
        }
      }),
    );
    assert.equal(theirs?.read(), robbed ? { a: 5, b: 5 } : { a: 1, b: 1 });
    assert.is(all.other.heap.stats.blocks, blocks);
    refused("EVICTED", () => all.victim.transactionSync(lock, () => {}));
    end(all);
  });
}

/** What the one that stays does with what it took over, so that the removed one finds it changed. */
function rob(segment: Segment, kind: string, random: () => number): void {
  if (kind === "producer") {
    const producer = segment.ring("ring", { bytes: RING_BYTES }).producer();
    producer.trySend(new Uint8Array(40));
    producer.close();
  } else if (kind === "consumer") segment.ring("ring", { bytes: RING_BYTES }).consumer().close();
  else if (kind === "latest") segment.latest("latest", Small).write({ a: 7, b: 7 });
  else if (kind === "lock") {
    const held = segment.lock("lock").acquireSync("exclusive", WAIT);
    if (held.ownerDied) held.markConsistent();
    held.release();
  } else if (kind === "heap") segment.heap.allocate(100).free();
  else if (kind === "transaction") new Bank(segment).transfer(random);
  else segment.semaphore("semaphore", { initial: 1 }).release();
}

/** The other end of the ring, so that the victim is never without work. */
function serve(segment: Segment, kind: string): () => void {
  const ring = segment.ring("ring", { bytes: RING_BYTES });
  if (kind === "producer") {
    const consumer = ring.consumer();
    return () => void consumer.tryDrain(() => {});
  }
  if (kind === "consumer") {
    const producer = ring.producer();
    return () => void producer.trySend(new Uint8Array(40));
  }
  return () => {};
}

/**
 * Stops it where it has neither the write lock nor a latest value in its hands: docs/recovery.md says what an
 * operator has to do with one that has.
 */
async function stopOutside(agent: Agent, segment: Segment, slot: number, kind: string): Promise<void> {
  const { name } = segment;
  const token = tokenOf(name, slot);
  const words = [layout.SEGMENT_LOCK_OFFSET];
  if (kind === "latest") words.push(objectOffset(name, "latest") + layout.LATEST_WRITER_OFFSET);
  for (let turn = 0; turn < 10_000; turn++) {
    await stop(agent);
    if (words.every((offset) => peek64(name, offset) !== token)) return;
    agent.signal("SIGCONT");
  }
  throw new Error("it was stopped inside of a change again and again");
}

for (const kind of KINDS) {
  unless(noStops, test)(`stopped at any moment, removed, robbed and continued: ${kind}`, async () => {
    const random = randomFrom(printedSeed());
    for (const runtime of presentRuntimes()) {
      const segment = Segment.create(segmentName("robbed"), { bytes: MiB });
      const bank = new Bank(segment);
      const agent = await Agent.start(runtime, "failures/eviction-actions.ts");
      try {
        await agent.call("prepare", segment.name, kind, Math.floor(random() * 2 ** 32));
        const serving = serve(segment, kind);
        const over = agent.call("workForEver");
        for (const end = Date.now() + 20 + random() * 100; Date.now() < end; serving()) await pause(0);
        const slot = segment.participants().find(({ pid }) => pid === agent.pid)?.slot as number;
        await stopOutside(agent, segment, slot, kind);
        evictSlot(segment.name, slot);
        rob(segment, kind, random);
        agent.signal("SIGCONT");
        await rejected("EVICTED", over);
        assert.is(segment.participants().find((found) => found.slot === slot)?.state, "evicted");
        if (kind === "latest") assert.equal(segment.latest("latest", Small).read(), { a: 7, b: 7 });
        rob(segment, kind, random);
        assert.equal(bank.problems(), [], runtime.name);
      } finally {
        agent.signal("SIGCONT");
        await agent.kill();
        segment.unlink();
        segment.close();
      }
    }
  });
}

test.run();
