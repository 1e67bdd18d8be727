// deep: bugs of the core that the lane beside it notices
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CrashCase, CrashLane } from "../lib/crash.js";
import type { Mutation } from "../lib/mutation.js";
import { call, write } from "../lib/script.js";
import { crashLane } from "../lib/shipped.js";
import { crashCases } from "./cases/all.js";
import * as broadcast from "./planted-broadcast.js";
import * as cache from "./planted-cache.js";
import * as memory from "./planted-memory.js";
import * as queue from "./planted-queue.js";
import * as service from "./planted-service.js";
import * as sites from "./planted-sites.js";
import * as values from "./planted-values.js";

const lane = crashLane();

function caseOf(name: string): CrashCase {
  const found = crashCases.find((one) => one.name === name);
  if (!found) throw new Error(`there is no case "${name}"`);
  return found;
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
    bug: "the sequence of a dictionary stays odd",
    site: values.sequenceEven,
    how: "drop",
    noticedBy: "values, set a number",
  },
  {
    bug: "a handle is not counted",
    site: values.countOfHandle,
    how: "drop",
    noticedBy: "values, take a reference",
  },
  {
    bug: "an item is not counted",
    site: values.countOfItem,
    how: "drop",
    noticedBy: "values, set a value",
  },
  {
    bug: "a value to which nobody refers is not in the list of those that are to be freed",
    site: values.unusedFirst,
    how: "drop",
    noticedBy: "values, replace a list by a number",
  },
  {
    bug: "a message that refers to a value is not counted",
    site: values.countOfMessage,
    how: "drop",
    noticedBy: "references in a queue, share, the first",
  },
  {
    bug: "a message that is done still refers to its value",
    site: values.messageEnds,
    how: "drop",
    noticedBy: "references in a queue, take and finish",
  },
  {
    bug: "what one writes into a slot is taken for the reference that it had before",
    site: values.claimedLength,
    how: "drop",
    noticedBy: "references in a queue, settle what one has left that wrote bytes where a reference was",
  },
  {
    bug: "a message is not put into the list",
    site: queue.queueCell,
    how: "drop",
    noticedBy: "queue: send, fresh memory",
  },
  {
    bug: "a message is in the list before its length",
    site: queue.messageLength,
    how: "late",
    noticedBy: "queue: send in a later lap, fresh memory",
  },
  {
    bug: "a participant owns slots and is no member",
    site: queue.queueMember,
    how: "drop",
    noticedBy: "queue: take, fresh memory",
  },
  {
    bug: "a message is taken and stays in its list",
    site: queue.messageTaken,
    how: "drop",
    noticedBy: "queue: take and finish, fresh memory",
  },
  {
    bug: "a slot is free and has no bit",
    site: queue.slotFree,
    how: "drop",
    noticedBy: "queue: take and finish, fresh memory",
  },
  {
    bug: "a message is given back under its old use",
    site: queue.messageReturning,
    how: "drop",
    noticedBy: "queue: take and give back, fresh memory",
  },
  {
    bug: "a call does not say who made it",
    site: service.caller,
    how: "drop",
    noticedBy: "service: take and answer, the caller waits, fresh memory",
  },
  {
    bug: "a call is answered before the length of the response is there",
    site: service.responseLength,
    how: "late",
    noticedBy: "service: take and answer, the caller waits, fresh memory",
  },
  {
    bug: "a call is not answered",
    site: service.callAnswered,
    how: "drop",
    noticedBy: "service: take and answer, the caller waits, fresh memory",
  },
  {
    bug: "bytes that are overwritten are not said to be",
    site: broadcast.intent,
    how: "drop",
    noticedBy: "broadcast: publish over old records, fresh memory",
  },
  {
    bug: "a record that is overwritten stays the oldest one",
    site: broadcast.oldest,
    how: "drop",
    noticedBy: "broadcast: publish over old records, fresh memory",
  },
  {
    bug: "a record of a broadcast is published before its kind",
    site: broadcast.topicKind,
    how: "late",
    noticedBy: "broadcast: publish, fresh memory",
  },
  {
    bug: "a record of a broadcast has no number",
    site: broadcast.topicNumber,
    how: "drop",
    noticedBy: "broadcast: publish, fresh memory",
  },
  {
    bug: "a record of a broadcast is not published",
    site: broadcast.topicTail,
    how: "drop",
    noticedBy: "broadcast: publish, the first, fresh memory",
  },
  {
    bug: "a publisher that closes keeps its end",
    site: broadcast.publisherClosed,
    how: "drop",
    noticedBy: "broadcast: publish, the first, fresh memory",
  },
  {
    bug: "the lock of a shard is not taken",
    site: cache.shardTaken,
    how: "drop",
    noticedBy: "cache: set again, fresh memory",
  },
  {
    bug: "a shard stays locked",
    site: cache.shardReleased,
    how: "drop",
    noticedBy: "cache: set again, fresh memory",
  },
  {
    bug: "a value is set before its entry belongs to the log",
    site: cache.logTail,
    how: "late",
    noticedBy: "cache: set, the first, fresh memory",
  },
  {
    bug: "an entry that is overwritten stays the oldest one",
    site: cache.logOldest,
    how: "drop",
    noticedBy: "cache: set behind padding, fresh memory",
  },
  {
    bug: "a value is not set",
    site: cache.valueSet,
    how: "drop",
    noticedBy: "cache: set again, fresh memory",
  },
  {
    bug: "a new entry is not counted",
    site: cache.entryCounted,
    how: "drop",
    noticedBy: "cache: set, the first, fresh memory",
  },
  {
    bug: "entries are not counted anew after a writer has died",
    site: cache.entriesRecounted,
    how: "drop",
    noticedBy: "cache: set, the first, fresh memory",
  },
  {
    bug: "who computes a value does not say so",
    site: cache.computedBy,
    how: "drop",
    noticedBy: "cache: compute, fresh memory",
  },
  {
    bug: "who waits for the write lock gets no turn",
    site: memory.turnGiven,
    how: "drop",
    noticedBy: "turn, one waits",
  },
  {
    bug: "a turn that was used stands",
    site: memory.turnUsed,
    how: "drop",
    noticedBy: "turn, it is our turn, and the set is known to be empty",
  },
  {
    bug: "a record is published before its header",
    site: sites.recordHeader,
    how: "late",
    noticedBy: "send behind another, stale memory",
  },
  {
    bug: "a slab is published before its headers",
    site: sites.spreadHeader,
    how: "late",
    noticedBy: "send packed, stale memory",
  },
  {
    bug: "a record is not published",
    site: sites.ringHead,
    how: "drop",
    noticedBy: "send when full, fresh memory",
  },
  {
    bug: "records that are held back are not counted, so a stretch is too long",
    site: sites.ringReceived,
    how: "drop",
    noticedBy: "receive a stretch behind 40 that are held back, fresh memory",
  },
  {
    bug: "an object is published before its entry",
    site: sites.entryObject,
    how: "late",
    noticedBy: "insert ring wanted, empty directory, fresh memory",
  },
  {
    bug: "a segment is READY before its size is written",
    site: sites.totalSize,
    how: "late",
    noticedBy: "create, fresh memory",
  },
  {
    bug: "a value is current before its bytes",
    site: sites.smallValue,
    how: "late",
    noticedBy: "latest, 16 bytes: write, fresh memory",
  },
  {
    bug: "the dead are not marked dead",
    site: sites.burial,
    how: "drop",
    noticedBy: "ends, attach after a death, fresh memory",
  },
  {
    bug: "the journal has no old values",
    site: memory.oldValue,
    how: "drop",
    noticedBy: "heap, free with free neighbours on both sides",
  },
  {
    bug: "rolling back restores nothing",
    site: memory.restoring,
    how: "drop",
    noticedBy: "heap, allocate a part of a free block",
  },
  {
    bug: "an entry that a dead one has committed is not published",
    site: memory.publishedByAnother,
    how: "drop",
    noticedBy: "heap, insert an object",
  },
  {
    bug: "a commit leaves the journal as it is",
    site: memory.commit,
    how: "drop",
    noticedBy: "heap, transaction, write, commit",
  },
  {
    bug: "bytes of a word that a transaction wrote are not restored",
    site: memory.restoringByte,
    how: "drop",
    noticedBy: "heap, bytes beside those that others write, abort",
  },
  {
    bug: "the journal is not rolled back for who takes the lock of a dead one's transaction",
    site: memory.restoring,
    how: "drop",
    noticedBy: "transaction with a lock taken for it, then shared",
  },
  {
    bug: "who holds a lock does not say so",
    site: memory.held,
    how: "drop",
    noticedBy: "lock, exclusive after it was held shared",
  },
];

