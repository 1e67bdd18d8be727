/** Opens and closes segments, and counts what the process holds. Linux only. */
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { IsthmusError, KiB, Segment, struct } from "isthmus";
import { MAGIC } from "../../../protocol/layout.js";
import { collect } from "../../lib/garbage.js";
import { flawed } from "../../lib/steps.js";

let held: Segment | undefined;

/** Keeps this segment open all the time. */
export function hold(name: string): void {
  held = Segment.open(name);
}

/** What the held segment says of itself. */
export function heldBytes(): number {
  return held?.header.totalSize ?? 0;
}

const layout = struct({ id: "u32", bytes: "bytes:1000" });

function use(segment: Segment, i: number): void {
  const ring = segment.ring("ring", { bytes: 16 * KiB });
  const consumer = ring.consumer();
  ring.producer().trySend(new Uint8Array(100).fill(i));
  const got = consumer.tryReceive();
  if (got?.length !== 100 || got.some((byte) => byte !== (i & 255)))
    throw new Error("another record came out");
  const latest = segment.latest("latest", layout);
  latest.write({ id: i, bytes: new Uint8Array(1000).fill(i) });
  if (latest.read()?.id !== i) throw new Error("another value came out");
}

/** Every way to open one; every third has waited, so that a thread has watched it. */
export async function cycle(name: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const segment =
      i % 2 ? Segment.createAnonymous({ bytes: 128 * KiB }) : Segment.create(name, { bytes: 128 * KiB });
    use(segment, i);
    if (i % 3 === 0) await segment.waitForObject("never", { timeoutMs: 1 }).catch(() => {});
    if (i % 2 === 0) {
      const second = Segment.open(name, { access: i % 4 ? "read-only" : "read-write" });
      second.latest("latest", layout).read();
      second.close();
      segment.unlink();
    }
    segment.close();
    new Uint8Array(128 * KiB).fill(i); // what the engine hands out next must not lie over a segment
    if (i % 25 === 0) collect();
  }
  collect();
}

/** Files, handles, lists and pruning. */
export function cycleOthers(name: string, file: string, count: number): void {
  for (let i = 0; i < count; i++) {
    const inFile = Segment.openFile(file, { bytes: 128 * KiB });
    use(inFile, i);
    const reader = Segment.openFile(file, { access: "read-only" });
    if (reader.latest("latest", layout).read()?.id !== i) throw new Error("the file holds another value");
    reader.close();
    inFile.close();
    const segment = Segment.create(name, { bytes: 128 * KiB });
    const anonymous = Segment.createAnonymous({ bytes: 128 * KiB });
    const again = Segment.fromHandle(anonymous.handle);
    if (again.counter("counter").add(1) !== 1) throw new Error("another counter");
    again.close();
    anonymous.close();
    if (!Segment.list().some((found) => found.name === name)) throw new Error("it is not in the list");
    // Only this one is looked at: what others here have let go of for a moment is theirs.
    const pruned = i % 10 === 0 ? flawed({ list: () => () => [name] }, () => Segment.prune()) : [];
    if (pruned.includes(name)) throw new Error("it was pruned");
    const next = Segment.create(name, { bytes: 64 * KiB, replace: true });
    if (!segment.stale || next.generation !== 2) throw new Error("it was not replaced");
    next.unlink();
    next.close();
    segment.close();
    Segment.create(name, { bytes: 64 * KiB, temporary: true }).close();
    if (i % 25 === 0) collect();
  }
  collect();
}

const forgotten: Segment[] = [];

/** A planted leak. */
export function leak(): void {
  forgotten.push(Segment.createAnonymous({ bytes: 128 * KiB }));
}

function isOurs(descriptor: string): boolean {
  try {
    return /isthmus/.test(readlinkSync(`/proc/self/fd/${descriptor}`));
  } catch {
    return false; // the directory's own descriptor
  }
}

/** Mappings, descriptors and threads of this process that are ours. */
export function holdings(): { mappings: number; descriptors: number; threads: number } {
  const mappings = readFileSync("/proc/self/maps", "latin1")
    .split("\n")
    .filter((line) => /isthmus/.test(line));
  const threads = readdirSync("/proc/self/task").filter(
    (id) => readFileSync(`/proc/self/task/${id}/comm`, "latin1").trim() === threadName,
  );
  const descriptors = readdirSync("/proc/self/fd").filter(isOurs);
  return { mappings: mappings.length, descriptors: descriptors.length, threads: threads.length };
}

const threadName = "isthmus";

/** What there is for `fail`: each of them cannot be opened, in a way of its own. */
const broken = { random: 0xa5, other: 0, short: 0xa5 } as const;

export function breakFiles(folder: string): void {
  for (const [file, byte] of Object.entries(broken)) {
    writeFileSync(join(folder, file), Buffer.alloc(file === "short" ? 100 : 64 * KiB, byte));
  }
  const other = readFileSync(join(folder, "other"));
  other.writeUInt32LE(MAGIC, 0);
  writeFileSync(join(folder, "other"), other);
}

function refused(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    if (error instanceof IsthmusError) return;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** Every way to fail, so many times. `name` is that of a segment, `folder` what `breakFiles` has filled. */
export function fail(name: string, folder: string, count: number): void {
  const bytes = 64 * KiB;
  for (let i = 0; i < count; i++) {
    refused(() => Segment.open(`${name}-none`));
    refused(() => Segment.create(name, { bytes }));
    refused(() => Segment.create(`${name}-small`, { bytes, participants: 1024 }));
    refused(() => Segment.create(`${name}-small`, { bytes, participants: 1024, replace: true }));
    refused(() => Segment.createAnonymous({ bytes, participants: 1024 }));
    for (const file of Object.keys(broken)) {
      refused(() => Segment.openFile(join(folder, file), { bytes }));
      refused(() => Segment.openFile(join(folder, file), { access: "read-only" }));
    }
    refused(() => Segment.openFile(join(folder, "new"), { bytes, participants: 1024 }));
    refused(() => Segment.openFile(folder, { bytes }));
    refused(() => Segment.fromHandle(`1:2:3:${i}`));
    refused(() => Segment.fromHandle("none"));
    refused(() => Segment.unlink(`${name}-none`));
    Segment.list();
    if (i % 25 === 0) collect();
  }
  collect();
}
