/** The end of a stream, and loops over a consumer: all are told, and leaving one takes nothing. */
import { getEventListeners } from "node:events";
import { type Consumer, type Producer, type Ring, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../../lib/processes.js";
import { node } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { codeWithin, until, within } from "../../lib/watchdog.js";

interface Ends extends Disposable {
  ring: Ring;
  producer: Producer;
  consumer: Consumer;
}

function ends(bytes = 4096): Ends {
  const segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const ring = segment.ring("r", { bytes });
  return {
    ring,
    producer: ring.producer(),
    consumer: ring.consumer(),
    [Symbol.dispose]: () => segment.close(),
  };
}

const byte = (value: number): Uint8Array => Uint8Array.of(value);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Loops to the end; how many records it got. `work` is what it does with each. */
async function loop(consumer: Consumer, work?: () => Promise<void>): Promise<number> {
  let got = 0;
  for await (const _ of consumer) {
    got++;
    await work?.();
  }
  return got;
}

const sum = (numbers: number[]): number => numbers.reduce((all, one) => all + one, 0);

test("all loops over one consumer end when the producer closes, however many records there are", async () => {
  for (const loops of [2, 3, 10]) {
    for (let records = 0; records <= loops + 1; records++) {
      for (const closed of ["before", "after", "meanwhile"]) {
        for (const work of [undefined, turn]) {
          using e = ends();
          for (let i = 0; i < records; i++) assert.ok(e.producer.trySend(byte(i)));
          if (closed === "before") e.producer.close();
          const all = Promise.all(Array.from({ length: loops }, () => loop(e.consumer, work)));
          if (closed === "after") e.producer.close();
          else if (closed === "meanwhile")
            void turn()
              .then(turn)
              .then(() => e.producer.close());
          assert.is(sum(await within(`${loops} loops, ${records} records, ${closed}`, all)), records);
        }
      }
    }
  }
});

test("each call that waits is told of the end, whatever form it has; the next call waits for the next producer", async () => {
  using e = ends();
  const waits = [
    e.consumer.receive(),
    e.consumer.peek(),
    e.consumer.drain(() => {}),
    e.consumer.receiveInto(byte(0)),
    e.consumer.records().next(),
    e.consumer.receive(),
  ];
  await turn();
  e.producer.close();
  const done = { done: true, value: undefined };
  assert.equal(await within("all", Promise.all(waits)), [
    undefined,
    undefined,
    0,
    undefined,
    done,
    undefined,
  ]);
  const next = e.consumer.receive();
  await turn();
  e.ring.producer().trySend(byte(7));
  assert.equal(await within("a record of the next producer", next), byte(7));
});

test("a loop that was at work when another one was told ends with its stream, not with the next producer's", async () => {
  using e = ends();
  e.producer.trySend(byte(1));
  let free = (): void => {};
  const working = loop(e.consumer, () => new Promise<void>((resolve) => (free = resolve)));
  await until("it works", () => e.ring.stats.used > 0);
  e.producer.close();
  assert.is(await within("the other loop", loop(e.consumer)), 0);
  e.ring.producer().trySend(byte(2));
  free();
  assert.is(await within("the loop at work", working), 1);
  assert.equal(e.consumer.tryReceive(), byte(2));
});

test("all calls and loops are told that the producer died, after the last record", async () => {
  using segment = Segment.create(segmentName("died"), { bytes: 65536 * 2 });
  const consumer = segment.ring("r", { bytes: 4096 }).consumer();
  const child = await Agent.start(node, "ts/ring/ring-actions.ts");
  await child.call("open", segment.name);
  await child.call("takeProducer");
  await child.call("send", 1);
  const got: number[] = [];
  const looping = Array.from({ length: 4 }, async () => {
    for await (const bytes of consumer) {
      got.push(bytes[0]);
      await turn();
    }
  });
  const calls = [consumer.receive(), consumer.peek(), consumer.drain(() => {})];
  await until("the record is here", () => got.length === 1);
  await child.kill();
  const codes = await Promise.all([...looping, ...calls].map(codeWithin));
  assert.equal(codes, Array(7).fill("PEER_DIED"));
  segment.unlink();
});

test("leaving a loop ends its pending receive at once and takes nothing", async () => {
  using e = ends();
  const iterator = e.consumer.records();
  const pending = [iterator.next(), iterator.next()];
  await turn();
  const done = { done: true, value: undefined };
  assert.equal(await within("return", iterator.return?.() as Promise<unknown>), done);
  assert.equal(await within("what was pending", Promise.all(pending)), [done, done]);
  assert.equal(await iterator.next(), done);
  e.producer.trySend(byte(1));
  assert.equal(e.consumer.tryReceive(), byte(1));
});

test("a loop that is left by break or by an exception leaves the consumer open, and what comes next is there", async () => {
  using e = ends();
  e.producer.trySendMany([byte(1), byte(2), byte(3)]);
  for await (const bytes of e.consumer) {
    assert.equal(bytes, byte(1));
    break;
  }
  const failing = (async () => {
    for await (const _ of e.consumer) throw new Error("enough");
  })();
  await failing.then(
    () => assert.unreachable(),
    (error) => assert.is(error.message, "enough"),
  );
  assert.equal(await e.consumer.receive(), byte(3));
});

test("a signal ends a loop that waits and one that works, with its reason, and is not listened to afterwards", async () => {
  using e = ends();
  for (const waits of [true, false]) {
    const { signal, abort } = ((controller) => ({
      signal: controller.signal,
      abort: (reason: unknown) => controller.abort(reason),
    }))(new AbortController());
    if (!waits) e.producer.trySendMany([byte(1), byte(2)]);
    const looping = (async () => {
      for await (const _ of e.consumer.records({ signal })) if (!waits) abort("enough");
    })().catch((reason: unknown) => reason);
    await turn();
    if (waits) abort("enough");
    assert.is(await within("the loop", looping), "enough");
    assert.is(getEventListeners(signal, "abort").length, 0);
  }
  assert.equal(e.consumer.tryReceive(), byte(2));
});

test("loops that end listen to their signal no longer, however they end", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  using e = ends();
  for (let i = 0; i < 20; i++) {
    e.producer.trySend(byte(i));
    for await (const _ of e.consumer.records({ signal })) break;
  }
  assert.is(await codeWithin(e.consumer.records({ signal, timeoutMs: 1 }).next()), "TIMED_OUT");
  e.producer.close();
  for await (const _ of e.consumer.records({ signal })) assert.unreachable();
  assert.is(getEventListeners(signal, "abort").length, 0);
});

