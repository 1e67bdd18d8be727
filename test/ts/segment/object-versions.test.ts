/** Objects that another release has made: of a kind that this one does not know, or with another version of its layout. */
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as layout from "../../../protocol/layout.js";
import { entryOffset, peek32, poke32 } from "../../lib/poke.js";
import { refused } from "../../lib/refusals.js";
import { forget, keep, segmentName } from "../../lib/segments.js";

/** A segment with a ring and a counter, of which the ring's entry is changed. */
function withChangedRing(word: number, value: number, use: (segment: Segment) => void): void {
  const name = segmentName("versions");
  {
    using maker = Segment.create(name, { bytes: MiB });
    maker
      .ring("ring", { bytes: 4 * KiB })
      .producer()
      .trySend(new Uint8Array(3));
    maker.counter("counter").add(5);
    poke32(name, entryOffset(name, 0) + word, value);
    keep(name);
  }
  using segment = Segment.open(name);
  use(segment);
  forget(name);
}

test("an object with another version of its layout is refused by name, and everything else is there", () => {
  withChangedRing(layout.ENTRY_VERSION_OFFSET, 7, (segment) => {
    refused(
      "OBJECT_MISMATCH",
      () => segment.ring("ring", { bytes: 4 * KiB }),
      new RegExp(
        `ring "ring" was made with version 7 of its layout, and this release has version ${layout.OBJECT_VERSION_RING}`,
      ),
    );
    assert.equal(segment.objects()[0], {
      name: "ring",
      type: "ring",
      bytes: peek32(segment.name, at()),
      parameters: {},
    });
    assert.is(segment.counter("counter").value, 5);
    assert.ok(segment.heap.check().ok);
    function at(): number {
      return entryOffset(segment.name, 0) + layout.ENTRY_OBJECT_BYTES_OFFSET;
    }
  });
});

test("the same for openers that can only read", () => {
  withChangedRing(layout.ENTRY_VERSION_OFFSET, 7, ({ name }) => {
    using reader = Segment.open(name, { access: "read-only" });
    refused("OBJECT_MISMATCH", () => reader.ring("ring", { bytes: 4 * KiB }), /version 7 of its layout/);
    assert.is(reader.counter("counter").value, 5);
  });
});

test("an object of a kind that this release does not know is listed, and refused under any type", () => {
  withChangedRing(layout.ENTRY_TYPE_OFFSET, 99, (segment) => {
    assert.equal(
      segment.objects().map(({ name, type }) => [name, type]),
      [
        ["ring", "unknown"],
        ["counter", "counter"],
      ],
    );
    const text = /"ring" is an object of an unknown type in this segment, not a/;
    refused("OBJECT_MISMATCH", () => segment.ring("ring", { bytes: 4 * KiB }), text);
    refused("OBJECT_MISMATCH", () => segment.lock("ring"), text);
    assert.is(segment.counter("counter").value, 5);
    segment.ring("another", { bytes: 4 * KiB });
  });
});

test.run();
