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

/** Throws when a payload of this length can never fit. */
export function checkFits(length: number, { name, capacity }: RingGeometry): void {
  if (length <= capacity - RECORD_HEADER_BYTES) return;
  throw new IsthmusError(
    "TOO_LARGE",
    `a record of ${length} bytes can never fit into ring "${name}": its capacity is ` +
      `${capacity} bytes, of which a record may take ${capacity - RECORD_HEADER_BYTES}`,
  );
}

export function consumerDied({ name }: RingGeometry): IsthmusError {
  return new IsthmusError(
    "PEER_DIED",
    `the consumer of ring "${name}" died and the ring is full; sending again waits for the next consumer`,
  );
}

/** Why a producer that is not open for sending is not: it was closed, or a claim is open. */
export function producerUnusable({ name }: RingGeometry, closed: boolean): IsthmusError {
  if (closed) return new IsthmusError("CLOSED", `the producer of ring "${name}" was closed`);
  return new IsthmusError("BUSY", `ring "${name}": a claim is open; commit or abort it first`);
}

/** Why a producer may not block: what was sent before would come later. */
export function sendsWait({ name }: RingGeometry): IsthmusError {
  return new IsthmusError("BUSY", `ring "${name}": sends that wait for room come first; await them`);
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
