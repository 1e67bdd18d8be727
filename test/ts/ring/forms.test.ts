/** The three forms of all that waits at a ring, and the order in which calls are served. */
import { type Consumer, type IsthmusError, type Producer, type Ring, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { refused } from "../../lib/refusals.js";
import { codeWithin, until, within } from "../../lib/watchdog.js";

interface Ends {
  segment: Segment;
  ring: Ring;
  producer: Producer;
  consumer: Consumer;
}

function ends(bytes = 256): Ends & Disposable {
  const segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const ring = segment.ring("r", { bytes });
  const [producer, consumer] = [ring.producer(), ring.consumer()];
  return { segment, ring, producer, consumer, [Symbol.dispose]: () => segment.close() };
}

const byte = (value: number): Uint8Array => Uint8Array.of(value);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("claim and claimSync wait for room, and give a claim", async () => {
  using e = ends();
  assert.ok(e.producer.trySend(new Uint8Array(240)));
  assert.is(e.producer.tryClaim(100), undefined);
  refused("TIMED_OUT", () => e.producer.claimSync(100, { timeoutMs: 0 }));
  assert.is(await codeWithin(e.producer.claim(100, { timeoutMs: 1 })), "TIMED_OUT");
  const claiming = e.producer.claim(100);
  await turn();
  assert.is(e.consumer.tryReceive()?.length, 240);
  assert.is(e.consumer.tryReceive(), undefined);
  const claim = await within("a claim", claiming);
  claim.bytes.fill(7);
  claim.commit(3);
  assert.equal(e.consumer.tryReceive(), new Uint8Array(3).fill(7));
  assert.throws(() => claim.bytes, /committed or aborted/);
  e.producer.claimSync(8).abort();
  assert.is(e.segment.header.drops, 2);
});

test("what is called behind a claim that waited goes on when the claim ends", async () => {
  using e = ends();
  assert.ok(e.producer.trySend(new Uint8Array(240)));
  const claiming = e.producer.claim(8);
  const sending = e.producer.send(byte(2));
  const second = e.producer.claim(8);
  const ending = e.producer.end();
  e.consumer.tryReceive();
  e.consumer.tryReceive();
  const first = await within("the claim", claiming);
  await turn();
  first.bytes[0] = 1;
  first.commit(1);
  await within("the send", sending);
  (await within("the second claim", second)).abort();
  await within("the end", ending);
  assert.equal(await e.consumer.receive(), byte(1));
  assert.equal(await e.consumer.receive(), byte(2));
  assert.is(await e.consumer.receive(), undefined);
});

test("a small record that has room does not overtake a large one that waits for it", async () => {
  using e = ends();
  // The next record begins at the start of the ring, so that nothing is padded for the large one.
  assert.ok(e.producer.trySend(new Uint8Array(120)));
  assert.ok(e.consumer.tryReceive());
  assert.is(e.consumer.tryReceive(), undefined);
  assert.is(e.producer.trySendMany([new Uint8Array(100), new Uint8Array(8)]), 2);
  const large = e.producer.send(new Uint8Array(200));
  await turn();
  assert.not(e.producer.trySend(byte(1)));
  assert.is(e.producer.trySendMany([byte(1)]), 0);
  assert.is(e.producer.tryClaim(1), undefined);
  const lengths: (number | undefined)[] = [];
  for (let i = 0; i < 3; i++) lengths.push((await within("a record", e.consumer.receive()))?.length);
  await within("the large one", large);
  assert.equal(lengths, [100, 8, 200]);
});

test("sendMany sends all, in order, and nothing of this producer comes between", async () => {
  using e = ends();
  const many = Array.from({ length: 100 }, (_, i) => new Uint8Array(20).fill(i));
  const sending = e.producer.sendMany(many);
  many.length = 0; // the array may change
  assert.not(e.producer.trySend(byte(200)));
  assert.is(e.producer.trySendMany([byte(200)]), 0);
  assert.is(e.producer.tryClaim(1), undefined);
  refused("BUSY", () => e.producer.sendManySync([byte(200)]));
  refused("BUSY", () => e.producer.claimSync(1));
  const after = e.producer.send(byte(201));
  const got: number[] = [];
  for (let i = 0; i < 101; i++) got.push((await within("a record", e.consumer.receive()))?.[0] as number);
  await Promise.all([sending, after]);
  assert.equal(got, [...Array.from({ length: 100 }, (_, i) => i), 201]);
});

test("a sendMany that ends early says how many records went, whatever ended it", async () => {
  const many = Array.from({ length: 10 }, () => new Uint8Array(56));
  for (const how of ["timeout", "sync", "abort", "close"]) {
    using e = ends();
    const progress = { sent: -1 };
    const controller = new AbortController();
    let caught: unknown;
    try {
      if (how === "sync") e.producer.sendManySync(many, { timeoutMs: 0, progress });
      else {
        const timeoutMs = how === "timeout" ? 20 : undefined;
        const sending = e.producer.sendMany(many, { timeoutMs, signal: controller.signal, progress });
        sending.catch(() => {});
        if (how !== "timeout") await until("what has room is sent", () => progress.sent === 4);
        if (how === "abort") controller.abort("enough");
        if (how === "close") e.producer.close();
        await within("its end", sending);
      }
    } catch (error) {
      caught = error;
    }
    assert.is(progress.sent, 4, how);
    assert.is(e.ring.stats.sent, 4);
    if (how === "abort") assert.is(caught, "enough");
    else {
      const { code, sent, message } = caught as IsthmusError;
      assert.is(code, how === "close" ? "CLOSED" : "TIMED_OUT");
      assert.is(sent, 4);
      if (code === "TIMED_OUT") assert.match(message, /4 of 10 records were sent/);
    }
  }
});

test("sendMany with one payload that cannot be sent sends none, and one of none is done at once", async () => {
  using e = ends();
  const wrong = [byte(1), "two" as unknown as Uint8Array];
  await e.producer.sendMany(wrong).then(
    () => assert.unreachable(),
    (error) => assert.match(error.message, /arrayOfBytes\[1\]/),
  );
  assert.is(await codeWithin(e.producer.sendMany([byte(1), new Uint8Array(300)])), "TOO_LARGE");
  assert.is(e.ring.stats.sent, 0);
  await within("nothing", e.producer.sendMany([]));
  e.producer.sendManySync([byte(1), byte(2)]);
  assert.is(e.ring.stats.sent, 2);
});

test("peek and peekSync wait for a record; a peek behind another waits until that one is released", async () => {
  using e = ends();
  refused("TIMED_OUT", () => e.consumer.peekSync({ timeoutMs: 0 }));
  const [first, second] = [e.consumer.peek(), e.consumer.peek()];
  e.producer.trySendMany([byte(1), byte(2), byte(3)]);
  const one = await within("the first", first);
  const copy = one?.copy();
  assert.equal(copy, byte(1));
  assert.instance(copy?.buffer, ArrayBuffer);
  await turn();
  one?.release();
  const two = await within("the second", second);
  assert.equal(two?.bytes.slice(), byte(2));
  assert.throws(() => one?.release(), /released already/); // not the second one
  assert.throws(() => one?.copy(), /released already/);
  one?.[Symbol.dispose]();
  two?.release();
  assert.equal(e.consumer.peekSync()?.bytes.slice(), byte(3));
});

test("drain and drainSync wait for the first record, then hand over what is there; 0 is the end of the stream", async () => {
  using e = ends();
  const got: number[] = [];
  const handle = (record: { bytes: Uint8Array }): void => void got.push(record.bytes[0]);
  refused("TIMED_OUT", () => e.consumer.drainSync(handle, { timeoutMs: 0 }));
  const draining = e.consumer.drain(handle, { limit: 2 });
  await turn();
  e.producer.trySendMany([byte(1), byte(2), byte(3)]);
  assert.is(await within("records", draining), 2);
  assert.is(e.consumer.drainSync(handle), 1);
  assert.is(await e.consumer.drain(handle, { limit: 0 }), 0);
  const last = e.consumer.drain(handle);
  e.producer.close();
  assert.is(await within("the end", last), 0);
  assert.equal(got, [1, 2, 3]);
});

test("a drain that waits gives what its function throws, and the record stays", async () => {
  using e = ends();
  const failing = e.consumer.drain(() => {
    throw new Error("enough");
  });
  e.producer.trySend(byte(1));
  await failing.then(
    () => assert.unreachable(),
    (error) => assert.is(error.message, "enough"),
  );
  assert.equal(e.consumer.tryReceive(), byte(1));
});

test("receiveInto and its other forms give the number of bytes, and undefined for nothing and for the end", async () => {
  using e = ends();
  const target = new Uint8Array(8);
  assert.is(e.consumer.tryReceiveInto(target), undefined);
  const receiving = e.consumer.receiveInto(target);
  e.producer.trySendMany([byte(5), new Uint8Array(0)]);
  assert.is(await within("a record", receiving), 1);
  assert.is(target[0], 5);
  assert.is(e.consumer.receiveIntoSync(target), 0);
  e.producer.close();
  assert.is(await within("the end", e.consumer.receiveInto(target)), undefined);
});

test("what is tried does not overtake a call that waits", async () => {
  for (const wait of ["receive", "peek", "receiveInto", "drain"] as const) {
    using e = ends();
    const waits = {
      receive: () => e.consumer.receive(),
      peek: () => e.consumer.peek(),
      receiveInto: () => e.consumer.receiveInto(new Uint8Array(8)),
      drain: () => e.consumer.drain(() => {}, { limit: 1 }),
    };
    const first = waits[wait]();
    e.producer.trySendMany([byte(1), byte(2)]);
    assert.is(e.consumer.tryReceive(), undefined);
    assert.is(e.consumer.tryPeek(), undefined);
    assert.is(e.consumer.tryReceiveInto(new Uint8Array(8)), undefined);
    assert.is(
      e.consumer.tryDrain(() => assert.unreachable()),
      0,
    );
    for (const block of ["receiveSync", "peekSync"] as const) refused("BUSY", () => e.consumer[block]());
    refused("BUSY", () => e.consumer.drainSync(() => {}));
    const got = await within<unknown>(wait, first);
    if (wait === "peek") (got as { release(): void }).release();
    assert.equal(e.consumer.tryReceive(), byte(2));
  }
});

test("an async function, a generator or a promise is refused by drain, and the record stays", async () => {
  using e = ends();
  e.producer.trySendMany([byte(1), byte(2)]);
  const later = [async () => {}, function* () {}, async function* () {}] as unknown as (() => void)[];
  for (const handle of later) {
    assert.throws(() => e.consumer.tryDrain(handle), /must not be async or a generator/);
    assert.throws(() => e.consumer.drainSync(handle), /must not be async or a generator/);
    await e.consumer.drain(handle).then(
      () => assert.unreachable(),
      (error) => assert.instance(error, TypeError),
    );
  }
  let calls = 0;
  const promising = (): unknown => {
    return ++calls === 2 ? Promise.reject(new Error("nobody is told")) : undefined;
  };
  assert.throws(() => e.consumer.tryDrain(promising), /handle returned a promise.*stays in the ring/);
  assert.is(calls, 2);
  assert.equal(e.consumer.tryReceive(), byte(2));
});

test("end sends what waits, and then completes the stream; nothing is sent any more from its call on", async () => {
  using e = ends();
  const sends = [1, 2, 3].map((value) => e.producer.send(new Uint8Array(200).fill(value)));
  const ending = e.producer.end();
  assert.throws(() => e.producer.trySend(byte(1)), /being ended/);
  assert.throws(() => e.producer.tryClaim(1), /being ended/);
  assert.is(await codeWithin(e.producer.send(byte(1))), "CLOSED");
  const got: (number | undefined)[] = [];
  for await (const bytes of e.consumer) got.push(bytes[0]);
  await within("all", Promise.all([...sends, ending]));
  assert.equal(got, [1, 2, 3]);
  await e.producer.end();
});

test("an end that is given up leaves the producer open, and close gives up what waits", async () => {
  using e = ends();
  assert.ok(e.producer.trySend(new Uint8Array(240)));
  const sending = codeWithin(e.producer.send(new Uint8Array(240)));
  assert.is(await codeWithin(e.producer.end({ timeoutMs: 1 })), "TIMED_OUT");
  const small = codeWithin(e.producer.send(byte(1)));
  const ending = codeWithin(e.producer.end());
  e.producer.close();
  assert.equal(await Promise.all([sending, small, ending]), ["CLOSED", "CLOSED", "CLOSED"]);
});

test("await using ends a producer", async () => {
  using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const ring = segment.ring("r", { bytes: 64 });
  const got: number[] = [];
  const reading = (async () => {
    for await (const bytes of ring.consumer()) got.push(bytes[0]);
  })();
  {
    await using producer = ring.producer();
    for (let i = 0; i < 10; i++) void producer.send(new Uint8Array(40).fill(i));
  }
  await within("the end", reading);
  assert.is(got.length, 10);
});

test.run();
