// watchdog: 240 s
/** Half a minute of `npm run soak:memory`. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { printedSeed } from "../lib/series.js";
import { soak } from "./memory-soak.js";

const SECONDS = 30;

test("processes that are killed at random lose no money, no block and no lock", async () => {
  const report = await soak(SECONDS, printedSeed());
  console.log(`${report.kills} kills, ${report.turns} turns, ${report.transfers} transfers`);
  assert.equal(report.problems, []);
  assert.ok(report.kills > 0 && report.transfers > report.kills);
});

test.run();
