/** First stage: reads files directly into claimed bytes of the ring. */
import { Segment } from "../../index.js";
import { RING_BYTES, RINGS, repeat, stage } from "./stage.js";
import { type Part, parts, RECORD_DATA, RECORD_END, RECORD_HEADER_BYTES } from "./stream.js";

stage(async (task, ready) => {
  using segment = Segment.open(task.segment);
  using producer = segment.ring(RINGS.first, { bytes: RING_BYTES }).producer();
  const stream = parts(task.files, task.rounds);
  const end: Part = { bytes: 0, fill: () => {} };
  let part: Part | undefined = stream.next().value;
  let number = 0;
  ready();
  await repeat(() => {
    const { bytes, fill } = part ?? end;
    const claim = producer.tryClaim(RECORD_HEADER_BYTES + bytes);
    if (!claim) return false;
    const target = claim.bytes;
    const header = new DataView(target.buffer, target.byteOffset, RECORD_HEADER_BYTES);
    header.setUint32(0, number++, true);
    header.setUint32(4, part ? RECORD_DATA : RECORD_END, true);
    fill(target.subarray(RECORD_HEADER_BYTES));
    claim.commit();
    if (!part) return "done";
    part = stream.next().value ?? undefined;
    return true;
  });
});
