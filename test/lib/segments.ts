/** Names of segments that belong to this test process and go with it. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Segment } from "isthmus";
import { loadNative } from "../../ts/host/native.cjs";

const marker = process.env.ISTHMUS_TEST_MARKER ?? `alone${process.pid}`;
const entries = new Set<string>();
const kept = new Map<string, number>();
/** Elsewhere a name goes with the last process that has it. */
export const areFiles = process.platform === "linux";

process.on("exit", () => {
  for (const entry of entries) rmSync(entry, { recursive: true, force: true, maxRetries: 3 });
});

/** Where a segment of that name lies on Linux. */
export function segmentPath(name: string): string {
  return `/dev/shm/isthmus.${name}`;
}

/** A name that no other test uses; the segment is removed when this process ends. */
export function segmentName(what = "segment"): string {
  const name = `${marker}-${what}-${randomBytes(4).toString("hex")}`;
  if (areFiles) entries.add(segmentPath(name));
  return name;
}

/**
 * Lets the segment of that name exist until `forget`, or this process ends, though nobody has it open as a participant. On Linux it
 * does anyway. Gives the name.
 */
export function keep(name: string): string {
  if (!areFiles && !kept.has(name)) kept.set(name, loadNative().openNamed(name, 0, false, true, 0));
  return name;
}

/** Makes a segment that exists though nobody has it open; `forget` removes it. Gives its name. */
export function makeIdle(name: string, bytes: number): string {
  const segment = Segment.create(name, { bytes });
  keep(name);
  segment.close();
  return name;
}

/** Removes the name, if the segment still exists: elsewhere than on Linux it goes with the last one that has it open. */
export function forget(name: string): void {
  const object = kept.get(name);
  if (object !== undefined) loadNative().close(object);
  kept.delete(name);
  if (areFiles && segmentExists(name)) Segment.unlink(name);
}

/** Whether the name leads to an object. */
export function segmentExists(name: string): boolean {
  return areFiles ? existsSync(segmentPath(name)) : loadNative().list(0).includes(name);
}

/** An empty directory that is removed when this process ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "isthmus-test-"));
  entries.add(directory);
  return directory;
}
