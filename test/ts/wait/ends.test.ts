/** Every wait ends, in each of its states, and leaves nothing behind: no arm, no timer, no process that stays. */
import { KiB, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LOCK_WAITERS_OFFSET, RING_WAITERS_OFFSET, WAITERS_WORDS_OFFSET } from "../../../protocol/layout.js";
import { root } from "../../lib/paths.js";
import { objectOffset, peek32 } from "../../lib/poke.js";
import { Agent, finished, start } from "../../lib/processes.js";
import { node } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { codeWithin, until, within } from "../../lib/watchdog.js";

const ACTIONS = "ts/wait/ends-actions.ts";

/** Keeps the thread busy until the timers of so many milliseconds are due. */
function busy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

test("a shared wait that times out while it is awake leaves no bit: the lock is free right after its release", () => {
  return freeAfter(async (lock) => {
    const waiting = codeWithin(lock.acquire("shared", { timeoutMs: 1 }));
    busy(2); // its timer comes before it could fall asleep
    assert.is(await waiting, "TIMED_OUT");
  });
});

test("a shared wait that is aborted while it is awake leaves no bit", () => {
  return freeAfter(async (lock) => {
    const controller = new AbortController();
    const waiting = lock.acquire("shared", controller).catch((error) => error);
    queueMicrotask(() => controller.abort(new Error("enough")));
    assert.is((await within("an abort", waiting)).message, "enough");
  });
});

test("a shared wait that is aborted while it is asleep leaves no bit", () => {
  return freeAfter(async (lock, armed) => {
    const controller = new AbortController();
    const waiting = lock.acquire("shared", controller).catch((error) => error);
    await until("it sleeps", armed);
    controller.abort(new Error("enough"));
    assert.is((await within("an abort", waiting)).message, "enough");
  });
});

test("a shared wait that blocks and times out leaves no bit", () => {
  return freeAfter(async (lock) => {
    assert.throws(() => lock.acquireSync("shared", { timeoutMs: 2 }), /TIMED_OUT/);
  });
});

/** Lets a wait for a lock end that another opener holds, and checks that nothing of it is left. */
async function freeAfter(
  waits: (lock: ReturnType<Segment["lock"]>, armed: () => boolean) => Promise<void>,
): Promise<void> {
  using a = Segment.create(segmentName("armed"), { bytes: MiB });
  using b = Segment.open(a.name);
  using c = Segment.open(a.name);
  const locks = [a, b, c].map((segment) => segment.lock("l")) as [
    ReturnType<Segment["lock"]>,
    ReturnType<Segment["lock"]>,
    ReturnType<Segment["lock"]>,
  ];
  const waiters = objectOffset(a.name, "l") + LOCK_WAITERS_OFFSET + WAITERS_WORDS_OFFSET;
  for (let i = 0; i < 20; i++) {
    const held = locks[0].acquireSync();
    await waits(locks[1], () => peek32(a.name, waiters) !== 0);
    assert.is(peek32(a.name, waiters), 0, "armed for nobody");
    held.release();
    const got = locks[2].tryAcquire("exclusive");
    assert.ok(got, "a free lock is kept for nobody");
    got?.release();
  }
  a.unlink();
}

test("a wait that blocks and ends with an error leaves no bit", async () => {
  using segment = Segment.create(segmentName("armed"), { bytes: MiB });
  const child = await Agent.start(node, ACTIONS);
  await child.call("open", segment.name);
  await child.call("producer", segment.name, "r", 4 * KiB);
  const waiters = objectOffset(segment.name, "r") + RING_WAITERS_OFFSET + WAITERS_WORDS_OFFSET;
  const consumer = segment.ring("r", { bytes: 4 * KiB }).consumer();
  await child.call("killedSoon");
  assert.throws(() => consumer.receiveSync(), /PEER_DIED/);
  assert.is(peek32(segment.name, waiters), 0, "armed for nobody");
  segment.unlink();
});

