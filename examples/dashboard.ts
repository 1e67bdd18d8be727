/**
 * A dashboard: workers keep what they do in one shared dictionary, and this program shows it. One worker is killed in the middle of
 * its work. What it has set is whole, and its references come back, so that nothing of it keeps memory in use.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Dict, MiB, Segment } from "isthmus";
import { done, isOrphan, startAgain, temporary } from "./children.js";

const JOBS = 100;
const [, , name, worker] = process.argv;

/** What a worker does: a job, a note of it in its own dictionary, and so on. The one named "endless" goes on until it is killed. */
async function work(segmentName: string, own: string): Promise<void> {
  using segment = Segment.open(segmentName);
  using state = segment.rootValue as Dict;
  using workers = state.get("workers") as Dict;
  workers.set(own, { jobs: 0, latest: [] });
  using entry = workers.get(own) as Dict;
  for (let job = 1; own === "endless" ? !isOrphan() : job <= JOBS; job++) {
    entry.set("jobs", job).set("latest", [`job ${job}`, new Date()]);
    if (job % 10 === 0) await pause(1);
  }
}

async function show(): Promise<void> {
  using segment = temporary(() => Segment.create(`example-dashboard-${process.pid}`, { bytes: MiB }));
  using state = segment.share({ title: "jobs done", workers: {} });
  segment.root = state;
  const endless = startAgain(segment.name, "endless");
  await Promise.all(["a", "b", "c"].map((one) => done(startAgain(segment.name, one))));
  using workers = state.get("workers") as Dict;
  while (!workers.has("endless")) await pause(10);
  endless.kill("SIGKILL");
  while (state.refCount > 2) await pause(50); // this one, and the root
  for (const own of [...workers.keys()].sort()) {
    using entry = workers.get(own) as Dict;
    const { jobs } = entry.toJSON();
    console.log(own, own === "endless" ? "killed" : jobs, Number.isInteger(jobs) ? "whole" : "torn");
  }
  console.log(
    `${state.get("title")}, references ${state.refCount}, heap ${segment.heap.check().ok ? "in order" : "damaged"}`,
  );
}

if (name === undefined || worker === undefined) await show();
else await work(name, worker);
