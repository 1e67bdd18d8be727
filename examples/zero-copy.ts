/** Records written and read in place: one process fills claims, another one sums up what it peeks at. */
import { MiB, Segment } from "isthmus";
import { done, isOrphan, startAgain, temporary } from "./children.js";

const FRAMES = 200;
const FRAME_BYTES = 256 * 1024;
const name = process.argv[2];

/** Lets the event loop run until there is something to do. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

if (name === undefined) {
  using segment = temporary(() => Segment.create(`example-zero-copy-${process.pid}`, { bytes: 8 * MiB }));
  using producer = segment.ring("frames", { bytes: 4 * MiB }).producer();
  const ended = done(startAgain(segment.name));
  for (let frame = 0; frame < FRAMES; frame++) {
    let claim = producer.tryClaim(FRAME_BYTES);
    for (; !claim; claim = producer.tryClaim(FRAME_BYTES)) await turn();
    claim.bytes.fill(frame);
    claim.commit();
  }
  await ended;
} else {
  using segment = Segment.open(name);
  using consumer = segment.ring("frames", { bytes: 4 * MiB }).consumer();
  let sum = 0;
  for (let frame = 0; frame < FRAMES; ) {
    const record = consumer.tryPeek();
    if (!record) {
      if (isOrphan()) throw new Error("there is no producer any more");
      await turn();
      continue;
    }
    sum += record.bytes[0] as number;
    record.release();
    frame++;
  }
  console.log(`${FRAMES} frames of ${FRAME_BYTES} bytes, first bytes add up to ${sum}`);
}
