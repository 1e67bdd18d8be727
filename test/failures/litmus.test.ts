/** Readers of the newest value see whole values, in the order of their writing, however fast it changes. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../lib/processes.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";

const ACTIONS = "failures/litmus-actions.ts";
const MILLISECONDS = 1200;

for (const size of ["small", "large"]) {
  test(`no reader sees a mix of two ${size} values`, async () => {
    for (const runtime of presentRuntimes()) {
      using segment = Segment.create(segmentName("litmus"), { bytes: MiB });
      const [writer, reader, onlooker] = await Agent.startAll([runtime, runtime, runtime], ACTIONS);
      await writer.call("open", segment.name);
      await writer.call("writeOnce", segment.name, size);
      await reader.call("open", segment.name);
      await onlooker.call("open", segment.name, { access: "read-only" });
      const [written, seen, looked] = await Promise.all([
        writer.call<number>("writeFor", segment.name, size, MILLISECONDS),
        reader.call<number>("readFor", segment.name, size, MILLISECONDS),
        onlooker.call<number>("readFor", segment.name, size, MILLISECONDS),
      ]);
      console.log(`${runtime.name} ${size}: ${written} written, ${seen} and ${looked} different ones seen`);
      assert.ok(written > 100 && seen > 1 && looked > 1);
      await Promise.all([writer.end(), reader.end(), onlooker.end()]);
    }
  });
}

test("a check of values that sees a planted mix", async () => {
  const { whole } = await import("./litmus-actions.js");
  assert.is(whole({ number: 3, numbers: [3, 3, 3, 3], bytes: new Uint8Array([3, 3]) }), 3);
  assert.throws(() => whole({ number: 3, numbers: [3, 3, 4, 3], bytes: new Uint8Array([3, 3]) }), /mix/);
  assert.throws(() => whole({ number: 3, numbers: [3, 3, 3, 3], bytes: new Uint8Array([3, 2]) }), /mix/);
});

test.run();
