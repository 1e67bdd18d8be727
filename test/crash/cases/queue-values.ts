/**
 * A reference to a value that is in a queue is counted, as long as it is there: whoever dies, it is neither lost nor given back
 * twice.
 */
import { strict as assert } from "node:assert";
import {
  HANDLE_VALUE_OFFSET,
  QUEUE_DROP,
  QUEUE_REDELIVER,
  VALUE_DICT,
  VALUE_LIST,
} from "../../../protocol/layout.js";
import { type CrashCase, type CrashLane, VICTIM } from "../../lib/crash.js";
import { check, repair } from "../../lib/hosts/heap.js";
import {
  cellOf,
  claim,
  giveBack,
  type Job,
  memberOf,
  type Owned,
  on,
  openQueue,
  type Queue,
  queueWish,
  send,
  settle as settleQueue,
  take,
} from "../../lib/hosts/queue.js";
import {
  finish,
  giveAllUp,
  leaveWithReferences,
  referredBy,
  share,
  takeValue,
} from "../../lib/hosts/queue-values.js";
import { payloadOf } from "../../lib/hosts/ring.js";
import { markDead } from "../../lib/hosts/segment.js";
import {
  audit,
  make,
  push,
  release,
  type Shared,
  set,
  setRoot,
  settle,
  sharedAt,
} from "../../lib/hosts/values.js";
import { call, type Script, variable } from "../../lib/script.js";
import { FILLS, type Fill, populate, slotsOf, someoneDied } from "./ground.js";
import { LOST } from "./heap.js";

const LOST_SLOT = LOST[0] as number;

/** A list and a dictionary that the root has, and a list that only the victim has. */
export interface References {
  queue: Queue;
  payload: number;
  first: Shared;
  second: Shared;
  own: Shared;
  /** The victim's handle of its own list. */
  handle: number;
}

type Step = (ground: References, lane: CrashLane, owned?: Owned) => Script<unknown>;

interface ReferenceCase {
  name: string;
  policy?: number;
  before?: Step[];
  died?: (ground: References, lane: CrashLane) => unknown;
  cutOff?: (ground: References, lane: CrashLane) => Job | undefined;
  waits?: "messages" | "room";
  operation: Step;
  /** What the messages refer to in the end: 1, 2, or 3 for the victim's own. */
  after: number[];
  or?: number[][];
}

function* made(view: DataView, kind: number): Script<[number, Shared]> {
  const handle = (yield* make(kind)) as number;
  return [handle, sharedAt(view, view.getUint32(handle + HANDLE_VALUE_OFFSET, true))];
}

export function prepareReferences(lane: CrashLane, policy = QUEUE_REDELIVER): References {
  populate(lane, FILLS[1] as Fill);
  const queue = lane.play(1, openQueue(lane.view, queueWish(3, 24, policy)));
  const payload = lane.play(1, variable("payload")) >>> 0;
  const [rootHandle, root] = lane.play(1, made(lane.view, VALUE_DICT));
  const [firstHandle, first] = lane.play(1, made(lane.view, VALUE_LIST));
  const [secondHandle, second] = lane.play(1, made(lane.view, VALUE_DICT));
  lane.play(1, setRoot(root));
  lane.play(1, set(root, "first", { ...first, kind: VALUE_LIST }));
  lane.play(1, set(root, "second", { ...second, kind: VALUE_DICT }));
  for (const handle of [rootHandle, firstHandle, secondHandle]) lane.play(1, release(handle));
  const [handle, own] = lane.play(VICTIM, made(lane.view, VALUE_LIST));
  lane.play(VICTIM, push(own, 1));
  return { queue, payload, first, second, own, handle };
}

const sharing =
  (which: "first" | "second" | "own"): Step =>
  (ground, _lane, owned) =>
    share(ground.queue, ground[which], owned, LOST);

/** The message has the only reference that is left. */
const movingOwn: Step = function* ({ queue, own, handle }, _lane, owned) {
  yield* share(queue, own, owned, LOST);
  yield* release(handle, LOST);
};

const sharingInVain: Step = function* ({ queue, own }, _lane, owned) {
  assert.equal(yield* share(queue, { ...own, generation: own.generation + 2 }, owned, LOST), false);
};

const receiving: Step = function* ({ queue }, lane, owned) {
  const taken = yield* takeValue(lane.view, queue, false, owned, LOST);
  assert.ok(taken, "there is no message");
  yield* release(taken.handle, LOST);
};

