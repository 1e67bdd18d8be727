/** Who ends while it holds a lock, and has closed nothing, counts as one who died: nobody has said that the data are whole. */
import { join } from "node:path";
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { someOf } from "../lib/depth.js";
import { Agent } from "../lib/processes.js";
import { rejected } from "../lib/refusals.js";
import { presentRuntimes, type Runtime } from "../lib/runtimes.js";
import { segmentName, temporaryDirectory } from "../lib/segments.js";
import { within } from "../lib/watchdog.js";
import { Twins } from "../processes/memory-soak/memory-actions.js";
import type { Ending } from "./exit-actions.js";

const ACTIONS = "failures/exit-actions.ts";
const ENDINGS: Ending[] = ["process.exit", "exception", "rejection", "last line"];

/** A segment whose root is twins that are both 1. */
function scene() {
  const segment = Segment.create(segmentName("exit"), { bytes: MiB });
  const block = segment.heap.allocate(Twins.bytes);
  const twins = block.view(Twins);
  twins.write({ journaled: 1, plain: 1 });
  segment.root = block;
  return { segment, twins, lock: segment.lock("lock"), [Symbol.dispose]: () => segment.close() };
}

/** Runs an action in a process of its own, and that process to its end. */
async function ended(runtime: Runtime, action: string, ...given: unknown[]): Promise<void> {
  const child = await Agent.start(runtime, ACTIONS);
  await child.call(action, ...given).catch(() => {});
  await child.end();
}

for (const runtime of presentRuntimes()) {
  for (const how of someOf(ENDINGS)) {
    test(`the next holder is told of an exclusive one that ended by ${how} (${runtime.name})`, async () => {
      using all = scene();
      await ended(runtime, "endHolding", all.segment.name, "exclusive", how);
      assert.is(all.twins.get("plain"), 2);
      const held = all.lock.tryAcquire("exclusive");
      assert.ok(held?.ownerDied);
      held?.markConsistent();
      held?.release();
      assert.not(all.lock.acquireSync().ownerDied);
    });
  }

  for (const how of someOf(ENDINGS)) {
    test(`a consumer is told of a producer that ended by ${how} and has not closed (${runtime.name})`, async () => {
      using all = scene();
      const consumer = all.segment.ring("ring", { bytes: 1024 }).consumer();
      await ended(runtime, "endSending", all.segment.name, how);
      assert.equal(await consumer.receive(), Uint8Array.of(1));
      await rejected("PEER_DIED", within("the end", consumer.receive()));
    });
  }

  test(`nobody is told of a shared holder that ended (${runtime.name})`, async () => {
    using all = scene();
    await ended(runtime, "endHolding", all.segment.name, "shared", "process.exit");
    assert.is(all.lock.tryAcquire("exclusive")?.ownerDied, false);
  });

  test(`process.exit in a transaction undoes it, and nobody is told, unless a hold surrounds it (${runtime.name})`, async () => {
    for (const nested of [false, true]) {
      using all = scene();
      await ended(runtime, "exitInTransaction", all.segment.name, nested);
      assert.is(all.lock.tryAcquire("exclusive")?.ownerDied, nested);
      assert.equal(all.twins.read(), { journaled: 1, plain: 1 });
    }
  });

  test(`who closes or releases in an exit handler of its own has said that all is well (${runtime.name})`, async () => {
    for (const what of ["segment", "hold"]) {
      using all = scene();
      await ended(runtime, "tidyOnExit", all.segment.name, what);
      assert.is(all.lock.tryAcquire("exclusive")?.ownerDied, false, what);
    }
  });

  test(`a hold keeps the lock, also when all else is forgotten, and the hold, too (${runtime.name})`, async () => {
    using all = scene();
    const child = await Agent.start(runtime, ACTIONS);
    await child.call("forgetAllBut", all.segment.name, "hold");
    assert.is(all.lock.tryAcquire("shared"), undefined);
    await child.call("releaseKept");
    all.lock.acquireSync("shared").release();
    await child.call("forgetAllBut", all.segment.name, "nothing");
    assert.is(all.lock.tryAcquire("shared"), undefined);
    await child.end();
    assert.ok(all.lock.acquireSync("shared").ownerDied);
  });

  for (const how of someOf([...ENDINGS, "terminate"])) {
    test(`the next holder is told of a worker that ended by ${how} (${runtime.name})`, async () => {
      using all = scene();
      const child = await Agent.start(runtime, ACTIONS);
      await child.call("endWorkerHolding", all.segment.name, how);
      const held = await within("the lock of the worker", all.lock.acquire("exclusive"));
      assert.ok(held.ownerDied);
      await child.end();
    });
  }
}

test("who waits is served when the holder ends", async () => {
  for (const runtime of presentRuntimes()) {
    using all = scene();
    const child = await Agent.start(runtime, "processes/memory-soak/memory-actions.ts");
    await child.call("open", all.segment.name);
    await child.call("acquire", all.segment.name, "lock", "exclusive");
    const waiting = all.lock.acquire("shared");
    await child.end();
    assert.ok((await within("the lock", waiting)).ownerDied, runtime.name);
  }
});

test("a file keeps what its last holder left, for the next session", async () => {
  for (const runtime of presentRuntimes()) {
    const file = join(temporaryDirectory(), "exit");
    Segment.openFile(file, { bytes: MiB }).close();
    await ended(runtime, "endHoldingFile", file);
    using segment = Segment.openFile(file);
    assert.ok(segment.lock("lock").tryAcquire("shared")?.ownerDied, runtime.name);
  }
});

test.run();
