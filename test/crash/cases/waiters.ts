/** Sets of waiters and ends of a ring: a death leaves at most a needless or a lost ring, and never an end that stays taken. */
import { strict as assert } from "node:assert";
import {
  END_CLOSED,
  END_DEAD,
  END_REPORTED,
  PARTICIPANT_BLOCKED_BELL_OFFSET,
  PARTICIPANT_BYTES,
  PARTICIPANT_DOORBELL_OFFSET,
  PARTICIPANTS_OFFSET,
  RING_TAIL_OFFSET,
  WAITERS_SUMMARY_OFFSET,
  WAITERS_WORDS_OFFSET,
} from "../../../protocol/layout.js";
import type { CrashCase, CrashLane } from "../../lib/crash.js";
import {
  attachConsumer,
  attachProducer,
  closeConsumer,
  closeProducer,
  numberOf,
  openRing,
  payloadOf,
  type Ring,
  receiveOrEnd,
  send,
} from "../../lib/hosts/ring.js";
import { callSome, markDead, notify, ringWish } from "../../lib/hosts/segment.js";
import { call, type Script, write } from "../../lib/script.js";
import { useRing } from "./directory.js";
import { FILLS, type Fill, onEachFill, populate, SLOTS, slotsOf, someoneDied } from "./ground.js";

const LOST_SLOT = 7;
const WISH = ringWish("ring", 128);

/** Whoever arms from now on is rung, and the set becomes empty. */
function* setWorks(view: DataView, set: number, slot: number): Script {
  yield* notify(set);
  assert.equal(view.getUint32(set + WAITERS_SUMMARY_OFFSET, true), 0, "summary");
  assert.equal(yield* call("waitersAny", set), 0, "somebody waits still");
  yield* call("waitersArm", set);
  const bell = (yield* call("doorbell", slot)) >>> 0;
  const rung = view.getUint32(bell, true);
  yield* notify(set);
  assert.equal(view.getUint32(bell, true), rung + 1, "doorbell");
  yield* call("waitersDisarm", set);
  assert.equal(yield* call("waitersTake", set, 0), 0, "a set that stays full");
}

interface SetCase {
  name: string;
  before(lane: CrashLane, set: number): void;
  operation(set: number): Script<unknown>;
  /** Participants that were rung, once each, when the operation has returned; nobody else was. */
  rings?: number[];
  /** Called before each write of the operation: another participant may do something. */
  meanwhile?(lane: CrashLane, set: number, address: number): void;
}

function doorbellOf(id: number): number {
  return PARTICIPANTS_OFFSET + (SLOTS[id] as number) * PARTICIPANT_BYTES + PARTICIPANT_DOORBELL_OFFSET;
}

/** How often its doorbells were rung. */
function rings(view: DataView, id: number): number {
  const blocked = doorbellOf(id) + PARTICIPANT_BLOCKED_BELL_OFFSET - PARTICIPANT_DOORBELL_OFFSET;
  return view.getUint32(doorbellOf(id), true) + view.getUint32(blocked, true);
}

function callOne(set: number): Script {
  return callSome(set, 1, () => call("waitersCall", set));
}

const arm =
  (...ids: number[]) =>
  (lane: CrashLane, set: number): void => {
    for (const id of ids) lane.play(id, call("waitersArm", set));
  };

