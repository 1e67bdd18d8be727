import { BUSY } from "../protocol/errors.js";
import { RECORD_ALIGNMENT, RECORD_HEADER_BYTES } from "../protocol/layout.js";
import type { Attachment } from "./attachment.js";
import { codeName, ERRORS_END, failure, IsthmusError } from "./errors.js";

/** What both ends of a ring share. */
export interface RingGeometry {
  readonly name: string;
  readonly ring: number;
  readonly capacity: number;
  /** First byte of the records, and the first behind them. */
  readonly data: number;
  readonly end: number;
}

/** Bytes that a payload of this length takes in a ring. */
export function recordBytes(length: number): number {
  return RECORD_HEADER_BYTES + ((length + RECORD_ALIGNMENT - 1) & -RECORD_ALIGNMENT);
}

export function tooLarge(length: number, { name, capacity }: RingGeometry): IsthmusError {
  return new IsthmusError(
    "TOO_LARGE",
    `a record of ${length} bytes can never fit into ring "${name}": its capacity is ` +
      `${capacity} bytes, of which a record may take ${capacity - RECORD_HEADER_BYTES}`,
  );
}

/** What to do about an error of the core. */
export function ringAdvice(status: number): string {
  if (codeName(status) === "EVICTED")
    return "this participant was removed; close the segment and open it again";
  return "the shared words are damaged; create the segment anew with { replace: true }";
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
