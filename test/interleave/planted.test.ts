// deep: bugs of the core that the lane beside it notices
import { strict } from "node:assert";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as broadcast from "../crash/planted-broadcast.js";
import * as cache from "../crash/planted-cache.js";
import * as memory from "../crash/planted-memory.js";
import * as queue from "../crash/planted-queue.js";
import * as service from "../crash/planted-service.js";
import * as sites from "../crash/planted-sites.js";
import type { CrashLane } from "../lib/crash.js";
import { beginLatest, type LatestValue, openLatest, readInPlace } from "../lib/hosts/latest.js";
import {
  numberOf,
  type ProducerEnd,
  payloadOf,
  receive,
  receiveStretch,
  release,
  send,
} from "../lib/hosts/ring.js";
import { latestWish } from "../lib/hosts/segment.js";
import { findSite, type Mutation } from "../lib/mutation.js";
import { attempt, call, read, type Script, sleep, write } from "../lib/script.js";
import { exhaust, explore, type Scenario } from "../lib/search.js";
import { crashLane, world } from "../lib/shipped.js";
import { scenarios } from "./scenarios/all.js";
import { type Explored, OBSERVER, populate, SLOTS } from "./scenarios/ground.js";
import { messageIsNotPassedOn } from "./scenarios/queue.js";
import { NEAR_END_OF_512, prepareRing } from "./scenarios/ring.js";
import { nothingIsPassedOn, whoTookPassesNothingOn } from "./scenarios/signal.js";
import { believesInNoCircle, readerBelievesAll } from "./scenarios/values.js";

const explored = world(4);
const finder = crashLane();

function scenarioOf(name: string): Explored {
  const found = scenarios.find((one) => one.name === name);
  if (!found) throw new Error(`there is no scenario "${name}"`);
  return found;
}

/** A compare-exchange by which a heartbeat gives back what a call that was cut off has left. */
function beating(nth: number): Planted["site"] {
  return ({ arena }) => findSite(arena.sites, { func: "beat", name: "i64.atomic.rmw.cmpxchg", nth });
}

interface Planted {
  bug: string;
  site(lane: CrashLane): number;
  how: Mutation["how"];
  /** The scenario that must fail. */
  noticedBy: string;
  /** More than the scenario is explored with. */
  preemptions?: number;
}

