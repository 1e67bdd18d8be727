// watchdog: 900 s
/** How much do the lanes of the core notice when a read-modify-write is none? "npm run test:mutants". */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { partNoticed } from "./mutants.js";

/**
 * Where only the owner of a word writes it, which most compare-exchanges guard against eviction, a split has no consequence: the
 * release of a shard of a cache is one, and the compiler has put it into seven functions. Nor has it where others correct a
 * position that was moved back: the head and the tail of a queue.
 */
const NOTICED_MIN = 0.25;

test("of the read-modify-writes of the core, most cannot be split without a lane noticing", () => {
  assert.ok(partNoticed("split", ["rmw", "cmpxchg"]) >= NOTICED_MIN);
});

test.run();
