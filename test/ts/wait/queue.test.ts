import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Queue, type QueueEntry } from "../../../ts/wait/queue.js";

test("a queue does what an array does: push, shift, first, length, removal from any position", () => {
  const operation = fc.oneof(
    fc.constant({ kind: "push" as const }),
    fc.constant({ kind: "shift" as const }),
    fc.record({ kind: fc.constant("remove" as const), at: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const queue = new Queue<number>();
      const model: QueueEntry<number>[] = [];
      let next = 0;
      for (const one of operations) {
        if (one.kind === "push") model.push(queue.push(next++));
        else if (one.kind === "shift") assert.is(queue.shift(), model.shift()?.value);
        else if (model.length > 0) {
          const [entry] = model.splice(one.at % model.length, 1);
          assert.is(queue.remove(entry), true);
          assert.is(queue.remove(entry), false, "an entry leaves once");
        }
        assert.is(queue.length, model.length);
        assert.is(queue.first, model[0]?.value);
        assert.equal(
          [...queue],
          model.map((entry) => entry.value),
        );
      }
    }),
  );
});

test("an entry of another queue is not removed", () => {
  const one = new Queue<string>();
  const other = new Queue<string>();
  const entry = one.push("a");
  other.push("b");
  assert.is(other.remove(entry), false);
  assert.is(one.length, 1);
  assert.is(other.length, 1);
});

test("while a queue is walked the value at hand may leave, and values may join", () => {
  const queue = new Queue<number>();
  const entries = [1, 2, 3].map((value) => queue.push(value));
  const seen: number[] = [];
  for (const value of queue) {
    seen.push(value);
    if (value === 2) queue.remove(entries[1] as QueueEntry<number>);
    if (value === 3) queue.push(4);
  }
  assert.equal(seen, [1, 2, 3, 4]);
  assert.equal([...queue], [1, 3, 4]);
});

test.run();
