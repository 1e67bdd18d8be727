/** Somebody who keeps to no rule changes what is being opened: between any two steps, what was opened is what is there. */
import { chownSync, statSync, truncateSync } from "node:fs";
import { KiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ENTRY_OBJECT_BYTES_OFFSET, ENTRY_OBJECT_OFFSET } from "../../../protocol/layout.js";
import { entryOffset, peek32, poke32, poke64 } from "../../lib/poke.js";
import { refused } from "../../lib/refusals.js";
import { segmentName, segmentPath } from "../../lib/segments.js";
import { notSuperuser, onlyLinux, unless } from "../../lib/skips.js";
import { impatient, stepped, undisturbed } from "../../lib/steps.js";

const BYTES = 64 * KiB;
const ACCESSES = ["read-write", "read-only"] as const;

/** The last step of opening in which the object is looked at. */
function lastLook(name: string, access: (typeof ACCESSES)[number]): number {
  let last = 0;
  const note = (step: number, call: string): void => {
    if (call === "info") last = step;
  };
  let opened: Segment | undefined;
  stepped(note, () => {
    opened = Segment.open(name, { access });
  });
  opened?.close();
  return last;
}

/** Opens while an intruder acts in front of one of the steps; undefined when it was refused. */
function openDisturbed(
  name: string,
  access: (typeof ACCESSES)[number],
  at: number,
  intrude: () => void,
): Segment | undefined {
  let opened: Segment | undefined;
  stepped(
    (step) => {
      if (step === at) undisturbed(intrude);
    },
    () => {
      try {
        opened = impatient(() => Segment.open(name, { access }));
      } catch (error) {
        // What was extended has a hole, which is refused by some systems before it is mapped.
        const answers = ["CORRUPT", "ACCESS_DENIED", "NOT_SUPPORTED"];
        assert.ok(answers.includes((error as { code: string }).code), String(error));
      }
    },
  );
  return opened;
}

for (const access of ACCESSES) {
  unless(onlyLinux("segments whose size changes"), test)(
    `${access}: a size that changes while it is opened is noticed`,
    () => {
      const name = segmentName("size");
      Segment.create(name, { bytes: BYTES }).close();
      const last = lastLook(name, access);
      assert.ok(last > 5);
      for (let at = 1; at <= last; at++) {
        const segment = openDisturbed(name, access, at, () => truncateSync(segmentPath(name), 2 * BYTES));
        if (segment) assert.is(segment.bytes, statSync(segmentPath(name)).size, `step ${at}`);
        segment?.close();
        truncateSync(segmentPath(name), BYTES);
      }
      Segment.unlink(name);
    },
  );

  unless(notSuperuser, test)(`${access}: an owner that changes while it is opened is noticed`, () => {
    const name = segmentName("owner");
    Segment.create(name, { bytes: BYTES }).close();
    const last = lastLook(name, access);
    for (let at = 1; at <= last; at++) {
      const segment = openDisturbed(name, access, at, () => chownSync(segmentPath(name), 65534, 65534));
      assert.is(segment, undefined, `step ${at}`);
      chownSync(segmentPath(name), 0, 0);
    }
    Segment.unlink(name);
  });
}

test("an object whose entry leads out of the segment is refused, and so is a ring that is smaller than it says", () => {
  const name = segmentName("entry");
  using segment = Segment.create(name, { bytes: BYTES * 4 });
  segment.ring("ring", { bytes: KiB });
  segment.counter("counter");
  const [ring, counter] = [entryOffset(name, 0), entryOffset(name, 1)];
  const openers: [number, () => unknown][] = [
    [ring, () => segment.ring("ring", { bytes: KiB })],
    [counter, () => segment.counter("counter")],
  ];
  for (const [entry, open] of openers) {
    const offset = peek32(name, entry + ENTRY_OBJECT_OFFSET);
    const bytes = peek32(name, entry + ENTRY_OBJECT_BYTES_OFFSET);
    const rest = segment.bytes - offset;
    for (const wrong of [0, 128, offset + 8, segment.bytes, segment.bytes - 128 + 256, 0xffffff80]) {
      poke32(name, entry + ENTRY_OBJECT_OFFSET, wrong);
      refused("CORRUPT", open, /is damaged; replace the segment/);
    }
    poke32(name, entry + ENTRY_OBJECT_OFFSET, offset);
    for (const wrong of [BigInt(rest + 1), BigInt(segment.bytes), 2n ** 32n, 2n ** 63n]) {
      poke64(name, entry + ENTRY_OBJECT_BYTES_OFFSET, wrong);
      refused("CORRUPT", open, /is damaged; replace the segment/);
    }
    poke64(name, entry + ENTRY_OBJECT_BYTES_OFFSET, BigInt(bytes));
    open();
  }
  const bytes = peek32(name, ring + ENTRY_OBJECT_BYTES_OFFSET);
  for (const fewer of [bytes - 1, bytes - KiB, 128, 0]) {
    poke64(name, ring + ENTRY_OBJECT_BYTES_OFFSET, BigInt(fewer));
    refused("CORRUPT", () => segment.ring("ring", { bytes: KiB }), /is damaged; replace the segment/);
  }
  segment.unlink();
});

test.run();
