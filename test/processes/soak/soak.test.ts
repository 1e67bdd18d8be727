// deep: kills at random, for a while
import { test } from "uvu";
import * as assert from "uvu/assert";
import { printedSeed } from "../../lib/series.js";
import { soak } from "./soak.js";

const SECONDS = 10;

test("no committed record is lost, torn or out of order when either side is killed or stopped at any moment", async () => {
  const report = await soak(SECONDS, printedSeed());
  console.log(JSON.stringify(report));
  assert.equal(report.problems, []);
  assert.ok(report.kills > 5 && report.stops > 5 && report.records > 1000, JSON.stringify(report));
});

test.run();
