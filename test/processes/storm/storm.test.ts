// only: linux, Windows has no signals that interrupt
/** Signals that come faster than a system call can be made neither end nor shorten what blocks. */
import { join } from "node:path";
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent, start } from "../../lib/processes.js";
import { node } from "../../lib/runtimes.js";
import { segmentName, temporaryDirectory } from "../../lib/segments.js";

const ACTIONS = "processes/storm/storm-actions.ts";
/** Sent by a shell of its own, as fast as it can. */
const RAIN = 'while kill -s "$1" "$2"; do :; done';

/** Runs with a storm of that signal over a new process. */
async function inStorm(signal: string, run: (agent: Agent) => Promise<void>): Promise<void> {
  const agent = await Agent.start(node, ACTIONS);
  await agent.call("listen", signal);
  const rain = start("sh", ["-c", RAIN, "sh", signal.slice(3), String(agent.pid)], { stdio: "ignore" });
  try {
    await run(agent);
    assert.ok((await agent.call<number>("signals")) > 0, "no signal came");
  } finally {
    rain.kill("SIGKILL");
    await agent.kill();
  }
}

for (const signal of ["SIGWINCH", "SIGALRM", "SIGCHLD"]) {
  test(`${signal}: memory and files are had all the same`, () =>
    inStorm(signal, async (agent) => {
      const name = segmentName("storm");
      assert.is(await agent.call("create", name, 256 * MiB, 2), 256 * MiB);
      assert.is(await agent.call("useFile", join(temporaryDirectory(), "file"), 20), 20);
    }));

  test(`${signal}: waits end with what they wait for, and time out no sooner than asked for`, () =>
    inStorm(signal, async (agent) => {
      using segment = Segment.create(segmentName("storm"), { bytes: MiB });
      await agent.call("consume", segment.name);
      const producer = segment.ring("ring", { bytes: 4 * KiB }).producer();
      for (let i = 0; i < 20; i++) {
        const received = agent.call("receive", 40_000);
        producer.sendSync(Uint8Array.of(i));
        assert.is(await received, i);
      }
      assert.ok((await agent.call<number>("timeOut", 300)) >= 299);
      segment.unlink();
    }));
}

test.run();
