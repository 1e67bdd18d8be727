/** Sends jobs with the numbers of a range, one at a time. */
import { Segment } from "../../index.js";
import { JOBS, jobOf } from "./job.js";
import { stage } from "./stage.js";

stage(async ({ segment: name, jobs = [0, 0] }, ready) => {
  using segment = Segment.open(name);
  const queue = segment.queue(JOBS);
  const go = segment.event("go");
  ready();
  await go.wait();
  const [from, to] = jobs;
  for (let number = from; number < to; number++) await queue.send(jobOf(number));
});