const finishing: Step = function* ({ queue }, lane, owned) {
  const taken = yield* takeValue(lane.view, queue, true, owned, LOST);
  assert.ok(taken, "there is no message");
  yield* release(taken.handle, LOST);
  yield* finish(queue, taken.job, LOST);
  owned?.jobs.pop();
};

const returning: Step = function* ({ queue }, lane, owned) {
  const taken = yield* takeValue(lane.view, queue, true, owned, LOST);
  assert.ok(taken, "there is no message");
  yield* giveBack(queue, taken.job);
  owned?.jobs.pop();
  yield* release(taken.handle, LOST);
};

const leaving: Step = function* ({ queue }, lane, owned) {
  yield* takeValue(lane.view, queue, true, owned, LOST);
  owned?.claims.push((yield* claim(queue)) as number);
  yield* leaveWithReferences(queue, LOST);
};

const settling: Step = function* ({ queue }) {
  yield* repair(LOST);
  yield* markDead(LOST_SLOT);
  yield* settleQueue(queue);
  yield* settle(LOST);
};

const bytes: Step = ({ queue }) => send(queue, payloadOf(1, 24));

const BOTH = [sharing("first"), sharing("second")];

const CASES: ReferenceCase[] = [
  { name: "share, the first", operation: sharing("first"), after: [1], or: [[]] },
  {
    name: "share what is in it already",
    before: BOTH,
    operation: sharing("first"),
    after: [1, 2, 1],
    or: [[1, 2]],
  },
  { name: "share to one that waits", waits: "messages", operation: sharing("second"), after: [2], or: [[]] },
  { name: "share, and give the last other reference back", operation: movingOwn, after: [3], or: [[]] },
  { name: "share what is gone", before: BOTH, waits: "room", operation: sharingInVain, after: [1, 2] },
  { name: "receive", before: BOTH, waits: "room", operation: receiving, after: [2], or: [[1, 2]] },
  {
    name: "receive the last reference",
    before: [movingOwn],
    operation: receiving,
    after: [],
    or: [[3]],
  },
  { name: "take and finish", before: BOTH, waits: "room", operation: finishing, after: [2], or: [[1, 2]] },
  { name: "take and give back", before: BOTH, operation: returning, after: [1, 2] },
  { name: "take, claim, and leave", before: BOTH, operation: leaving, after: [1, 2] },
  {
    name: "receive, messages of the dead are dropped",
    policy: QUEUE_DROP,
    before: [movingOwn, sharing("second")],
    operation: receiving,
    after: [2],
    or: [[3, 2]],
  },
];

/** The message that it had taken, as its host knows. */
type Left = (ground: References, lane: CrashLane, id: number) => Job | undefined;

/** It has taken the first message, and stops when its step with the value is made, before the slot is free. */
const half =
  (name: string, ...more: number[]): Left =>
  ({ queue }, lane, id) => {
    const job = lane.play(id, take(lane.view, queue)) as Job;
    lane.playUntil(id, job.at, on(name, queue, job.at, job.held, ...more));
    return job;
  };

const countedNotSent: Left = (ground, lane, id) => {
  lane.playUntil(id, cellOf(ground.queue, 0), share(ground.queue, ground.first));
  return undefined;
};

/** What somebody has left that died, or was cut off. */
const LEFT: [name: string, before: Step[], left: Left][] = [
  ["sharing, counted and not sent", [], countedNotSent],
  ["receiving, before its slot was free", [sharing("first")], half("queueValue", 0)],
  ["finishing, before its slot was free", [sharing("first")], half("queueDone")],
];

const SETTLED: ReferenceCase[] = LEFT.flatMap(([name, before, left]) => [
  {
    name: `settle what one has left that died ${name}`,
    before,
    died: (ground: References, lane: CrashLane) => left(ground, lane, 2),
    operation: settling,
    after: [],
  },
  {
    name: `its heartbeat after ${name}, cut off`,
    before,
    cutOff: (ground: References, lane: CrashLane) => left(ground, lane, VICTIM),
    operation: () => call("beat", 0),
    after: [],
  },
  {
    name: `it leaves after ${name}, cut off`,
    before,
    cutOff: (ground: References, lane: CrashLane) => left(ground, lane, VICTIM),
    operation: ({ queue }: References) => leaveWithReferences(queue, LOST),
    after: [],
  },
]);

