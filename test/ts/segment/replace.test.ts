/** A new generation under a name: the holders of the old segment learn of it. */
import { KiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { segmentName } from "../../lib/segments.js";
import { flawed } from "../../lib/steps.js";

const BYTES = 128 * KiB;

/** `stale` without the system, which knows that the name leads elsewhere. */
function markedStale(segment: Segment): boolean {
  const linked = (real: Record<string, unknown>) => (object: unknown) => ({
    ...(real.info as (object: unknown) => object)(object),
    linked: true,
  });
  return flawed({ info: linked as never }, () => segment.stale);
}

test("the replaced segment itself says that it is stale, to writers and to readers", () => {
  const name = segmentName("replaced");
  using writer = Segment.create(name, { bytes: BYTES });
  using reader = Segment.open(name, { access: "read-only" });
  assert.equal([markedStale(writer), markedStale(reader)], [false, false]);
  using fresh = Segment.create(name, { bytes: BYTES, replace: true });
  assert.equal([markedStale(writer), markedStale(reader)], [true, true]);
  assert.equal([fresh.stale, markedStale(fresh)], [false, false]);
  fresh.unlink();
  assert.equal([fresh.stale, markedStale(fresh)], [true, false], "nobody marks what is only unlinked");
});

test.run();
