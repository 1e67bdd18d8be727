/** After close() nothing crashes, whatever is still held, and nothing of other segments is touched. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../lib/processes.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";

const ACTIONS = "failures/closing-actions.ts";

for (const runtime of presentRuntimes()) {
  test(`${runtime.name}: views that outlive their segment read zeros and write nowhere`, async () => {
    const child = await Agent.start(runtime, ACTIONS);
    assert.equal(await child.call("viewsAfterClose", segmentName("views")), {
      record: 0,
      claim: 0,
      survived: 42,
    });
    await child.end();
  });

  test(`${runtime.name}: every part of a closed segment says CLOSED`, async () => {
    const child = await Agent.start(runtime, ACTIONS);
    const codes = await child.call<Record<string, string>>("useAfterClose", segmentName("parts"));
    for (const [call, code] of Object.entries(codes)) assert.is(code, "CLOSED", call);
    assert.ok(Object.keys(codes).length > 15);
    await child.end();
  });

  test(`${runtime.name}: waits end when their segment is closed`, async () => {
    const child = await Agent.start(runtime, ACTIONS);
    assert.equal(await child.call("closeWhileWaiting", segmentName("waits")), [
      "CLOSED",
      "CLOSED",
      "CLOSED",
      "CLOSED",
    ]);
    await child.end();
  });

  test(`${runtime.name}: bytes of a block keep their segment open`, async () => {
    const child = await Agent.start(runtime, ACTIONS);
    assert.equal(await child.call("keepBytesOnly"), [7, 7, 7]);
    await child.end();
  });

  test(`${runtime.name}: segments that are dropped without close() corrupt nothing`, async () => {
    const child = await Agent.start(runtime, ACTIONS);
    assert.is(await child.call("dropMany", segmentName("dropped"), 60), 0);
    await child.end();
  });
}

test.run();
