/** Whether the crash lane would notice a mistake in adopting, growing or shrinking: writes are dropped, one at a time. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BLOCK_HEADER_BYTES,
  BLOCK_NEXT_OFFSET,
  BLOCK_SIZE_OFFSET,
  HEADER_PAYLOAD_SIZE_OFFSET,
  HEADER_TOTAL_SIZE_OFFSET,
  JOURNAL_COUNT_OFFSET,
  PARTICIPANT_BYTES,
  PARTICIPANTS_OFFSET,
} from "../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../protocol/limits.js";
import type { CrashCase, CrashLane } from "../lib/crash.js";
import { testDeep } from "../lib/depth.js";
import { picture } from "../lib/hosts/heap.js";
import { createSegment, leaveSegment } from "../lib/hosts/segment.js";
import { call } from "../lib/script.js";
import { crashLane, SEGMENT_BYTES } from "../lib/shipped.js";
import { adoptCases, GROWN_BYTES } from "./cases/adopt.js";
import { FILLS, type Fill } from "./cases/ground.js";
import { prepareGrown, SHRINKING_BYTES, shrinkCases } from "./cases/shrink.js";

const JOURNAL = PARTICIPANTS_OFFSET + PARTICIPANTS_MIN * PARTICIPANT_BYTES;
const growing = crashLane(GROWN_BYTES);
const shrinking = crashLane(SHRINKING_BYTES);

/** Functions whose writes make an adoption: the exported one, and the one that ends growing. */
function adopting(): number[] {
  growing.play(1, createSegment(1));
  const last = growing.siteWriting(HEADER_TOTAL_SIZE_OFFSET, 1, call("adopt", GROWN_BYTES));
  const functions = new Set(["adopt", growing.arena.sites[last]?.func as string]);
  return growing.arena.sites.flatMap(({ writes, func }, site) =>
    writes && functions.has(func) ? [site] : [],
  );
}

/** Which of these sites can be dropped without a case noticing. */
function unnoticed(lane: CrashLane, sites: number[], cases: CrashCase[]): string[] {
  return sites.flatMap((site) => {
    lane.mutation = { site, how: "drop" };
    const noticed = cases.some((one) => lane.run(one).failure !== undefined);
    lane.mutation = undefined;
    return noticed
      ? []
      : [`${lane.arena.sites[site]?.name} in ${lane.arena.sites[site]?.func} (site ${site})`];
  });
}

testDeep("no write of adopting can be dropped without a case noticing", () => {
  const sites = adopting();
  assert.ok(sites.length >= 12, `${sites.length} writes`);
  assert.equal(unnoticed(growing, sites, adoptCases), []);
});

function prepareLeft(): { payload: number } {
  const ground = prepareGrown(shrinking, FILLS[0] as Fill);
  for (const id of [0, 1, 2]) shrinking.play(id, leaveSegment());
  return ground;
}

testDeep("no write that ends shrinking can be dropped without a case noticing", () => {
  const fence = SEGMENT_BYTES - BLOCK_HEADER_BYTES;
  const words = [HEADER_PAYLOAD_SIZE_OFFSET, JOURNAL + JOURNAL_COUNT_OFFSET, fence + BLOCK_SIZE_OFFSET];
  const sites = words.map((word) => {
    prepareLeft();
    return shrinking.siteWriting(word, 1, call("shrink"));
  });
  prepareLeft();
  sites.push(...shrinking.sitesWriting(HEADER_TOTAL_SIZE_OFFSET, 1, call("shrink")));
  assert.is(sites.length, 6);
  assert.equal(unnoticed(shrinking, sites, shrinkCases), []);
});

test("a heap with a damaged end does not shrink", () => {
  const { payload } = prepareLeft();
  const last = Number(picture(shrinking.view, payload).split("\n").at(-1)?.split(" ")[0]);
  shrinking.view.setUint32(last + BLOCK_NEXT_OFFSET, 12_345, true);
  const before = picture(shrinking.view, payload);
  assert.is(shrinking.play(1, call("shrink")), SHRINKING_BYTES);
  assert.is(shrinking.view.getBigUint64(HEADER_TOTAL_SIZE_OFFSET, true), BigInt(SHRINKING_BYTES));
  shrinking.play(2, call("adopt", SHRINKING_BYTES));
  assert.is(picture(shrinking.view, payload), before);
});

test.run();
