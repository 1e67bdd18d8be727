/** Rings as Web Streams: backpressure, both ways to end, and the streams of Node. */
import { Readable, Writable } from "node:stream";
import {
  type ReadableStream as NodeReadable,
  type WritableStream as NodeWritable,
  ReadableStream,
  TransformStream,
} from "node:stream/web";
import { type Ring, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { refused } from "../../lib/refusals.js";
import { codeWithin, within } from "../../lib/watchdog.js";

function ringOf(bytes = 256): { segment: Segment; ring: Ring } & Disposable {
  const segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  return { segment, ring: segment.ring("r", { bytes }), [Symbol.dispose]: () => segment.close() };
}

const byte = (value: number): Uint8Array => Uint8Array.of(value);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const free = { producer: undefined, consumer: undefined };

function holders({ stats: { producer, consumer } }: Ring): typeof free {
  return { producer, consumer } as unknown as typeof free;
}

/** Reads to the end. */
async function all(stream: ReadableStream<Uint8Array>): Promise<number[]> {
  const got: number[] = [];
  for await (const bytes of stream) got.push(bytes[0]);
  return got;
}

test("what is written comes out, in order, and both ends are free afterwards", async () => {
  using t = ringOf();
  const reading = all(t.ring.readable() as NodeReadable<Uint8Array>);
  const writer = t.ring.writable().getWriter();
  for (let i = 0; i < 200; i++) await writer.write(new Uint8Array(50).fill(i));
  await writer.close();
  assert.equal(
    await within("the end", reading),
    Array.from({ length: 200 }, (_, i) => i),
  );
  assert.equal(holders(t.ring), free);
});

test("a full ring holds the writer back, and nothing is read before a reader asks", async () => {
  using t = ringOf();
  const readable = t.ring.readable();
  const writer = t.ring.writable().getWriter();
  let written = 0;
  const writing = (async () => {
    for (let i = 0; i < 10; i++) {
      await writer.ready;
      await writer.write(new Uint8Array(56));
      written++;
    }
    await writer.close();
  })();
  for (let i = 0; i < 200; i++) await turn();
  assert.is(written, 4);
  assert.is(t.ring.stats.used, 256);
  assert.is((await within("all", all(readable as NodeReadable<Uint8Array>))).length, 10);
  await within("the writer", writing);
});

test("chunks are private memory", async () => {
  using t = ringOf();
  const reader = t.ring.readable().getReader();
  t.ring.producer().trySend(byte(1));
  const { value } = await within("a chunk", reader.read());
  assert.instance(value?.buffer, ArrayBuffer);
});

test("cancelling gives the consumer's end back at once, also while a read waits", async () => {
  using t = ringOf();
  const reader = t.ring.readable().getReader();
  const reading = reader.read();
  await turn();
  refused("BUSY", () => t.ring.consumer());
  await within("cancel", reader.cancel());
  assert.equal(await within("the read", reading), { done: true, value: undefined });
  t.ring.consumer().close();
});

test("an aborted stream of writes is not a complete one: the consumer gets what was sent, then PEER_DIED", async () => {
  for (const waits of [false, true]) {
    using t = ringOf();
    const consumer = t.ring.consumer();
    const writer = t.ring.writable().getWriter();
    writer.closed.catch(() => {});
    await writer.write(new Uint8Array(waits ? 240 : 8).fill(1));
    const pending = writer.write(new Uint8Array(200)).catch((reason: unknown) => reason);
    if (!waits) await within("the second write", pending);
    await turn();
    await within("abort", writer.abort("enough"));
    if (waits) assert.is(await within("the write", pending), "enough");
    for (const length of waits ? [240] : [8, 200])
      assert.is((await within("a record", consumer.receive()))?.length, length);
    assert.is(await codeWithin(consumer.receive()), "PEER_DIED");
    t.ring.producer().trySend(byte(2));
    assert.equal(await within("its record", consumer.receive()), byte(2));
  }
});

test("a signal fails both streams with its reason and gives the ends back", async () => {
  using t = ringOf();
  const controller = new AbortController();
  const { signal } = controller;
  const reader = t.ring.readable({ signal }).getReader();
  const writer = t.ring.writable({ signal }).getWriter();
  const reading = reader.read().catch((reason: unknown) => reason);
  writer.closed.catch(() => {});
  const full = t.segment.ring("full", { bytes: 64 });
  const stuck = full.writable({ signal }).getWriter();
  stuck.closed.catch(() => {});
  const writing = [1, 2, 3].map((n) => stuck.write(new Uint8Array(40).fill(n)).then(String, String));
  await turn();
  controller.abort("enough");
  assert.is(await within("the read", reading), "enough");
  assert.equal(await within("the writes", Promise.all(writing)), ["undefined", "enough", "enough"]);
  assert.equal(holders(full), free);
  assert.is(
    await within(
      "a write",
      writer.write(byte(1)).catch((reason: unknown) => reason),
    ),
    "enough",
  );
  assert.equal(holders(t.ring), free);
  const aborted = t.ring.readable({ signal });
  assert.is(
    await aborted
      .getReader()
      .read()
      .catch((reason: unknown) => reason),
    "enough",
  );
  assert.equal(holders(t.ring), free);
});

test("an error of the ring fails the stream, and the end is free", async () => {
  using t = ringOf();
  const reader = t.ring.readable({ timeoutMs: 1 }).getReader();
  assert.is(await codeWithin(reader.read()), "TIMED_OUT");
  const writer = t.ring.writable({ timeoutMs: 1 }).getWriter();
  writer.closed.catch(() => {});
  assert.is(await codeWithin(writer.write(new Uint8Array(1000))), "TOO_LARGE");
  assert.equal(holders(t.ring), free);
});

test("values go through pipeThrough and pipeTo", async () => {
  using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const Point = struct({ x: "f64" });
  const [from, to] = ["from", "to"].map((name) => segment.ring(name, { bytes: 128, layout: Point }));
  const producer = from.producer();
  const doubled = new TransformStream<{ x: number }, { x: number }>({
    transform: ({ x }, controller) => controller.enqueue({ x: 2 * x }),
  });
  const piping = (from.readable() as NodeReadable<{ x: number }>)
    .pipeThrough(doubled)
    .pipeTo(to.writable() as NodeWritable<{ x: number }>);
  const got: number[] = [];
  const reading = (async () => {
    for await (const { x } of to.consumer()) got.push(x);
  })();
  for (let x = 0; x < 50; x++) await producer.send({ x });
  await producer.end();
  await within("the pipe", Promise.all([piping, reading]));
  assert.equal(
    got,
    Array.from({ length: 50 }, (_, i) => 2 * i),
  );
});

test("Node's streams are made of them", async () => {
  using t = ringOf();
  const out = Writable.fromWeb(t.ring.writable() as NodeWritable<Uint8Array>, { objectMode: true });
  const got: number[] = [];
  const reading = (async () => {
    for await (const bytes of Readable.fromWeb(t.ring.readable() as NodeReadable<Uint8Array>, {
      objectMode: true,
    })) {
      got.push((bytes as Uint8Array)[0]);
    }
  })();
  for (let i = 0; i < 50; i++) out.write(byte(i));
  out.end();
  await within("the end", reading);
  assert.is(got.length, 50);
});

test("a stream made of a consumer can be cancelled while it waits", async () => {
  if (!("from" in ReadableStream)) return;
  using t = ringOf();
  const consumer = t.ring.consumer();
  const from = (ReadableStream as unknown as { from<T>(given: AsyncIterable<T>): ReadableStream<T> }).from(
    consumer,
  );
  const reader = from.getReader();
  const reading = reader.read();
  await turn();
  await within("cancel", reader.cancel());
  await within("the read", reading);
  t.ring.producer().trySend(byte(1));
  assert.equal(consumer.tryReceive(), byte(1));
});

test("an end that is held is BUSY, and a global scope without streams says so and takes no end", () => {
  using t = ringOf();
  const names = ["ReadableStream", "WritableStream"] as const;
  const kept = names.map((name) => globalThis[name]);
  try {
    for (const name of names) Reflect.deleteProperty(globalThis, name);
    refused("NOT_SUPPORTED", () => t.ring.readable(), /ReadableStream/);
    refused("NOT_SUPPORTED", () => t.ring.writable(), /WritableStream/);
  } finally {
    names.forEach((name, index) => {
      Object.defineProperty(globalThis, name, { value: kept[index], configurable: true, writable: true });
    });
  }
  t.ring.producer();
  t.ring.consumer();
  refused("BUSY", () => t.ring.readable());
  refused("BUSY", () => t.ring.writable());
});

test.run();
