/** What other processes do with a segment in a file. */
import { type Block, type Segment as OpenSegment, Segment, struct } from "isthmus";

export const Accounts = struct({ balances: ["u32", 8] });
export const EACH = 1000;

let segment: OpenSegment | undefined;

export function open(path: string, bytes: number): { bytes: number; made: number } {
  segment = Segment.openFile(path, { bytes });
  return { bytes: segment.bytes, made: segment.counter("made").add(segment.root ? 0 : 1) };
}

/** Makes the accounts as the root, if nobody has. */
export function prepare(): void {
  const one = segment as OpenSegment;
  one.transactionSync(one.lock("accounts"), () => {
    if (one.root) return;
    const block = one.heap.allocate(Accounts.bytes);
    block.view(Accounts).write({ balances: Array.from({ length: 8 }, () => EACH) });
    one.root = block;
  });
}

/** Moves money and churns the heap, until the process is killed. */
export function churn(): never {
  const one = segment as OpenSegment;
  const lock = one.lock("accounts");
  const view = (one.root as Block).view(Accounts);
  let kept: Block[] = [];
  for (let turn = 0; ; turn++) {
    one.transactionSync(lock, () => {
      const balances = view.get("balances");
      const from = turn % 8;
      const amount = Math.min(balances[from] as number, 1 + (turn % 7));
      (balances[from] as number) -= amount;
      (balances[(turn * 5 + 3) % 8] as number) += amount;
      view.set("balances", balances);
    });
    const block = one.heap.tryAllocate(24 + (turn % 50) * 16);
    if (block) kept.push(block);
    if (kept.length < 64) continue;
    for (const each of kept) each.free();
    kept = [];
  }
}

/** Dies with a lock in its hands. */
export function holdAndDie(): never {
  segment?.lock("held").acquireSync();
  process.kill(process.pid, "SIGKILL");
  throw new Error("unreachable");
}

export function heapBytes(): number {
  return (segment as OpenSegment).heap.stats.bytes;
}

/** Fills the block at that offset. */
export function fill(offset: number, byte: number): void {
  const block = (segment as OpenSegment).heap.blockAt(offset) as Block;
  block.write(new Uint8Array(block.byteLength).fill(byte));
}

export function close(): void {
  segment?.close();
}
