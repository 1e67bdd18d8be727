// watchdog: 240 s
/** Between any two calls of the shim another process may act: nobody loses a name that is not his, and all share one segment. */
import { readdirSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { someOf } from "../../lib/depth.js";
import { Agent } from "../../lib/processes.js";
import { node } from "../../lib/runtimes.js";
import { onlyLinux, unless } from "../../lib/skips.js";
import * as files from "../file-kills/file-steps.js";
import { VICTIMS } from "./host-steps.js";
import { planted, plantedInFiles } from "./host-steps-actions.js";

interface Played {
  problems: string[];
  plays: number;
}

const ACTIONS = "processes/host-steps/host-steps-actions.ts";

/** Names whose inodes are looked at, and that exist without an opener. */
const onFiles = unless(onlyLinux("segments that are files"), test);

for (const victim of someOf(VICTIMS, 3)) {
  onFiles(`another process acts between any two steps of ${victim}`, async () => {
    const agent = await Agent.start(node, ACTIONS);
    const { problems, plays } = await agent.call<Played>("playVictim", victim);
    assert.equal(problems, []);
    assert.ok(plays > 10, `${plays} plays`);
    const staged = readdirSync("/dev/shm").filter((file) => file.startsWith(`.isthmus.${agent.pid}.`));
    assert.equal(staged, []);
    await agent.end();
  });
}

onFiles("the lane notices bugs", async () => {
  const agent = await Agent.start(node, ACTIONS);
  for (const what of someOf(Object.keys(planted)))
    assert.not.equal(await agent.call("playPlanted", what), [], what);
  await agent.end();
});

for (const victim of someOf(files.VICTIMS, 3)) {
  test(`another process acts between any two steps of ${victim}, done with a file`, async () => {
    const agent = await Agent.start(node, ACTIONS);
    const { problems, plays } = await agent.call<Played>("playVictimInFile", victim);
    assert.equal(problems, []);
    assert.ok(plays >= files.INTRUDERS.length, `${plays} plays`);
    await agent.end();
  });
}

for (const what of someOf(Object.keys(plantedInFiles))) {
  test(`the lane notices: ${what}`, async () => {
    const agent = await Agent.start(node, ACTIONS);
    // Whoever touches what was truncated is killed: that is noticed as well.
    const problems = await agent.call<string[]>("playPlantedInFile", what).catch(String);
    assert.not.equal(problems, []);
    await agent.kill();
  });
}

test.run();
