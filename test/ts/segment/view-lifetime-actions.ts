/** What is left of a segment that its user has forgotten; see `view-lifetime.test.ts`. */
import { MiB, Segment } from "isthmus";
import { collect } from "../../lib/garbage.js";
import { segmentName } from "../../lib/segments.js";
import { pause, until } from "../../lib/watchdog.js";

const kept: Uint8Array[] = [];

/** Opens the segment, keeps nothing of it but raw bytes of a block, and gives the block's offset. */
export function keepBytes(name: string): number {
  const segment = Segment.open(name);
  const block = segment.heap.allocate(800);
  block.bytes.fill(7);
  kept.push(block.bytes);
  return block.offset;
}

/** Opens the segment and keeps nothing of it. */
export function forget(name: string): void {
  Segment.open(name).counter("counter").add();
}

/** Long enough for whatever finalizers would do: another forgotten segment is closed meanwhile. */
export async function collectAll(): Promise<void> {
  const name = segmentName("sentinel");
  const other = Segment.create(name, { bytes: MiB });
  forget(name);
  await until("what was forgotten is closed", async () => {
    collect();
    await pause(10);
    return other.participants().length === 1;
  });
  other.unlink();
  other.close();
}

/** What the bytes show, and what is written to them. */
export function look(index: number): number {
  return kept[0]?.[index] as number;
}

export function put(index: number, value: number): void {
  (kept[0] as Uint8Array)[index] = value;
}

/** Finds the open segment again by the bytes, closes it, and gives what they show then. */
export function closeByBytes(): number {
  const bytes = kept[0] as Uint8Array;
  const segment = Segment.containing(bytes);
  if (!segment || segment !== Segment.containing(bytes)) throw new Error("the segment was not found");
  segment.close();
  if (Segment.containing(bytes)) throw new Error("a closed segment was found");
  return bytes[0] as number;
}

export function leave(): void {
  process.exit(0);
}
