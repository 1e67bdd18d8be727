/** Promises that sleep: what makes them look again, and what they leave behind. */
import { Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SYSTEM } from "../../../protocol/errors.js";
import { SIGNAL_WAITERS_OFFSET, WAITERS_WORDS_OFFSET } from "../../../protocol/layout.js";
import { objectOffset, peek32 } from "../../lib/poke.js";
import { segmentName } from "../../lib/segments.js";
import { codeWithin, within } from "../../lib/watchdog.js";
import { native } from "../../shims/objects.js";

/** As `TURNS_MAX` of `ts/wait/group.ts`, and more: whoever waits that long sleeps. */
const TURNS = 64;

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Until all that is pending sleeps: then nothing but a bell, something in this thread, or a slow timer makes it look. */
const asleep = (): Promise<void> => turns(TURNS);

/** What the promise gives before the timer can have made it look. */
async function soon<T>(promise: Promise<T>): Promise<T | "not yet"> {
  await turns(2);
  return Promise.race([promise, Promise.resolve("not yet" as const)]);
}

const byte = (value: number): Uint8Array => Uint8Array.of(value);

/** A ring in which 200 bytes do not fit now and a few do, and a send of 200 bytes that sleeps. */
async function sleepingSend(options?: { signal: AbortSignal }) {
  const segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const ring = segment.ring("r", { bytes: 256 });
  const producer = ring.producer();
  const consumer = ring.consumer();
  // The next record begins at the start of the ring, so that nothing is padded for the large one.
  assert.ok(producer.trySend(new Uint8Array(120)));
  assert.is(
    consumer.tryDrain(() => {}),
    1,
  );
  assert.is(producer.trySendMany([new Uint8Array(100), new Uint8Array(8)]), 2);
  const large = producer.send(new Uint8Array(200), options);
  await asleep();
  return { segment, producer, consumer, large };
}

test("when an end is closed, all who wait for it are told at once", async () => {
  const { segment, producer, consumer, large } = await sleepingSend();
  using _ = segment;
  const sends = [large, ...Array.from({ length: 20 }, () => producer.send(byte(1)))].map(codeWithin);
  consumer.tryDrain(() => {});
  const receives: Promise<string>[] = [];
  producer.close();
  consumer.close();
  const again = segment.ring("r", { bytes: 256 });
  const [second, receiver] = [again.producer(), again.consumer()];
  assert.is(await soon(receiver.receive()), undefined); // the end of the first producer
  for (let i = 0; i < 20; i++) receives.push(codeWithin(receiver.receive()));
  await asleep();
  receiver.close();
  second.close();
  assert.equal(await soon(Promise.all(sends)), Array(21).fill("CLOSED"));
  assert.equal(await soon(Promise.all(receives)), Array(20).fill("CLOSED"));
});

test("a record that a peek before took does not reject what waits, which goes on right after it", async () => {
  using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const ring = segment.ring("r", { bytes: 256 });
  const producer = ring.producer();
  const consumer = ring.consumer();
  const peeking = consumer.peek();
  const waiting = consumer.receive();
  await asleep();
  producer.trySendMany([byte(1), byte(2)]);
  const peeked = await peeking;
  assert.is(await soon(waiting), "not yet");
  peeked?.release();
  assert.equal(await soon(waiting), byte(2));
  assert.is(segment.header.drops, 0);
});

test("who waits behind a send that gave up goes on right after", async () => {
  const controller = new AbortController();
  const { segment, producer, large } = await sleepingSend({ signal: controller.signal });
  using _ = segment;
  const small = producer.send(byte(1));
  await asleep();
  controller.abort();
  assert.is(await large.catch(() => "aborted"), "aborted");
  assert.is(await soon(small), undefined);
});

test("closing an end rejects right away what waits at it", async () => {
  const { segment, producer, consumer, large } = await sleepingSend();
  using _ = segment;
  const failed = codeWithin(large);
  producer.close();
  assert.is(await soon(failed), "CLOSED");
  consumer.tryDrain(() => {});
  assert.is(await consumer.receive(), undefined);
  const waiting = codeWithin(consumer.receive());
  await asleep();
  consumer.close();
  assert.is(await soon(waiting), "CLOSED");
});

function namedSignals() {
  const segment = Segment.create(segmentName("armed"), { bytes: 65536 * 2 });
  const event = segment.event("go");
  const semaphore = segment.semaphore("slots", { initial: 0 });
  const armed = (name: string): boolean =>
    peek32(segment.name, objectOffset(segment.name, name) + SIGNAL_WAITERS_OFFSET + WAITERS_WORDS_OFFSET) !==
    0;
  return { segment, event, semaphore, armed };
}

test("a promise that sleeps stays armed when another wait of the same opener ends", async () => {
  const { segment, event, semaphore, armed } = namedSignals();
  using _ = segment;
  try {
    const waiting = [event.wait(), semaphore.acquire()];
    await asleep();
    assert.throws(() => event.waitSync({ timeoutMs: 5 }), /TIMED_OUT/);
    assert.throws(() => semaphore.acquireSync({ timeoutMs: 5 }), /TIMED_OUT/);
    assert.ok(armed("go") && armed("slots"), "nobody would wake the promises");
    event.signal();
    semaphore.release();
    await within("both waits", Promise.all(waiting));
  } finally {
    segment.unlink();
  }
});

test("a wait that ends in any way leaves nothing armed", async () => {
  const { segment, event, semaphore, armed } = namedSignals();
  using _ = segment;
  try {
    const controller = new AbortController();
    const waiting = [event.wait({ signal: controller.signal }), semaphore.acquire()];
    const timedOut = codeWithin(event.wait({ timeoutMs: 20 }));
    await asleep();
    assert.is(await timedOut, "TIMED_OUT");
    assert.ok(armed("go") && armed("slots"));
    controller.abort();
    await waiting[0]?.catch(() => {});
    assert.not(armed("go"), "armed for nobody");
    semaphore.release();
    await waiting[1];
    assert.not(armed("slots"), "armed for nobody");
  } finally {
    segment.unlink();
  }
});

test("a thread that cannot be had rejects what waits, and the next wait tries again", async () => {
  const segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  using _ = segment;
  const { watch } = native;
  native.watch = () => {
    const refusal = { status: SYSTEM, syscall: "pthread_create", errno: 11 };
    throw Object.assign(new Error("pthread_create failed"), refusal);
  };
  try {
    const waits = [segment.event("a").wait(), segment.event("b").wait()];
    assert.equal(await Promise.all(waits.map(codeWithin)), ["SYSTEM", "SYSTEM"]);
  } finally {
    native.watch = watch;
  }
  const waiting = segment.event("a").wait();
  await asleep();
  segment.event("a").signal();
  await within("a signal", waiting);
});

test.run();
