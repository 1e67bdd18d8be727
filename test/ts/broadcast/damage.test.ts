/** Words of a broadcast that another process has damaged: each call gives a result or an error, and ends. */
import { type Broadcast, MiB, Segment, type Subscriber, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BROADCAST_INTENT_OFFSET,
  BROADCAST_TAIL_OFFSET,
  TOPIC_HEADER_BYTES,
  TOPIC_KIND_OFFSET,
  TOPIC_LENGTH_OFFSET,
  TOPIC_NUMBER_OFFSET,
} from "../../../protocol/layout.js";
import { objectOffset, poke32, poke64 } from "../../lib/poke.js";
import { refused } from "../../lib/refusals.js";
import { segmentName } from "../../lib/segments.js";

const layout = struct({ id: "u32" });

interface Scene extends Disposable {
  topic: Broadcast;
  subscribers: Subscriber[];
  /** Offset of the header of the first record. */
  record: number;
  name: string;
}

/** A record is published, which a participant and a reader have not received. */
function scene(): Scene {
  const segment = Segment.create(segmentName("damage"), { bytes: MiB });
  const reader = Segment.open(segment.name, { access: "read-only" });
  const topic = segment.broadcast("t", { bytes: 256 });
  const subscribers = [topic, reader.broadcast("t")].map((one) => one.subscriber());
  using publisher = topic.publisher();
  publisher.publish(Uint8Array.of(1, 2, 3));
  const record = (topic.subscriber({ from: "oldest" }).tryPeek()?.bytes.byteOffset ?? 0) - TOPIC_HEADER_BYTES;
  return {
    ...{ topic, subscribers, record, name: segment.name },
    [Symbol.dispose]() {
      segment.unlink();
      reader.close();
      segment.close();
    },
  };
}

test("a header that cannot be is damage", () => {
  for (const [offset, value] of [
    [TOPIC_LENGTH_OFFSET, 9],
    [TOPIC_LENGTH_OFFSET, 0x7fffffff],
    [TOPIC_LENGTH_OFFSET, 0xffffffff],
    [TOPIC_KIND_OFFSET, 0],
    [TOPIC_NUMBER_OFFSET, 0],
    [TOPIC_NUMBER_OFFSET + 4, 0xffffffff],
  ] as const) {
    using all = scene();
    poke32(all.name, all.record + offset, value);
    for (const one of all.subscribers) {
      refused("CORRUPT", () => one.tryReceive(), /broadcast "t"/);
      refused("CORRUPT", () => one.tryPeek());
      refused("CORRUPT", () => one.drainSync(() => {}));
    }
  }
});

test("positions that cannot be are damage, and no call goes on for ever", () => {
  for (const tail of [1n, 2n ** 63n, 2n ** 64n - 8n]) {
    using all = scene();
    const topic = objectOffset(all.name, "t");
    poke64(all.name, topic + BROADCAST_TAIL_OFFSET, tail);
    for (const one of all.subscribers) refused("CORRUPT", () => [one.tryReceive(), one.tryReceive()]); // the first record is whole
    refused("CORRUPT", () => all.topic.publisher(), /its shared words are damaged/);
    if (tail !== 1n) refused("CORRUPT", () => all.topic.subscriber());
    assert.ok(all.topic.stats.published >= 0);
  }
  using all = scene();
  poke64(all.name, objectOffset(all.name, "t") + BROADCAST_INTENT_OFFSET, 2n ** 62n);
  for (const one of all.subscribers)
    refused("BUSY", () => one.tryReceive(), /overwritten the record during each of 1000 reads/);
});

test("a record that is no value of the layout is damage", () => {
  using segment = Segment.create(segmentName("damage"), { bytes: MiB });
  const topic = segment.broadcast("t", { bytes: 256, layout });
  const subscriber = topic.subscriber();
  using publisher = topic.publisher();
  publisher.publish({ id: 1 });
  const at = (topic.subscriber({ from: "oldest" }).tryPeek()?.bytes.byteOffset ?? 0) - TOPIC_HEADER_BYTES;
  poke32(segment.name, at + TOPIC_LENGTH_OFFSET, layout.bytes - 1);
  refused("CORRUPT", () => subscriber.tryReceive(), /says that it has \d+ bytes, but its layout has \d+/);
  segment.unlink();
});

test.run();