const SET_CASES: SetCase[] = [
  { name: "arm", before: () => {}, operation: (set) => call("waitersArm", set) },
  { name: "arm beside another", before: arm(1), operation: (set) => call("waitersArm", set) },
  {
    name: "disarm",
    before: arm(0, 2),
    *operation(set) {
      yield* call("waitersDisarm", set);
      yield* notify(set);
    },
    rings: [2],
  },
  { name: "notify two", before: arm(1, 2), operation: notify, rings: [1, 2] },
  {
    name: "notify after a disarm",
    before: (lane, set) => {
      arm(1)(lane, set);
      lane.play(1, call("waitersDisarm", set));
    },
    operation: notify,
  },
  {
    name: "notify while somebody arms",
    before: (lane, set) => {
      arm(1)(lane, set);
      lane.play(1, call("waitersDisarm", set));
    },
    operation: notify,
    rings: [1, 2],
    // The summary is about to be cleared, or to be set again: whoever arms just then must not be forgotten.
    meanwhile: (lane, set, address) => {
      const word = set + WAITERS_WORDS_OFFSET + 4 * (SLOTS[1] >>> 5);
      const armed = lane.view.getUint32(word, true) !== 0 || rings(lane.view, 1) > 0;
      if (address === set + WAITERS_SUMMARY_OFFSET && !armed) arm(1, 2)(lane, set);
    },
  },
  {
    name: "block, and no longer",
    before: arm(1),
    *operation(set) {
      yield* call("waitersBlock", set);
      yield* notify(set);
      yield* call("waitersArm", set); // blocks no longer, as when that was cut off
      yield* call("waitersBlock", set);
      yield* call("waitersUnblock");
      assert.equal(yield* call("waitersDisarm", set), 1, "nobody has taken it");
      assert.equal(yield* call("waitersDisarm", set), 0, "it is gone");
    },
    rings: [0, 1],
  },
  { name: "call one of two", before: arm(1, 2), operation: (set) => callOne(set), rings: [1] },
  {
    name: "call one after the other",
    before: (lane, set) => {
      arm(1, 2)(lane, set);
      lane.play(1, callOne(set));
      lane.play(1, call("waitersArm", set));
      lane.view.setUint32(doorbellOf(1), 0, true);
    },
    operation: (set) => callOne(set),
    rings: [2],
  },
  {
    name: "call one while somebody arms",
    before: (lane, set) => {
      arm(1)(lane, set);
      lane.play(1, call("waitersDisarm", set));
    },
    operation: (set) => callOne(set),
    rings: [1, 2],
    meanwhile: (lane, set, address) => {
      const word = set + WAITERS_WORDS_OFFSET + 4 * (SLOTS[1] >>> 5);
      const armed = lane.view.getUint32(word, true) !== 0 || rings(lane.view, 1) > 0;
      if (address === set + WAITERS_SUMMARY_OFFSET && !armed) arm(1, 2)(lane, set);
    },
  },
  {
    name: "notify while those who are rung arm again at once",
    before: arm(1, 2),
    operation: notify,
    rings: [1, 2],
    meanwhile: (lane, set, address) => {
      for (const id of [1, 2]) if (address === doorbellOf(id)) arm(id)(lane, set);
    },
  },
];

function setCase(one: SetCase): CrashCase {
  let set = 0;
  return {
    name: `waiters, ${one.name}`,
    before: (lane) => {
      populate(lane, FILLS[0] as Fill);
      set = lane.play(1, openRing(lane.view, WISH)).waitersData;
      one.before(lane, set);
    },
    operation: () => one.operation(set),
    ...(one.meanwhile && {
      meanwhile: (lane: CrashLane, address: number) => one.meanwhile?.(lane, set, address),
    }),
    *goOn({ view }, by, _dead, finished) {
      if (one.rings && finished && by === 1) {
        assert.deepEqual(
          [0, 1, 2].map((id) => rings(view, id)),
          [0, 1, 2].map((id) => (one.rings?.includes(id) ? 1 : 0)),
          "rung",
        );
      }
      yield* setWorks(view, set, SLOTS[by] as number);
    },
  };
}

interface EndCase {
  name: string;
  before(lane: CrashLane, ring: Ring): void;
  operation(lane: CrashLane, ring: Ring): Script<unknown>;
  /** Looked at before the survivors take the ends. */
  left?(ring: Ring, by: number, finished: boolean, view: DataView, dead: readonly number[]): Script;
}

/** Ends that a participant had who then closed them, or died. */
function ends(how: "closed" | "died"): EndCase["before"] {
  return (lane, ring) => {
    someoneDied(lane, LOST_SLOT, () => {
      const producer = lane.play(2, attachProducer(ring));
      const consumer = lane.play(2, attachConsumer(ring));
      if (how === "died" || !producer || !consumer) return;
      lane.play(2, closeProducer(producer));
      lane.play(2, closeConsumer(lane.view, consumer));
    });
  };
}

