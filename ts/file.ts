/**
 * Segments in files: they outlive the processes and the machine's uptime. The first open decides the size; a file that is
 * larger than asked for stays so; a smaller one is extended by a writer whom nobody shares it with.
 *
 * A writer holds LOCK_CREATION here, as everywhere while it enters. If it gets LOCK_HOLDERS alone, nobody else lives in
 * the segment and nobody can enter: then it adopts the file (`assembly/adopt.ts`), which undoes what the dead have left and
 * gives the heap the bytes by which the file has grown. A reader that looked before and counts itself among the holders
 * afterwards finds the file larger than what it mapped, and looks again.
 */
import { BAD_MAGIC } from "../protocol/errors.js";
import {
  HEADER_ABI_VERSION_OFFSET,
  HEADER_BYTES,
  HEADER_HEADER_SIZE_OFFSET,
  HEADER_MAGIC_OFFSET,
  LOCK_HOLDERS,
} from "../protocol/layout.js";
import { PAGE_BYTES, SEGMENT_PAGES_MAX } from "../protocol/limits.js";
import { text } from "./arguments.js";
import { instantiate } from "./core.js";
import { attempt, failure, IsthmusError } from "./errors.js";
import { absolutePath, removeFile } from "./host/file-system.js";
import { native, Region } from "./host/region.js";
import type { Making, Place } from "./opening.js";

/** The segment in the file at that path. */
export function filed(path: string, readOnly: boolean): Place {
  if (text("path", path) === "" || path.includes("\0"))
    throw new IsthmusError("INVALID_NAME", "path must not be empty and must not contain NUL");
  const absolute = absolutePath(path);
  return {
    name: absolute,
    described: `segment in file "${absolute}"`,
    remedy: "restore the file from a copy, or remove it",
    open: (making) =>
      new Region(
        attempt(`opening file "${absolute}"`, () =>
          native.openFile(absolute, making !== undefined, readOnly, making?.mode ?? 0),
        ),
        readOnly,
      ),
    settle: (region, making) => settle(region, absolute, making),
    remove: () => attempt(`removing file "${absolute}"`, () => removeFile(absolute)),
  };
}

function isSegmentSize(bytes: number): boolean {
  return bytes > 0 && bytes % PAGE_BYTES === 0 && bytes <= PAGE_BYTES * SEGMENT_PAGES_MAX;
}

/** Adopts the file when nobody else has it open, extending it to what was asked for. The caller holds LOCK_CREATION. */
function settle(region: Region, path: string, making: Making | undefined): void {
  const { bytes } = region.info();
  if (!isSegmentSize(bytes) || !native.lock(region.object, LOCK_HOLDERS, false)) return;
  try {
    const whole = adoptMapped(region, path, bytes);
    if (!whole || making === undefined || making.bytes <= bytes) return;
    attempt(`extending file "${path}" from ${bytes} to ${making.bytes} bytes`, () =>
      native.allocate(region.object, making.bytes),
    );
    adoptMapped(region, path, making.bytes);
  } finally {
    native.unlock(region.object, LOCK_HOLDERS);
  }
}

/** Maps the file for as long as adopting takes. Whether it is a usable segment of exactly these bytes afterwards. */
function adoptMapped(region: Region, path: string, bytes: number): boolean {
  const memory = region.map(bytes);
  try {
    if (!mayBeOurs(memory)) {
      throw failure(
        BAD_MAGIC,
        `file "${path}" is no segment: it begins with zeros and goes on with something else`,
      );
    }
    const core = instantiate(memory, false);
    core.adopt(bytes);
    return core.validate(bytes, 0) === 0;
  } finally {
    region.unmap();
  }
}

/**
 * A file whose creator died looks like one that begins with zeros, and is created anew. So a file that is not ours must not
 * look so: either creation has come as far as writing its version, or nothing was ever written to it.
 */
function mayBeOurs(memory: WebAssembly.Memory): boolean {
  const view = new DataView(memory.buffer);
  if (view.getUint32(HEADER_MAGIC_OFFSET, true) !== 0) return true;
  const version = view.getUint16(HEADER_ABI_VERSION_OFFSET, true);
  if (version !== 0) return view.getUint16(HEADER_HEADER_SIZE_OFFSET, true) === HEADER_BYTES;
  const words = new Uint32Array(memory.buffer);
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}
