/** Names of segments that belong to this test process and go with it. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const marker = process.env.ISTHMUS_TEST_MARKER ?? `alone${process.pid}`;
const entries = new Set<string>();

process.on("exit", () => {
  for (const entry of entries) rmSync(entry, { recursive: true, force: true });
});

/** Where a segment of that name lies on Linux. */
export function segmentPath(name: string): string {
  return `/dev/shm/isthmus.${name}`;
}

/** A name that no other test uses; the segment is removed when this process ends. */
export function segmentName(what = "segment"): string {
  const name = `${marker}-${what}-${randomBytes(4).toString("hex")}`;
  entries.add(segmentPath(name));
  return name;
}

export function segmentExists(name: string): boolean {
  return existsSync(segmentPath(name));
}

/** An empty directory that is removed when this process ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "isthmus-test-"));
  entries.add(directory);
  return directory;
}
