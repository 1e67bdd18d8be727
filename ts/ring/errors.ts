/** The errors that the ends of a ring throw. */
import { RECORD_HEADER_BYTES } from "../../protocol/layout.js";
import { failure, IsthmusError, statusAdvice } from "../errors.js";
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

/** The error of a producer that cannot send now: it was closed, `end` has begun, or a claim is open. */
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

/** The error of a `sendMany` that failed. If it is an IsthmusError, it says how many records were sent before the failure. */
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

/** The error of a blocking call while other calls wait: a blocked thread could not send what they were given first. */
export function sendsWait({ name }: RingGeometry): IsthmusError {
  return new IsthmusError("BUSY", `ring "${name}": other calls wait for room and come first; await them`);
}

/** The error when reading an element of `arrayOfBytes` (a getter) sent or claimed something during `sendMany`. */
export function elementSent({ name }: RingGeometry): IsthmusError {
  return new IsthmusError(
    "BUSY",
    `ring "${name}": an element of arrayOfBytes sent or claimed something when it was read; pass plain elements`,
  );
}

export function sendFailed(status: number, { name }: RingGeometry): IsthmusError {
  return failure(status, `sending to ring "${name}" failed: ${statusAdvice(status)}`);
}

/** The error of a consumer that cannot receive now: it was closed, drain is running, or a record was not released. */
export function consumerUnusable(
  { name }: RingGeometry,
  state: "closed" | "draining" | "peeked",
): IsthmusError {
  if (state === "closed") return new IsthmusError("CLOSED", `the consumer of ring "${name}" was closed`);
  if (state === "draining") {
    const advice = "take other records after drain has returned; pass { limit } to end it early";
    return new IsthmusError("BUSY", `ring "${name}": drain is handing a record to its function; ${advice}`);
  }
  return new IsthmusError("BUSY", `ring "${name}": a peeked record was not released; release it first`);
}

/** The error of a blocking call while other calls wait: a blocked thread could not serve them first. */
export function receivesWait({ name }: RingGeometry): IsthmusError {
  return new IsthmusError("BUSY", `ring "${name}": other calls wait for a record and come first; await them`);
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
    `a record in ring "${name}" has ${found} bytes, but its layout has ${expected}; ` +
      "create the segment again with { replace: true }",
  );
}
