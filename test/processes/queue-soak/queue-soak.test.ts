// deep: kills at random, for a while
import type { QueueStats } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { printedSeed } from "../../lib/series.js";
import { problemsOf, soakQueue } from "./queue-soak.js";
import { GIVEN_BACK, LIFE } from "./queue-soak-actions.js";

const SECONDS = 8;
/** Kills of producers, kills of consumers, and stops, at least. */
const STRIKES_MIN = 2;

test("every message is accounted for when producers and consumers are killed and stopped at any moment", async () => {
  const report = await soakQueue(SECONDS, printedSeed(), STRIKES_MIN);
  console.log(JSON.stringify(report));
  assert.equal(report.problems, []);
  const { again, drop } = report;
  assert.ok((again?.sent ?? 0) > 500 && (drop?.sent ?? 0) > 500, JSON.stringify(report));
});

const stats = (given: Partial<QueueStats>): QueueStats => ({
  ...{ sent: 3, received: 3, queued: 0, taken: 0, redelivered: 0, dropped: 0, unsent: 0, capacity: 50 },
  holders: [],
  ...given,
});

test("noticed: a message that is lost, that comes twice, that nobody sent, and counts that do not fit", () => {
  const ledger = { sent: [2, 1], logs: [[0, LIFE]], rest: [1] };
  const kills = { produce: 1, consume: 1 };
  const problems = (key: "again" | "drop", counts: Partial<QueueStats>, changed: object): number =>
    problemsOf(key, stats(counts), { ...ledger, ...changed }, kills).length;
  for (const key of ["again", "drop"] as const) {
    assert.is(problems(key, {}, {}), 0);
    assert.ok(problems(key, {}, { rest: [] }) > 0, "one is lost");
    assert.ok(problems(key, {}, { rest: [1, 1] }) > 0, "one comes twice");
    assert.ok(problems(key, { sent: 4, received: 4 }, { rest: [1, 2 * LIFE] }) > 0, "nobody sent it");
    assert.ok(problems(key, { received: 2 }, {}) > 0, "one is not counted");
    assert.ok(problems(key, { unsent: 2 }, {}) > 0, "too many are not sent");
  }
  assert.is(problems("again", { redelivered: 1 }, { rest: [1, 1] }), 0);
  assert.is(problems("again", {}, { logs: [[0, GIVEN_BACK, 0, LIFE]] }), 0);
  assert.is(problems("drop", { received: 2, dropped: 1 }, { rest: [] }), 0);
});

test.run();
