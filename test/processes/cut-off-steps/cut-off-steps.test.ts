// watchdog: 400 s
/** A call that is cut off in front of any call of the shim leaves nothing open or locked, and a second try works. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { someOf } from "../../lib/depth.js";
import { Agent } from "../../lib/processes.js";
import { node } from "../../lib/runtimes.js";
import { scenes as calls } from "./cut-off-calls.js";
import { scenes } from "./cut-off-steps.js";

interface Played {
  problems: string[];
  plays: number;
}

const WAYS = someOf(["stopped", "full"] as const);

/** The process in which calls are cut off, one for all scenes of a way: what one leaves is in the way of the next. */
let agent: Agent | undefined;
let playsFor = "";

async function playing(actions: string, way: string): Promise<Agent> {
  if (agent && playsFor === actions + way) return agent;
  await agent?.end();
  agent = await Agent.start(node, `processes/cut-off-steps/${actions}.ts`);
  playsFor = actions + way;
  return agent;
}

for (const way of WAYS) {
  for (const [kind, scene] of someOf(scenes, 2)) {
    test(`${way} in front of any step: ${kind}, ${scene}`, async () => {
      const { problems, plays } = await (await playing("cut-off-steps", way)).call<Played>(
        "playScene",
        kind,
        scene,
        way,
      );
      assert.equal(problems, []);
      assert.ok(plays >= 6, `${plays} plays`);
    });
  }
}

for (const way of WAYS) {
  for (const what of someOf(Object.keys(calls), 2)) {
    test(`${way} before or after any call of the core, what was given back is free: ${what}`, async () => {
      const { problems, plays } = await (await playing("cut-off-calls", way)).call<Played>(
        "playCalls",
        what,
        way,
      );
      assert.equal(problems, []);
      assert.ok(plays >= 2, `${plays} plays`);
    });
  }
}

test.after(() => agent?.end());

test.run();
