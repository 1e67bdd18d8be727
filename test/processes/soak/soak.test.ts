// deep: kills at random, for a while
import { test } from "uvu";
import * as assert from "uvu/assert";
import { printedSeed } from "../../lib/series.js";
import { soak } from "./soak.js";

const SECONDS = 10;
const LEAST = { strikes: 6, records: 1001 };

test("no committed record is lost, torn or out of order when either side is killed or stopped at any moment", async () => {
  const report = await soak(SECONDS, printedSeed(), LEAST);
  console.log(JSON.stringify(report));
  assert.equal(report.problems, []);
  assert.ok(report.records > 1000, JSON.stringify(report));
});

test.run();