test("when the consumer is closed, its loops are told CLOSED", async () => {
  using e = ends();
  const loops = [1, 2, 3].map(() => codeWithin(loop(e.consumer)));
  await turn();
  e.consumer.close();
  assert.equal(await Promise.all(loops), ["CLOSED", "CLOSED", "CLOSED"]);
});

test("a loop that begins after the end was told waits for the next producer, and serves it", async () => {
  using scene = ends();
  const { ring, producer, consumer } = scene;
  producer.trySend(Uint8Array.of(1));
  producer.close();
  const seen: number[] = [];
  for await (const [byte] of consumer) seen.push(byte);
  const late = within(
    "the loop over the next producer",
    (async () => {
      for await (const [byte] of consumer.records()) seen.push(byte);
    })(),
  );
  const next = ring.producer();
  next.trySend(Uint8Array.of(2));
  await until("the record of the next producer", () => seen.length === 2);
  next.close();
  await late;
  assert.equal(seen, [1, 2]);
});

test("inside of drain each other call says that drain is at work, and what to do", async () => {
  using scene = ends();
  const { producer, consumer } = scene;
  producer.trySendMany([Uint8Array.of(1), Uint8Array.of(2)]);
  const said: string[] = [];
  const note = (error: Error) => said.push(error.message);
  const later: Promise<unknown>[] = [];
  const handled = consumer.tryDrain(() => {
    for (const call of [
      () => consumer.tryReceive(),
      () => consumer.tryReceiveInto(new Uint8Array(9)),
      () => consumer.receiveSync(),
      () => consumer.tryPeek(),
      () => consumer.peekSync(),
      () => consumer.tryDrain(() => {}),
      () => consumer.drainSync(() => {}),
    ]) {
      try {
        call();
        said.push("nothing");
      } catch (error) {
        note(error as Error);
      }
    }
    for (const call of [consumer.receive(), consumer.peek(), consumer.drain(() => {})])
      later.push(call.catch(note));
  });
  await Promise.all(later);
  assert.is(handled, 2);
  assert.is(said.length, 20);
  for (const text of said)
    assert.match(text, /BUSY: ring "r": drain is handing a record .*after drain has returned/);
});

test.run();
