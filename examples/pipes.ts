/** What the programs `server`, `middle` and `client` share: two queues, which whoever comes first creates. */
import { parseArgs } from "node:util";
import { IsthmusError, MiB, Segment, struct } from "isthmus";
import { wholeNumber } from "./numbers.js";

/** What goes through the queues. */
export const Item = struct({ number: "u32", text: "utf8:32" });

const QUEUE = { capacity: 1000, layout: Item };

/** The options of all three programs, and the two queues. */
export function pipes() {
  const { values } = parseArgs({
    options: {
      name: { type: "string", default: "example-pipes" },
      messages: { type: "string", default: "10000" },
      silence: { type: "string", default: "10000" },
    },
  });
  const segment = Segment.openOrCreate(values.name, { bytes: 1 * MiB });
  return {
    segment,
    /** From the servers to those in the middle. */
    raw: segment.queue("raw", QUEUE),
    /** From those in the middle to the clients. */
    ready: segment.queue("ready", QUEUE),
    messages: wholeNumber("messages", values.messages),
    silenceMs: wholeNumber("silence", values.silence),
  };
}

/** Runs a loop that waits for messages. It ends when none has come for so long. */
export async function untilSilence(loop: () => Promise<void>): Promise<void> {
  try {
    await loop();
  } catch (error) {
    if (!(error instanceof IsthmusError) || error.code !== "TIMED_OUT") throw error;
  }
}
