/**
 * A cluster without a common parent, as a process manager runs it: each worker opens the cache by its name, in any order, and nobody
 * hands anything to anybody. A page is computed by one worker, and all others read it. One worker is killed while it computes.
 *
 *     node build/examples/cache.js [--workers 3] [--pages 50] [--reads 500]
 */
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { MiB, Segment } from "isthmus";
import { done, startAgain, temporary } from "./children.js";
import { participantsFor, wholeNumber } from "./numbers.js";

/** What each worker does to have the segment: whoever comes first makes it. */
function opened(name: string, workers: number) {
  const segment = Segment.openOrCreate(name, { bytes: 4 * MiB, participants: participantsFor(workers + 1) });
  return { segment, pages: segment.cache("pages", { bytes: MiB, value: "json" }) };
}

async function work(
  name: string,
  workers: number,
  pages: number,
  reads: number,
  endless: boolean,
): Promise<void> {
  const { segment, pages: cache } = opened(name, workers);
  using _closed = segment;
  const computed = segment.counter("computed");
  const compute = async (page: number): Promise<string> => {
    await pause(2);
    computed.add(1);
    return `page ${page}, computed once`;
  };
  if (endless) {
    // This one is killed in the middle: another worker computes the page then.
    await cache.getOrSet("0", () => {
      segment.event("computing").signal();
      return new Promise(() => {});
    });
  }
  for (let read = 0; read < reads; read++) {
    const page = Math.floor(Math.random() ** 2 * pages); // some are read more often than others
    const text = await cache.getOrSet(`${page}`, () => compute(page));
    if (text !== `page ${page}, computed once`) throw new Error(`page ${page} is ${text}`);
  }
}

async function run(workers: number, pages: number, reads: number): Promise<void> {
  const name = `example-cache-${process.pid}`;
  const args = ["--workers", `${workers}`, "--pages", `${pages}`, "--reads", `${reads}`];
  const { segment, pages: cache } = opened(name, workers);
  using _temporary = temporary(() => segment);
  const victim = startAgain("--work", name, "--endless", ...args);
  victim.once("exit", (code) => code === null || process.exit(1));
  await segment.event("computing").wait();
  const others = Array.from({ length: workers }, () => done(startAgain("--work", name, ...args)));
  victim.kill("SIGKILL");
  await Promise.all(others);
  const computed = segment.counter("computed").value;
  console.log(`${workers * reads} reads by ${workers} processes, one more was killed while it computed`);
  console.log(
    computed === cache.size
      ? "each page was computed once"
      : `${cache.size} pages were computed ${computed} times`,
  );
}

const { values } = parseArgs({
  options: {
    work: { type: "string" },
    endless: { type: "boolean", default: false },
    workers: { type: "string", default: "3" },
    pages: { type: "string", default: "50" },
    reads: { type: "string", default: "500" },
  },
});
const [workers, pages, reads] = (["workers", "pages", "reads"] as const).map((option) =>
  wholeNumber(option, values[option]),
) as [number, number, number];
if (values.work !== undefined) {
  process.once("disconnect", () => process.exit(1)); // who started it is gone
  await work(values.work, workers, pages, reads, values.endless);
  process.exit(0);
} else await run(workers, pages, reads);
