/** Waiting for a segment that somebody else makes. */

import type { Waiting } from "../arguments.js";
import { IsthmusError } from "../errors.js";
import { monotonicMs } from "../host/runtime.js";
import { pauseFor } from "../wait/pause.js";
import { nextTurn, turnIsDue } from "../wait/turn.js";
import type { Attachment } from "./attachment.js";
import { type Location, openLocation } from "./open.js";

/** Pauses between looks for a segment that does not exist yet. Milliseconds. */
const LOOK_MS_MIN = 1;
const LOOK_MS_MAX = 20;

/** Opens the segment as soon as it is ready. The thread is never blocked: neither for its creator nor for who joins it. */
export async function openWhenReady(location: Location, { timeoutMs, signal }: Waiting): Promise<Attachment> {
  const begin = monotonicMs();
  if (turnIsDue()) await nextTurn(); // a loop that opens what is there leaves the event loop its turns
  for (let pause = LOOK_MS_MIN; ; pause = Math.min(LOOK_MS_MAX, pause * 2)) {
    if (signal?.aborted) throw signal.reason;
    const found = openIfReady({ ...location, timeoutMs: 0 });
    if (!(found instanceof IsthmusError)) return found;
    const left = begin + timeoutMs - monotonicMs();
    if (left <= 0) {
      const why =
        found.code === "NOT_FOUND"
          ? "did not come to exist"
          : "exists, but a process that creates, joins or leaves it did not get on";
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
