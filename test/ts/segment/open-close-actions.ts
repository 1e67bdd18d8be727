/**
 * Opens and closes one segment over and over in one job of the event loop: `open-close-actions.js kind rounds`. Prints how many
 * rounds it came through. See `open-close.test.ts`.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { IsthmusError, KiB, Segment } from "isthmus";
import { forget, makeIdle, segmentName, temporaryDirectory } from "../../lib/segments.js";

const BYTES = 128 * KiB;

const name = segmentName("loop");
const other = segmentName("loop");
const path = join(temporaryDirectory(), "loop.isthmus");

function refused(code: string, attempt: () => unknown): void {
  try {
    attempt();
  } catch (error) {
    if (error instanceof IsthmusError && error.code === code) return;
    throw error;
  }
  throw new Error(`${code} was not thrown`);
}

function inside(use: (segment: Segment) => void): void {
  const segment = Segment.open(name);
  use(segment);
  segment.close();
}

export const kinds: Record<string, (first: Segment) => void> = {
  open: () => Segment.open(name).close(),
  "open for reading": () => Segment.open(name, { access: "read-only" }).close(),
  openOrCreate: () => Segment.openOrCreate(name, { bytes: BYTES }).close(),
  "create and unlink": () => {
    const made = Segment.create(other, { bytes: BYTES });
    made.unlink();
    made.close();
  },
  replace: () => Segment.create(other, { bytes: BYTES, replace: true }).close(),
  createAnonymous: () => Segment.createAnonymous({ bytes: BYTES }).close(),
  fromHandle: (first) => Segment.fromHandle(first.handle).close(),
  openFile: () => Segment.openFile(path, { bytes: BYTES }).close(),
  "what fails": () => {
    refused("ALREADY_EXISTS", () => Segment.create(name, { bytes: BYTES }));
    refused("NOT_FOUND", () => Segment.open(other));
  },
  "list and prune": () => {
    makeIdle(other, BYTES);
    Segment.list();
    forget(other);
  },
  "raw bytes": () =>
    inside((segment) => {
      const block = segment.heap.allocate(64);
      if (Segment.containing(block.bytes) !== segment) throw new Error("it was not found");
      block.free();
    }),
  "ends of a ring": () =>
    inside((segment) => {
      const ring = segment.ring("ring", { bytes: KiB });
      ring.producer();
      ring.consumer().close();
    }),
  "locks and signals": () =>
    inside((segment) => {
      segment.lock("lock").acquireSync("exclusive").close();
      segment.event("event").signal();
      segment.counter("counter").add();
    }),
};

const [kind, rounds] = process.argv.slice(2) as [string, string];
const first = Segment.create(name, { bytes: BYTES });
let round = 0;
try {
  for (; round < Number(rounds); round++) kinds[kind]?.(first);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
console.log(round);
for (const one of [name, other]) if (Segment.list().some((found) => found.name === one)) Segment.unlink(one);
rmSync(path, { force: true });
first.close();
