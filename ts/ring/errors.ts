/** What the ends of a ring say when something is wrong. */
import { RECORD_HEADER_BYTES } from "../../protocol/layout.js";
import { codeName, failure, IsthmusError } from "../errors.js";
import type { RingGeometry } from "./end.js";

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

/** An element of `arrayOfBytes` has sent or claimed something in the middle of `sendMany`. */
export function elementSent({ name }: RingGeometry): IsthmusError {
  return new IsthmusError(
    "BUSY",
    `ring "${name}": an element of arrayOfBytes sent or claimed something when it was read; pass plain elements`,
  );
}

export function sendFailed(status: number, { name }: RingGeometry): IsthmusError {
  return failure(status, `sending to ring "${name}" failed: ${ringAdvice(status)}`);
}
