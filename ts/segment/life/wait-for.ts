/** Waits for a segment that another process creates. */

import type { Waiting } from "../../arguments.js";
import { IsthmusError } from "../../errors.js";
import { monotonicMs } from "../../host/runtime.js";
import { pauseFor } from "../../wait/pause.js";
import { nextTurn, turnIsDue } from "../../wait/turn.js";
import type { Attachment } from "../attachment.js";
import { type Location, openLocation } from "./open.js";

/** Shortest and longest pause between two attempts to open the segment. Milliseconds. */
const LOOK_MS_MIN = 1;
const LOOK_MS_MAX = 20;

/**
 * Opens the segment as soon as it is ready. It never blocks the thread, neither while the creator is at work nor while another
 * process joins or leaves.
 *
 * @param keep makes the object for the user from the attachment
 */
export async function openWhenReady<T>(
  location: Location,
  { timeoutMs, signal }: Waiting,
  keep: (attachment: Attachment) => T,
): Promise<T> {
  const begin = monotonicMs();
  if (turnIsDue()) await nextTurn(); // a loop that opens existing segments must not starve the event loop
  for (let pause = LOOK_MS_MIN; ; pause = Math.min(LOOK_MS_MAX, pause * 2)) {
    if (signal?.aborted) throw signal.reason;
    const found = openIfReady({ ...location, timeoutMs: 0 });
    if (!(found instanceof IsthmusError)) return keep(found);
    const left = begin + timeoutMs - monotonicMs();
    if (left <= 0) {
      const why =
        found.code === "NOT_FOUND"
          ? "was not created"
          : "exists, but a process that creates, joins or leaves it did not finish";
      throw new IsthmusError("TIMED_OUT", `${location.described} ${why} within ${timeoutMs} ms`);
    }
    await pauseFor(Math.min(pause, left), signal);
  }
}

function openIfReady(location: Location): Attachment | IsthmusError {
  try {
    return openLocation(location, "open", undefined);
  } catch (error) {
    const later = error instanceof IsthmusError && ["NOT_FOUND", "INITIALIZING"].includes(error.code);
    if (later) return error;
    throw error;
  }
}
