/**
 * A message that was sent is there once, and goes to one consumer; what a dead participant had taken is there again, or dropped
 * and counted; and no slot is lost.
 */
import { strict as assert } from "node:assert";
import {
  MESSAGE_DELIVERIES_OFFSET,
  QUEUE_DROP,
  QUEUE_DROPPED_OFFSET,
  QUEUE_HEAD_OFFSET,
  QUEUE_REDELIVER,
  QUEUE_TAIL_OFFSET,
  QUEUE_UNSENT_OFFSET,
} from "../../../protocol/layout.js";
import { type CrashCase, type CrashLane, VICTIM } from "../../lib/crash.js";
import {
  BITMAP,
  cancel,
  cellOf,
  claim,
  done,
  giveBack,
  giveUp,
  type Job,
  leaveQueue,
  MESSAGES,
  memberOf,
  type Owned,
  openQueue,
  type Queue,
  queueWish,
  send,
  settle,
  take,
} from "../../lib/hosts/queue.js";
import { numberOf, payloadOf } from "../../lib/hosts/ring.js";
import { markDead, type ObjectWish } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { type Fill, onEachFill, populate, slotsOf, someoneDied } from "./ground.js";

const CAPACITY = 3;
const SLOT_BYTES = 24;
/** More than there are cells, so that the next message is in a cell that was used before. */
const LAP = 130;
const LOST_SLOT = 7;

type Where = (queue: Queue) => number;

type Step = (queue: Queue, lane: CrashLane, owned?: Owned) => Script<unknown>;

interface QueueCase {
  name: string;
  policy?: number;
  capacity?: number;
  before: Step[];
  /** What somebody did who is dead, in a slot of its own. */
  died?: (queue: Queue, lane: CrashLane) => void;
  /** What the victim did before, which was cut off. */
  cutOff?: (queue: Queue, lane: CrashLane) => void;
  /** Who waits while the operation runs. */
  waits?: "messages" | "room";
  operation: Step;
  /** The numbers of the messages that are there when the operation ended, in order. */
  after: number[];
  /** What may be there when it was cut off, too. */
  or: number[][];
  /** What the operation leaves behind for a participant that lives on, whose host settles it. */
  kept?: boolean;
}

const sending =
  (number: number, length = 9): Step =>
  (queue, _lane, owned) =>
    send(queue, payloadOf(number, length), owned);

function* taking(queue: Queue, lane: CrashLane, owned?: Owned): Script<Job> {
  const job = yield* take(lane.view, queue);
  assert.ok(job, "there is no message");
  owned?.jobs.push(job);
  return job;
}

const takingIt: Step = (queue, lane, owned) => taking(queue, lane, owned);

const finishing: Step = function* (queue, lane, owned) {
  yield* done(queue, yield* taking(queue, lane, owned));
  owned?.jobs.pop();
};

const returning: Step = function* (queue, lane, owned) {
  yield* giveBack(queue, yield* taking(queue, lane, owned));
  owned?.jobs.pop();
};

const leaving = (policy: number): Step =>
  function* (queue, lane, owned) {
    yield* taking(queue, lane, owned);
    const at = yield* claim(queue);
    owned?.claims.push(at as number);
    yield* leaveQueue(queue, policy);
  };

const cancelling: Step = function* (queue, _lane, owned) {
  const at = yield* claim(queue);
  assert.ok(at, "there is no room");
  owned?.claims.push(at);
  yield* cancel(queue, at);
};

const settling: Step = function* (queue) {
  yield* markDead(LOST_SLOT);
  yield* settle(queue);
};

const sendingInVain: Step = function* (queue) {
  assert.equal(yield* send(queue, payloadOf(9, 9)), false);
};

function laps(): Step[] {
  return Array.from({ length: LAP }, () => [sending(8), finishing]).flat();
}

/** Sends two and takes the first, which lies in a slot of its own then. */
const TWO = [sending(1), sending(2, SLOT_BYTES)];

/** More slots than a word of the bitmap has bits. */
const MANY = 40;

