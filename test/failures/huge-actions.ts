/** What the processes of the lane for the largest segment do. Whatever a block or an object is asked for lies beyond 2 GiB. */
import { type Block, GiB, KiB, MiB, Segment } from "isthmus";
import { opened, readLatest } from "../lib/actions.js";

export * from "../lib/actions.js";

/** Beyond this, an offset has the sign bit of an i32. */
const HALF = 2 * GiB;
const LAST_BYTES = 64 * KiB;

export interface Furnished {
  bytes: number;
  /** Where the last block begins, and where it ends. */
  last: number;
  end: number;
}

/** Fills the lower half with one block, puts objects behind it, then a block that reaches to the end of the heap. */
export function furnish(name: string): Furnished {
  const segment = opened(name);
  const { heap } = segment;
  heap.allocate(HALF, { zero: false });
  segment.ring("high", { bytes: MiB });
  segment.lock("high lock");
  segment.counter("high counter");
  segment.event("high event");
  for (const size of ["small", "large"]) readLatest(name, size); // makes it
  // The objects are aligned, so there are gaps between them: the last block takes whatever is left in one piece.
  const middle = heap.allocate(heap.stats.free - LAST_BYTES, { zero: false });
  let last: Block | undefined;
  for (let bytes = LAST_BYTES; !last && bytes > 0; bytes -= 8) last = heap.tryAllocate(bytes);
  if (!last || last.offset < middle.offset) throw new Error("no room for the rest of it");
  for (const { offset } of [middle, last]) if (offset < HALF) throw new Error(`a block begins at ${offset}`);
  middle.bytes[0] = 0x11;
  middle.bytes[middle.byteLength - 1] = 0x22;
  segment.root = last;
  return { bytes: segment.bytes, last: last.offset, end: last.offset + last.byteLength };
}

/** Changes both ends of the last block in a transaction, and once more in one that is undone. */
export function change(name: string, byte: number): void {
  const segment = opened(name);
  const lock = segment.lock("high lock");
  const last = segment.root;
  if (!last) throw new Error("there is no root");
  const write = (value: number): void => {
    last.write(new Uint8Array([value]));
    last.write(new Uint8Array([value]), last.byteLength - 1);
  };
  segment.transactionSync(lock, () => write(byte));
  try {
    segment.transactionSync(lock, () => {
      write(byte + 1);
      throw new Error("not meant");
    });
  } catch {
    // As meant.
  }
  segment.counter("high counter").add(1);
}

export interface Ends {
  first: number;
  last: number;
  count: number;
  ok: boolean;
}

/** What others see of that, and what a walk over the heap says. */
export function ends(name: string): Ends {
  const segment = opened(name);
  const bytes = segment.root?.copy();
  return {
    first: bytes?.[0] ?? -1,
    last: bytes?.at(-1) ?? -1,
    count: segment.counter("high counter").value,
    ok: segment.heap.check().ok,
  };
}

/** Waits for the event, and resets it for the next. */
export async function passEvent(name: string): Promise<void> {
  const event = opened(name).event("high event");
  await event.wait({ timeoutMs: 40_000 });
  event.reset();
}

export function signalEvent(name: string): void {
  opened(name).event("high event").signal();
}

/** Frees both blocks in the upper half, with the neighbours merging. What is used then. */
export function clear(name: string): { used: number; ok: boolean } {
  const { heap, root } = opened(name);
  if (!root) throw new Error("there is no root");
  const before = heap.stats.used;
  const { offset, byteLength } = root;
  root.free();
  const again = heap.allocate(byteLength);
  if (again.offset !== offset) throw new Error(`the block came back at ${again.offset}`);
  if (again.copy().some((byte) => byte !== 0)) throw new Error("the block was not cleared");
  again.free();
  return { used: before - heap.stats.used, ok: heap.check().ok };
}

export function refuseLarger(name: string): string {
  try {
    Segment.create(`${name}-larger`, { bytes: 4 * GiB + 1 }).close();
    return "made";
  } catch (error) {
    return (error as Error).name;
  }
}
