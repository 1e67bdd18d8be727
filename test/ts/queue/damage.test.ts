/** Messages whose words another process has damaged: each call gives a result or an error, and the queue goes on. */
import { type Job, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MESSAGE_DELIVERIES_OFFSET, MESSAGE_LENGTH_OFFSET } from "../../../protocol/layout.js";
import { poke32 } from "../../lib/poke.js";
import { refused } from "../../lib/refusals.js";
import { segmentName } from "../../lib/segments.js";

/** Offset of the slot of a message that was just taken. */
function slotOf(job: Job<never>): number {
  return job.bytes.byteOffset - 16;
}

test("a message that is longer than its slot is removed, and the next one is received", () => {
  using segment = Segment.create(segmentName("damage"), { bytes: MiB });
  const queue = segment.queue("q", { capacity: 1, slotBytes: 8 });
  for (const length of [9, 0x7fffffff, 0xfffffffe]) {
    queue.trySend(Uint8Array.of(1));
    const job = queue.tryTake() as Job;
    const at = slotOf(job);
    job.giveBack();
    poke32(segment.name, at + MESSAGE_LENGTH_OFFSET, length);
    poke32(segment.name, at + MESSAGE_DELIVERIES_OFFSET, 0xffffffff);
    refused("CORRUPT", () => queue.tryReceive(), new RegExp(`queue "q" says that it has ${length} bytes`));
    assert.is(queue.tryReceive(), undefined);
    assert.is(queue.trySend(Uint8Array.of(2)), true);
    assert.equal(queue.tryReceive(), Uint8Array.of(2));
  }
  segment.unlink();
});

test("a message that is no value of the layout is removed, and the next one is received", () => {
  using segment = Segment.create(segmentName("damage"), { bytes: MiB });
  const layout = struct({ id: "u32" });
  const queue = segment.queue("q", { capacity: 1, slotBytes: 64, layout });
  queue.trySend({ id: 1 });
  const job = queue.tryTake() as Job<typeof layout.fields>;
  const at = job.bytes.byteOffset - 16;
  job.giveBack();
  poke32(segment.name, at + MESSAGE_LENGTH_OFFSET, 3);
  refused("CORRUPT", () => queue.tryTake(), /3 bytes, but its layout has 8/);
  assert.is(queue.trySend({ id: 2 }), true);
  assert.is(queue.tryReceive()?.id, 2);
  segment.unlink();
});

test.run();
