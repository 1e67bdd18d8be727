/** A root that was freed is none, also when its bytes have become another block. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("a root that was freed is none, whoever gets its bytes next", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const root = segment.heap.allocate(1000);
  segment.root = root;
  const { offset } = root;
  root.free();
  const next = segment.heap.allocate(1000);
  assert.is(next.offset, offset, "the same bytes");
  assert.is(segment.root, undefined);
});

test.run();
