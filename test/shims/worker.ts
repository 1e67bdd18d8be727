/** A worker that holds lock 1 of an object, maps it, watches a word, and is then busy in one of several ways. */
import { parentPort, workerData } from "node:worker_threads";
import { mapped, native, open } from "./objects.js";

const { name, mode } = workerData as { name: string; mode: string };
const { object, words } = mapped(open(name));
native.lock(object, 1, false);
native.setBell(() => Atomics.add(words, 8, 1));
native.watch(object, 16);
parentPort?.postMessage("at work");

/** A call of a JavaScript function is where an engine notices that it shall end. */
const sleep = (): void => native.wait(object, 24, 0, 60_000);
if (mode === "asleep") for (;;) sleep();

if (mode === "rung") {
  setInterval(() => {
    Atomics.add(words, 4, 1);
    native.wake(object, 16);
  }, 0);
}
setInterval(() => {}, 1000);
