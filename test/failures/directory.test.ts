/** An entry of the directory that says of its object what cannot be is damage, and the object is not opened. */
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as layout from "../../protocol/layout.js";
import { entryOffset, poke32 } from "../lib/poke.js";
import { refused } from "../lib/refusals.js";
import { segmentName } from "../lib/segments.js";

for (const [what, word, value] of [
  ["ends beyond the segment", layout.ENTRY_OBJECT_BYTES_OFFSET, 2 * MiB],
  ["begins before its entry", layout.ENTRY_OBJECT_OFFSET, 128],
  ["is smaller than its capacity", layout.ENTRY_OBJECT_BYTES_OFFSET, KiB],
] as const) {
  test(`a ring that ${what} is damage`, () => {
    using segment = Segment.create(segmentName("entry"), { bytes: MiB });
    segment.ring("ring", { bytes: 4 * KiB });
    using other = Segment.open(segment.name);
    poke32(segment.name, entryOffset(segment.name, 0) + word, value);
    refused("CORRUPT", () => other.ring("ring", { bytes: 4 * KiB }));
  });
}

test.run();
