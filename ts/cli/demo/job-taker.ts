/**
 * Takes jobs until it is told to end. In shared memory it counts how often each job was done, and then gives the job up: whoever
 * counts afterwards knows of each job whether it was done, whichever process was killed.
 */
import { type Block, Segment } from "../../index.js";
import { JOBS, NO_MORE } from "./job.js";
import { stage } from "./stage.js";

stage(async ({ segment: name }, ready) => {
  using segment = Segment.open(name);
  const queue = segment.queue(JOBS);
  const done = (segment.root as Block).bytes;
  ready();
  for (;;) {
    const job = await queue.take();
    const number = new DataView(job.bytes.buffer, job.bytes.byteOffset).getUint32(0, true);
    if (number !== NO_MORE) Atomics.add(done, number, 1);
    job.done();
    if (number === NO_MORE) return;
  }
});
