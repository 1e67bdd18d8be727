/** A record is there as a whole or not at all, whatever happens to who writes or reads it. */
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../lib/processes.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";
import { until } from "../lib/watchdog.js";

const ACTIONS = "failures/actions.ts";

test("a record that was claimed and not committed never existed", async () => {
  for (const runtime of presentRuntimes()) {
    using segment = Segment.create(segmentName("claimed"), { bytes: MiB });
    const ring = segment.ring("ring", { bytes: 4 * KiB });
    const consumer = ring.consumer();
    const child = await Agent.start(runtime, ACTIONS);
    await child.call("open", segment.name);
    await child.call("producer", segment.name, "ring", 4 * KiB);
    await child.call("trySend", "ring", new Uint8Array([1]));
    assert.ok(await child.call("claimHalf", "ring", 1000));
    await child.kill();
    assert.equal(consumer.tryReceive(), new Uint8Array([1]));
    assert.is(consumer.tryReceive(), undefined);
    await until("the end is free", () => {
      try {
        using producer = ring.producer();
        return producer.trySend(new Uint8Array([2]));
      } catch {
        return false;
      }
    });
    assert.equal(consumer.tryReceive(), new Uint8Array([2]));
    assert.is(consumer.tryReceive(), undefined);
    assert.is(ring.stats.sent, 2);
  }
});

test("a worker that is terminated in the middle gives its place back, and the process lives on", async () => {
  for (const runtime of presentRuntimes()) {
    using segment = Segment.create(segmentName("worker"), { bytes: MiB });
    const child = await Agent.start(runtime, ACTIONS);
    const rounds = 8;
    for (let round = 0; round < rounds; round++) {
      assert.is(await child.call("useInWorker", segment.name, `ring${round % 2}`), "sent true");
      const ring = segment.ring(`ring${round % 2}`, { bytes: 4096 });
      const consumer = ring.consumer();
      assert.equal(consumer.tryReceive(), new Uint8Array([1, 2, 3]));
      consumer.close();
      await until("the worker's end is free", () => {
        try {
          ring.producer().close();
          return true;
        } catch {
          return false;
        }
      });
    }
    await child.call("open", segment.name);
    await child.end();
    const live = segment.participants().filter(({ state }) => state === "live");
    assert.is(live.length, 1, `${runtime.name} left participants behind`);
  }
});

test.run();
