/** What a host believes of shared bytes, and what becomes of an end that its user has forgotten. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { RECORD_HEADER_BYTES } from "../../../protocol/layout.js";
import type { Core } from "../../../ts/core.js";
import type { Attachment } from "../../../ts/segment/attachment.js";
import { internal } from "../../lib/internals.js";
import { Agent } from "../../lib/processes.js";
import { refused } from "../../lib/refusals.js";
import { node } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { within } from "../../lib/watchdog.js";

const { RingCursor } = internal<typeof import("../../../ts/ring/cursor.js")>("ring/cursor");

const CAPACITY = 256;
const DATA = 1024;

test("the length of a record is looked at again: a peer may change it after the core has checked it", () => {
  const words = new Uint32Array(new SharedArrayBuffer(65536));
  for (const length of [CAPACITY - RECORD_HEADER_BYTES, 16, CAPACITY - 7, CAPACITY, 0x7fffffff, 0xffffffff]) {
    const core = {
      ringWaitersRoom: () => 0,
      // The core finds a record of 16 bytes; right after that it says another length.
      ringReceive: () => {
        words[DATA >>> 2] = length;
        return DATA;
      },
    } as unknown as Core;
    const attachment = {
      core,
      u8: new Uint8Array(words.buffer),
      u32: words,
      i32: new Int32Array(words.buffer),
    } as unknown as Attachment;
    const geometry = {
      name: "r",
      ring: 0,
      capacity: CAPACITY,
      data: DATA,
      end: DATA + CAPACITY,
      layout: undefined,
    };
    const cursor = new RingCursor(attachment, geometry, DATA, false);
    if (length > CAPACITY - RECORD_HEADER_BYTES) refused("CORRUPT", () => cursor.next());
    else assert.ok(cursor.next() && cursor.record.length === length);
  }
});

test("an end that its user has forgotten is given back, closed, when its segment is closed", async () => {
  using segment = Segment.create(segmentName("forgotten"), { bytes: MiB });
  const ring = segment.ring("r", { bytes: 4096 });
  const consumer = ring.consumer();
  const child = await Agent.start(node, "ts/ring/ring-actions.ts");
  await child.call("forgetProducer", segment.name);
  assert.is(ring.stats.producer?.pid, child.pid);
  await child.call("closeSegment");
  assert.is(ring.stats.producer, undefined);
  assert.equal(await within("its record", consumer.receive()), Uint8Array.of(1));
  assert.is(await within("the end", consumer.receive()), undefined);
  await child.end();
  segment.unlink();
});

test.run();