/** What goes wrong, be it in the preparations. */
function failureOf(one: CrashCase): string | undefined {
  try {
    return lane.run(one).failure;
  } catch (error) {
    return (error as Error).message;
  }
}

for (const { bug, site, how, noticedBy } of PLANTED) {
  test(`noticed: ${bug}`, () => {
    lane.mutation = undefined;
    const planted = site(lane);
    assert.is(lane.run(caseOf(noticedBy)).failure, undefined, "without the bug");
    lane.mutation = { site: planted, how };
    const failure = failureOf(caseOf(noticedBy));
    lane.mutation = undefined;
    assert.type(failure, "string");
  });
}

test("noticed in a creation that is cut off and begun again: a segment is READY before its size is written", () => {
  const one = caseOf("create, or be cut off and begin again, fresh memory");
  const planted = sites.totalSize(lane);
  lane.mutation = { site: planted, how: "late" };
  let failure: string | undefined;
  try {
    failure = lane.runCutOff(one).failure;
  } catch (error) {
    failure = (error as Error).message;
  }
  lane.mutation = undefined;
  assert.type(failure, "string");
});

test("noticed: an invariant that does not hold, and at which write it broke", () => {
  const one = caseOf("send into an empty ring, fresh memory");
  const broken: CrashCase = {
    ...one,
    *goOn(lane, by, dead, finished) {
      yield* one.goOn(lane, by, dead, finished);
      yield* write(0, new Uint8Array(1)); // the survivor destroys the magic
      assert.is(yield* call("validate", lane.arena.segment.length, 0), 0);
    },
  };
  assert.match(
    lane.run(broken).failure ?? "",
    /^send into an empty ring, fresh memory: dies before the host's write/,
  );
});

test("noticed: a survivor that is waited for, for ever", () => {
  const one = caseOf("ends, attach for the first time, fresh memory");
  const left: CrashCase = {
    ...one,
    *goOn(lane, by, _dead, finished) {
      yield* one.goOn(lane, by, [], finished);
    },
  };
  assert.type(lane.run(left).failure, "string");
});

test.run();
