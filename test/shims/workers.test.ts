/** The end of environments, and that nothing of ours outlives them: descriptors, locks, threads, mappings. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../lib/processes.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";
import { isDarwin } from "../lib/skips.js";
import { until } from "../lib/watchdog.js";
import { mapped, native, open } from "./objects.js";
import { holds } from "./resources.js";

const NOTHING = { descriptors: 0, threads: 0, mappings: 0 };

/**
 * Deno does not terminate a worker that never returns to its event loop, whatever it does there; so in Deno nobody can
 * terminate one that sleeps.
 */
const modesIn = (runtime: string): string[] =>
  runtime === "deno" ? ["idle", "rung"] : ["idle", "rung", "asleep"];

const ROUNDS = 6;

for (const runtime of presentRuntimes()) {
  test(`${runtime.name}: a terminated worker lets go of everything`, async () => {
    const name = segmentName();
    const { object } = mapped(open(name));
    const agent = await Agent.start(runtime, "shims/actions.ts");
    for (let round = 0; round < ROUNDS; round++) {
      for (const mode of modesIn(runtime.name)) {
        await agent.call("terminateWorker", name, mode);
        await until(`the ${mode} worker's lock to be dropped`, () => !native.held(object, 1, false));
        await holds(agent, NOTHING);
      }
    }
    await agent.end();
    native.close(object);
  });

  test(`${runtime.name}: a process that ends with workers at work drops their locks`, async () => {
    const name = segmentName();
    const { object, bytes } = mapped(open(name));
    bytes[100] = 5;
    const agent = await Agent.start(runtime, "shims/actions.ts");
    await agent.call("startWorker", name, "rung");
    assert.ok(native.held(object, 1, false));
    await agent.end();
    assert.is((await agent.ended).signal, null, agent.stderr);
    assert.not(native.held(object, 1, false));
    assert.is(bytes[100], 5);
    native.close(object);
  });

  test(`${runtime.name}: two hundred times open, map, watch, hand out and close leave nothing`, async () => {
    const agent = await Agent.start(runtime, "shims/actions.ts");
    await agent.call("cycle", segmentName(), 200);
    await holds(agent, NOTHING);
    await agent.call("attach", segmentName());
    await holds(agent, { descriptors: isDarwin ? 2 : 1, threads: 0, mappings: 1 });
    await agent.end();
  });
}

test.run();