const PLANTED: Planted[] = [
  {
    bug: "two take one message",
    site: queue.messageTaken,
    how: "split",
    noticedBy: "queue of 1, one sends two, two take one each",
  },
  {
    bug: "two send into one cell",
    site: queue.queueCell,
    how: "split",
    noticedBy: "queue of 2, two send two each, one takes them",
  },
  {
    bug: "a slot is free, and who claims at the same time does not see its bit",
    site: queue.slotFree,
    how: "split",
    noticedBy: "queue of 2, two send, two take",
  },
  {
    bug: "who takes an end does not note whose stream ended there",
    site: ({ arena }) =>
      findSite(arena.sites, { func: "ringAttachProducer", name: "i64.atomic.store", nth: 0 }),
    how: "drop",
    noticedBy: "ring, a stream behind one that was closed before",
  },
  {
    bug: "an end that was told is told again",
    site: ({ arena }) => findSite(arena.sites, { func: "ringEnd", name: "i64.atomic.store", nth: 1 }),
    how: "drop",
    noticedBy: "ring, a stream behind one that was closed before",
  },
  {
    bug: "a call is not cancelled",
    site: service.callCancelled,
    how: "drop",
    noticedBy: "service of 1, a call is cancelled, its server waits for that",
  },
  {
    bug: "a server and its caller, who cancels, change the call at the same time",
    site: service.callAnswered,
    how: "split",
    noticedBy: "service of 1, a call is cancelled by one who does not wait",
  },
  {
    bug: "bytes that are overwritten are not said to be",
    site: broadcast.intent,
    how: "drop",
    noticedBy: "broadcast, one reads behind 4, 2 are published",
  },
  {
    bug: "a record of a broadcast is published before its number",
    site: broadcast.topicNumber,
    how: "late",
    noticedBy: "broadcast, one reads behind 4, 5 are published",
  },
  {
    bug: "a record of a broadcast is published by a plain store, which may come after the look for sleepers",
    site: broadcast.topicTail,
    how: "plain",
    noticedBy: "broadcast, one reads behind 4, 2 are published, 1 late stores",
  },
  {
    bug: "a publisher that closes keeps its end",
    site: broadcast.publisherClosed,
    how: "drop",
    noticedBy: "broadcast, the publisher closes while one waits for records",
  },
  {
    bug: "two writers have one shard",
    site: cache.shardTaken,
    how: "split",
    noticedBy: "cache, two set the same key",
  },
  {
    bug: "two add to a number at the same time",
    site: cache.shardTaken,
    how: "split",
    noticedBy: "cache, two add",
  },
  {
    bug: "an entry that is overwritten stays the oldest one",
    site: cache.logOldest,
    how: "drop",
    noticedBy: "cache, one gets what is evicted and overwritten",
  },
  {
    bug: "an entry that was moved is not found",
    site: cache.valueSet,
    how: "drop",
    noticedBy: "cache, one gets what is moved",
  },
  {
    bug: "who computes a value does not say so",
    site: cache.computedBy,
    how: "drop",
    noticedBy: "cache, two want a value that is computed once",
  },
  {
    bug: "a record is published before its header",
    site: sites.recordHeader,
    how: "late",
    noticedBy: "ring, 3 records",
  },
  {
    bug: "who arms is not seen by notifiers",
    site: sites.waitersSummary,
    how: "drop",
    noticedBy: "ring, a consumer that sleeps",
  },
  {
    bug: "two who arm at once overwrite each other's bit",
    site: sites.waitersBit,
    how: "split",
    noticedBy: "latest, two wait for a value, bits in one word",
  },
  {
    bug: "an end is taken by load and store",
    site: sites.producerOwner,
    how: "split",
    noticedBy: "ends, two attach a producer",
  },
  {
    bug: "the write lock is taken by load and store, as names are made",
    site: sites.segmentLock,
    how: "split",
    noticedBy: "directory, two names",
  },
  {
    bug: "the dead are marked dead by load and store",
    site: sites.burial,
    how: "split",
    noticedBy: "participants, a slot is taken while its dead owner is marked dead",
  },
  {
    bug: "a value is current before its bytes",
    site: sites.smallValue,
    how: "late",
    noticedBy: "latest, small, overwritten",
  },
  {
    bug: "a slot that is written counts as whole",
    site: sites.slotInvalid,
    how: "drop",
    noticedBy: "latest, small, overwritten",
  },
  {
    bug: "an object is published before its entry",
    site: sites.entryObject,
    how: "late",
    noticedBy: "directory, the same name twice",
  },
  {
    bug: "the write lock is taken by load and store",
    site: memory.right,
    how: "split",
    noticedBy: "heap, two take",
  },
  {
    bug: "an insert changes the heap and is not counted",
    site: memory.insertChanged,
    how: "drop",
    noticedBy: "heap, insert x walk over it",
  },
  {
    bug: "an insert is counted after it has given the write lock back",
    site: memory.insertChanged,
    how: "late",
    noticedBy: "heap, insert x walk over it",
    preemptions: 2,
  },
  {
    bug: "the journal of one who died in a transaction is not rolled back",
    site: memory.restoring,
    how: "drop",
    noticedBy: "heap, a transaction of one who dies x take and give back",
  },
  {
    bug: "whose turn it is, is not rung",
    site: memory.turnRung,
    how: "drop",
    noticedBy: "turn, two change twice, who waits sleeps",
  },
  {
    bug: "a free lock is taken by load and store",
    site: memory.takenAtOnce,
    how: "split",
    noticedBy: "lock, exclusive x exclusive x exclusive, who waits spins",
  },
  {
    bug: "nobody is told that a lock may have shared holders",
    site: memory.sharedPresent,
    how: "drop",
    noticedBy: "lock, exclusive x shared x shared, who waits spins",
  },
  {
    bug: "a lock is claimed by load and store",
    site: memory.claim,
    how: "split",
    noticedBy: "lock, once shared, exclusive x exclusive x exclusive, who waits spins",
  },
  {
    bug: "a shared holder does not set its bit",
    site: memory.sharedBit,
    how: "drop",
    noticedBy: "lock, exclusive x shared x shared, who waits spins",
  },
  {
    bug: "a shared holder does not say which generation it is",
    site: memory.sharedGeneration,
    how: "drop",
    noticedBy: "lock, exclusive x shared, who waits sleeps",
  },
  {
    bug: "a shared holder who died is forgotten by load and store",
    site: memory.forgotten,
    how: "split",
    noticedBy: "lock, a dead holder's slot has a new owner while a claimant looks at the old one",
  },
  {
    bug: "who waits for a lock is not seen by who releases it",
    site: sites.waitersSummary,
    how: "drop",
    noticedBy: "lock, exclusive x exclusive, who waits sleeps",
  },
  {
    bug: "a semaphore is taken from by load and store",
    site: memory.semaphoreTaken,
    how: "split",
    noticedBy: "semaphore, 2 share 1",
  },
  {
    bug: "a counter is added to by load and store",
    site: memory.counterAdded,
    how: "split",
    noticedBy: "counter, three add",
  },
  {
    bug: "a head is published by a plain store, which does not keep the record's header before it",
    site: sites.ringHead,
    how: "plain",
    noticedBy: "ring, 3 records, 1 late stores",
  },
  {
    bug: "a head is published by a plain store, which may come after the look for sleepers",
    site: sites.ringHead,
    how: "plain",
    noticedBy: "ring, a consumer that sleeps, 1 late stores",
  },
  {
    bug: "the write lock is given back by a plain store, which the last changes of the heap may come after",
    site: memory.givenBack,
    how: "plain",
    noticedBy: "heap, insert x walk over it, 1 late stores",
  },
  {
    bug: "a tail is published by a plain store",
    site: sites.ringTail,
    how: "plain",
    noticedBy: "ring, both sleep, 1 late stores",
    preemptions: 2,
  },
  {
    bug: "a heartbeat leaves a write of a value that was cut off",
    site: beating(0),
    how: "drop",
    noticedBy: "heartbeat, another one reads and writes a value of 512 bytes, cut off after 1 writes",
  },
  {
    bug: "a heartbeat leaves an end whose attaching was cut off",
    site: beating(1),
    how: "drop",
    noticedBy: "heartbeat, another one takes the producer's end of a ring, cut off after its last write",
  },
];

