/** A worker thread that holds the producer's end of a ring, waits for ever, and is terminated. */
import { parentPort, workerData } from "node:worker_threads";
import { Segment } from "isthmus";

const { name, ring } = workerData as { name: string; ring: string };
const segment = Segment.open(name);
const producer = segment.ring(ring, { bytes: 4096 }).producer();
const sent = producer.trySend(new Uint8Array([1, 2, 3]));
const consumer = segment.ring(`${ring}-never`, { bytes: 4096 }).consumer();
parentPort?.postMessage(`sent ${sent}`);
void consumer.receive();
