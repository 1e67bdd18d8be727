/** Processes that end with references in their hands: the references come back. */
import { type Dict, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../../lib/processes.js";
import { presentRuntimes } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { until } from "../../lib/watchdog.js";

/** How often two processes do it at once. */
const ROUNDS = 150;
const ACTIONS = "ts/values/values-actions.ts";

for (const runtime of presentRuntimes()) {
  test(`a killed process gives its references back, and what only it knew is freed (${runtime.name})`, async () => {
    using segment = Segment.create(segmentName("values"), { bytes: MiB });
    const dict = segment.share({ list: [1, "two"], text: "text" });
    segment.root = dict;
    const other = await Agent.start(runtime, ACTIONS);
    assert.equal(await other.call("open", segment.name), { list: [1, "two"], text: "text" });
    await other.call("set", "more", { deep: ["🙂"] });
    assert.equal((dict.get("more") as Dict).toJSON(), { deep: ["🙂"] });
    const { used } = segment.heap.stats;
    await other.call("keep", 5);
    assert.ok(segment.heap.stats.used > used);
    assert.is(dict.refCount, 3);
    await other.kill();
    await until("its references are back", () => dict.refCount === 2);
    await until("what only it knew is freed", () => segment.heap.stats.used <= used);
    assert.equal(dict.toJSON(), { list: [1, "two"], text: "text", more: { deep: ["🙂"] } });
    segment.unlink();
  });
}

test("two processes change one dictionary at once, and none of it is lost", async () => {
  using segment = Segment.create(segmentName("values"), { bytes: 4 * MiB });
  const dict = segment.share({ list: [] });
  segment.root = dict;
  const [node] = presentRuntimes();
  const agents = await Promise.all([1, 2].map(() => Agent.start(node as NonNullable<typeof node>, ACTIONS)));
  await Promise.all(agents.map((one) => one.call("open", segment.name)));
  const done = Promise.all(agents.map((one, index) => one.call("fill", `p${index}`, 2000)));
  let ended = false;
  void done.then(() => {
    ended = true;
  });
  while (!ended) {
    for (const [key, value] of dict)
      if (key !== "list") assert.is(value, Number(key.slice(key.indexOf(" ") + 1)), key);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await done;
  assert.is(dict.size, 4001);
  assert.is(((dict.toJSON() as { list: unknown[] }).list as unknown[]).length, 4000);
  assert.ok(segment.heap.check().ok);
  for (const one of agents) await one.end();
  segment.unlink();
});

test("two processes put two lists into each other at once, and one of them is told of the circle", async () => {
  using segment = Segment.create(segmentName("circle"), { bytes: MiB });
  const dict = segment.share({}) as Dict;
  segment.root = dict;
  const [node] = presentRuntimes();
  const agents = await Promise.all([1, 2].map(() => Agent.start(node as NonNullable<typeof node>, ACTIONS)));
  const [first, second] = agents as [Agent, Agent];
  await Promise.all(agents.map((one) => one.call("open", segment.name)));
  for (let round = 0; round < ROUNDS; round++) {
    dict.set("a", []).set("b", []);
    const both = await Promise.all([first.call("putInto", "a", "b"), second.call("putInto", "b", "a")]);
    assert.equal([...both].sort(), [false, true]);
  }
  for (const one of agents) await one.end();
  dict.delete("a");
  dict.delete("b");
  assert.ok(segment.heap.check().ok);
  segment.unlink();
});

test.run();
