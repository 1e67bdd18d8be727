/**
 * Segments in files. They outlive processes and restarts of the machine. A file that is larger than requested keeps its size. A
 * writer extends a smaller one if no other process has it open; otherwise it keeps its size. The last writer that leaves
 * truncates it to what is used.
 *
 * A writer that opens holds KERNEL_LOCK_CREATION:
 *  1. it tries to take KERNEL_LOCK_HOLDERS alone. If it cannot, another process has the file open: go to 5
 *  2. it reserves storage for all bytes of the file, because a copied file may have holes, and writing to a hole on a full disk
 *     raises SIGBUS
 *  3. it adopts the file (`assembly/adopt.ts`): undoes unfinished changes of dead processes, and gives the bytes of the file
 *     after its segment to the heap
 *  4. if more bytes were requested, it extends the file, and adopts those as well
 *  5. it releases KERNEL_LOCK_HOLDERS and joins as in `open.ts`
 *
 * A reader takes KERNEL_LOCK_HOLDERS shared before it reads the file. So it waits for such a writer, and no process changes the
 * size of a file that a reader has open.
 *
 * The last writer that leaves truncates. It holds KERNEL_LOCK_CREATION from giving back its slot until its mapping is gone, and
 * takes KERNEL_LOCK_HOLDERS alone:
 *  1. it removes the free end of the heap, and the header gets the smaller size
 *  2. it flushes that to the disk. Otherwise a power cut could leave a short file whose header has the larger size
 *  3. it replaces the mapping by private pages, so that no code accesses bytes that are removed
 *  4. it gives the file the smaller size
 *
 * | a process dies            | the state then                           | repaired by                             |
 * | ------------------------- | ---------------------------------------- | --------------------------------------- |
 * | in opening's 2 to 4       | the file may be longer than its segment  | the next writer that is alone adopts it |
 * | after truncating's 1 to 3 | the file is longer than its segment      | the next writer that is alone adopts it |
 */
import { ACCESS_DENIED, BAD_MAGIC, NOT_FOUND, OUT_OF_SHARED_MEMORY } from "../../../protocol/errors.js";
import { KERNEL_LOCK_HOLDERS } from "../../../protocol/layout.js";
import { PAGE_BYTES, SEGMENT_PAGES_MAX } from "../../../protocol/limits.js";
import { wrongType } from "../../arguments.js";
import { instantiate } from "../../core.js";
import { failure, IsthmusError } from "../../errors.js";
import { accessAdvice, noRoomAtAdvice } from "../../host/advice.js";
import { isFull } from "../../host/errno.js";
import { absolutePath, pathOf } from "../../host/file-system.js";
import type { NativeError } from "../../host/native.js";
import { native, Region } from "../../host/region.js";
import { sleepMs } from "../../host/runtime.js";
import { TextEncoder } from "../../host/text.js";
import type { Attachment } from "../attachment.js";
import type { FileUrl } from "../options.js";
import { coreOver, firstBytes } from "./beginning.js";
import { type Creation, type Location, noRoom } from "./open.js";

/** The longest path that every system takes. Bytes. */
const PATH_BYTES_MAX = 4000;
/** What `openingZeros` answers when the other bytes decide. */
const IF_ZERO = 2;
/** How many bytes of a file are read at once. */
const LOOK_BYTES = 1 << 20;
/** How long readers may take to notice that they cannot use a file. Milliseconds. */
const READERS_GONE_TURNS = 1000;

const TO_CREATE = "pass { bytes } to create it";
const TO_CREATE_FOR_READING =
  "a read-only opener cannot create it; a writer must create it first, with { bytes }";

function noSpaceAdvice(path: string): string {
  return noRoomAtAdvice(
    path,
    "The disk has no room for that: free some, or ask for fewer bytes. A file that existed before is unchanged",
  );
}

/** Explains why the system refuses a file, if the error number alone says too little. */
function fileAdvice(
  path: string,
  creating: boolean,
  toCreate: string,
  error: NativeError,
): string | undefined {
  if (error.status === OUT_OF_SHARED_MEMORY && isFull(error.errno)) return noSpaceAdvice(path);
  if (error.status === ACCESS_DENIED) return accessAdvice(path, error);
  if (error.status !== NOT_FOUND) return undefined;
  return creating ? "its folder does not exist; make it first" : `there is no such file; ${toCreate}`;
}

