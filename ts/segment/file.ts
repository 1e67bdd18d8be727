/**
 * Segments in files: they outlive the processes and the machine's uptime. The first open decides the size; a file that is
 * larger than asked for stays so; a smaller one is extended by a writer whom nobody shares it with; the last writer out
 * truncates it to what is used.
 *
 * A writer holds LOCK_CREATION here, as everywhere while it enters. If it gets LOCK_HOLDERS alone, nobody else lives in
 * the segment and nobody can enter: then it adopts the file (`assembly/adopt.ts`), which undoes what the dead have left and
 * gives the heap the bytes by which the file has grown. Readers take LOCK_HOLDERS shared before they look: they wait
 * meanwhile, and nobody changes the size of what they hold.
 *
 * To truncate, with LOCK_CREATION held from leaving the slot until the mapping is gone, and LOCK_HOLDERS alone:
 *  1. the heap gives up what is free at its end, and the header says the smaller size
 *  2. the storage has that: else a power cut could leave a short file whose header says the larger size
 *  3. private pages take the place of the mapping: nobody can touch what vanishes
 *  4. the file gets the smaller size
 * Who dies after 1, 2 or 3 leaves a file that is longer than its header says: the next writer gives the rest to the heap.
 */
import { ACCESS_DENIED, BAD_MAGIC, NOT_FOUND, OUT_OF_SHARED_MEMORY } from "../../protocol/errors.js";
import {
  HEADER_ABI_VERSION_OFFSET,
  HEADER_BYTES,
  HEADER_HEADER_SIZE_OFFSET,
  HEADER_MAGIC_OFFSET,
  LOCK_HOLDERS,
} from "../../protocol/layout.js";
import { PAGE_BYTES, SEGMENT_PAGES_MAX } from "../../protocol/limits.js";
import { text } from "../arguments.js";
import { instantiate } from "../core.js";
import { failure, IsthmusError } from "../errors.js";
import { accessAdvice, noRoomAtAdvice } from "../host/advice.js";
import { errnoName } from "../host/errno.js";
import { absolutePath } from "../host/file-system.js";
import type { NativeError } from "../host/native.js";
import { native, type Region } from "../host/region.js";
import { sleepMs } from "../host/runtime.js";
import type { Attachment } from "./attachment.js";
import { openRegion } from "./location.js";
import { beginningOf, type Creation, type Location, noRoom } from "./open.js";

/** The longest path that every system takes. Bytes. */
const PATH_BYTES_MAX = 4000;
/** How much of a file is looked at at once. */
const LOOK_BYTES = 1 << 20;
/** Turns of a millisecond for readers to notice that they cannot use a file. */
const READERS_GONE_TURNS = 1000;

const TO_CREATE = "pass { bytes } to create it";

function noSpaceAdvice(path: string): string {
  return noRoomAtAdvice(
    path,
    "The disk has no room for that: free some, or ask for fewer bytes. A file that was there is as it was",
  );
}

/** Why the system refuses a file, where the number alone says too little. */
function fileAdvice(path: string, creating: boolean, error: NativeError): string | undefined {
  if (error.status === OUT_OF_SHARED_MEMORY && errnoName(error.errno) === "ENOSPC")
    return noSpaceAdvice(path);
  if (error.status === ACCESS_DENIED) return accessAdvice(path, error);
  if (error.status !== NOT_FOUND) return undefined;
  return creating
    ? "the folder that it should be in does not exist; make it first"
    : `there is no such file; ${TO_CREATE}`;
}