function within({ preemptions, deaths = 0, delays = 0 }: Explored): {
  preemptions: number;
  deaths: number;
  delays: number;
} {
  return { preemptions, deaths, delays };
}

for (const { bug, site, how, noticedBy, preemptions } of PLANTED) {
  test(`noticed: ${bug}`, () => {
    const one = scenarioOf(noticedBy);
    const bounds = within(preemptions === undefined ? one : { ...one, preemptions });
    explored.mutation = { site: site(finder), how };
    try {
      assert.throws(() => exhaust(explored, one, bounds));
    } finally {
      explored.mutation = undefined;
    }
  });
}

/** A bug of the host, not of the core: the script does it wrongly. */
function noticedInScript(bug: string, scenario: Omit<Scenario, "name">, message: RegExp): void {
  test(`noticed: ${bug}`, () => {
    for (const preemptions of [0, 1, 2, 3]) {
      const { failure } = explore(explored, { name: bug, ...scenario }, { preemptions });
      if (failure) return assert.match(failure.message, message);
    }
    assert.unreachable("every schedule passed");
  });
}

noticedInScript(
  "a wait that gives up after it was called, and passes nothing on",
  nothingIsPassedOn,
  /stuck/,
);

noticedInScript(
  "a wait that takes, is called for something else, and passes nothing on",
  whoTookPassesNothingOn,
  /stuck/,
);

