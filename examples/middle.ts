/**
 * Takes items from one queue, changes them, and sends them into another one; see `server.ts`. If it is killed in the middle of an
 * item, another one takes that item again. It ends when nothing has come for a while.
 */
import { pipes, untilSilence } from "./pipes.js";

const { segment, raw, ready, silenceMs } = pipes();
let count = 0;
await untilSilence(async () => {
  for await (const job of raw.jobs({ timeoutMs: silenceMs })) {
    const { number, text } = job.view.read();
    await ready.send({ number, text: text.toUpperCase() });
    job.done();
    count++;
  }
});
console.log(`${count} passed on`);
segment.close();
