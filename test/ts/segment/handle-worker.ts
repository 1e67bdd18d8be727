/** A worker, or a forked child, that opens an anonymous segment by its handle, adds to a counter and says so. */
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { Segment } from "isthmus";

const handle = parentPort ? (workerData as string) : (process.argv[2] as string);
{
  using segment = Segment.fromHandle(handle);
  segment.counter("opened").add();
}
if (parentPort) parentPort.postMessage("done");
else process.send?.("done");