function* attachBoth(ring: Ring): Script {
  assert.ok(yield* attachProducer(ring, [LOST_SLOT]));
  assert.ok(yield* attachConsumer(ring, [LOST_SLOT]));
}

function* closeBoth(ring: Ring): Script {
  yield* call("ringCloseConsumer", ring.ring);
  yield* call("ringCloseProducer", ring.ring);
}

/** What the other ends say, marked dead first. */
function* report(ring: Ring, expected: number): Script {
  yield* markDead(LOST_SLOT);
  assert.equal(yield* call("ringProducerState", ring.ring), expected);
  yield* call("ringProducerReported", ring.ring);
  assert.equal(yield* call("ringConsumerState", ring.ring), expected);
  yield* call("ringConsumerReported", ring.ring);
}

/** The same as who has waited does it: a look and what is noted of it are one call. */
function* learn(ring: Ring, expected: number): Script {
  yield* markDead(LOST_SLOT);
  assert.equal(yield* call("ringEnd", ring.ring, ring.capacity), expected);
  assert.equal(yield* call("ringEnd", ring.ring, ring.capacity), 0, "told twice");
  if (expected !== END_DEAD) return;
  assert.equal(yield* call("ringConsumerDied", ring.ring), 1);
  assert.equal(yield* call("ringConsumerDied", ring.ring), 0, "told twice");
}

/** What survivor 1 finds; survivor 2 comes after it has used the ring. */
function* reported(ring: Ring, by: number, expected: number, finished: boolean): Script {
  if (by !== 1) return;
  yield* markDead(LOST_SLOT);
  for (const name of ["ringProducerState", "ringConsumerState"]) {
    const state = yield* call(name, ring.ring);
    assert.ok(state === END_REPORTED || (state === expected && !finished), `${name} is ${state}`);
  }
}

/** The tail is moved to where it cannot be; attaching notices, gives the end back, and the words are mended. */
function* attachToCorrupt({ view }: CrashLane, ring: Ring): Script {
  view.setBigUint64(ring.ring + RING_TAIL_OFFSET, 4096n, true);
  for (const name of ["ringAttachProducer", "ringAttachConsumer"]) {
    assert.ok((yield* call(name, ring.ring, ring.capacity)) < 1024);
  }
}

function* mend(ring: Ring, by: number, finished: boolean): Script {
  if (finished && by === 1) {
    assert.equal(yield* call("ringProducerState", ring.ring), END_CLOSED, "kept, though attaching failed");
    assert.equal(yield* call("ringConsumerState", ring.ring), END_CLOSED, "kept, though attaching failed");
  }
  yield* write(ring.ring + RING_TAIL_OFFSET, new Uint8Array(8));
}

/** The end of the stream before was not told. */
function* sendStream(ring: Ring): Script {
  const producer = yield* attachProducer(ring);
  assert.ok(producer);
  for (const number of [2, 3]) assert.ok(yield* send(producer, payloadOf(number, 9)));
  yield* closeProducer(producer);
}

/** A consumer gets all, and is told of the end. */
function* receiveStreams(view: DataView, ring: Ring): Script {
  const consumer = yield* attachConsumer(ring);
  assert.ok(consumer);
  for (let turn = 0; turn < 3; turn++) assert.ok(yield* receiveOrEnd(view, consumer));
}

/** What was sent comes in order, and the end of the first stream behind its record, once. */
const hasEndBetween: EndCase["left"] = (...given) =>
  seenInOrder(given[2] ? /^1 end 2 3 end$/ : /^1 end( 2( 3)?( end)?)?( end)?$/, ...given);

/** The end may have been told before: to one that died then. */
const hasEndOnce: EndCase["left"] = (...given) =>
  seenInOrder(given[2] ? /^2 end$/ : /^(1 )?(end )?2 end$/, ...given);

