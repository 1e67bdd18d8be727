/** What a ring and its segment say of what was sent. */
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { codeWithin } from "../../lib/watchdog.js";

const HOUR_MS = 3_600_000;

test("the time of the last record is one of this hour, and a send that gave up is counted", async () => {
  const begin = Date.now();
  using segment = Segment.createAnonymous({ bytes: MiB });
  const ring = segment.ring("ring", { bytes: KiB });
  assert.is(ring.stats.lastSentAt, undefined);
  using producer = ring.producer();
  while (producer.trySend(new Uint8Array(100)));
  const sentAt = ring.stats.lastSentAt?.getTime() ?? 0;
  assert.ok(begin - HOUR_MS < sentAt && sentAt < begin + HOUR_MS, `${sentAt}`);
  assert.is(segment.header.drops, 0);
  assert.is(await codeWithin(producer.send(new Uint8Array(100), { timeoutMs: 1 })), "TIMED_OUT");
  assert.is(segment.header.drops, 1);
});

test.run();
