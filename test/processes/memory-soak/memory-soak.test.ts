// deep: kills at random, for a while
// watchdog: 480 s
/** Some of `npm run soak:memory`, half a minute; longer where runtimes do not start fast enough for a kill every 100 ms. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { PARTICIPANTS_MIN } from "../../../protocol/limits.js";
import { printedSeed } from "../../lib/series.js";
import { soak } from "./memory-soak.js";

const SECONDS = 30;
const KILLS = SECONDS * 10;

test("processes that are killed at random lose no money, no block and no lock", async () => {
  const report = await soak(SECONDS, printedSeed());
  console.log(JSON.stringify(report));
  assert.equal(report.problems, []);
  assert.is(report.kills, KILLS, "no kill was left out");
  assert.ok(
    report.foundDead >= KILLS - PARTICIPANTS_MIN && report.foundDead <= KILLS,
    "kills hit participants",
  );
  assert.ok(report.transfers > KILLS);
});

test.run();