noticedInScript(
  "a wait for a message that gives up after it was called, and passes nothing on",
  messageIsNotPassedOn,
  /stuck/,
);

let ends: ReturnType<typeof prepareRing>;

function* sendTo(producer: ProducerEnd, first: number, lengths: number[]): Script {
  for (const [index, length] of lengths.entries()) {
    yield* attempt(function* () {
      return (yield* send(producer, payloadOf(first + index, length))) || undefined;
    });
  }
}

noticedInScript(
  "a sleeper that does not look again after it has armed",
  {
    before: (world) => {
      ends = prepareRing(world, 256);
    },
    scripts: ({ arena: { view } }) => [
      sendTo({ ...ends.producer }, 1, [9, 9]),
      (function* (): Script {
        const consumer = { ...ends.consumer };
        const bell = (yield* call("doorbell", SLOTS[1])) >>> 0;
        for (let received = 0; received < 2; ) {
          if (yield* receive(view, consumer)) received++;
          else {
            const rung = view.getUint32(bell, true);
            yield* call("waitersArm", consumer.waitersData);
            yield* sleep(bell, rung);
          }
        }
      })(),
    ],
  },
  /stuck: participant 1 asleep/,
);

noticedInScript(
  "a payload that is read after its release",
  {
    before: (world) => {
      ends = prepareRing(world, 64);
    },
    scripts: ({ arena: { view } }) => [
      sendTo({ ...ends.producer }, 1, [40, 40]),
      (function* (): Script {
        const { ring, capacity, at } = ends.consumer;
        yield* attempt(function* () {
          const result = yield* call("ringReceive", ring, capacity, at, 0, 0);
          return (result & 2) === 0 || undefined;
        });
        const length = view.getUint32(at, true);
        yield* call("ringRelease", ring, capacity, at, 8 + length, 1);
        strict.equal(numberOf(yield* read(at + 8, length)), 1, "overwritten");
      })(),
    ],
  },
  /overwritten|torn/,
);

noticedInScript(
  "a batch that counts as consumed before it was handed over",
  {
    before: (world) => {
      ends = prepareRing(world, 512, NEAR_END_OF_512);
      world.play(0, sendTo(ends.producer, 3, [8, 8, 8]));
    },
    scripts: ({ arena: { view } }) => [
      sendTo({ ...ends.producer }, 6, [400, 24, 24]),
      (function* (): Script {
        const consumer = { ...ends.consumer };
        const batch: number[] = [];
        const note = (): number => batch.push(consumer.at + consumer.advance + 8);
        strict.equal(yield* receiveStretch(view, consumer, note), 3);
        yield* release(view, consumer);
        for (const [index, at] of batch.entries())
          strict.equal(numberOf(yield* read(at, 8)), index + 3, "overwritten");
      })(),
    ],
  },
  /overwritten|torn/,
);

let value: LatestValue;

noticedInScript(
  "a large value that is committed before it is written",
  {
    before: (world) => {
      populate(world);
      value = world.play(OBSERVER, openLatest(world.arena.view, latestWish("value", 512)));
    },
    scripts: () => [
      (function* (): Script {
        const slot = (yield* beginLatest(value)) as number;
        yield* call("latestCommit", value.latest, value.valueBytes, slot);
        yield* write(slot, new Uint8Array(512).fill(1));
      })(),
      (function* (): Script {
        yield* attempt(function* () {
          return (yield* call("latestVersion", value.latest)) || undefined;
        });
        strict.equal(yield* attempt(() => readInPlace(value, 1)), 1, "unwritten");
      })(),
    ],
  },
  /torn|unwritten/,
);

noticedInScript("a reader of values that does not look again", readerBelievesAll, /torn/);

noticedInScript("hosts that put lists into each other and do not look again", believesInNoCircle, /a circle/);

test.run();
