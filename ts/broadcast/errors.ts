/** The errors that a broadcast throws. */
import { EVICTED } from "../../protocol/errors.js";
import { failure, IsthmusError, statusAdvice } from "../errors.js";
import type { Attachment } from "../segment/attachment.js";
import type { BroadcastGeometry } from "./geometry.js";

/** Throws when a payload of this length can never be published. */
export function checkFits(length: number, { name, payloadMax }: BroadcastGeometry): void {
  if (length <= payloadMax) return;
  throw new IsthmusError(
    "TOO_LARGE",
    `a record of ${length} bytes can never fit into broadcast "${name}": a record takes a quarter of its bytes at most, so ` +
      `${payloadMax} bytes without its header`,
  );
}

/** The error of a publisher that cannot publish now. */
export function publisherUnusable({ name }: BroadcastGeometry, state: "closed" | "claimed"): IsthmusError {
  return state === "closed"
    ? new IsthmusError("CLOSED", `the publisher of broadcast "${name}" was closed`)
    : new IsthmusError("BUSY", `broadcast "${name}": a claim is open; commit or abort it first`);
}

/** The error for a status of the core. */
export function broadcastFailed(
  attachment: Attachment,
  status: number,
  { name }: BroadcastGeometry,
): IsthmusError {
  return status === EVICTED
    ? attachment.removed()
    : failure(status, `broadcast "${name}": ${statusAdvice(status)}`);
}

/** The error of a subscriber that cannot receive now. */
export function subscriberUnusable(
  { name }: BroadcastGeometry,
  state: "closed" | "draining" | "peeked",
): IsthmusError {
  if (state === "closed")
    return new IsthmusError("CLOSED", `the subscriber of broadcast "${name}" was closed`);
  const advice =
    state === "draining"
      ? "drain is handing a record to its function; take other records after it has returned"
      : "a peeked record was not released; release it first";
  return new IsthmusError("BUSY", `broadcast "${name}": ${advice}`);
}

/** The error of a blocking call while other calls wait: a blocked thread could not serve them first. */
export function receivesWait({ name }: BroadcastGeometry): IsthmusError {
  return new IsthmusError(
    "BUSY",
    `broadcast "${name}": other calls wait for a record and come first; await them`,
  );
}

export function publisherDied({ name }: BroadcastGeometry): IsthmusError {
  return new IsthmusError(
    "PEER_DIED",
    `the publisher of broadcast "${name}" died, or ended without close(); what it had published was received, or counts as ` +
      "lost. Receiving again waits for the next publisher",
  );
}

/** The error of a subscriber that was overtaken each time. */
export function overtaken({ name }: BroadcastGeometry, reads: number): IsthmusError {
  return new IsthmusError(
    "BUSY",
    `broadcast "${name}": its publisher has overwritten the record during each of ${reads} reads; give the broadcast more ` +
      "bytes, or publish less",
  );
}

export function recordDamaged({ name, layout }: BroadcastGeometry, length: number): IsthmusError {
  const expected = layout ? `, but its layout has ${layout.bytes}` : "";
  return new IsthmusError(
    "CORRUPT",
    `a record in broadcast "${name}" says that it has ${length} bytes${expected}; create the segment again with ` +
      "{ replace: true }",
  );
}

/** The error of a broadcast whose records have a layout that its opener has not passed. */
export function layoutHidden(name: string): IsthmusError {
  return new IsthmusError(
    "OBJECT_MISMATCH",
    `the records of broadcast "${name}" have a layout; open it with { layout } to publish or receive`,
  );
}