test("a function of a drain that blocks, after the drain has blocked itself, leaves no bit", async () => {
  using segment = Segment.create(segmentName("armed"), { bytes: MiB });
  const child = await Agent.start(node, ACTIONS);
  await child.call("open", segment.name);
  const producer = segment.ring("r", { bytes: 4 * KiB }).producer();
  const waiters = objectOffset(segment.name, "r") + RING_WAITERS_OFFSET + WAITERS_WORDS_OFFSET;
  const armed = (): boolean => peek32(segment.name, waiters) !== 0;
  const draining = child.call("drainSync", segment.name);
  await until("the child sleeps", armed);
  producer.trySend(new Uint8Array(1));
  assert.is(await within("the drain", draining), "TIMED_OUT");
  assert.not(armed(), "armed for nobody");
  await child.end();
  segment.unlink();
});

test("closing the segment ends a wait in each state: awake, asleep, queued, due for the next turn", async () => {
  const states: Record<string, (segment: Segment) => Promise<void>> = {
    awake: async () => {},
    asleep: async () => {
      for (let turn = 0; turn < 64; turn++) await new Promise((resolve) => setImmediate(resolve));
    },
    "after a turn that was due": async (segment) => {
      // Served from microtasks alone until a turn is due.
      const lock = segment.lock("l");
      const end = performance.now() + 10;
      while (performance.now() < end) (await lock.acquire()).release();
    },
  };
  for (const [state, reach] of Object.entries(states)) {
    const segment = Segment.createAnonymous({ bytes: MiB });
    const consumer = segment.ring("r", { bytes: 4 * KiB }).consumer();
    const waits = [
      consumer.receive(),
      consumer.receive(),
      segment.event("e").wait(),
      segment.semaphore("s", { initial: 0 }).acquire(),
      segment.waitForObject("none"),
    ].map(codeWithin);
    await reach(segment);
    const late = codeWithin(segment.event("e").wait());
    segment.close();
    assert.equal(await Promise.all([...waits, late]), Array(6).fill("CLOSED"), state);
  }
});

test("closing a segment that is open for reading fails its waits before anything else happens", async () => {
  const writer = Segment.create(segmentName("read"), { bytes: MiB });
  const latest = writer.latest("l", struct({ n: "u32" }));
  const reader = Segment.open(writer.name, { access: "read-only" });
  const codes: string[] = [];
  const controller = new AbortController();
  const waits = [
    reader.latest("l", latest.layout).next(controller),
    reader.waitForObject("none", controller),
  ].map(async (wait) => void codes.push(await codeWithin(wait)));
  for (let turn = 0; turn < 64; turn++) await new Promise((resolve) => setImmediate(resolve));
  reader.close();
  for (let microtask = 0; microtask < 64; microtask++) await null;
  try {
    assert.equal(codes, ["CLOSED", "CLOSED"]);
  } finally {
    controller.abort(); // what goes on to wait would keep this process
    await Promise.allSettled(waits);
  }
  writer.unlink();
  writer.close();
});

test("the timer of a wait that was served does not keep the process", async () => {
  const program = `
    import { MiB, Segment } from "isthmus";
    const segment = Segment.createAnonymous({ bytes: MiB });
    const peer = Segment.fromHandle(segment.handle);
    const waiting = segment.event("e").wait({ timeoutMs: 2 ** 31 - 1 });
    peer.event("e").signal();
    await waiting;
    const ring = segment.ring("r", { bytes: 4096 });
    ring.producer().trySend(new Uint8Array(1));
    await ring.consumer().receive({ timeoutMs: 2 ** 31 - 1 });`;
  const child = start(node.command, ["--input-type=module", "-e", program], { cwd: root });
  const ended = await finished(child, "the end of a program that waits for nothing more");
  assert.is(ended.code, 0, ended.stderr);
});

test("a thread that blocks shows that it lives, in each segment that it has open", async () => {
  using waited = Segment.create(segmentName("blocked"), { bytes: MiB });
  using other = Segment.create(segmentName("beside"), { bytes: MiB });
  const held = waited.lock("l").acquireSync();
  const child = await Agent.start(node, ACTIONS);
  await child.call("open", waited.name);
  await child.call("open", other.name);
  const blocked = child.call("acquireSync", waited.name);
  for (const segment of [waited, other]) {
    const beat = (): number =>
      segment
        .participants()
        .find(({ self }) => !self)
        ?.heartbeat.getTime() as number;
    const begin = beat();
    await until("three signs of life", () => beat() > begin + 2);
    const later = beat();
    await until("one more", () => beat() > later);
  }
  held.release();
  await blocked;
  await child.end();
  for (const segment of [waited, other]) segment.unlink();
});

test.run();
