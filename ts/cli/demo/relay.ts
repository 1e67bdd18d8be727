/**
 * Second stage: copies records from one ring to the other, within shared memory.
 *
 * It commits a record to the second ring, and then releases it in the first. If it is killed between the two, its successor sends
 * that record again, with the same number. If it is killed at any other point, no record is sent twice.
 */
import { Segment } from "../../index.js";
import { RING_BYTES, RINGS, repeat, stage } from "./stage.js";
import { RECORD_END } from "./stream.js";

stage(async (task, ready) => {
  using segment = Segment.open(task.segment);
  using consumer = segment.ring(RINGS.first, { bytes: RING_BYTES }).consumer();
  using producer = segment.ring(RINGS.second, { bytes: RING_BYTES }).producer();
  ready();
  await repeat(() => {
    const record = consumer.tryPeek();
    if (!record) return false;
    const bytes = record.bytes;
    const claim = producer.tryClaim(bytes.length);
    if (!claim) return false;
    claim.bytes.set(bytes);
    const kind = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
    claim.commit();
    record.release();
    return kind === RECORD_END ? "done" : true;
  });
});
