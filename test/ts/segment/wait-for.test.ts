/** Waiting for a segment leaves the thread to others, also while whoever creates or joins it is stopped. */
import { KiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { KERNEL_LOCK_CREATION, KERNEL_LOCK_HOLDERS } from "../../../protocol/layout.js";
import { loadNative } from "../../../ts/host/native.cjs";
import { rejected } from "../../lib/refusals.js";
import { forget, makeIdle, segmentName } from "../../lib/segments.js";

const native = loadNative();

/** A segment on which a live process keeps a lock, as one does that is stopped; `giveBack` lets it go on. */
function locked(index: number): { name: string; giveBack(): void } {
  const name = segmentName();
  makeIdle(name, 64 * KiB);
  const object = native.openNamed(name, 0, false, false, 0);
  assert.ok(native.lock(object, index, false));
  return { name, giveBack: () => native.close(object) };
}

const ways = [
  { access: "read-write", index: KERNEL_LOCK_CREATION },
  { access: "read-only", index: KERNEL_LOCK_HOLDERS },
] as const;

for (const { access, index } of ways) {
  test(`${access}: timers go on while a lock is held, and it times out`, async () => {
    const { name, giveBack } = locked(index);
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 1);
    await rejected("TIMED_OUT", Segment.waitFor(name, { access, timeoutMs: 200 }), /exists, but a process/);
    clearInterval(ticking);
    giveBack();
    assert.ok(ticks > 0, "the thread was blocked");
    forget(name);
  });

  test(`${access}: a signal ends it while a lock is held`, async () => {
    const { name, giveBack } = locked(index);
    const controller = new AbortController();
    let ticked = false;
    const ticking = setInterval(() => {
      ticked = true;
      controller.abort(new Error("enough"));
    }, 5);
    const looking = Segment.waitFor(name, { access, signal: controller.signal });
    assert.not(ticked);
    await rejected("Error", looking, /enough/);
    clearInterval(ticking);
    giveBack();
    forget(name);
  });

  test(`${access}: it opens as soon as the lock is given back`, async () => {
    const { name, giveBack } = locked(index);
    setTimeout(giveBack, 20);
    using segment = await Segment.waitFor(name, { access });
    assert.is(segment.name, name);
    segment.unlink();
  });
}

test("what does not come to exist is said to be so", async () => {
  await rejected("TIMED_OUT", Segment.waitFor(segmentName(), { timeoutMs: 10 }), /was not created/);
});

test.run();
