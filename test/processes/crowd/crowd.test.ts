/** A segment full of the dead is an empty one. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../../lib/processes.js";
import { refused } from "../../lib/refusals.js";
import { node } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";

const ACTIONS = "processes/crowd/crowd-actions.ts";
const PROCESSES = 3;
/** Together with the test itself as many as there are slots. */
const EACH = 21;
const ROUNDS = 3;

function startAll(): Promise<Agent[]> {
  return Agent.startAll(
    Array.from({ length: PROCESSES }, () => node),
    ACTIONS,
  );
}

test("63 openers are killed, and 63 new ones join at once, though children of the dead live on", async () => {
  using segment = Segment.create(segmentName("crowd"), { bytes: MiB });
  const orphans: number[] = [];
  try {
    let agents = await startAll();
    for (let round = 0; round < ROUNDS; round++) {
      const next = await startAll();
      await Promise.all(agents.map((agent) => agent.call("openMany", segment.name, EACH)));
      assert.is(segment.participants().filter(({ state }) => state === "live").length, PROCESSES * EACH + 1);
      refused("TOO_MANY_PARTICIPANTS", () => Segment.open(segment.name));
      await Promise.all(agents.map((agent) => agent.call("handle")));
      orphans.push(...(await Promise.all(agents.map((agent) => agent.call<number>("leaveChild")))));
      await Promise.all(agents.map((agent) => agent.kill()));
      agents = next;
    }
    Segment.open(segment.name).close();
    await Promise.all(agents.map((agent) => agent.kill()));
    assert.is(Number(segment.counter("count").value), ROUNDS * PROCESSES * EACH);
    assert.ok(segment.heap.check().ok);
  } finally {
    for (const orphan of orphans) process.kill(orphan, "SIGKILL");
    segment.unlink();
  }
});

test.run();
