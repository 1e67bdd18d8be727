/** Bytes of another realm, as tests in Jest or `vm` contexts have them, are taken wherever bytes are. */
import { createContext, runInContext } from "node:vm";
import { MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";

const realm = createContext({});
const foreign = (...bytes: number[]): Uint8Array =>
  runInContext(`Uint8Array.of(${bytes.join()})`, realm) as Uint8Array;

function detached(): Uint8Array {
  const bytes = foreign(1, 2, 3);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

test("payloads, targets, blocks and fields", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const ring = segment.ring("ring", { bytes: 4096 });
  using producer = ring.producer();
  using consumer = ring.consumer();
  assert.not.instance(foreign(1), Uint8Array);
  assert.ok(producer.trySend(foreign(1, 2, 3)));
  assert.ok(producer.trySend(foreign(4, 5)));
  const target = foreign(0, 0, 0);
  assert.is(consumer.tryReceiveInto(target), 3);
  assert.equal([...target], [1, 2, 3]);
  const record = consumer.tryPeek();
  assert.is(record?.copyInto(target), 2);
  assert.equal([...target], [4, 5, 3]);
  record?.release();
  const block = segment.heap.allocate(8);
  block.write(foreign(7, 8), 1);
  assert.equal([...block.copy()], [0, 7, 8, 0, 0, 0, 0, 0]);
  const Layout = struct(
    runInContext(`({ b: "bytes:4", list: ["u8", 2] })`, realm) as { b: "bytes:4"; list: ["u8", 2] },
  );
  const latest = segment.latest("latest", Layout);
  latest.write({ b: foreign(1, 2), list: foreign(3, 4) });
  assert.equal(latest.read(), { b: Uint8Array.of(1, 2), list: [3, 4] });
  assert.equal(
    Layout.read(runInContext(`new DataView(new ArrayBuffer(${Layout.bytes}))`, realm) as DataView).list,
    [0, 0],
  );
});

test("detached bytes are refused wherever bytes are taken, and nothing is sent or written", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const ring = segment.ring("ring", { bytes: 4096 });
  using producer = ring.producer();
  using consumer = ring.consumer();
  const block = segment.heap.allocate(8);
  block.bytes.fill(5);
  const layout = struct({ b: "bytes:4" });
  const refused = (call: () => unknown) =>
    assert.throws(call, (e: Error) => e instanceof TypeError && /detached/.test(e.message));
  refused(() => producer.trySend(detached()));
  refused(() => producer.sendSync(detached(), { timeoutMs: 1 }));
  refused(() => block.write(detached()));
  refused(() => segment.latest("latest", layout).write({ b: detached() }));
  const gone = new DataView(new ArrayBuffer(4));
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  refused(() => producer.trySend(gone as never));
  producer.trySend(foreign(1));
  refused(() => consumer.tryReceiveInto(detached()));
  assert.is(consumer.tryReceive()?.length, 1);
  assert.is(consumer.tryReceive(), undefined);
  assert.ok(block.copy().every((byte) => byte === 5));
  assert.is(segment.latest("latest", layout).version, 0);
});

test.run();