const MORE: ReferenceCase[] = [
  {
    name: "settle what one has left that had taken two, which are dropped",
    policy: QUEUE_DROP,
    before: [movingOwn, sharing("second")],
    died: ({ queue }, lane) => {
      for (let turn = 0; turn < 2; turn++) lane.play(2, take(lane.view, queue));
    },
    operation: settling,
    after: [],
  },
  {
    name: "settle what one has left that wrote bytes where a reference was",
    before: [sharing("first"), receiving],
    died: ({ queue, own }, lane) => {
      const at = lane.play(2, claim(queue)) as number;
      lane.view.setUint32(at + 16, own.at, true);
      lane.view.setUint32(at + 20, own.generation, true);
    },
    operation: settling,
    after: [],
  },
];

/** What there is, by number, each taken as a job and given back. */
function* look({ queue, first, second }: References, view: DataView): Script<number[]> {
  const found: number[] = [];
  const jobs = [];
  for (;;) {
    const taken = yield* takeValue(view, queue, true);
    if (!taken) break;
    found.push(taken.value === first.at ? 1 : taken.value === second.at ? 2 : 3);
    yield* release(taken.handle);
    jobs.push(taken.job);
  }
  for (const job of jobs) yield* giveBack(queue, job);
  return found;
}

/** All of it is received, and given back; then the slots are free, for bytes, too. */
function* empty(ground: References, view: DataView): Script {
  const { queue, payload } = ground;
  for (;;) {
    const taken = yield* takeValue(view, queue, false);
    if (!taken) break;
    yield* release(taken.handle);
  }
  yield* settle();
  assert.deepEqual(referredBy(view, queue), []);
  audit(view, payload);
  for (let slot = 0; slot < queue.capacity; slot++)
    assert.ok(yield* bytes(ground, { view } as CrashLane), "no room");
}

function referenceCase(one: ReferenceCase): CrashCase {
  let ground: References;
  let then: Owned;
  let owned: Owned;
  let cut: Job | undefined;
  let emptied = false;
  const sorted = (numbers: readonly number[]): string => [...numbers].sort().join(" ");
  const giveUp = (): Script => giveAllUp(ground.queue, owned, LOST);
  function* goOn(lane: CrashLane, by: number, dead: readonly number[], finished: boolean): Script {
    const lost = [...slotsOf(dead), ...LOST];
    assert.ok(yield* repair(lost), "the write lock is not to be had");
    for (const slot of lost) yield* markDead(slot);
    yield* settleQueue(ground.queue);
    assert.ok(yield* settle(lost), "the write lock is not to be had");
    lane.settled(by);
    for (const slot of lost)
      assert.equal(lane.view.getUint32(memberOf(ground.queue, slot), true), 0, "the dead are members still");
    yield* check();
    audit(lane.view, ground.payload, referredBy(lane.view, ground.queue));
    const found = yield* look(ground, lane.view);
    const allowed = emptied
      ? [[]]
      : finished && dead.length > 0
        ? [one.after]
        : [one.after, ...(one.or ?? [])];
    // Somebody else had taken some, too, who died since.
    if (one.policy === QUEUE_DROP && dead.length > 0) allowed.push(...(one.or ?? []), [1], [2], []);
    assert.ok(
      allowed.some((numbers) => sorted(numbers) === sorted(found)),
      `there are [${found}], not ${allowed.map((numbers) => `[${numbers}]`).join(" or ")}`,
    );
    if (by !== 2) return;
    emptied = true;
    yield* empty(ground, lane.view);
    for (let message = yield* take(lane.view, ground.queue); message; ) {
      yield* finish(ground.queue, message);
      message = yield* take(lane.view, ground.queue);
    }
  }
  return {
    name: `references in a queue, ${one.name}`,
    before: (lane) => {
      ground = prepareReferences(lane, one.policy);
      for (const step of one.before ?? []) lane.play(VICTIM, step(ground, lane));
      if (one.died) someoneDied(lane, LOST_SLOT, () => one.died?.(ground, lane));
      cut = one.cutOff?.(ground, lane);
      if (one.waits) lane.play(2, call("waitersArm", ground.queue[one.waits]));
    },
    operation(lane) {
      then = { claims: [], jobs: cut ? [cut] : [] };
      owned = { claims: [], jobs: [] };
      return one.operation(ground, lane, then);
    },
    goOn(lane, by, dead, finished) {
      if (by === 1) emptied = false;
      if (by === 1) owned = { claims: [...then.claims], jobs: [...then.jobs] };
      return goOn(lane, by, dead, finished);
    },
    ...(one.died ? {} : { livesOn: { next: giveUp, settle: giveUp } }),
  };
}

export const referenceCases: CrashCase[] = [...CASES, ...SETTLED, ...MORE].map(referenceCase);
