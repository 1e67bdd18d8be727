/** Records written and read in place: one process fills claims, another one sums up what it peeks at. */
import { MiB, Segment } from "isthmus";
import { done, startAgain, temporary } from "./children.js";

const FRAMES = 200;
const FRAME_BYTES = 256 * 1024;
const name = process.argv[2];

if (name === undefined) {
  using segment = temporary(() => Segment.create(`example-zero-copy-${process.pid}`, { bytes: 8 * MiB }));
  const producer = segment.ring("frames", { bytes: 4 * MiB }).producer();
  const ended = done(startAgain(segment.name));
  for (let frame = 0; frame < FRAMES; frame++) {
    using claim = await producer.claim(FRAME_BYTES);
    claim.bytes.fill(frame);
    claim.commit();
  }
  producer.close();
  await ended;
} else {
  using segment = Segment.open(name);
  using consumer = segment.ring("frames").consumer();
  let frames = 0;
  let sum = 0;
  // Ends with the stream. If the producer dies, it throws PEER_DIED.
  for (let record = await consumer.peek(); record; record = await consumer.peek()) {
    sum += record.bytes[0] as number;
    record.release();
    frames++;
  }
  console.log(`${frames} frames of ${FRAME_BYTES} bytes, first bytes add up to ${sum}`);
}
