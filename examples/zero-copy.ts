/** Records written and read in place: one process fills claims, another one sums up what it peeks at. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { MiB, Segment } from "isthmus";

const FRAMES = 200;
const FRAME_BYTES = 256 * 1024;
const [, script, name] = process.argv;

/** Lets the event loop run until there is something to do. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

if (name === undefined) {
  using segment = Segment.create(`example-zero-copy-${process.pid}`, { bytes: 8 * MiB });
  try {
    using producer = segment.ring("frames", { bytes: 4 * MiB }).producer();
    const child = fork(script as string, [segment.name]);
    const ended = once(child, "exit");
    for (let frame = 0; frame < FRAMES; frame++) {
      let claim = producer.tryClaim(FRAME_BYTES);
      for (; !claim; claim = producer.tryClaim(FRAME_BYTES)) await turn();
      claim.bytes.fill(frame);
      claim.commit();
    }
    await ended;
  } finally {
    segment.unlink();
  }
} else {
  using segment = Segment.open(name);
  using consumer = segment.ring("frames", { bytes: 4 * MiB }).consumer();
  let sum = 0;
  for (let frame = 0; frame < FRAMES; ) {
    const record = consumer.tryPeek();
    if (!record) {
      await turn();
      continue;
    }
    sum += record.bytes[0] as number;
    record.release();
    frame++;
  }
  console.log(`${FRAMES} frames of ${FRAME_BYTES} bytes, first bytes add up to ${sum}`);
}
