/** Last stage: hashes the stream, drops records that it has received before, and reports record numbers that are missing. */
import { createHash } from "node:crypto";
import { Segment } from "../../index.js";
import { type Outcome, RING_BYTES, RINGS, repeat, report, stage } from "./stage.js";
import { PART_BYTES, RECORD_END, RECORD_HEADER_BYTES } from "./stream.js";

/** Hashes views on shared memory: in place if the runtime accepts them, else through a private buffer. */
class SharedHash {
  inPlace = true;
  readonly #hash = createHash("sha256");
  #copy = new Uint8Array(PART_BYTES * 2);

  update(bytes: Uint8Array): void {
    if (this.inPlace) {
      try {
        this.#hash.update(bytes);
        return;
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        this.inPlace = false;
      }
    }
    if (bytes.length > this.#copy.length) this.#copy = new Uint8Array(bytes.length);
    this.#copy.set(bytes);
    this.#hash.update(this.#copy.subarray(0, bytes.length));
  }

  digest(): string {
    return this.#hash.digest("hex");
  }
}

stage(async (task, ready) => {
  using segment = Segment.open(task.segment);
  using consumer = segment.ring(RINGS.second, { bytes: RING_BYTES }).consumer();
  const hash = new SharedHash();
  const outcome: Outcome = { digest: "", bytes: 0, repeated: [], missing: [], inPlace: true };
  let expected = 0;
  ready();
  await repeat(() => {
    const record = consumer.tryPeek();
    if (!record) return false;
    const bytes = record.bytes;
    const header = new DataView(bytes.buffer, bytes.byteOffset, RECORD_HEADER_BYTES);
    const number = header.getUint32(0, true);
    const ends = header.getUint32(4, true) === RECORD_END;
    if (number < expected) {
      outcome.repeated.push(number);
    } else {
      if (number > expected) outcome.missing.push([expected, number - 1]);
      expected = number + 1;
      hash.update(bytes.subarray(RECORD_HEADER_BYTES));
      outcome.bytes += bytes.length - RECORD_HEADER_BYTES;
    }
    record.release();
    return ends ? "done" : true;
  });
  outcome.inPlace = hash.inPlace;
  outcome.digest = hash.digest();
  report({ kind: "outcome", outcome });
});