/** The segment in the file at that path. */
export function fileLocation(given: string | FileUrl, readOnly: boolean): Location {
  const path = pathOf("path", given);
  if (typeof path !== "string") throw wrongType("path", "a string, or a URL of a file", path);
  if (path === "" || path.includes("\0"))
    throw new IsthmusError("INVALID_NAME", "path must not be empty and must not contain NUL");
  const absolute = absolutePath(path);
  if (new TextEncoder().encode(absolute).length > PATH_BYTES_MAX)
    throw new IsthmusError("INVALID_NAME", `path must have at most ${PATH_BYTES_MAX} bytes`);
  const toCreate = readOnly ? TO_CREATE_FOR_READING : TO_CREATE;
  return {
    name: absolute,
    described: `segment in file "${absolute}"`,
    remedy: "restore the file from a copy, or remove it",
    notFoundAdvice: toCreate,
    noSpaceAdvice: () => noSpaceAdvice(absolute),
    refusedAdvice: (error) => (error.status === ACCESS_DENIED ? accessAdvice(absolute, error) : undefined),
    ownedByUser: true,
    open: (creation) =>
      Region.open(
        `opening file "${absolute}"`,
        readOnly,
        () => native.openFile(absolute, creation !== undefined, readOnly, creation?.mode ?? 0),
        (error) => fileAdvice(absolute, creation !== undefined, toCreate, error),
      ),
    beforeJoin: (region, creation) => beforeJoin(region, absolute, creation),
    afterLeave: truncate,
  };
}

function isSegmentSize(bytes: number): boolean {
  return bytes > 0 && bytes % PAGE_BYTES === 0 && bytes <= PAGE_BYTES * SEGMENT_PAGES_MAX;
}

/**
 * Adopts the file if no other process has it open, and extends it to the requested size. The caller holds KERNEL_LOCK_CREATION.
 */
function beforeJoin(region: Region, path: string, creation: Creation | undefined): void {
  const { bytes } = region.info();
  if (!isSegmentSize(bytes) || !isAlone(region, bytes)) return;
  try {
    if (!mayBeOurs(region, bytes)) {
      throw failure(
        BAD_MAGIC,
        `file "${path}" is not a segment: it begins with zeros, and other bytes follow`,
      );
    }
    allocate(region, path, `bringing all of file "${path}" to the disk`, bytes);
    const whole = adoptMapped(region, bytes);
    if (!whole || creation === undefined || creation.bytes <= bytes) return;
    const what = `extending file "${path}" from ${bytes} to ${creation.bytes} bytes`;
    allocate(region, path, what, creation.bytes);
    adoptMapped(region, creation.bytes);
  } finally {
    region.unlock(KERNEL_LOCK_HOLDERS);
  }
}

/** Gives the file storage for all of these bytes. */
function allocate(region: Region, path: string, what: string, bytes: number): void {
  region.allocate(what, bytes, noRoom({ noSpaceAdvice: () => noSpaceAdvice(path) }));
}

/**
 * Takes KERNEL_LOCK_HOLDERS alone if no other process has it. If the file cannot be used without being adopted, its only
 * holders are readers, which will soon notice that and close it. So it waits for them.
 */
function isAlone(region: Region, bytes: number): boolean {
  if (region.lock(KERNEL_LOCK_HOLDERS, false)) return true;
  if (mapped(region, bytes, (memory) => instantiate(memory, false).validate(bytes, 0) === 0)) return false;
  for (let turn = 0; turn < READERS_GONE_TURNS; turn++) {
    if (region.lock(KERNEL_LOCK_HOLDERS, false)) return true;
    sleepMs(1);
  }
  return false;
}

function mapped<T>(region: Region, bytes: number, look: (memory: WebAssembly.Memory) => T): T {
  const memory = region.map(bytes);
  try {
    return look(memory);
  } finally {
    region.unmap();
  }
}

/** Whether the file is a usable segment of exactly these bytes afterwards. */
function adoptMapped(region: Region, bytes: number): boolean {
  return mapped(region, bytes, (memory) => {
    const core = instantiate(memory, false);
    core.adopt(bytes);
    return core.validate(bytes, 0) === 0;
  });
}

/** Whether creation has come as far as writing the version, or the file has nothing but zeros: see `openingZeros`. */
function mayBeOurs(region: Region, bytes: number): boolean {
  const first = firstBytes(region);
  const answer = coreOver(first).openingZeros(first.length);
  if (answer !== IF_ZERO) return answer !== 0;
  for (let at = 0; at < bytes; at += LOOK_BYTES) {
    if (!region.read(at, LOOK_BYTES).every((byte) => byte === 0)) return false;
  }
  return true;
}

/**
 * Truncates the file to what is used, if this is the last process. If the system refuses, the file stays longer, and is
 * complete nevertheless.
 */
function truncate({ region, core, bytes }: Attachment): void {
  const info = region.info();
  if (!info.linked || info.bytes !== bytes || !region.lock(KERNEL_LOCK_HOLDERS, false)) return;
  const used = core.shrink();
  if (!isSegmentSize(used) || used >= bytes) return;
  try {
    native.flush(region.object);
    region.unmap();
    region.shrink(used);
  } catch {
    // The disk is full or reports an error. The next writer gives the rest to the heap again.
  }
}
