/** What another process does with shared values that go through a queue. */
import { type Dict, type Job, type Queue, Segment, type SharedValue } from "isthmus";

let segment: Segment;
let queue: Queue;
const kept: (Job | SharedValue)[] = [];

export function open(name: string): void {
  segment = Segment.open(name);
  queue = segment.queue("q");
}

/** Sends a value that only its message knows. */
export function send(count: number): void {
  for (let n = 0; n < count; n++) queue.shareSync({ n, list: ["text", [n]] });
}

/** Receives so many, changes them, and keeps them. */
export function receive(count: number): unknown[] {
  return Array.from({ length: count }, () => {
    const dict = queue.receiveSync<Dict>();
    kept.push(dict);
    return dict.set("seen", true).toJSON();
  });
}

export function take(count: number): unknown[] {
  return Array.from({ length: count }, () => {
    const job = queue.takeSync();
    kept.push(job);
    return job.value?.toJSON();
  });
}

/** Sends values and receives them, over and over; the sum of what it has received. */
export function work(rounds: number): number {
  let sum = 0;
  for (let n = 0; n < rounds; n++) {
    queue.shareSync({ n, text: "a text that is a value of its own" });
    using dict = queue.receiveSync<Dict>();
    sum += dict.get("n") as number;
  }
  return sum;
}

export function close(): void {
  segment.close();
}
