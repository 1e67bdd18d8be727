/** What each runtime does with a segment in a file. */
import process from "node:process";
import { type Block, type FileOptions, Segment, struct } from "isthmus";

const State = struct({ runs: "u32", by: "utf8:32", position: ["f64", 3] });

export interface Found {
  bytes: number;
  clean: boolean;
  recoveries: number;
  heap: string;
  state: unknown;
}

/** One session: opens, adds one to the runs if it may write, and closes. What it found. */
export function session(path: string, by: string, options: FileOptions): Found {
  using segment = Segment.openFile(path, options);
  const found = {
    bytes: segment.bytes,
    clean: segment.header.clean,
    recoveries: segment.header.recoveries,
    heap: JSON.stringify(segment.heap.check()),
    state: segment.root?.view(State).read(),
  };
  if (segment.access === "read-only") return found;
  const lock = segment.lock("state");
  segment.transactionSync(lock, () => {
    segment.root ??= segment.heap.allocate(State.bytes);
    const state = (segment.root as Block).view(State);
    const runs = (found.state === undefined ? 0 : state.get("runs")) + 1;
    state.write({ runs, by, position: [runs, runs / 4, -runs] });
  });
  return found;
}

/** Dies in the middle of a transaction, with everything changed. */
export function dieInTransaction(path: string): never {
  const segment = Segment.openFile(path, { bytes: 2 ** 20 });
  segment.transactionSync(segment.lock("state"), () => {
    segment.root?.view(State).write({ runs: 4_000_000_000, by: "nobody", position: [0, 0, 0] });
    segment.heap.allocate(100_000);
    process.kill(process.pid, "SIGKILL");
    for (;;); // the signal comes when it comes
  });
  throw new Error("unreachable");
}
