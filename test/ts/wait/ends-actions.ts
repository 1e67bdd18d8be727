/** What the children of `ends.test.ts` do. */
import type { IsthmusError } from "isthmus";
import { opened } from "../../lib/actions.js";

export * from "../../lib/actions.js";

/** Dies when this turn of the event loop is over, as by `kill -9`. */
export function killedSoon(): void {
  setImmediate(() => process.kill(process.pid, "SIGKILL"));
}

export function acquireSync(name: string): void {
  opened(name).lock("l").acquireSync().release();
}

/** Drains one record with a function that blocks in vain. */
export function drainSync(name: string): string {
  const segment = opened(name);
  const event = segment.event("e");
  let code = "";
  const consumer = segment.ring("r", { bytes: 4096 }).consumer();
  consumer.drainSync(() => {
    try {
      event.waitSync({ timeoutMs: 1 });
    } catch (error) {
      code = (error as IsthmusError).code;
    }
  });
  return code;
}
