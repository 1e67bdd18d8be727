// watchdog: 360 s
/** Opening and closing leaves nothing behind in the process, and garbage collection touches no byte of a segment. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isTried, often } from "../../lib/depth.js";
import { objectOffset, peekBytes } from "../../lib/poke.js";
import { Agent } from "../../lib/processes.js";
import { presentRuntimes } from "../../lib/runtimes.js";
import { segmentExists, segmentName, temporaryDirectory } from "../../lib/segments.js";
import { until } from "../../lib/watchdog.js";

const ACTIONS = "processes/cycles/cycles-actions.ts";
const CYCLES = often(2000, 200);
/** In each call of the child, so that every call ends in bounded time. */
const CYCLES_PER_CALL = often(250, 50);
const OTHERS = often(100, 40);
/** Each tries every way to fail, of which there are more than ten. */
const FAILING_CYCLES = often(500, 50);

for (const [index, runtime] of presentRuntimes().entries()) {
  /** In a plain run, each of the four is done in one or two of the runtimes. */
  const testSome = (number: number): typeof test | (() => void) => (isTried(number, index) ? test : () => {});

  testSome(0)(
    `${runtime.name}: ${CYCLES} times open and close leave no mapping, descriptor, thread, file or changed byte`,
    async () => {
      const guarded = Segment.create(segmentName("guarded"), { bytes: MiB });
      const ring = guarded.ring("ring", { bytes: 64 * KiB }).producer();
      while (ring.trySend(new Uint8Array(1000).fill(0xa5)));
      const at = objectOffset(guarded.name, "ring");
      const before = peekBytes(guarded.name, at, 64 * KiB);

      const child = await Agent.start(runtime, ACTIONS);
      await child.call("hold", guarded.name);
      const mine = segmentName("cycled");
      await child.call("cycle", mine, 50);
      const first = await child.call("holdings");
      for (let done = 0; done < CYCLES; done += CYCLES_PER_CALL)
        await child.call("cycle", mine, CYCLES_PER_CALL);
      assert.equal(await child.call("holdings"), first);
      assert.not(segmentExists(mine));
      assert.equal(peekBytes(guarded.name, at, 64 * KiB), before);
      assert.is(await child.call("heldBytes"), guarded.bytes);
      await child.end();
      guarded.close();
    },
  );

  testSome(1)(
    `${runtime.name}: ${FAILING_CYCLES} times every way to fail leaves no mapping, descriptor, thread or file`,
    async () => {
      using segment = Segment.create(segmentName("taken"), { bytes: MiB });
      const folder = temporaryDirectory();
      const child = await Agent.start(runtime, ACTIONS);
      await child.call("breakFiles", folder);
      await child.call("hold", segment.name);
      await child.call("fail", segment.name, folder, 50);
      const first = await child.call("holdings");
      const descriptors = (): number => readdirSync(`/proc/${child.pid}/fd`).length;
      const before = descriptors();
      for (let done = 0; done < FAILING_CYCLES; done += CYCLES_PER_CALL)
        await child.call("fail", segment.name, folder, CYCLES_PER_CALL);
      assert.equal(await child.call("holdings"), first);
      // A runtime opens a few of its own.
      assert.ok(descriptors() < before + 50, `${before} descriptors, then ${descriptors()}`);
      assert.equal(readdirSync(folder).sort(), ["other", "random", "short"]);
      assert.not(segmentExists(`${segment.name}-small`));
      await child.end();
      segment.unlink();
    },
  );

  testSome(2)(
    `${runtime.name}: files, handles, lists and pruning leave nothing behind either, and a leak is noticed`,
    async () => {
      const child = await Agent.start(runtime, ACTIONS);
      const mine = segmentName("others");
      const directory = temporaryDirectory();
      const file = join(directory, "isthmus-file");
      await child.call("cycleOthers", mine, file, 20);
      const first = await child.call("holdings");
      await child.call("cycleOthers", mine, file, OTHERS);
      assert.equal(await child.call("holdings"), first);
      assert.not(segmentExists(mine));
      assert.equal(readdirSync(directory), ["isthmus-file"]);
      await child.call("leak");
      assert.not.equal(await child.call("holdings"), first);
      await child.end();
    },
  );

  testSome(3)(`${runtime.name}: worker threads that open, wait and end leave nothing behind`, async () => {
    using segment = Segment.create(segmentName("threads"), { bytes: MiB });
    const child = await Agent.start(runtime, "failures/actions.ts");
    await child.call("useInWorker", segment.name, "ring0");
    for (let i = 0; i < 20; i++)
      assert.is(await child.call("useInWorker", segment.name, `ring${i}`), "sent true");
    const live = (): number => segment.participants().filter(({ state }) => state === "live").length;
    await until("the last worker's place is free", () => live() === 1);
    await child.end();
  });
}

test.run();
