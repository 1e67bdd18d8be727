/** Names of segments that belong to this test process and go with it. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadNative } from "../../ts/host/native.cjs";

const marker = process.env.ISTHMUS_TEST_MARKER ?? `alone${process.pid}`;
const entries = new Set<string>();
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
