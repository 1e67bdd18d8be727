/** The errors that a service throws. */
import { failure, IsthmusError, statusAdvice } from "../errors.js";
import type { ServiceGeometry } from "./calls.js";

/** Throws when a request of this length can never fit. */
export function checkRequest(length: number, { name, requestBytes }: ServiceGeometry): void {
  if (length <= requestBytes) return;
  throw new IsthmusError(
    "TOO_LARGE",
    `a request of ${length} bytes can never fit into service "${name}": there is room for ${requestBytes}`,
  );
}

/** The error for a status of the core. */
export function serviceFailed(status: number, { name }: ServiceGeometry): IsthmusError {
  return failure(status, `service "${name}": ${statusAdvice(status)}`);
}

/** The error for a length that no participant can have written. */
export function callDamaged(
  { name }: ServiceGeometry,
  what: string,
  length: number,
  most: number,
): IsthmusError {
  return new IsthmusError(
    "CORRUPT",
    `a ${what} in service "${name}" says that it has ${length} bytes, but there is room for ${most}; it was dropped`,
  );
}

/** The error of a call whose server has died, or has left, while it worked on it. */
export function serverDied({ name }: ServiceGeometry): IsthmusError {
  return new IsthmusError(
    "PEER_DIED",
    `the server that worked on this call of service "${name}" died, or ended without an answer; its work may be half done. ` +
      `Call again if that does no harm, or make the service with { onServerDeath: "retry" }`,
  );
}

/** The error of a call that would block the thread that serves. */
export function servedHere({ name }: ServiceGeometry): IsthmusError {
  return new IsthmusError(
    "DEADLOCK",
    `this thread would wait for itself: it serves "${name}", and cannot answer while it is blocked; use call(), or block ` +
      "another thread",
  );
}

/** The error of a call that took too long after a server could begin with it. */
export function answerTimedOut({ name }: ServiceGeometry, timeoutMs: number): IsthmusError {
  return new IsthmusError(
    "TIMED_OUT",
    `service "${name}" has not answered within ${timeoutMs} ms; the call is cancelled, and a server may have begun with it`,
  );
}

/** The error of a call whose handler has thrown. It is an Error of the caller's realm, not an IsthmusError. */
export function handlerFailed(message: string): Error {
  return Object.assign(new Error(message), { name: "HandlerError" });
}
