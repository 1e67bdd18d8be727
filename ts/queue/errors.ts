/** The errors that a queue throws. */
import { failure, IsthmusError, statusAdvice } from "../errors.js";
import type { QueueGeometry } from "./slots.js";

/** Throws when a message of this length can never fit. */
export function checkFits(length: number, { name, slotBytes }: QueueGeometry): void {
  if (length <= slotBytes) return;
  throw new IsthmusError(
    "TOO_LARGE",
    `a message of ${length} bytes can never fit into queue "${name}": a slot has ${slotBytes} bytes`,
  );
}

/** The error for a status of the core. */
export function queueFailed(status: number, { name }: QueueGeometry): IsthmusError {
  return failure(status, `queue "${name}": ${statusAdvice(status)}`);
}

/**
 * The error for a message with a length that no sender can have written. The queue goes on without it.
 *
 * @param valueBytes bytes of each value in a queue with a layout; 0 in another one
 */
export function messageDamaged(
  { name, slotBytes }: QueueGeometry,
  length: number,
  valueBytes: number,
): IsthmusError {
  const expected = valueBytes > 0 ? `its layout has ${valueBytes}` : `a slot has ${slotBytes}`;
  return new IsthmusError(
    "CORRUPT",
    `a message in queue "${name}" says that it has ${length} bytes, but ${expected}; it was removed`,
  );
}

/** The error of a queue whose messages have a layout that its opener has not passed. */
export function layoutHidden({ name }: QueueGeometry): IsthmusError {
  return new IsthmusError(
    "OBJECT_MISMATCH",
    `the messages of queue "${name}" have a layout; open it with { layout } to send or receive`,
  );
}

/** The error of a `sendMany` that failed. If it is an IsthmusError, it says how many messages were sent before the failure. */
export function sentInPart({ name }: QueueGeometry, error: unknown, sent: number, all: number): unknown {
  if (!(error instanceof IsthmusError)) return error;
  const told =
    error.code === "TIMED_OUT"
      ? new IsthmusError(
          "TIMED_OUT",
          `queue "${name}" had no room in time: ${sent} of ${all} messages were sent`,
        )
      : error;
  return Object.assign(told, { sent });
}
