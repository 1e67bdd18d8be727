/** A worker that opens, maps and closes an object all the time, always over the same memory. */
import { parentPort, workerData } from "node:worker_threads";
import { mapped, native, open } from "./objects.js";

const name = workerData as string;
const first = mapped(open(name));
native.close(first.object);
parentPort?.postMessage("at work");
setInterval(() => {
  for (let turn = 0; turn < 50; turn++) {
    const object = open(name);
    native.map(object, first.bytes, false);
    native.close(object);
  }
}, 0);
