import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Got, settle } from "./accounting.js";

const rules = { batch: 2, redeliveredMax: 3 };
const run = (epoch: number, from: number, to: number): Got[] =>
  Array.from({ length: to - from }, (_, i) => ({ epoch, number: from + i }));

test("a whole stream has no problems, with redelivery after a death and records beyond the ledger", () => {
  const logs = [run(0, 0, 5), [...run(0, 3, 8), ...run(1, 0, 2)], [...run(1, 1, 4)]];
  assert.equal(settle([7, 4], logs, rules), { records: 12, redelivered: 3, problems: [] });
  assert.equal(settle([0, 0, 1], [[], run(2, 0, 1)], rules).problems, []);
});

/** Each has one thing wrong. */
const planted: [what: string, committed: number[], logs: Got[][]][] = [
  ["a lost record", [5], [[...run(0, 0, 2), ...run(0, 3, 5)]]],
  ["a lost end", [5], [run(0, 0, 4)]],
  ["a lost start", [5], [run(0, 1, 5)]],
  ["a record that was never sent", [2], [run(0, 0, 5)]],
  ["a record twice within one life", [5], [[...run(0, 0, 3), ...run(0, 2, 5)]]],
  ["too much again", [9], [run(0, 0, 8), run(0, 3, 9)]],
  ["a hole in what came again", [6], [run(0, 0, 5), [...run(0, 3, 4), ...run(0, 5, 6)]]],
  ["an earlier producer's record", [2, 2], [[...run(1, 0, 2), ...run(0, 0, 2)]]],
  ["a loss between two lives", [6], [run(0, 0, 3), run(0, 4, 6)]],
];

for (const [what, committed, logs] of planted) {
  test(`${what} is noticed`, () => {
    assert.not.equal(settle(committed, logs, rules).problems, []);
  });
}

test.run();
