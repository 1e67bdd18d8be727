/** Signals that end waits: one listener for all, none afterwards, and no harm from objects that only look like a signal. */
import { getEventListeners } from "node:events";
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { AbortSource } from "../../../ts/arguments.js";
import { forget, makeIdle, segmentName } from "../../lib/segments.js";
import { codeWithin, until, within } from "../../lib/watchdog.js";

const WAITS = 1000;

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

/** What the promise is rejected with. */
function reason(promise: Promise<unknown>): Promise<unknown> {
  const ended = promise.then(
    () => "no rejection",
    (error) => error,
  );
  return within("a rejection", ended);
}

/** What the process warns of while the body runs. */
async function warnings(body: () => Promise<void>): Promise<string[]> {
  const seen: string[] = [];
  const note = (warning: Error): void => {
    seen.push(warning.name);
  };
  process.on("warning", note);
  await body();
  await new Promise((resolve) => setImmediate(resolve)); // warnings come in a later turn
  process.off("warning", note);
  return seen;
}

test("one signal serves a thousand waits at once, and a thousand one after the other", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const event = segment.event("e");
  const { signal } = new AbortController();
  const seen = await warnings(async () => {
    const waits = Array.from({ length: WAITS }, () => event.wait({ signal }));
    assert.is(listeners(signal), 1);
    event.signal();
    await within("all", Promise.all(waits));
    assert.is(listeners(signal), 0);
    event.reset();
    for (let i = 0; i < WAITS; i++) {
      assert.is(await codeWithin(event.wait({ signal, timeoutMs: i % 2 })), "TIMED_OUT");
    }
    assert.is(listeners(signal), 0);
  });
  assert.equal(seen, []);
});

test("aborting rejects all waits of the signal with its reason, and those of another go on", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const event = segment.event("e");
  const consumer = segment.ring("r", { bytes: 4 * KiB }).consumer();
  const [one, two] = [new AbortController(), new AbortController()];
  const aborted = [event.wait(one), consumer.receive(one), consumer.receive(one)].map(reason);
  const kept = event.wait(two);
  one.abort("enough");
  assert.equal(await Promise.all(aborted), ["enough", "enough", "enough"]);
  assert.is(listeners(one.signal), 0);
  assert.is(listeners(two.signal), 1);
  event.signal();
  await within("the other", kept);
  assert.is(listeners(two.signal), 0);
});

test("no listener is left, whatever ends the wait", async () => {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const event = segment.event("e");
  const ring = segment.ring("r", { bytes: 4 * KiB });
  const producer = ring.producer();
  const consumer = ring.consumer();
  const { signal } = new AbortController();
  const ends: Record<string, () => Promise<unknown>> = {
    "a value at once": async () => {
      producer.trySend(new Uint8Array(1));
      await consumer.receive({ signal });
    },
    "a value later": async () => {
      const received = consumer.receive({ signal });
      producer.trySend(new Uint8Array(1));
      await within("a record", received);
    },
    "a timeout": () => codeWithin(event.wait({ signal, timeoutMs: 1 })),
    "an error": async () => {
      const received = codeWithin(consumer.receive({ signal }));
      consumer.close();
      assert.is(await received, "CLOSED");
    },
    "the closing of the segment": async () => {
      const waiting = codeWithin(event.wait({ signal }));
      segment.close();
      assert.is(await waiting, "CLOSED");
    },
  };
  for (const [end, run] of Object.entries(ends)) {
    await run();
    assert.is(listeners(signal), 0, end);
  }
});

test("waitFor leaves no listener and starts nothing with a signal that was aborted before", async () => {
  const { signal } = new AbortController();
  const name = segmentName("later");
  const found = Segment.waitFor(name, { signal });
  await until("it waits", () => listeners(signal) > 0);
  assert.is(listeners(signal), 1);
  makeIdle(name, 64 * KiB);
  (await within("the segment", found)).unlink();
  forget(name);
  assert.is(listeners(signal), 0);
  const aborted = AbortSignal.abort("before");
  assert.is(await reason(Segment.waitFor(name, { signal: aborted })), "before");
  assert.is(listeners(aborted), 0);
  using there = Segment.create(name, { bytes: 64 * KiB });
  assert.is(await reason(Segment.waitFor(name, { signal: aborted })), "before", "it was opened all the same");
  there.unlink();
  const timed = Segment.waitFor(segmentName("never"), { signal: AbortSignal.timeout(5) });
  assert.is(((await reason(timed)) as Error).name, "TimeoutError");
});

