// deep: longer courses of what crash.test.ts tries
// watchdog: 600 s
/**
 * The crash lane over the calls of the hosted core, which wait, mark the dead and wake inside of one call: each dies before each
 * of its writes, also while others act during its sleep; and is cut off there.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  LOCK_WORD_OFFSET,
  OBJECT_LOCK,
  PARTICIPANT_BYTES,
  PARTICIPANT_WORD_OFFSET,
  PARTICIPANTS_OFFSET,
} from "../../protocol/layout.js";
import type { CrashCase, CrashLane } from "../lib/crash.js";
import { HostedLock, hostedOpen } from "../lib/hosts/hosted.js";
import type { Site } from "../lib/instrument.js";
import { findSite, type Mutation } from "../lib/mutation.js";
import { PlayedSystem } from "../lib/played-system.js";
import { sha256 } from "../lib/shape.js";
import { hostedCrashLane, shippedCore } from "../lib/shipped.js";
import { FILLS, type Fill, populate, SLOTS } from "./cases/ground.js";
import { hostedRingCases } from "./cases/hosted-ring.js";
import { hostedSyncCases } from "./cases/hosted-sync.js";

const cases = [...hostedRingCases, ...hostedSyncCases];
const lane = hostedCrashLane(new PlayedSystem());
let points = 0;

test("the core that is tested is the one that ships", () => {
  assert.is(lane.source, sha256(shippedCore("core-hosted.wasm")));
});

for (const one of cases) {
  test(`a death at any write of a call is survived: ${one.name}`, () => {
    const outcome = lane.run(one);
    points += outcome.points;
    assert.is(outcome.failure, undefined, outcome.failure);
    assert.ok(outcome.points > 1);
  });
  if (!one.livesOn) continue;
  test(`a call that is cut off at any write leaves nothing: ${one.name}`, () => {
    const outcome = lane.runCutOff(one);
    points += outcome.points;
    assert.is(outcome.failure, undefined, outcome.failure);
    assert.ok(outcome.points > 1);
  });
}

test("they died at most writes of the hosted calls", () => {
  const of = (sites: Site[]): number[] =>
    sites.flatMap(({ func, writes }, site) => (writes && func.startsWith("hosted") ? [site] : []));
  const all = of(lane.arena.sites);
  const missed = all.filter((site) => lane.killed[site] === 0).map((site) => lane.arena.describe(site, 0));
  console.log(
    `${points} points, killed at ${all.length - missed.length} of ${all.length} writes in hosted calls`,
  );
  // Cases in `core/hosted` reach the rest: entering and leaving, and what only damaged words lead to.
  assert.equal(
    missed.filter(
      (site) =>
        !/ hosted(Leave|Enter|CounterAdd|RingPublish|LatestPeek|LatestBegin|SetLayout|Notify) /.test(site),
    ),
    [],
  );
});

const site =
  (func: string, name: string, nth = 0) =>
  (lane: CrashLane): number =>
    findSite(lane.arena.sites, { func, name, nth });

/** The store that says that a participant is dead, where a call of the hosted core finds that out. */
function markingDead(lane: CrashLane): number {
  lane.system?.begin(SLOTS);
  populate(lane, FILLS[0] as Fill);
  const lock = lane.play(1, hostedOpen(OBJECT_LOCK, "lock"));
  lane.play(2, new HostedLock(lock).acquire("exclusive", 0));
  lane.system?.begin(SLOTS.slice(0, 2));
  const word = PARTICIPANTS_OFFSET + SLOTS[2] * PARTICIPANT_BYTES + PARTICIPANT_WORD_OFFSET;
  return lane.siteWriting(word, 1, new HostedLock(lock).acquire("exclusive", 1000));
}

/** The store that takes a claim back when the time is over. */
function takingBack(lane: CrashLane): number {
  lane.system?.begin(SLOTS);
  populate(lane, FILLS[0] as Fill);
  const lock = lane.play(1, hostedOpen(OBJECT_LOCK, "lock"));
  lane.play(2, new HostedLock(lock).acquire("shared", 0));
  return lane.siteWriting(lock + LOCK_WORD_OFFSET, 1, new HostedLock(lock).acquire("exclusive", 10));
}

interface Planted {
  bug: string;
  site(lane: CrashLane): number;
  how: Mutation["how"];
  /** The case that must fail. */
  noticedBy: string;
}

const PLANTED: Planted[] = [
  {
    bug: "a record is not published",
    site: site("hostedRingCommit", "i64.atomic.store"),
    how: "drop",
    noticedBy: "hosted, send, waiting, fresh memory",
  },
  {
    bug: "a record is published before its header",
    site: site("hostedRingCommit", "i64.store"),
    how: "late",
    noticedBy: "hosted, send, waiting, stale memory",
  },
  {
    bug: "the end of a stream is not noted as told",
    site: site("ringEnd", "i64.atomic.store"),
    how: "drop",
    noticedBy: "hosted, receive, waiting, fresh memory",
  },
  {
    bug: "the dead are not marked dead",
    site: markingDead,
    how: "drop",
    noticedBy: "hosted, lock, exclusive, past a dead holder",
  },
  {
    bug: "a claim that was given up stays",
    site: takingBack,
    how: "drop",
    noticedBy: "hosted, lock, exclusive, waiting in vain",
  },
  {
    bug: "a lock is not given back when the host has none left",
    site: site("lockReleaseExclusive", "i64.atomic.rmw.cmpxchg"),
    how: "drop",
    noticedBy: "hosted, lock, exclusive",
  },
  {
    bug: "a value is not made the newest",
    site: site("latestCommit", "i64.atomic.store", 1),
    how: "drop",
    noticedBy: "hosted, latest, 512 bytes, another writer: none",
  },
  {
    bug: "the writer's word is not given back",
    site: site("latestCommit", "i64.atomic.rmw.cmpxchg"),
    how: "drop",
    noticedBy: "hosted, latest, 16 bytes, another writer: none",
  },
  {
    bug: "what is taken from a semaphore stays there",
    site: site("semaphoreTry", "i32.atomic.rmw.cmpxchg"),
    how: "drop",
    noticedBy: "hosted, semaphore, waiting for several",
  },
  {
    bug: "a transaction notes nothing",
    site: site("transactionNote", "i32.store", -1),
    how: "drop",
    noticedBy: "hosted, transaction and blocks, the write lock is free",
  },
];

/** What goes wrong, be it in the preparations. */
function failureOf(one: CrashCase): string | undefined {
  try {
    return lane.run(one).failure ?? (one.livesOn && lane.runCutOff(one).failure);
  } catch (error) {
    return (error as Error).message;
  }
}

for (const { bug, site, how, noticedBy } of PLANTED) {
  test(`noticed: ${bug}`, () => {
    const one = cases.find(({ name }) => name === noticedBy);
    if (!one) throw new Error(`there is no case "${noticedBy}"`);
    lane.mutation = { site: site(lane), how };
    const failure = failureOf(one);
    lane.mutation = undefined;
    assert.type(failure, "string");
  });
}

test.run();
