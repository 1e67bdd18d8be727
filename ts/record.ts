import { RECORD_ALIGNMENT, RECORD_HEADER_BYTES } from "../protocol/layout.js";
import type { Attachment } from "./attachment.js";
import { codeName } from "./errors.js";

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

/** What to do about an error of the core. */
export function ringAdvice(status: number): string {
  if (codeName(status) === "EVICTED")
    return "this participant was removed; close the segment and open it again";
  return "the shared words are damaged; create the segment anew with { replace: true }";
}

export function attachFailed(attachment: Attachment, status: number): string {
  if (codeName(status) !== "BUSY") return ringAdvice(status);
  return `${attachment.suspectText()} holds it; it is free again when that one closes it or ends`;
}
