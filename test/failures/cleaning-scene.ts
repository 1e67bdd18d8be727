/**
 * Openers and cleaners of one name, each killed and started again at random; run in a place of its own, because cleaners remove
 * whatever nobody holds.
 *
 *     cleaning-scene.js SEED
 */
import { Segment } from "isthmus";
import { Agent } from "../lib/processes.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { randomFrom } from "../lib/series.js";
import { pause } from "../lib/watchdog.js";

const ACTIONS = "processes/memory-soak/memory-actions.ts";
const NAME = "cleaned";
const SECONDS = 8;
const random = randomFrom(Number(process.argv[2]));

let lives = 0;
const problems: string[] = [];

/** Lives one after another of a child that never ends by itself. */
async function again(action: string, ...given: unknown[]): Promise<void> {
  const end = Date.now() + SECONDS * 1000;
  while (Date.now() < end && problems.length === 0) {
    const runtimes = presentRuntimes();
    const runtime = runtimes[Math.floor(random() * runtimes.length)] as (typeof runtimes)[number];
    const child = await Agent.start(runtime, ACTIONS);
    lives++;
    let doomed = false;
    child.call(action, ...given).catch((error: Error) => {
      if (!doomed) problems.push(`${action} in ${runtime.name}: ${error.message}`);
    });
    await pause(random() * 150);
    doomed = true;
    await child.kill();
  }
}

await Promise.all([
  again("openForEver", NAME),
  again("openForEver", NAME),
  again("openForEver", NAME),
  again("pruneForEver"),
  again("pruneForEver"),
]);
for (const problem of problems) console.log(problem);
// Whatever was left by the last kill, the next one opens it at once and it is whole.
const segment = Segment.openOrCreate(NAME, { bytes: 65536 * 2 });
const opened = segment.counter("opened").add(1);
if (!segment.heap.check().ok) problems.push("the heap is damaged");
segment.heap.allocate(100).free();
segment.unlink();
segment.close();
const left = Segment.prune().concat(Segment.list().map(({ name }) => name));
if (left.length > 0) problems.push(`left behind: ${left.join(", ")}`);
console.log(problems.length === 0 ? `${lives} lives, ${opened} opened at the end` : problems.join("\n"));
process.exit(problems.length === 0 ? 0 : 1);
