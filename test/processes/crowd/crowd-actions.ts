/** Many participants in one process. */
import { Segment } from "isthmus";

const opened: Segment[] = [];

export function openMany(name: string, count: number): number {
  for (let i = 0; i < count; i++) opened.push(Segment.open(name));
  for (const segment of opened) segment.counter("count").add(1);
  return opened.length;
}

/** From then on a child inherits a descriptor of the segment. */
export function handle(): string | undefined {
  return opened[0]?.handle;
}

export { leaveChild } from "../../failures/actions.js";
