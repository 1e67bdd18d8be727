/** After close() nothing crashes, whatever is still held, and nothing of other segments is touched. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../lib/processes.js";
import { rejected } from "../lib/refusals.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";
import { within } from "../lib/watchdog.js";

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

  test(`${runtime.name}: a forgotten segment is closed, also when ends of rings were forgotten with it`, async () => {
    using segment = Segment.create(segmentName("ends"), { bytes: MiB });
    const consumer = segment.ring("out", { bytes: 1024 }).consumer();
    const producer = segment.ring("in", { bytes: 1024 }).producer();
    const child = await Agent.start(runtime, ACTIONS);
    await child.call("forgetEnds", segment.name);
    assert.is(segment.participants().length, 1);
    assert.equal(consumer.tryReceive(), Uint8Array.of(1));
    await rejected("PEER_DIED", within("the end of the stream", consumer.receive()));
    segment.ring("out", { bytes: 1024 }).producer().close();
    segment.ring("in", { bytes: 1024 }).consumer().close();
    producer.close();
    await child.end();
  });

  test(`${runtime.name}: segments that are dropped without close() corrupt nothing`, async () => {
    const child = await Agent.start(runtime, ACTIONS);
    assert.is(await child.call("dropMany", segmentName("dropped"), 60), 0);
    await child.end();
  });
}

test.run();
