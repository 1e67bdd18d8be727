/** What the children of `ends.test.ts` do. */
import { opened } from "../../lib/actions.js";

export * from "../../lib/actions.js";

/** Dies when this turn of the event loop is over, as by `kill -9`. */
export function killedSoon(): void {
  setImmediate(() => process.kill(process.pid, "SIGKILL"));
}

export function acquireSync(name: string): void {
  opened(name).lock("l").acquireSync().release();
}