/** The segment in the file at that path. */
export function fileLocation(path: string, readOnly: boolean): Location {
  if (text("path", path) === "" || path.includes("\0"))
    throw new IsthmusError("INVALID_NAME", "path must not be empty and must not contain NUL");
  const absolute = absolutePath(path);
  if (new TextEncoder().encode(absolute).length > PATH_BYTES_MAX)
    throw new IsthmusError("INVALID_NAME", `path must have at most ${PATH_BYTES_MAX} bytes`);
  return {
    name: absolute,
    described: `segment in file "${absolute}"`,
    remedy: "restore the file from a copy, or remove it",
    notFoundAdvice: TO_CREATE,
    noSpaceAdvice: () => noSpaceAdvice(absolute),
    ownedByUser: true,
    open: (creation) =>
      openRegion(
        `opening file "${absolute}"`,
        readOnly,
        () => native.openFile(absolute, creation !== undefined, readOnly, creation?.mode ?? 0),
        (error) => fileAdvice(absolute, creation !== undefined, error),
      ),
    beforeJoin: (region, creation) => beforeJoin(region, absolute, creation),
    afterLeave: truncate,
  };
}

function isSegmentSize(bytes: number): boolean {
  return bytes > 0 && bytes % PAGE_BYTES === 0 && bytes <= PAGE_BYTES * SEGMENT_PAGES_MAX;
}

/** Adopts the file when nobody else has it open, extending it to what was asked for. The caller holds LOCK_CREATION. */
function beforeJoin(region: Region, path: string, creation: Creation | undefined): void {
  const { bytes } = region.info();
  if (!isSegmentSize(bytes) || !isAlone(region, bytes)) return;
  try {
    if (!mayBeOurs(region, bytes)) {
      throw failure(
        BAD_MAGIC,
        `file "${path}" is no segment: it begins with zeros and goes on with something else`,
      );
    }
    // A copy may have holes where the original had zeros, and whoever writes to one when the disk is full is killed.
    setAside(region, path, `bringing all of file "${path}" to the disk`, bytes);
    const whole = adoptMapped(region, bytes);
    if (!whole || creation === undefined || creation.bytes <= bytes) return;
    const what = `extending file "${path}" from ${bytes} to ${creation.bytes} bytes`;
    setAside(region, path, what, creation.bytes);
    adoptMapped(region, creation.bytes);
  } finally {
    region.unlock(LOCK_HOLDERS);
  }
}

function setAside(region: Region, path: string, what: string, bytes: number): void {
  region.allocate(what, bytes, noRoom({ noSpaceAdvice: () => noSpaceAdvice(path) }));
}

/**
 * Takes LOCK_HOLDERS alone if nobody has it. A file that cannot be used without being adopted has no holders but readers who
 * have just come to find that out, and go.
 */
function isAlone(region: Region, bytes: number): boolean {
  if (region.lock(LOCK_HOLDERS, false)) return true;
  if (mapped(region, bytes, (memory) => instantiate(memory, false).validate(bytes, 0) === 0)) return false;
  for (let turn = 0; turn < READERS_GONE_TURNS; turn++) {
    if (region.lock(LOCK_HOLDERS, false)) return true;
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

/**
 * A file whose creator died looks like one that begins with zeros, and is created anew. So a file that is not ours must not
 * look so: either creation has come as far as writing its version, or nothing was ever written to it.
 */
function mayBeOurs(region: Region, bytes: number): boolean {
  const view = beginningOf(region);
  if (view?.getUint32(HEADER_MAGIC_OFFSET, true) !== 0) return true;
  const version = view.getUint16(HEADER_ABI_VERSION_OFFSET, true);
  if (version !== 0) return view.getUint16(HEADER_HEADER_SIZE_OFFSET, true) === HEADER_BYTES;
  for (let at = 0; at < bytes; at += LOOK_BYTES) {
    if (!region.read(at, LOOK_BYTES).every((byte) => byte === 0)) return false;
  }
  return true;
}

/** The last one out leaves no more than what is used. A system that refuses leaves a longer file, which is whole as well. */
function truncate({ region, core, bytes }: Attachment): void {
  const info = region.info();
  if (!info.linked || info.bytes !== bytes || !region.lock(LOCK_HOLDERS, false)) return;
  const used = core.shrink();
  if (!isSegmentSize(used) || used >= bytes) return;
  try {
    native.flush(region.object);
    region.unmap();
    region.shrink(used);
  } catch {
    // Out of disk, or an error of the disk: the next writer gives the heap the rest back.
  }
}
