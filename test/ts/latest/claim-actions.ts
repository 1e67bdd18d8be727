/** What a process does that is killed in the middle of a value. */
import { type LatestClaim, Segment, struct } from "isthmus";

const Large = struct({ id: "u32", points: ["f32", 3000], big: "u64" });
const kept: unknown[] = [];

/** Begins a value and writes a part of it. */
export function claim(name: string): void {
  const segment = Segment.open(name);
  const begun: LatestClaim<typeof Large.fields> = segment.latest("latest", Large).claim();
  begun.view.array("points").fill(9);
  kept.push(segment, begun);
}