const CASES: QueueCase[] = [
  { name: "send, the first", before: [], operation: sending(1), after: [1], or: [[]] },
  { name: "send", before: TWO, operation: sending(3), after: [1, 2, 3], or: [[1, 2]] },
  { name: "send nothing", before: TWO, operation: sending(0, 0), after: [1, 2, -1], or: [[1, 2]] },
  {
    name: "send in a later lap",
    before: [...laps(), ...TWO],
    operation: sending(3),
    after: [1, 2, 3],
    or: [[1, 2]],
  },
  {
    name: "send to one that waits",
    before: [],
    waits: "messages",
    operation: sending(1),
    after: [1],
    or: [[]],
  },
  {
    name: "send when full",
    before: [...TWO, sending(3)],
    operation: sendingInVain,
    after: [1, 2, 3],
    or: [],
  },
  { name: "claim and cancel", before: TWO, waits: "room", operation: cancelling, after: [1, 2], or: [] },
  { name: "take", before: TWO, operation: takingIt, after: [1, 2], or: [], kept: true },
  { name: "take and finish", before: TWO, waits: "room", operation: finishing, after: [2], or: [[1, 2]] },
  {
    name: "take in a later lap",
    before: [...laps(), ...TWO],
    operation: finishing,
    after: [2],
    or: [[1, 2]],
  },
  { name: "take and give back", before: TWO, waits: "messages", operation: returning, after: [1, 2], or: [] },
  {
    name: "take what was given back",
    before: [...TWO, returning],
    operation: finishing,
    after: [2],
    or: [[1, 2]],
  },
  { name: "take, claim, and leave", before: TWO, operation: leaving(QUEUE_REDELIVER), after: [1, 2], or: [] },
  {
    name: "take, claim, and leave, and what it had is dropped",
    policy: QUEUE_DROP,
    before: TWO,
    operation: leaving(QUEUE_DROP),
    after: [2],
    or: [[1, 2]],
  },
  {
    name: "take, messages of the dead are dropped",
    policy: QUEUE_DROP,
    before: TWO,
    operation: takingIt,
    after: [2],
    or: [[1, 2]],
    kept: true,
  },
  {
    name: "send when the first word of the bitmap has no bit left",
    capacity: MANY,
    before: Array.from({ length: 32 }, (_, index) => sending(index % 8, 8)),
    operation: sending(8),
    after: [...Array.from({ length: 32 }, (_, index) => index % 8), 8],
    or: [Array.from({ length: 32 }, (_, index) => index % 8)],
  },
  {
    name: "settle what one has left that died when it had taken",
    before: TWO,
    died: (queue, lane) => lane.play(2, taking(queue, lane)),
    operation: settling,
    after: [1, 2],
    or: [],
  },
  {
    name: "settle what one has left that died when it had sent and claimed",
    before: [sending(1)],
    died: (queue, lane) => {
      lane.play(2, send(queue, payloadOf(2, 9)));
      lane.play(2, claim(queue));
    },
    operation: settling,
    after: [1, 2],
    or: [],
  },
];

/** Cases in which one died before it had moved the tail, or the head, on. */
const HELPING: QueueCase[] = [
  {
    name: "send behind one that died before it moved the tail on",
    before: [sending(1)],
    died: (queue, lane) => lane.playUntil(2, queue.queue + QUEUE_TAIL_OFFSET, send(queue, payloadOf(2, 9))),
    operation: sending(3),
    after: [1, 2, 3],
    or: [[1, 2]],
  },
  {
    name: "take behind one that died before it moved the head on",
    before: [...TWO, sending(3)],
    died: (queue, lane) => lane.playUntil(2, queue.queue + QUEUE_HEAD_OFFSET, taking(queue, lane)),
    operation: finishing,
    after: [1, 3],
    or: [[1, 2, 3]],
  },
];

/** A case in which a dead one stopped before one of the writes of giving back. */
function halfReturned(writes: number): QueueCase {
  return {
    name: `settle what one has left that died after ${writes} writes of giving back`,
    before: TWO,
    died: (queue, lane) => {
      const job = lane.play(2, taking(queue, lane));
      lane.playMortally(2, writes, () => giveBack(queue, job));
    },
    operation: settling,
    after: [1, 2],
    or: [],
  };
}

/** Takes all that is there, and gives it back in that order. */
function* look(queue: Queue, view: DataView, owned: Owned): Script<number[]> {
  const jobs: Job[] = [];
  for (;;) {
    const job = yield* take(view, queue);
    if (!job) break;
    jobs.push(job);
    owned.jobs.push(job);
  }
  for (const job of jobs) {
    yield* giveBack(queue, job);
    owned.jobs.splice(owned.jobs.indexOf(job), 1);
  }
  return jobs.map(({ payload }) => numberOf(payload));
}

/** A new queue is empty, and has all its slots. */
export function* useQueue(view: DataView, wish: ObjectWish, dead: number[]): Script {
  const queue = yield* openQueue(view, wish, dead);
  for (const slot of dead) yield* markDead(slot);
  yield* settle(queue);
  yield* useAll(queue, view);
}

/** The queue is as good as new: it takes as many messages as it has slots, and gives them in order. */
function* useAll(queue: Queue, view: DataView): Script {
  for (;;) {
    const job = yield* take(view, queue);
    if (!job) break;
    yield* done(queue, job);
  }
  const cancelled = yield* claim(queue);
  assert.ok(cancelled, "there is no room in an empty queue");
  yield* cancel(queue, cancelled);
  for (let number = 0; number < queue.capacity; number++) {
    assert.ok(
      yield* send(queue, payloadOf(number, SLOT_BYTES)),
      `only ${number} of ${queue.capacity} slots are there`,
    );
  }
  assert.equal(yield* send(queue, payloadOf(9, 9)), false, "there are more slots than there were");
  for (let number = 0; number < queue.capacity; number++) {
    const job = yield* take(view, queue);
    assert.ok(job, "a message is lost");
    assert.equal(numberOf(job.payload), number);
    assert.equal(view.getUint32(job.at + MESSAGE_DELIVERIES_OFFSET, true), 1, "deliveries");
    yield* done(queue, job);
  }
}

