// watchdog: 360 s
/** Memory and locks while their users are killed or stopped at any moment. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { STALLED_MS } from "../../protocol/limits.js";
import { often, someOf } from "../lib/depth.js";
import { compiled } from "../lib/paths.js";
import { Agent, finished, start } from "../lib/processes.js";
import { refused, rejected } from "../lib/refusals.js";
import { node, presentRuntimes, type Runtime } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";
import { printedSeed, randomFrom } from "../lib/series.js";
import { noNamespaces, noStops, unless } from "../lib/skips.js";
import { pause, within } from "../lib/watchdog.js";
import { Bank } from "../processes/memory-soak/bank.js";

const ACTIONS = "processes/memory-soak/memory-actions.ts";
const KILLS = often(12, 3);
const random = randomFrom(printedSeed());

/** A child that does something without end, killed after a random moment. */
async function killed(runtime: Runtime, action: string, ...given: unknown[]): Promise<void> {
  const child = await Agent.start(runtime, ACTIONS);
  child.call(action, ...given).catch(() => {});
  await pause(20 + random() * 60);
  await child.kill();
}

/** The runtimes in turn. */
function* turns(count: number): Generator<Runtime> {
  const runtimes = presentRuntimes();
  for (let i = 0; i < count; i++) yield runtimes[i % runtimes.length] as Runtime;
}

test("shared holders that are killed at any moment keep nobody out and damage nothing", async () => {
  using segment = Segment.create(segmentName("readers"), { bytes: MiB });
  const lock = segment.lock("lock");
  for (const runtime of turns(KILLS)) {
    await killed(runtime, "holdForEver", segment.name, "shared");
    const held = await within("the lock", lock.acquire("exclusive"));
    assert.not(held.ownerDied);
    held.release();
  }
});

test("exclusive holders that are killed at any moment are recovered, and the next one is told or not", async () => {
  using segment = Segment.create(segmentName("writers"), { bytes: MiB });
  const lock = segment.lock("lock");
  for (const runtime of turns(KILLS)) {
    await killed(runtime, "holdForEver", segment.name, "exclusive");
    const held = await within("the lock", lock.acquire("exclusive"));
    if (held.ownerDied) held.markConsistent();
    held.release();
    const next = lock.acquireSync("exclusive");
    assert.not(next.ownerDied);
    next.release();
  }
});

test("an inspector that is killed again and again has no effect", async () => {
  using segment = Segment.create(segmentName("inspected"), { bytes: MiB });
  const bank = new Bank(segment);
  const before = segment.participants();
  for (const runtime of turns(KILLS)) {
    const inspecting = killed(runtime, "inspectForEver", segment.name);
    for (let over = false; !over; ) {
      for (let i = 0; i < 50; i++) bank.transfer(random);
      over = await Promise.race([inspecting.then(() => true), pause(5).then(() => false)]);
    }
    await inspecting;
    assert.equal(bank.problems(), []);
    const alive = segment.participants().map(({ pid, state }) => [pid, state]);
    assert.equal(
      alive,
      before.map(({ pid, state }) => [pid, state]),
      "an inspector is no participant",
    );
  }
});

unless(noStops, test)(
  "a holder that is stopped for longer than any limit is robbed of nothing, and goes on",
  async () => {
    using segment = Segment.create(segmentName("stopped"), { bytes: MiB });
    const lock = segment.lock("lock");
    for (const mode of someOf(["exclusive", "shared"], 2)) {
      const child = await Agent.start(node, ACTIONS);
      await child.call("open", segment.name);
      await child.call("acquire", segment.name, "lock", mode);
      child.signal("SIGSTOP");
      await pause(STALLED_MS + 1500);
      assert.is(segment.participants().find(({ pid }) => pid === child.pid)?.stalled, true);
      assert.is(lock.tryAcquire("exclusive"), undefined);
      refused("TIMED_OUT", () => lock.acquireSync("exclusive", { timeoutMs: 300 }));
      await rejected("TIMED_OUT", lock.acquire("exclusive", { timeoutMs: 300 }));
      const waiting = lock.acquire("exclusive");
      child.signal("SIGCONT");
      await child.call("release", "lock");
      const held = await within("the lock", waiting);
      assert.not(held.ownerDied);
      held.release();
      await child.end();
    }
  },
);

unless(noStops, test)(
  "a process that is stopped in the middle of transfers and goes on tears nothing",
  async () => {
    using segment = Segment.create(segmentName("paused"), { bytes: MiB });
    const bank = new Bank(segment);
    for (const runtime of turns(3)) {
      const child = await Agent.start(runtime, ACTIONS);
      child.call("transferForEver", segment.name, 1).catch(() => {});
      for (let i = 0; i < 8; i++) {
        await pause(10 + random() * 20);
        process.kill(child.pid, "SIGSTOP");
        const held = await segment
          .lock("bank")
          .acquire("exclusive", { timeoutMs: 30 })
          .catch(() => undefined);
        held?.release();
        process.kill(child.pid, "SIGCONT");
        assert.equal(bank.problems(), []);
      }
      await child.kill();
      assert.equal(bank.problems(), []);
    }
  },
);

const CHILDREN = often(20, 2);

test(`${CHILDREN * 500} dead participants leave room for the next, and hold nothing`, async () => {
  const SLOTS = 512;
  const OPENERS = 500;
  using segment = Segment.create(segmentName("slots"), { bytes: 4 * MiB, participants: SLOTS });
  const lock = segment.lock("lock");
  let dead = 0;
  for (const runtime of turns(CHILDREN)) {
    const child = await Agent.start(runtime, ACTIONS);
    assert.is(await child.call("openMany", segment.name, OPENERS), OPENERS);
    assert.is(lock.tryAcquire("exclusive"), undefined);
    await child.kill();
    dead += OPENERS;
    const held = await within("the lock", lock.acquire("exclusive"));
    assert.not(held.ownerDied);
    held.release();
    segment.heap.allocate(100).free();
  }
  assert.is(dead, CHILDREN * OPENERS);
  assert.is(segment.header.recoveries, dead);
  assert.ok(segment.heap.check().ok);
});

unless(noNamespaces("--mount"), test)(
  "openers and cleaners, all of them killed at any moment, never meet in a broken segment",
  async () => {
    const scene = `mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"`;
    const program = [
      process.execPath,
      compiled("failures/cleaning-scene.ts"),
      String(Math.floor(random() * 2 ** 32)),
    ];
    const child = start("unshare", ["--mount", "sh", "-c", scene, "sh", ...program]);
    const { code, stdout, stderr } = await finished(child, "the cleaning", 120_000);
    assert.is(code, 0, stdout + stderr);
    assert.match(stdout, /^\d+ lives, [1-9]\d* opened at the end\n$/);
  },
);

test.run();
