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

/** Why a producer takes nothing to send: it was closed, it is being ended, or a claim is open. */
export function producerUnusable(
  { name }: RingGeometry,
  state: "closed" | "ending" | "claimed" | "open",
): IsthmusError {
  if (state === "closed") return new IsthmusError("CLOSED", `the producer of ring "${name}" was closed`);
  if (state === "ending")
    return new IsthmusError(
      "CLOSED",
      `the producer of ring "${name}" is being ended; nothing more can be sent`,
    );
  return new IsthmusError("BUSY", `ring "${name}": a claim is open; commit or abort it first`);
}

/** What a `sendMany` that failed throws: it says how many records were sent before, where the error is one of ours. */
export function sentInPart({ name }: RingGeometry, error: unknown, sent: number, all: number): unknown {
  if (!(error instanceof IsthmusError)) return error;
  const told =
    error.code === "TIMED_OUT"
      ? new IsthmusError(
          "TIMED_OUT",
          `ring "${name}" had no room in time: ${sent} of ${all} records were sent`,
        )
      : error;
  return Object.assign(told, { sent });
}

/** Why a producer may not block: what it was told to send before would come later. */
export function sendsWait({ name }: RingGeometry): IsthmusError {
  return new IsthmusError("BUSY", `ring "${name}": calls that wait for room come first; await them`);
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

/** Why a consumer takes nothing: it was closed, or a record is in the user's hands. */
export function consumerUnusable(
  { name }: RingGeometry,
  state: "closed" | "draining" | "peeked",
): IsthmusError {
  if (state === "closed") return new IsthmusError("CLOSED", `the consumer of ring "${name}" was closed`);
  if (state === "draining") {
    const advice = "take other records after drain has returned; { limit } ends it early";
    return new IsthmusError("BUSY", `ring "${name}": drain is handing a record to its function; ${advice}`);
  }
  return new IsthmusError("BUSY", `ring "${name}": a record is peeked at; release it first`);
}

/** Why a consumer may not block: what it was asked for before would come later. */
export function receivesWait({ name }: RingGeometry): IsthmusError {
  return new IsthmusError("BUSY", `ring "${name}": calls that wait for a record come first; await them`);
}

export function producerDied({ name }: RingGeometry): IsthmusError {
  return new IsthmusError(
    "PEER_DIED",
    `the producer of ring "${name}" died, or ended without close(); everything it had sent was received. ` +
      "Receiving again waits for the next producer",
  );
}

export function recordMismatch({ name }: RingGeometry, found: number, expected: number): IsthmusError {
  return new IsthmusError(
    "CORRUPT",
    `a record in ring "${name}" has ${found} bytes instead of the ${expected} of its layout; replace the segment`,
  );
}
