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

test("a block of another opening of the segment can become the root, one of another segment cannot", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  using other = Segment.fromHandle(segment.handle);
  using looking = Segment.fromHandle(segment.handle, { access: "read-only" });
  const block = segment.heap.allocate(100);
  other.root = block;
  assert.is(segment.root?.offset, block.offset);
  segment.root = undefined;
  segment.root = looking.heap.blockAt(block.offset);
  assert.is(other.root?.offset, block.offset);
  using stranger = Segment.createAnonymous({ bytes: MiB });
  const same = stranger.heap.allocate(100);
  assert.is(same.offset, block.offset, "another block at the same offset");
  assert.throws(
    () => {
      segment.root = same;
    },
    (error: Error) =>
      error instanceof TypeError && /must be a block of segment .*, got one of another/.test(error.message),
  );
  block.free();
  assert.throws(() => {
    other.root = block;
  }, /NOT_FOUND/);
});

test.run();
