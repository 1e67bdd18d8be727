/**
 * Checks the first bytes of an object that may be a segment. It reads them without a mapping. If the object is not a segment,
 * another program may truncate it at any time, and access to mapped bytes that were truncated raises SIGBUS, which ends the
 * process.
 */
import {
  HEADER_BYTES,
  HEADER_MAGIC_OFFSET,
  HEADER_STATE_OFFSET,
  MAGIC,
  STATE_INITIALIZING,
} from "../../../protocol/layout.js";
import type { Region } from "../../host/region.js";

/** The bytes of the header; undefined when the object is too short for one. */
export function beginningOf(region: Region): DataView | undefined {
  const { buffer, length } = region.read(0, HEADER_BYTES);
  return length === HEADER_BYTES ? new DataView(buffer) : undefined;
}

/** Returns false if the bytes are not those of a segment. If the object is too short to tell, its size decides. */
export function mayBeSegment(region: Region): boolean {
  const { buffer, length } = region.read(0, HEADER_BYTES);
  const view = new DataView(buffer, 0, length);
  if (length < HEADER_MAGIC_OFFSET + 4) return true;
  const magic = view.getUint32(HEADER_MAGIC_OFFSET, true);
  if (magic !== 0 || length < HEADER_STATE_OFFSET + 4) return magic === MAGIC || magic === 0;
  return view.getUint32(HEADER_STATE_OFFSET, true) === STATE_INITIALIZING;
}
