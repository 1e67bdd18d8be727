/** Receives what comes out of the second queue; see `server.ts`. It ends when nothing has come for a while. */
import { pipes, untilSilence } from "./pipes.js";

const { segment, ready, silenceMs } = pipes();
let count = 0;
let last = "";
await untilSilence(async () => {
  for await (const { text } of ready.records({ timeoutMs: silenceMs })) {
    last = text;
    count++;
  }
});
console.log(count === 0 ? "0 received" : `${count} received, the last one "${last}"`);
segment.close();
