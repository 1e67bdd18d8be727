/** Jobs between two processes that send and two that take them, over a queue. One of the takers is killed in the middle. */
import process from "node:process";
import { type Block, MiB, Segment } from "../../index.js";
import { atTheEnd } from "./ending.js";
import { JOB_BYTES, JOBS, jobOf, jobsSegment, NO_MORE, QUEUE_CAPACITY } from "./job.js";
import { StageProcess } from "./process.js";
import type { Runtime } from "./runtimes.js";

/** How often the parent looks how far they are. Milliseconds. */
const LOOK_MS = 2;
/** How long after the last job was sent a job is not called lost. Milliseconds. */
const LOST_MS = 10_000;

export interface JobsDone {
  jobs: number;
  milliseconds: number;
  killedPid: number;
  successorPid: number;
  /** Jobs that were done when the taker was killed. */
  killedAtJobs: number;
  /** Jobs that nobody has done; and those that were done twice, because their taker was killed before it could say so. */
  missing: number;
  repeated: number;
}

function countsOf(done: Uint8Array): { missing: number; repeated: number } {
  let [missing, repeated] = [0, 0];
  for (const times of done) {
    if (times === 0) missing++;
    else if (times > 1) repeated++;
  }
  return { missing, repeated };
}

/** Looks until it is so, for `timeoutMs` at most. Rejects when a stage fails meanwhile. */
async function until(isSo: () => boolean, stages: Promise<unknown>, timeoutMs = Infinity): Promise<void> {
  const failed = new Promise((_, reject) => stages.catch(reject));
  failed.catch(() => {});
  const end = performance.now() + timeoutMs;
  while (!isSo() && performance.now() < end) {
    await Promise.race([new Promise((resolve) => setTimeout(resolve, LOOK_MS)), failed]);
  }
}

/**
 * Sends and takes so many jobs, and kills one taker when a third of them is done. The kill waits for `beforeKill`, which gets the
 * taker's process id and how many jobs were done until now.
 */
export async function throughAQueue(
  [first, second, third]: [Runtime, Runtime, Runtime],
  jobs: number,
  beforeKill?: (pid: number, done: () => number) => Promise<void>,
): Promise<JobsDone> {
  const name = jobsSegment(process.pid);
  let segment: Segment | undefined;
  const gone = atTheEnd(() => segment?.unlink());
  try {
    segment = Segment.create(name, { bytes: 2 * MiB + jobs, replace: true });
    const queue = segment.queue(JOBS, { capacity: QUEUE_CAPACITY, slotBytes: JOB_BYTES });
    segment.root = segment.heap.allocate(jobs);
    const done = (segment.root as Block).bytes;
    const go = segment.event("go");
    const stageOf = (what: string, runtime: Runtime, range?: [number, number]): StageProcess =>
      new StageProcess(what, runtime, {
        ...{ segment: name, sockets: ["", ""], files: [], rounds: 1 },
        ...(range && { jobs: range }),
      });
    const half = jobs >>> 1;
    const senders = [stageOf("job-sender", first, [0, half]), stageOf("job-sender", second, [half, jobs])];
    const [dying, living] = [stageOf("job-taker", third), stageOf("job-taker", first)];
    await Promise.all([...senders, dying, living].map((one) => one.ready()));
    const begin = performance.now();
    go.signal();
    const sent = Promise.all(senders.map(({ finished }) => finished));
    await until(() => queue.stats.received >= jobs / 3, Promise.all([sent, living.finished]));
    await beforeKill?.(dying.pid, () => queue.stats.received);
    await dying.kill();
    const killedAtJobs = queue.stats.received;
    const successor = await stageOf("job-taker", third).ready();
    await sent;
    // The job that the killed process had taken comes back after its death is noticed, when all others may be done. Both takers
    // must still be there then. A job that is not done in that time is lost.
    await until(() => !done.includes(0), Promise.all([living.finished, successor.finished]), LOST_MS);
    for (let taker = 0; taker < 2; taker++) await queue.send(jobOf(NO_MORE));
    await Promise.all([living.finished, successor.finished]);
    const milliseconds = performance.now() - begin;
    return {
      ...{ jobs, milliseconds, killedPid: dying.pid, successorPid: successor.pid, killedAtJobs },
      ...countsOf(done),
    };
  } finally {
    gone();
    segment?.unlink();
    segment?.close();
  }
}
