// watchdog: 400 s
/** A call that is cut off in front of any call of the shim leaves nothing open or locked, and a second try works. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../../lib/processes.js";
import { node } from "../../lib/runtimes.js";
import { scenes as calls } from "./cut-off-calls.js";
import { scenes } from "./cut-off-steps.js";

for (const way of ["stopped", "full"] as const) {
  test(`${way} in front of any step`, async () => {
    const agent = await Agent.start(node, "processes/cut-off-steps/cut-off-steps.ts");
    for (const [kind, scene] of scenes) {
      const { problems, plays } = await agent.call<{ problems: string[]; plays: number }>(
        "playScene",
        kind,
        scene,
        way,
      );
      assert.equal(problems, []);
      assert.ok(plays >= 6, `${scene}: ${plays} plays`);
    }
    await agent.end();
  });
}

for (const way of ["stopped", "full"] as const) {
  test(`${way} before or after any call of the core, what was given back is free`, async () => {
    const agent = await Agent.start(node, "processes/cut-off-steps/cut-off-calls.ts");
    for (const what of Object.keys(calls)) {
      const { problems, plays } = await agent.call<{ problems: string[]; plays: number }>(
        "playCalls",
        what,
        way,
      );
      assert.equal(problems, []);
      assert.ok(plays >= 2, `${what}: ${plays} plays`);
    }
    await agent.end();
  });
}

test.run();