function* seenInOrder(
  expected: RegExp,
  ring: Ring,
  by: number,
  _finished: boolean,
  view: DataView,
  dead: readonly number[],
): Script {
  for (const slot of dead) yield* markDead(slot);
  const consumer = yield* attachConsumer(ring, dead);
  assert.ok(consumer);
  const seen: string[] = [];
  for (;;) {
    const got = yield* receiveOrEnd(view, consumer);
    if (got === undefined) break;
    seen.push(typeof got === "number" ? "end" : `${numberOf(got)}`);
  }
  yield* closeConsumer(view, consumer);
  if (by === 1) assert.match(seen.join(" "), expected);
}

const END_CASES: EndCase[] = [
  { name: "attach for the first time", before: () => {}, operation: (_lane, ring) => attachBoth(ring) },
  { name: "attach after a close", before: ends("closed"), operation: (_lane, ring) => attachBoth(ring) },
  { name: "attach after a death", before: ends("died"), operation: (_lane, ring) => attachBoth(ring) },
  { name: "attach to a corrupt ring", before: () => {}, operation: attachToCorrupt, left: mend },
  {
    name: "close",
    before: (lane, ring) => {
      lane.play(0, attachBoth(ring));
      arm(1, 2)(lane, ring.waitersData);
      arm(1, 2)(lane, ring.waitersRoom);
    },
    operation: (_lane, ring) => closeBoth(ring),
  },
  {
    name: "report a death",
    before: ends("died"),
    operation: (_lane, ring) => report(ring, END_DEAD),
    left: (ring, by, finished) => reported(ring, by, END_DEAD, finished),
  },
  {
    name: "report a close",
    before: ends("closed"),
    operation: (_lane, ring) => report(ring, END_CLOSED),
    left: (ring, by, finished) => reported(ring, by, END_CLOSED, finished),
  },
  { name: "learn of a death", before: ends("died"), operation: (_lane, ring) => learn(ring, END_DEAD) },
  { name: "learn of a close", before: ends("closed"), operation: (_lane, ring) => learn(ring, END_CLOSED) },
  {
    name: "attach where a record waits",
    before: (lane, ring) => {
      const producer = lane.play(1, attachProducer(ring));
      if (producer) {
        lane.play(1, send(producer, payloadOf(1, 9)));
        lane.play(1, closeProducer(producer));
      }
    },
    operation: (_lane, ring) => attachBoth(ring),
  },
  {
    name: "a stream behind one whose end was not told",
    before: (lane, ring) => {
      const producer = lane.play(1, attachProducer(ring));
      assert.ok(producer);
      lane.play(1, send(producer, payloadOf(1, 9)));
      lane.play(1, closeProducer(producer));
    },
    operation: (_lane, ring) => sendStream(ring),
    left: hasEndBetween,
  },
  {
    name: "a stream behind one whose end is told",
    before: (lane, ring) => {
      for (const number of [1, 2]) {
        const producer = lane.play(1, attachProducer(ring));
        assert.ok(producer);
        lane.play(1, send(producer, payloadOf(number, 9)));
        lane.play(1, closeProducer(producer));
      }
    },
    operation: (lane, ring) => receiveStreams(lane.view, ring),
    left: hasEndOnce,
  },
];

function endCase(one: EndCase, fill: Fill): CrashCase {
  let ring: Ring;
  return {
    name: `ends, ${one.name}`,
    before: (lane) => {
      populate(lane, fill);
      ring = lane.play(1, openRing(lane.view, WISH));
      one.before(lane, ring);
    },
    operation: (lane) => one.operation(lane, ring),
    *goOn(lane, by, dead, finished) {
      if (one.left) yield* one.left(ring, by, finished, lane.view, slotsOf(dead));
      yield* useRing(lane.view, WISH, [...slotsOf(dead), LOST_SLOT]);
    },
  };
}

export const waiterCases: CrashCase[] = [
  ...SET_CASES.map(setCase),
  ...END_CASES.flatMap((one) => onEachFill((fill) => endCase(one, fill))),
];
