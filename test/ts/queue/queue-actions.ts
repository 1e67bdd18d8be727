/** What children of the tests of queues do. */
import process from "node:process";
import { type Job, type Queue, type QueueOptions, Segment } from "isthmus";

let segment: Segment;
let queue: Queue;
const jobs: Job[] = [];
let waiting: Promise<number | undefined> | undefined;

/** Creates the segment or opens it. Returns the slot of this participant. */
export function open(name: string, bytes?: number | null, options?: QueueOptions): number {
  segment = typeof bytes !== "number" ? Segment.open(name) : Segment.create(name, { bytes });
  queue = segment.queue<never>("q", options as QueueOptions);
  return segment.participants().find(({ self }) => self)?.slot as number;
}

/** Takes so many messages and keeps them. Returns their first bytes. */
export function take(count: number): (number | undefined)[] {
  return Array.from({ length: count }, () => {
    const job = queue.takeSync();
    jobs.push(job);
    return job.bytes[0];
  });
}

export function done(): void {
  for (const job of jobs.splice(0)) job.done();
}

/** Begins to wait for a message. */
export function waitForOne(): void {
  waiting = queue.receive().then((message) => message[0]);
}

/** The first byte of the message that it has waited for. */
export function received(): Promise<number | undefined> | undefined {
  return waiting;
}

export function send(...values: number[]): void {
  queue.sendManySync(values.map((value) => Uint8Array.of(value)));
}

/** Ends the process with a job in its hands, without closing anything. */
export function exit(): void {
  setTimeout(() => process.exit(0));
}
