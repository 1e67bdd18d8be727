/**
 * The stream of the demo: the files of a folder in the order of their paths, cut into records.
 *
 *     record:   0            4        8
 *               +------------+--------+-------------------------------------------+
 *               | number u32 | kind   | DATA: a part of the stream    END: nothing |
 *               +------------+--------+-------------------------------------------+
 *
 *     stream:   path NUL size NUL content   path NUL size NUL content   ...
 *
 * Records are numbered from 0 without a gap, so that the last stage notices records that it receives twice or not at all. The
 * digest is the SHA-256 of the stream.
 */
import { createHash } from "node:crypto";
import { accessSync, closeSync, constants, openSync, readdirSync, readSync, statSync } from "node:fs";
import path from "node:path";

export const RECORD_HEADER_BYTES = 8;
export const RECORD_DATA = 0;
export const RECORD_END = 1;
/** How long files are hashed before the event loop runs again. Milliseconds. */
const LOOK_MS = 50;
/** The most bytes of a file in one record. */
export const PART_BYTES = 256 * 1024;

export interface StreamFile {
  path: string;
  bytes: number;
}

function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function readableBytes(file: string): number {
  accessSync(file, constants.R_OK);
  return statSync(file).size;
}

/** All regular files below a folder that this user can read, sorted by path. Symbolic links are left out. */
export function filesBelow(folder: string): StreamFile[] {
  const found: StreamFile[] = [];
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    const inside = at;
    for (const entry of unlessRefused(() => readdirSync(inside, { withFileTypes: true })) ?? []) {
      const full = path.join(at, entry.name);
      if (entry.isDirectory()) folders.push(full);
      if (!entry.isFile()) continue;
      const bytes = unlessRefused(() => readableBytes(full));
      if (bytes !== undefined) found.push({ path: full, bytes });
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

const encoder = new TextEncoder();

/** The bytes that come before the content of a file in the stream. */
export function title(file: StreamFile): Uint8Array {
  return encoder.encode(`${file.path}\0${file.bytes}\0`);
}

/** The length of the stream of these files, in bytes. */
export function streamBytes(files: StreamFile[]): number {
  return files.reduce((sum, file) => sum + title(file).length + file.bytes, 0);
}

/** One part of the stream. It has `bytes` bytes, and `fill` writes them to the start of a buffer. */
export interface Part {
  bytes: number;
  fill(target: Uint8Array): void;
}

function readFully(file: StreamFile, descriptor: number, target: Uint8Array): void {
  for (let done = 0; done < target.length; ) {
    const bytes = readSync(descriptor, target, done, target.length - done, null);
    if (bytes === 0) throw new Error(`${file.path} became shorter while it was read; start the demo again`);
    done += bytes;
  }
}

/** The parts of one file: the first has its title and the beginning of its content, the others the rest. */
function* partsOf(file: StreamFile): Generator<Part> {
  const descriptor = openSync(file.path, "r");
  try {
    const head = title(file);
    const first = Math.min(file.bytes, PART_BYTES);
    yield {
      bytes: head.length + first,
      fill: (target) => {
        target.set(head);
        readFully(file, descriptor, target.subarray(head.length, head.length + first));
      },
    };
    for (let at = first; at < file.bytes; at += PART_BYTES) {
      const bytes = Math.min(PART_BYTES, file.bytes - at);
      yield { bytes, fill: (target) => readFully(file, descriptor, target.subarray(0, bytes)) };
    }
  } finally {
    closeSync(descriptor);
  }
}

/** The stream, `rounds` times. Fill each part exactly once before you take the next one. */
export function* parts(files: StreamFile[], rounds: number): Generator<Part> {
  for (let round = 0; round < rounds; round++) {
    for (const file of files) yield* partsOf(file);
  }
}

/**
 * Computes the digest of the stream by reading the files directly. After `timeMs` it begins no other file. The event loop runs
 * meanwhile, so that signals are handled.
 * @returns the digest, and how many of the files it covers
 */
export async function digestOf(
  files: StreamFile[],
  rounds: number,
  timeMs = Infinity,
): Promise<{ digest: string; files: number }> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(PART_BYTES * 2);
  const begin = performance.now();
  let covered = 0;
  let looked = begin;
  for (let round = 0; round < rounds; round++) {
    for (const file of files) {
      const now = performance.now();
      if (now - begin > timeMs) return { digest: hash.digest("hex"), files: covered };
      if (now - looked > LOOK_MS) {
        await new Promise((resolve) => setImmediate(resolve));
        looked = now;
      }
      for (const part of partsOf(file)) {
        part.fill(buffer);
        hash.update(buffer.subarray(0, part.bytes));
      }
      covered++;
    }
  }
  return { digest: hash.digest("hex"), files: files.length };
}
