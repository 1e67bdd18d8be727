/**
 * What the demo streams: the files of a folder, as records in the order of their paths.
 *
 *     record:   0            4        8
 *               +------------+--------+-------------------------------------------+
 *               | number u32 | kind   | DATA: a part of the stream    END: nothing |
 *               +------------+--------+-------------------------------------------+
 *
 *     stream:   path NUL size NUL content   path NUL size NUL content   ...
 *
 * Record numbers count from 0 without a gap, so that the last stage can tell what comes twice and what is missing. The
 * digest is SHA-256 of the stream.
 */
import { createHash } from "node:crypto";
import { accessSync, closeSync, constants, openSync, readdirSync, readSync, statSync } from "node:fs";
import path from "node:path";

export const RECORD_HEADER_BYTES = 8;
export const RECORD_DATA = 0;
export const RECORD_END = 1;
/** Between two looks at the event loop while files are hashed. Milliseconds. */
const LOOK_MS = 50;
/** Largest part of a file in one record. */
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

/** Every regular file below a folder that this user may read, sorted by path; symbolic links are left out. */
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

/** What stands in the stream before the content of a file. */
export function title(file: StreamFile): Uint8Array {
  return encoder.encode(`${file.path}\0${file.bytes}\0`);
}

/** Bytes of the stream that the files make. */
export function streamBytes(files: StreamFile[]): number {
  return files.reduce((sum, file) => sum + title(file).length + file.bytes, 0);
}

/** One part of the stream: as many bytes as `bytes` says, which `fill` writes to the start of a buffer. */
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

/** The parts of one file: its title with the beginning of its content, then the rest. */
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

/** The whole stream, `rounds` times. Each part must be filled exactly once, before the next is asked for. */
export function* parts(files: StreamFile[], rounds: number): Generator<Part> {
  for (let round = 0; round < rounds; round++) {
    for (const file of files) yield* partsOf(file);
  }
}

/**
 * The digest of the stream, computed by reading the files directly; stops with the first file that begins after `timeMs`. The
 * event loop gets its turn meanwhile, for signals.
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