/** The heartbeat, or the next call, after a call of the victim that was cut off before it wrote to an address. */
function settlingOwn(): QueueCase[] {
  const cuts: [name: string, at: Where, step: Step, after: number[]][] = [
    ["claiming", (queue) => queue.queue + MESSAGES, sending(3), [1, 2]],
    ["sending", (queue) => cellOf(queue, 2), sending(3), [1, 2]],
    ["sending, which had happened", (queue) => queue.queue + QUEUE_TAIL_OFFSET, sending(3), [1, 2, 3]],
    ["taking", (queue) => queue.queue + QUEUE_HEAD_OFFSET, takingIt, [1, 2]],
    ["finishing", (queue) => queue.queue + BITMAP, finishing, [2]],
    ["giving back", (queue) => cellOf(queue, 0, 1), returning, [1, 2]],
  ];
  return cuts.flatMap(([name, at, step, after]) => {
    const before = (queue: Queue, lane: CrashLane): void => lane.playUntil(0, at(queue), step(queue, lane));
    const beat: Step = () => call("beat", 0);
    const again: Step = (queue) => leaveQueue(queue, QUEUE_REDELIVER);
    return [
      {
        name: `its heartbeat after ${name}, cut off`,
        before: TWO,
        cutOff: before,
        operation: beat,
        after,
        or: [],
      },
      {
        name: `its next call after ${name}, cut off`,
        before: TWO,
        cutOff: before,
        operation: again,
        after,
        or: [],
      },
    ];
  });
}

function sorted(numbers: readonly number[]): string {
  return [...numbers].sort().join(" ");
}

function queueCase(one: QueueCase, fill: Fill): CrashCase {
  const policy = one.policy ?? QUEUE_REDELIVER;
  let queue: Queue;
  /** What the host of the victim owned when its call was cut off; and what it owns since. */
  let then: Owned;
  let owned: Owned;
  /** Somebody has taken all messages since the call that was cut off. */
  let emptied = false;
  const release = (): Script => giveUp(queue, owned);
  const counted = (view: DataView, offset: number): number =>
    Number(view.getBigUint64(queue.queue + offset, true));
  return {
    name: `queue: ${one.name}`,
    before: (lane) => {
      populate(lane, fill);
      queue = lane.play(1, openQueue(lane.view, queueWish(one.capacity ?? CAPACITY, SLOT_BYTES, policy)));
      for (const step of one.before) lane.play(1, step(queue, lane));
      if (one.died) someoneDied(lane, LOST_SLOT, () => one.died?.(queue, lane));
      one.cutOff?.(queue, lane);
      if (one.waits) lane.play(2, call("waitersArm", queue[one.waits]));
    },
    operation(lane) {
      then = { claims: [], jobs: [] };
      owned = { claims: [], jobs: [] };
      return one.operation(queue, lane, then);
    },
    goOn(lane, by, dead, finished) {
      if (by === 1) emptied = false;
      if (by === 1) owned = { claims: [...then.claims], jobs: [...then.jobs] };
      return goOn(lane, by, dead, finished);
    },
    livesOn: { next: release, settle: release },
  };
  function* goOn(lane: CrashLane, by: number, dead: readonly number[], finished: boolean): Script {
    for (const slot of [...slotsOf(dead), LOST_SLOT]) yield* markDead(slot);
    yield* settle(queue);
    for (const slot of [...slotsOf(dead), LOST_SLOT])
      assert.equal(lane.view.getUint32(memberOf(queue, slot), true), 0, "the dead are members still");
    const found = yield* look(queue, lane.view, dead.length > 0 ? { claims: [], jobs: [] } : owned);
    const sure = finished && !(one.kept && !dead.includes(VICTIM));
    const allowed = sure ? [one.after] : [one.after, ...one.or];
    if (emptied) allowed.splice(0, allowed.length, []);
    // Somebody else had taken some, too, who died since.
    if (policy === QUEUE_DROP && by === 2 && dead.length > 0) allowed.push(...one.or, [1], [2], []);
    assert.ok(
      allowed.some((numbers) => sorted(numbers) === sorted(found)),
      `there are [${found}], not ${allowed.map((numbers) => `[${numbers}]`).join(" or ")}`,
    );
    if (by !== 2) return;
    emptied = true;
    const unsent = counted(lane.view, QUEUE_UNSENT_OFFSET);
    const dropped = counted(lane.view, QUEUE_DROPPED_OFFSET);
    assert.ok(
      unsent <= 2 && dropped <= (policy === QUEUE_DROP ? 2 : 0),
      `${unsent} unsent, ${dropped} dropped`,
    );
    yield* useAll(queue, lane.view);
  }
}

export const queueCases: CrashCase[] = [
  ...CASES,
  ...HELPING,
  ...settlingOwn(),
  ...[0, 1, 2, 3].map(halfReturned),
].flatMap((one) => onEachFill((fill) => queueCase(one, fill)));
