import { BUSY } from "../../protocol/errors.js";
import { failure } from "../errors.js";
import { monotonicMs, sleepMs } from "../host/runtime.js";
import type { Attachment } from "../segment/attachment.js";

/**
 * How long a live participant may hold the write lock before others give up: it has it for microseconds, in a
 * transaction for as long as the user's function runs. Milliseconds.
 */
const WRITE_LOCK_TIMEOUT_MS = 5000;

/**
 * Calls a function of the core that takes the write lock, again and again while a live participant has it.
 *
 * @returns its result, never BUSY
 * @throws {IsthmusError} BUSY when it had it for 5 seconds
 */
export function withWriteLock(attachment: Attachment, what: string, call: () => number): number {
  let begin = 0;
  for (;;) {
    const result = attachment.retryPastDead(() => {
      const status = call() >>> 0;
      return status === BUSY ? undefined : status;
    });
    if (result !== undefined) return result;
    const now = monotonicMs();
    begin ||= now;
    if (now - begin > WRITE_LOCK_TIMEOUT_MS) {
      const text = `${attachment.suspectText()} has been changing the segment for ${WRITE_LOCK_TIMEOUT_MS} ms`;
      throw failure(BUSY, `${what}: ${text}; is it stopped, or in a long transaction?`);
    }
    sleepMs(now - begin < 1 ? 0.05 : 0.5);
  }
}