/** An object with the methods of a signal, which does what the test wants. */
class Source implements AbortSource {
  aborted = false;
  reason: unknown = "enough";
  listener: (() => void) | undefined;

  addEventListener(_: "abort", listener: () => void): void {
    this.listener = listener;
  }

  removeEventListener(): void {
    this.listener = undefined;
  }

  abort(): void {
    this.aborted = true;
    this.listener?.();
  }
}

class ThrowsWhenAdding extends Source {
  override addEventListener(): void {
    throw new Error("no listeners here");
  }
}

class CallsBackAtOnce extends Source {
  override addEventListener(_: "abort", listener: () => void): void {
    super.addEventListener(_, listener);
    listener();
    this.abort();
  }
}

class CallsBackAtOnceAndThrows extends Source {
  override addEventListener(_: "abort", listener: () => void): void {
    listener();
    throw new Error("after the call");
  }
}

/** It is aborted, and its event is over, before the wait listens. */
class AbortedMeanwhile extends Source {
  #looks = 0;

  constructor() {
    super();
    Object.defineProperty(this, "aborted", { get: () => ++this.#looks > 1, set: () => {} });
  }
}

class ThrowsWhenAsked extends Source {
  constructor() {
    super();
    const get = (): never => {
      throw new Error("do not ask");
    };
    Object.defineProperty(this, "aborted", { get, set: () => {} });
  }
}

const sources: [string, () => Source, string][] = [
  ["addEventListener throws", () => new ThrowsWhenAdding(), "no listeners here"],
  ["it calls back at once, and again", () => new CallsBackAtOnce(), "enough"],
  ["it calls back at once and throws", () => new CallsBackAtOnceAndThrows(), "enough"],
  ["it is aborted between the look and the listener", () => new AbortedMeanwhile(), "enough"],
  ["aborted throws", () => new ThrowsWhenAsked(), "do not ask"],
];

for (const [what, source, expected] of sources) {
  test(`${what}: the wait is rejected, and leaves no place, timer or claim`, async () => {
    using segment = Segment.createAnonymous({ bytes: MiB });
    using other = Segment.fromHandle(segment.handle);
    const ring = segment.ring("r", { bytes: 256 });
    const producer = ring.producer();
    const consumer = ring.consumer();
    const lock = segment.lock("l");
    const held = other.lock("l").acquireSync();
    assert.ok(producer.trySend(new Uint8Array(240)));
    const signal = source();
    const waits = [
      producer.send(new Uint8Array(200), { signal, timeoutMs: 60_000 }),
      lock.acquire("exclusive", { signal, timeoutMs: 60_000 }),
    ];
    for (const wait of waits) {
      const rejected = await reason(wait);
      assert.is(rejected instanceof Error ? rejected.message : rejected, expected);
    }
    held.release();
    // Nobody has the lock, and nobody waits for it.
    const again = other.lock("l").tryAcquire();
    assert.ok(again, "the lock is kept for nobody");
    again?.release();
    assert.is(consumer.tryReceive()?.length, 240);
    assert.ok(producer.trySend(new Uint8Array(100)), "the ring is jammed by a send that was rejected");
  });
}

test("removeEventListener that throws takes no result away", async () => {
  class ThrowsWhenRemoving extends Source {
    override removeEventListener(): void {
      throw new Error("stays");
    }
  }
  using segment = Segment.createAnonymous({ bytes: MiB });
  const event = segment.event("e");
  const signal = new ThrowsWhenRemoving();
  const waiting = event.wait({ signal });
  event.signal();
  await within("the event", waiting);
  signal.abort(); // for nobody
  event.reset();
  const next = new Source();
  const aborted = event.wait({ signal: next });
  next.abort();
  assert.is(await reason(aborted), "enough");
});

test("a signal that was aborted before ends a call in any turn, and takes nothing of what is there", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const semaphore = segment.semaphore("s", { initial: 1 });
  const aborted = AbortSignal.abort("before");
  for (let i = 0; i < 3; i++) {
    assert.is(await reason(semaphore.acquire({ signal: aborted })), "before");
    await new Promise((resolve) => setImmediate(resolve)); // the event loop has had its turn
  }
  assert.is(semaphore.value, 1);
});

test.run();
