/** Whether the crash lane would notice a mistake in adopting a file: each of its writes is dropped, one at a time. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HEADER_TOTAL_SIZE_OFFSET } from "../../protocol/layout.js";
import { createSegment } from "../lib/hosts/segment.js";
import { call } from "../lib/script.js";
import { crashLane } from "../lib/shipped.js";
import { adoptCases, GROWN_BYTES } from "./cases/adopt.js";

const lane = crashLane(GROWN_BYTES);

/** Functions whose writes make an adoption: the exported one, and the one that ends growing. */
function functions(): Set<string> {
  lane.play(1, createSegment(1));
  const last = lane.siteWriting(HEADER_TOTAL_SIZE_OFFSET, 1, call("adopt", GROWN_BYTES));
  return new Set(["adopt", lane.arena.sites[last]?.func as string]);
}

test("no write of adopting can be dropped without a case noticing", () => {
  const meant = functions();
  const unnoticed: string[] = [];
  let tried = 0;
  for (const [site, { writes, func, name }] of lane.arena.sites.entries()) {
    if (!writes || !meant.has(func)) continue;
    tried++;
    lane.mutation = { site, how: "drop" };
    if (!adoptCases.some((one) => lane.run(one).failure !== undefined)) unnoticed.push(`${name} in ${func}`);
    lane.mutation = undefined;
  }
  assert.ok(tried >= 12, `${tried} writes`);
  assert.equal(unnoticed, []);
});

test.run();
