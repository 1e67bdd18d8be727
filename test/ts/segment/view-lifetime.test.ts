/** Views keep what they see: a segment whose raw bytes were handed out stays open until `close()`, whatever is collected. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../../lib/processes.js";
import { presentRuntimes } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { until } from "../../lib/watchdog.js";

const ACTIONS = "ts/segment/view-lifetime-actions.ts";

for (const runtime of presentRuntimes()) {
  test(`${runtime.name}: raw bytes keep their segment open; it beats, can be found again and closed`, async () => {
    using segment = Segment.create(segmentName("views"), { bytes: MiB });
    const agent = await Agent.start(runtime, ACTIONS);
    const offset = await agent.call<number>("keepBytes", segment.name);
    await agent.call("collectAll");
    const bytes = segment.heap.blockAt(offset)?.bytes as Uint8Array;
    assert.equal([bytes[0], await agent.call("look", 0)], [7, 7]);
    await agent.call("put", 5, 9);
    bytes[6] = 11;
    assert.equal([bytes[5], await agent.call("look", 6)], [9, 11]);

    const other = () => segment.participants().find(({ self }) => !self);
    const joined = other()?.joined.getTime() ?? 0;
    await until("it beats", () => (other()?.heartbeat.getTime() ?? 0) > joined);
    assert.is(other()?.state, "live");

    assert.is(await agent.call("closeByBytes"), 0);
    assert.equal([bytes[0], segment.participants().length], [7, 1]);
    await agent.end();
    segment.unlink();
  });

  test(`${runtime.name}: such a segment is left in good order when the process ends`, async () => {
    using segment = Segment.create(segmentName("views"), { bytes: MiB });
    const agent = await Agent.start(runtime, ACTIONS);
    await agent.call("keepBytes", segment.name);
    await agent.call("collectAll");
    assert.is(segment.participants().length, 2);
    agent.call("leave").catch(() => {});
    await agent.ended;
    assert.equal([segment.participants().length, segment.header.recoveries], [1, 0]);
    segment.unlink();
  });

  test(`${runtime.name}: without raw bytes a forgotten segment is closed`, async () => {
    using segment = Segment.create(segmentName("views"), { bytes: MiB });
    const agent = await Agent.start(runtime, ACTIONS);
    await agent.call("forget", segment.name);
    await agent.call("collectAll");
    await until("the forgotten one has left", async () => {
      if (segment.participants().length === 1) return true;
      await agent.call("collectAll");
      return false;
    });
    await agent.end();
    segment.unlink();
  });
}

test.run();
