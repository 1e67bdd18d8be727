/** What other processes do with files that cannot be opened, removed or extended. */
import { readdirSync, rmdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { IsthmusError, KiB, MiB, Segment } from "isthmus";

type FileOptions = Parameters<typeof Segment.openFile>[1];

export function becomeUser(id: number): void {
  process.setgid?.(id);
  process.setuid?.(id);
}

export function openBytes(path: string, options: FileOptions): number {
  using segment = Segment.openFile(path, options);
  return segment.bytes;
}

/** A relative path, when the folder from which it begins was removed. */
export function openFromGoneFolder(folder: string): void {
  process.chdir(folder);
  rmdirSync(folder);
  Segment.openFile("file", { bytes: MiB }).close();
}

export function unlinkFile(path: string, access: "read-only" | "read-write"): void {
  using segment = Segment.openFile(path, access === "read-only" ? { access } : { bytes: 64 * KiB });
  segment.unlink();
}

function answer(call: () => unknown): string {
  try {
    call();
    return "done";
  } catch (error) {
    if (error instanceof IsthmusError) return error.code;
    throw error;
  }
}

/** Asks more of a disk of 1 MiB than it has: a new file, more for an old one, and the holes of a copy. */
export function fillDisk(disk: string): object {
  const big = join(disk, "big");
  const created = answer(() => Segment.openFile(big, { bytes: 8 * MiB }));
  const left = readdirSync(disk);
  const small = join(disk, "small");
  const kept = Segment.openFile(small, { bytes: 256 * KiB });
  kept.counter("kept").add(7);
  kept.close();
  const before = statSync(small).size;
  const extended = answer(() => Segment.openFile(small, { bytes: 8 * MiB }));
  const whole = statSync(small).size === before && keptValue(small) === 7n;
  const sparse = join(disk, "sparse");
  truncateSync(emptied(sparse), 512 * KiB);
  const { size } = statSync(small);
  writeFileSync(join(disk, "filler"), Buffer.alloc(MiB - size - 128 * KiB));
  return {
    created,
    left,
    extended,
    whole,
    sparse: answer(() => Segment.openFile(sparse, { bytes: 64 * KiB })),
    sparseBytes: statSync(sparse).size,
  };
}

function keptValue(path: string): bigint | undefined {
  using segment = Segment.openFile(path);
  return segment.heap.check().ok ? BigInt(segment.counter("kept").value) : undefined;
}

function emptied(path: string): string {
  writeFileSync(path, "");
  return path;
}
