/** Readers of the newest value see whole values, in the order of their writing, however fast it changes. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isTried } from "../lib/depth.js";
import { Agent } from "../lib/processes.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";

const ACTIONS = "failures/litmus-actions.ts";
/** Of one reader: so many reads at least, and until it has seen so many different values. */
const READS = { small: 200_000, large: 3000 };
const DIFFERENT = { small: 1000, large: 300 };

for (const [sizes, size] of (["small", "large"] as const).entries()) {
  test(`no reader sees a mix of two ${size} values`, async () => {
    for (const runtime of presentRuntimes().filter((_, index) => isTried(index, sizes, 2))) {
      using segment = Segment.create(segmentName("litmus"), { bytes: MiB });
      const [writer, reader, onlooker] = await Agent.startAll([runtime, runtime, runtime], ACTIONS);
      await writer.call("open", segment.name);
      await writer.call("writeOnce", segment.name, size);
      await reader.call("open", segment.name);
      await onlooker.call("open", segment.name, { access: "read-only" });
      const writing = writer.call<number>("writeUntilStopped", segment.name, size);
      const [seen, looked] = await Promise.all(
        [reader, onlooker].map((one) =>
          one.call<number>("readDifferent", segment.name, size, READS[size], DIFFERENT[size]),
        ),
      );
      await writer.call("stopWriting");
      const written = await writing;
      console.log(`${runtime.name} ${size}: ${written} written, ${seen} and ${looked} different ones seen`);
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
