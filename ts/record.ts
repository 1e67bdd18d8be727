import { BUSY } from "../protocol/errors.js";
import { RECORD_ALIGNMENT, RECORD_HEADER_BYTES } from "../protocol/layout.js";
import type { Attachment } from "./attachment.js";
import { ERRORS_END, failure } from "./errors.js";
import { ringAdvice } from "./ring-errors.js";
import type { RingGeometry } from "./ring-geometry.js";

/** Bytes that a payload of this length takes in a ring. */
export function recordBytes(length: number): number {
  return RECORD_HEADER_BYTES + ((length + RECORD_ALIGNMENT - 1) & -RECORD_ALIGNMENT);
}

/**
 * Takes an end of a ring for this opener, also from a dead one.
 *
 * @param attach the core's function; gives the offset of the next record, or an error
 * @returns that offset
 * @throws {IsthmusError} BUSY while a live participant holds the end; EVICTED; CORRUPT
 */
export function attachEnd(
  attachment: Attachment,
  end: "producer" | "consumer",
  { ring, capacity, name }: RingGeometry,
  attach: (ring: number, capacity: number) => number,
): number {
  attachment.check(true);
  const at =
    attachment.overcome(() => {
      const result = attach(ring, capacity) >>> 0;
      return result === BUSY ? undefined : result;
    }) ?? BUSY;
  if (at >= ERRORS_END) return at;
  const advice =
    at === BUSY
      ? `${attachment.suspectText()} holds it; it is free again when that one closes it or ends`
      : ringAdvice(at);
  throw failure(at, `the ${end}'s end of ring "${name}": ${advice}`);
}
