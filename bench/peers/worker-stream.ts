import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { rateSince } from "../clock.js";
import type { Contestant, Plan } from "../contest.js";
import { expectStream, makeFrame, stamp, sumWords } from "../stamp.js";

/** Messages after which the sender lets its event loop turn, so that it cannot outrun the worker without end. */
const BURST = 1024;

/** `postMessage` of bytes to a worker thread of the same process: not across processes, but what many use instead. */
export const contestant: Contestant = {
  async left(plan) {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: plan });
    await once(worker, "message");
    const finished = once(worker, "message");
    const { bytes, words } = makeFrame(plan.payloadBytes);
    for (let sequence = 0; sequence < plan.warmup + plan.count; sequence++) {
      stamp(words, plan.strideWords, sequence);
      worker.postMessage(bytes);
      if (sequence % BURST === BURST - 1) await new Promise((resolve) => setImmediate(resolve));
    }
    const [perSecond] = (await finished) as [number];
    await worker.terminate();
    return { perSecond };
  },
};

function count(plan: Plan): void {
  const { bytes, words } = makeFrame(plan.payloadBytes);
  let sum = 0;
  let start = 0;
  let received = 0;
  parentPort?.on("message", (message: Uint8Array) => {
    if (received === plan.warmup) start = performance.now();
    bytes.set(message);
    sum = (sum + sumWords(words, plan.strideWords)) | 0;
    if (++received === plan.warmup + plan.count) {
      const perSecond = rateSince(start, plan.count);
      expectStream(plan, sum);
      parentPort?.postMessage(perSecond);
    }
  });
  parentPort?.postMessage("ready");
}

if (!isMainThread) count(workerData as Plan);
