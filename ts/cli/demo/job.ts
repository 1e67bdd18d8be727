/** What the senders and takers of jobs in the demo agree on. */

/** The names of the queue, and of the segment of process `pid` that it lies in. */
export const JOBS = "jobs";
export const jobsSegment = (pid: number): string => `isthmus-demo-${pid}-jobs`;

/** Bytes of a job: its number, and what a real one would say. */
export const JOB_BYTES = 64;
export const QUEUE_CAPACITY = 1024;

/** The number of a job that tells the one that takes it to end. */
export const NO_MORE = 0xffffffff;

/** A job of that number. */
export function jobOf(number: number): Uint8Array {
  const bytes = new Uint8Array(JOB_BYTES).fill(number);
  new DataView(bytes.buffer).setUint32(0, number, true);
  return bytes;
}
