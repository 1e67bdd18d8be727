/**
 * A call of the core that is cut off, because its script is stopped or the stack is full, holds up nobody: neither the opener
 * that made it, whose next call goes on at once, nor other processes, which go on at its heartbeat.
 */
import { Segment, struct } from "isthmus";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../../lib/processes.js";
import { node } from "../../lib/runtimes.js";
import { within } from "../../lib/watchdog.js";

const ACTIONS = "ts/memory/cut-off-actions.ts";
const VALUE = struct({ a: "u32", b: "u32" });
const LARGE = struct({ number: "u32", bytes: "bytes:4000" });

interface Scene {
  agent: Agent;
  segment: Segment;
}

const test = suite<Scene>("calls that are cut off");

test.before.each(async (scene) => {
  scene.agent = await Agent.start(node, ACTIONS);
  scene.segment = Segment.fromHandle(await scene.agent.call<string>("handle"));
});

test.after.each(async ({ agent, segment }) => {
  segment.close();
  await agent.kill();
});

/** What this process, another one, does with everything. */
async function goOn(segment: Segment): Promise<void> {
  segment.heap.allocate(64).free();
  assert.ok(segment.heap.check().ok);
  const held = await within("the lock", segment.lock("lock").acquire());
  assert.is(held.ownerDied, false);
  held.release();
  await within(
    "small",
    retried(() => segment.latest("small", VALUE).write({ a: 3, b: 3 })),
  );
  await within(
    "large",
    retried(() => segment.latest("large", LARGE).write({ number: 3, bytes: new Uint8Array(4000) })),
  );
  (await within("the end", segment.ring("ring", { bytes: 4096 }).waitForProducer())).close();
}

/** A latest value is waited for 50 ms only; the heartbeat may take longer. */
async function retried(call: () => void): Promise<void> {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if ((error as { code?: string }).code !== "BUSY") throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

for (const kind of ["heap", "small", "large"]) {
  for (const next of [true, false]) {
    test(`a script that is stopped in ${kind}: ${next ? "the next call" : "the heartbeat"} puts it in order`, async ({
      agent,
      segment,
    }) => {
      const turns = await agent.call<number>("stopScripts", kind, next);
      assert.ok(turns > 0, "no script was stopped inside of the core");
      await goOn(segment);
    });
  }
}

test("a script that is stopped in the body of a transaction: nothing of it happened, and its lock is free", async ({
  agent,
  segment,
}) => {
  const { used } = segment.heap.stats;
  await agent.call("stopTransaction");
  const held = await within("the lock", segment.lock("lock").acquire());
  assert.is(held.ownerDied, false);
  assert.equal(segment.root?.view(VALUE).read(), { a: 1, b: 1 });
  held.release();
  assert.is(segment.heap.stats.used, used);
  await goOn(segment);
});

test("the opener itself goes on with transactions as soon as its stack was empty", async ({
  agent,
  segment,
}) => {
  assert.equal(await agent.call("stopTransactionThenGoOn"), { a: 1, works: 1 });
  await goOn(segment);
});

test("a stack that is full at any depth of a transaction leaves all of it or nothing", async ({
  agent,
  segment,
}) => {
  const ends = await agent.call<number>("fillStacksInTransactions");
  assert.ok(ends >= 64, `${ends} transactions`);
  await goOn(segment);
});

test.run();
