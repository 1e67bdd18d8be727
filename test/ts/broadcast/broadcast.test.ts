/** Broadcasts: every form, between openers of one segment. */
import { type Broadcast, type BroadcastRecord, KiB, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { refused, rejected } from "../../lib/refusals.js";
import { within } from "../../lib/watchdog.js";

const Quote = struct({ id: "u32", name: "utf8:12" });

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
const first = (record: Uint8Array | undefined): number | undefined => record?.[0];
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Publishes records that are one byte each. */
function publish(topic: Broadcast, ...values: number[]): void {
  using publisher = topic.publisher();
  publisher.publishMany(values.map((one) => bytes(one)));
}

test("each subscriber gets every record, in order, also those of read-only openers", () => {
  using scene = openers();
  const begun = new Date();
  const topic = scene.segment.broadcast("t", { bytes: KiB });
  const all = [
    topic.subscriber(),
    topic.subscriber({ from: "now" }),
    scene.other.broadcast("t", { bytes: KiB }).subscriber(),
    scene.looking.broadcast("t").subscriber(),
  ];
  publish(topic, 1, 2, 3);
  for (const one of all) {
    assert.equal(
      [1, 2, 3, 4].map(() => first(one.tryReceive())),
      [1, 2, 3, undefined],
    );
    assert.is(one.lost, 0);
  }
  const { published, bytes: count, capacity, lastSentAt, publisher } = topic.stats;
  assert.equal([published, count, capacity, publisher], [3, 3, KiB, undefined]);
  assert.ok(lastSentAt && lastSentAt >= begun);
});

test("a subscriber begins with what comes, or with the oldest record that is there", () => {
  using scene = openers();
  const topic = scene.segment.broadcast("t", { bytes: 256 });
  publish(topic, ...Array.from({ length: 5 }, (_, i) => i));
  const [now, oldest] = [topic.subscriber(), topic.subscriber({ from: "oldest" })];
  publish(topic, 5);
  assert.equal([first(now.tryReceive()), now.tryReceive()], [5, undefined]);
  assert.equal(
    Array.from({ length: 7 }, () => first(oldest.tryReceive())),
    [0, 1, 2, 3, 4, 5, undefined],
  );
  publish(topic, ...Array.from({ length: 100 }, (_, i) => i + 6));
  const late = topic.subscriber({ from: "oldest" });
  const got: number[] = [];
  for (let one = late.tryReceive(); one; one = late.tryReceive()) got.push(one[0] as number);
  assert.equal(got.at(-1), 105);
  assert.equal(
    got,
    got.map((_, i) => (got[0] as number) + i),
  ); // without gaps
  assert.ok(got.length > 8, "more than a half of the bytes are there");
  assert.is(late.lost, 0);
});

test("a subscriber that was overtaken knows exactly how many it has lost, and goes on", () => {
  using scene = openers();
  for (const opener of [scene.segment, scene.looking]) {
    const topic = scene.segment.broadcast(`t ${opener.access}`, { bytes: 512 });
    const slow = opener.broadcast(topic.name).subscriber();
    using publisher = topic.publisher();
    let published = 0;
    let received = 0;
    for (let round = 1; round < 60; round++) {
      for (let i = 0; i < round; i++) publisher.publish(new Uint8Array(i % 90).fill(published++));
      for (let one = 0; one < 3; one++) {
        const record = slow.tryReceive();
        if (!record) break;
        received++;
        for (const value of record) assert.is(value, (received + slow.lost - 1) % 256);
      }
    }
    while (slow.tryReceive()) received++;
    assert.is(received + slow.lost, published);
    assert.ok(slow.lost > 100 && received > 100, `${slow.lost} lost, ${received} received`);
    assert.is(topic.stats.published, published);
  }
});

test("records have 0 bytes to a quarter of the bytes, and are private copies", () => {
  using scene = openers();
  const topic = scene.segment.broadcast("t", { bytes: 64 * KiB });
  assert.is(topic.recordBytesMax, 16 * KiB - 16);
  const subscribers = [scene.other, scene.looking].map((one) => one.broadcast("t").subscriber());
  using publisher = topic.publisher();
  for (const length of [0, 1, 7, 8, 9, 255, 256, 257, 4095, 4096, 4097, 16 * KiB - 16]) {
    const record = Uint8Array.from({ length }, (_, i) => i * 7);
    publisher.publish(record);
    for (const one of subscribers) {
      const got = one.receiveSync() as Uint8Array;
      assert.equal(got, record);
      assert.ok(got.buffer instanceof ArrayBuffer);
    }
  }
  const text = /16369 bytes can never fit into broadcast "t": .* a quarter .* 16368 bytes/;
  const large = new Uint8Array(16 * KiB - 15);
  const before = topic.stats.published;
  refused("TOO_LARGE", () => publisher.publish(large), text);
  refused("TOO_LARGE", () => publisher.publishMany([bytes(1), large]), text);
  refused("TOO_LARGE", () => publisher.claim(large.length), text);
  assert.is(topic.stats.published, before);
});

test("any view is published as its bytes", () => {
  using scene = openers();
  const topic = scene.segment.broadcast("t", { bytes: KiB });
  const subscriber = topic.subscriber();
  using publisher = topic.publisher();
  publisher.publish(Float64Array.of(1.5) as unknown as Uint8Array);
  publisher.publish(new DataView(new ArrayBuffer(3)) as unknown as Uint8Array);
  assert.equal([subscriber.tryReceive()?.length, subscriber.tryReceive()?.length], [8, 3]);
});

test("one opener publishes at a time, and another one can wait for the end", async () => {
  using scene = openers();
  const topic = scene.segment.broadcast("t", { bytes: KiB });
  const there = scene.other.broadcast("t");
  const publisher = topic.publisher();
  const text =
    /the publisher's end of broadcast "t": process \d+ holds it; .*use broadcast\.waitForPublisher\(\)/;
  refused("BUSY", () => there.publisher(), text);
  refused("BUSY", () => topic.publisher());
  refused("READ_ONLY", () => scene.looking.broadcast("t").publisher());
  await rejected("READ_ONLY", scene.looking.broadcast("t").waitForPublisher());
  await rejected("TIMED_OUT", there.waitForPublisher({ timeoutMs: 1 }));
  refused("TIMED_OUT", () => there.waitForPublisherSync({ timeoutMs: 1 }));
  refused("DEADLOCK", () => topic.waitForPublisherSync(), /this opener itself holds the publisher's end/);
  refused("DEADLOCK", () => there.waitForPublisherSync(), /this thread would wait for itself/);
  assert.is(topic.stats.publisher?.self, true);
  assert.is(there.stats.publisher?.self, false);
  const waiting = there.waitForPublisher();
  await turn();
  publisher.close();
  publisher.close();
  using next = await within("the end", waiting);
  refused("CLOSED", () => publisher.publish(bytes(1)), /publisher of broadcast "t" was closed/);
  refused("CLOSED", () => publisher.claim(1));
  next.publish(bytes(1));
  next.close();
  there.waitForPublisherSync({ timeoutMs: 0 }).close();
  assert.is(topic.stats.published, 1);
});

test("a claim is published when it is committed, with the bytes that were used, and nothing else meanwhile", () => {
  using scene = openers();
  const topic = scene.segment.broadcast("t", { bytes: KiB });
  const subscriber = scene.other.broadcast("t").subscriber();
  using publisher = topic.publisher();
  const claim = publisher.claim(16);
  claim.bytes.fill(7);
  assert.is(claim.view, undefined);
  assert.is(subscriber.tryReceive(), undefined);
  refused("BUSY", () => publisher.publish(bytes(1)), /a claim is open/);
  refused("BUSY", () => publisher.publishMany([bytes(1)]), /a claim is open/);
  refused("BUSY", () => publisher.claim(1), /a claim is open/);
  refused("RangeError", () => claim.commit(17), /usedLength/);
  claim.commit(3);
  refused("CLOSED", () => claim.commit(3));
  refused("CLOSED", () => claim.bytes);
  assert.equal(subscriber.tryReceive(), bytes(7, 7, 7));
  publisher.claim(100).abort();
  {
    using given = publisher.claim(8);
    given.bytes.fill(1);
  }
  publisher.publish(bytes(9));
  assert.equal([first(subscriber.tryReceive()), subscriber.tryReceive()], [9, undefined]);
  const last = publisher.claim(8);
  publisher.close();
  refused("CLOSED", () => last.commit());
  assert.is(topic.stats.published, 2);
});

test("a peeked record stays the current one until it is released", async () => {
  using scene = openers();
  const topic = scene.segment.broadcast("t", { bytes: KiB });
  for (const one of [scene.other, scene.looking]) {
    const subscriber = one.broadcast("t").subscriber();
    publish(topic, 1, 2, 3);
    const record = subscriber.tryPeek() as BroadcastRecord;
    assert.equal([...record.bytes], [1]);
    assert.ok(record.bytes.buffer instanceof SharedArrayBuffer);
    assert.equal([record.byteLength, record.number, record.view], [1, topic.stats.published - 2, undefined]);
    assert.equal([record.copy(), record.isWhole(), subscriber.tryPeek() === record], [bytes(1), true, true]);
    const own = bytes(9, 9);
    assert.equal([record.copyInto(own), own], [1, bytes(1, 9)]);
    refused("RangeError", () => record.copyInto(bytes()));
    for (const call of [
      () => subscriber.tryReceive(),
      () => subscriber.receiveSync(),
      () => subscriber.peekSync(),
      () => subscriber.tryDrain(() => {}),
    ])
      refused("BUSY", call, /a peeked record was not released/);
    await rejected("BUSY", subscriber.receive());
    record.release();
    for (const use of [
      () => record.bytes,
      () => record.view,
      () => record.isWhole(),
      () => record.copy(),
      () => record.copyInto(own),
      () => record.release(),
    ])
      refused("CLOSED", use, /released already/);
    {
      using next = subscriber.peekSync();
      assert.is(first(next?.bytes), 2);
    }
    (await within("the third", subscriber.peek()))?.release();
    assert.equal([subscriber.tryPeek(), subscriber.lost], [undefined, 0]);
  }
});

test("a record that is overwritten in the hands of its reader is not whole, and counts as lost", () => {
  using scene = openers();
  for (const opener of [scene.segment, scene.looking]) {
    const topic = scene.segment.broadcast(`t ${opener.access}`, { bytes: 256 });
    const subscriber = opener.broadcast(topic.name).subscriber();
    using publisher = topic.publisher();
    const many = Array.from({ length: 20 }, (_, i) => bytes(i));
    for (const ask of [true, false]) {
      const before = subscriber.lost;
      publisher.publish(bytes(1));
      const record = subscriber.tryPeek() as BroadcastRecord;
      assert.ok(record.isWhole());
      publisher.publishMany(many);
      if (ask) {
        assert.not(record.isWhole());
        assert.equal([record.copy(), record.copyInto(bytes(0))], [undefined, undefined]);
      }
      record.release();
      // If nobody has asked since, what was read before counts.
      let received = ask ? 0 : 1;
      while (subscriber.tryReceive()) received++;
      assert.is(received + subscriber.lost - before, 21);
      assert.ok(subscriber.lost > before);
    }
    // Nobody has asked at all.
    const before = subscriber.lost;
    publisher.publish(bytes(1));
    const record = subscriber.tryPeek() as BroadcastRecord;
    publisher.publishMany(many);
    record.release();
    let received = 0;
    while (subscriber.tryReceive()) received++;
    assert.is(received + subscriber.lost - before, 21);
  }
});

test("drain hands out what is there, in place, and no more than the limit", async () => {
  using scene = openers();
  const topic = scene.segment.broadcast("t", { bytes: KiB });
  const subscriber = scene.other.broadcast("t").subscriber();
  using publisher = topic.publisher();
  publisher.publishMany([1, 2, 3, 4, 5].map((one) => bytes(one)));
  const got: number[] = [];
  const handle = (record: BroadcastRecord): void => {
    got.push(record.bytes[0] as number);
    assert.ok(record.isWhole());
  };
  assert.is(subscriber.tryDrain(handle, { limit: 2 }), 2);
  assert.is(subscriber.tryDrain(handle, { limit: 0 }), 0);
  assert.is(await subscriber.drain(handle, { limit: 1 }), 1);
  assert.is(await subscriber.drain(handle, { limit: 0 }), 0);
  assert.is(subscriber.drainSync(handle), 2);
  assert.is(subscriber.drainSync(handle, { limit: 0 }), 0);
  assert.is(subscriber.tryDrain(handle), 0);
  assert.equal(got, [1, 2, 3, 4, 5]);
  // What is published meanwhile comes next time.
  publisher.publish(bytes(6));
  assert.is(
    subscriber.tryDrain((record) => {
      handle(record);
      assert.is(got.length, 6, "what was published meanwhile is handed out in the same call");
      publisher.publish(bytes(7));
    }),
    1,
  );
  const waiting = subscriber.drain(handle);
  assert.is(await within("the next one", waiting), 1);
  assert.equal(got, [1, 2, 3, 4, 5, 6, 7]);
});

test("a record whose handling fails stays the next one, and other calls are refused meanwhile", () => {
  using scene = openers();
  const topic = scene.segment.broadcast("t", { bytes: KiB });
  const subscriber = topic.subscriber();
  publish(topic, 1, 2, 3);
  const failing = (): void => {
    throw new Error("own");
  };
  refused("Error", () => subscriber.tryDrain(failing), /own/);
  refused("TypeError", () => subscriber.tryDrain(async () => {}), /handle must not be async/);
  refused("TypeError", () => subscriber.tryDrain(() => Promise.resolve() as never), /stays the next one/);
  let kept: BroadcastRecord | undefined;
  assert.is(
    subscriber.tryDrain(
      (record) => {
        kept = record;
        assert.is(record.bytes[0], 1);
        refused("BUSY", () => subscriber.tryReceive(), /drain is handing a record/);
        refused("BUSY", () => subscriber.tryPeek(), /drain is handing a record/);
        refused("BUSY", () => record.release(), /drain is handing a record/);
      },
      { limit: 1 },
    ),
    1,
  );
  refused("CLOSED", () => kept?.bytes);
  const closing = subscriber.tryDrain(() => subscriber.close());
  assert.is(closing, 1);
  refused("CLOSED", () => subscriber.tryReceive(), /subscriber of broadcast "t" was closed/);
});

test("values of a layout are published, claimed and received", async () => {
  using scene = openers();
  const topic = scene.segment.broadcast("quotes", { bytes: KiB, layout: Quote });
  const there = scene.other.broadcast("quotes", { layout: Quote });
  const subscribers = [there.subscriber(), scene.looking.broadcast("quotes", { layout: Quote }).subscriber()];
  using publisher = topic.publisher();
  publisher.publish({ id: 1, name: "one" });
  publisher.publishMany([
    { id: 2, name: "two" },
    { id: 3, name: "three" },
  ]);
  using claim = publisher.claim();
  claim.view.write({ id: 4, name: "four" });
  refused("RangeError", () => claim.commit(3), /usedLength/);
  claim.commit();
  for (const one of subscribers) {
    assert.equal(one.tryReceive(), { id: 1, name: "one" });
    assert.equal(await one.receive(), { id: 2, name: "two" });
    using record = one.tryPeek();
    assert.equal([record?.view.get("id"), record?.view.get("name")], [3, "three"]);
    assert.ok(record?.isWhole());
    record?.release();
    assert.is(
      one.tryDrain(({ view }) => assert.is(view.get("name"), "four")),
      1,
    );
  }
  assert.is(topic.layout, Quote);
  refused("RangeError", () => publisher.publish({ id: -1, name: "" }), /\bid must be/);
  refused("RangeError", () => publisher.claim(3), /length must be/);
  // A getter may publish, or close: what the value says then is published, or not.
  publisher.publish({
    get id() {
      publisher.publish({ id: 5, name: "five" });
      return 6;
    },
    name: "six",
  });
  assert.equal([subscribers[0]?.tryReceive()?.id, subscribers[0]?.tryReceive()?.id], [5, 6]);
  const closing = {
    get id() {
      publisher.close();
      return 7;
    },
    name: "seven",
  };
  refused("CLOSED", () => publisher.publishMany([closing, closing]));
  assert.is(topic.stats.published, 6);
});

test("every opener gives the same parameters, or no bytes", () => {
  using scene = openers();
  const { segment, other, looking } = scene;
  const topic = segment.broadcast("t", { bytes: 1000 });
  assert.is(topic.capacity, 1000);
  assert.is(segment.broadcast("small", { bytes: 1 }).capacity, 256);
  assert.is(segment.broadcast("odd", { bytes: 257 }).capacity, 264);
  assert.is(other.broadcast("t").capacity, 1000);
  refused(
    "OBJECT_MISMATCH",
    () => other.broadcast("t", { bytes: 2000 }),
    /made with bytes 1000, opened with bytes 2000/,
  );
  refused("OBJECT_MISMATCH", () => other.broadcast("t", { layout: Quote }), /no layout|another layout/);
  refused("OBJECT_MISMATCH", () => other.ring("t"), /"t" is a broadcast in this segment, not a ring/);
  segment.ring("r", { bytes: 64 });
  refused("OBJECT_MISMATCH", () => other.broadcast("r"), /"r" is a ring in this segment, not a broadcast/);
  refused("NOT_FOUND", () => other.broadcast("none"), /give \{ bytes \} to make a broadcast/);
  refused("NOT_FOUND", () => looking.broadcast("none", { bytes: 256 }), /a writer must make it first/);
  const wide = struct({ text: "utf8:100" });
  refused(
    "RangeError",
    () => segment.broadcast("wide", { bytes: 256, layout: wide }),
    /bytes must be at least 480 for values of the layout, got 256/,
  );
  assert.is(segment.broadcast("wide", { bytes: 512, layout: wide }).recordBytesMax, 112);
  const hidden = other.broadcast("wide");
  for (const call of [
    () => hidden.publisher(),
    () => hidden.subscriber(),
    () => hidden.waitForPublisherSync(),
  ])
    refused("OBJECT_MISMATCH", call, /the records of broadcast "wide" have a layout/);
  assert.is(hidden.stats.published, 0);
  for (const given of [{ byte: 1 }, { bytes: 0 }, { bytes: 2 ** 31 }, { bytes: "1" }])
    assert.throws(() => segment.broadcast("x", given as never), /bytes/);
  refused("RangeError", () => topic.subscriber({ from: "then" as never }), /from must be "now" or "oldest"/);
  refused("TypeError", () => topic.subscriber({ form: "now" } as never), /did you mean "from"/);
});

test("objects() shows its counters, and who publishes", () => {
  using scene = openers();
  const topic = scene.segment.broadcast("t", { bytes: KiB });
  using publisher = topic.publisher();
  publisher.publishMany([bytes(1, 2, 3), bytes(4)]);
  for (const opener of [scene.segment, scene.looking]) {
    const [object] = opener.objects();
    assert.equal([object?.name, object?.type, object?.parameters], ["t", "broadcast", { bytes: KiB }]);
    const { published, bytes: count, capacity, publisher } = object?.broadcast ?? {};
    assert.equal([published, count, capacity], [2, 4, KiB]);
    assert.equal([publisher?.slot, publisher?.alive, publisher?.self], [0, true, opener === scene.segment]);
  }
});

test("calls that wait are served in their order, and a try does not overtake them", async () => {
  using scene = openers();
  const topic = scene.segment.broadcast("t", { bytes: KiB });
  for (const opener of [scene.other, scene.looking]) {
    const subscriber = opener.broadcast("t").subscriber();
    const order: (number | undefined)[] = [];
    const waits = [1, 2, 3].map(() => subscriber.receive().then((one) => order.push(first(one))));
    await turn();
    using publisher = topic.publisher();
    publisher.publish(bytes(1));
    assert.is(subscriber.tryReceive(), undefined);
    assert.is(subscriber.tryPeek(), undefined);
    assert.is(
      subscriber.tryDrain(() => {}),
      0,
    );
    refused("BUSY", () => subscriber.receiveSync(), /other calls wait for a record/);
    publisher.publishMany([bytes(2), bytes(3)]);
    await within("all of them", Promise.all(waits));
    assert.equal(order, [1, 2, 3]);
  }
});

test("waits end with their time, their signal, their subscriber and their segment", async () => {
  using scene = openers();
  const topic = scene.segment.broadcast("t", { bytes: KiB });
  for (const opener of [scene.other, scene.looking]) {
    const subscriber = opener.broadcast("t").subscriber();
    const text = /waiting for a record in broadcast "t" took longer than 1 ms/;
    await rejected("TIMED_OUT", subscriber.receive({ timeoutMs: 1 }), text);
    refused("TIMED_OUT", () => subscriber.receiveSync({ timeoutMs: 1 }), text);
    refused("TIMED_OUT", () => subscriber.peekSync({ timeoutMs: 0 }));
    refused("TIMED_OUT", () => subscriber.drainSync(() => {}, { timeoutMs: 1 }));
    const leaving = new AbortController();
    const waiting = subscriber.receive({ signal: leaving.signal });
    leaving.abort(new RangeError("left"));
    await rejected("RangeError", waiting, /left/);
    const closing = [subscriber.receive(), subscriber.peek()];
    await turn();
    subscriber.close();
    subscriber.close();
    for (const one of closing) await rejected("CLOSED", one, /subscriber of broadcast "t" was closed/);
    await rejected("CLOSED", subscriber.receive());
    const last = opener.broadcast("t").subscriber();
    const pending = last.receive();
    const record = topic.subscriber();
    await turn();
    opener.close();
    await rejected("CLOSED", pending, /was closed/);
    refused("CLOSED", () => last.tryReceive());
    assert.is(last.lost, 0);
    record.close();
  }
  refused("DEADLOCK", () => {
    using _publisher = topic.publisher();
    topic.subscriber().receiveSync();
  });
});

test("closing the segment with a record in hand is no loss of the subscriber", () => {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const topic = segment.broadcast("t", { bytes: KiB });
  const subscriber = topic.subscriber();
  publish(topic, 1);
  const record = subscriber.tryPeek() as BroadcastRecord;
  segment.close();
  refused("CLOSED", () => record.isWhole());
  refused("CLOSED", () => record.copy());
  record.release();
});

test.run();
