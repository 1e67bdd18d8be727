/** Each message that was sent comes to one consumer, in the order of its producer; nobody sleeps past one, nor past room. */
import { strict as assert } from "node:assert";
import type { World } from "../../lib/explore.js";
import {
  callOne,
  cancel,
  claim,
  done,
  giveBack,
  type Job,
  openQueue,
  type Queue,
  queueWish,
  send,
  settle,
  take,
} from "../../lib/hosts/queue.js";
import { numberOf, payloadOf } from "../../lib/hosts/ring.js";
import { markDead, waitFor, waitInVain } from "../../lib/hosts/segment.js";
import { call, type Script, until } from "../../lib/script.js";
import { type Explored, FOURTH, late, OBSERVER, populateFour, slotOf } from "./ground.js";

const SLOT_BYTES = 16;
let queue: Queue;
/** Numbers of the messages that were taken, by participant. */
let taken: number[][] = [];

/** `sent`: numbers of messages that are there already. */
function prepare(capacity: number, sent: number[] = []): (world: World) => void {
  return (world) => {
    populateFour(world);
    queue = world.play(OBSERVER, openQueue(world.arena.view, queueWish(capacity, SLOT_BYTES)));
    for (const number of sent) world.play(OBSERVER, send(queue, payloadOf(number, 8)));
    // All of them are members, as after their first call.
    for (const id of [0, 1, OBSERVER, FOURTH]) world.play(id, claimAndCancel());
  };
}

function* claimAndCancel(): Script {
  const at = yield* claim(queue);
  if (at !== undefined) yield* cancel(queue, at);
}

/** Sends, and waits for room. */
function* sendWaiting(world: World, id: number, number: number): Script {
  const attempt = function* (): Script<true | undefined> {
    return (yield* send(queue, payloadOf(number, 8))) || undefined;
  };
  if (yield* attempt()) return;
  yield* waitFor(world.arena.view, slotOf(id), queue.room, attempt, { passOn: () => callOne(queue.room) });
}

/** Takes, and waits for a message. */
function* takeWaiting(world: World, id: number): Script<Job> {
  const { view } = world.arena;
  const how = { passOn: () => callOne(queue.messages) };
  const job =
    (yield* take(view, queue)) ??
    (yield* waitFor(view, slotOf(id), queue.messages, () => take(view, queue), how));
  (taken[id] as number[]).push(numberOf(job.payload));
  return job;
}

function* takeAndFinish(world: World, id: number, count = 1): Script {
  for (let turn = 0; turn < count; turn++) yield* done(queue, yield* takeWaiting(world, id));
}

function* sendAll(world: World, id: number, ...numbers: number[]): Script {
  for (const number of numbers) yield* sendWaiting(world, id, number);
}

function begin(): void {
  taken = [[], [], [], []];
}

/** All of these, each once; and each consumer got what is in one group in its order. */
function check(groups: number[][]): void {
  const all = taken.flat();
  assert.deepEqual([...all].sort(), groups.flat().sort(), "what was taken is not what was sent");
  for (const numbers of taken) {
    for (const group of groups) {
      const order = numbers.filter((number) => group.includes(number));
      assert.deepEqual(order, [...order].sort(), `the order of ${order}`);
    }
  }
}

/** Nothing is left, and all slots are free. */
function* isWhole(world: World): Script {
  assert.equal(yield* take(world.arena.view, queue), undefined, "a message is left");
  for (let count = 0; count < queue.capacity; count++) {
    assert.ok(yield* send(queue, payloadOf(count, 8)), `only ${count} slots are free`);
  }
}

function after(groups: number[][]): (world: World) => void {
  return (world) => {
    check(groups);
    world.play(OBSERVER, isWhole(world));
  };
}

function twoByTwo(capacity: number, preemptions: number): Explored {
  return {
    name: `queue of ${capacity}, two send, two take`,
    preemptions,
    before: prepare(capacity),
    scripts: (world) => {
      begin();
      return [
        sendAll(world, 0, 1),
        sendAll(world, 1, 2),
        takeAndFinish(world, OBSERVER),
        takeAndFinish(world, FOURTH),
      ];
    },
    after: after([[1], [2]]),
  };
}

function oneByOne(capacity: number, preemptions: number): Explored {
  return {
    name: `queue of ${capacity}, one sends three, one takes them`,
    preemptions,
    before: prepare(capacity),
    scripts: (world) => {
      begin();
      return [sendAll(world, 0, 1, 2, 3), takeAndFinish(world, 1, 3)];
    },
    after: after([[1, 2, 3]]),
  };
}

/** Two send, one takes all: the order of each. */
function twoSend(preemptions: number): Explored {
  return {
    name: "queue of 2, two send two each, one takes them",
    preemptions,
    before: prepare(2),
    scripts: (world) => {
      begin();
      return [sendAll(world, 0, 1, 2), sendAll(world, 1, 3, 4), takeAndFinish(world, OBSERVER, 4)];
    },
    after: after([
      [1, 2],
      [3, 4],
    ]),
  };
}

function twoTake(preemptions: number): Explored {
  return {
    name: "queue of 1, one sends two, two take one each",
    preemptions,
    before: prepare(1),
    scripts: (world) => {
      begin();
      return [sendAll(world, 0, 1, 2), takeAndFinish(world, 1), takeAndFinish(world, OBSERVER)];
    },
    after: after([[1, 2]]),
  };
}

/** One gives back what it took, once; another one gets it. */
function givesBack(preemptions: number): Explored {
  function* back(world: World): Script {
    const job = yield* take(world.arena.view, queue);
    if (job) yield* giveBack(queue, job);
  }
  return {
    name: "queue of 2, one gives back what it took, another takes two",
    preemptions,
    before: prepare(2, [1]),
    scripts: (world) => {
      begin();
      return [back(world), takeAndFinish(world, 1, 2), sendAll(world, OBSERVER, 2)];
    },
    after: (world) => {
      assert.deepEqual(taken.flat().sort(), [1, 2]);
      world.play(OBSERVER, isWhole(world));
    },
  };
}

/** One waits and gives up, perhaps after it was called; the message goes to the other one that sleeps. */
function givesUp(passesOn: boolean, preemptions: number): Explored {
  function* inVain(world: World): Script {
    let job: Job | undefined;
    const look = function* (): Script<boolean> {
      job = yield* take(world.arena.view, queue);
      return job !== undefined;
    };
    const passOn = (): Script => (passesOn ? callOne(queue.messages) : settle(queue));
    if (yield* waitInVain(queue.messages, passOn, look)) yield* giveBack(queue, job as Job);
  }
  return {
    name: `queue, one gives up, another sleeps${passesOn ? "" : ", and nothing is passed on"}`,
    preemptions,
    before: prepare(1),
    scripts: (world) => {
      begin();
      return [sendAll(world, 0, 1), inVain(world), takeAndFinish(world, OBSERVER)];
    },
    after: after([[1]]),
  };
}

/** @internal The bug of a host for planted.test.ts. */
export const messageIsNotPassedOn = givesUp(false, 2);

/** Those who live on after a death: they mark it dead, settle, and take what there is. */
function* inherit(world: World, id: number, dead: number): Script {
  yield* until(() => world.state(dead) === "dead" || world.state(dead) === "done");
  if (world.state(dead) === "dead") yield* markDead(slotOf(dead));
  yield* settle(queue);
  for (let job = yield* take(world.arena.view, queue); job; job = yield* take(world.arena.view, queue)) {
    (taken[id] as number[]).push(numberOf(job.payload));
    yield* done(queue, job);
  }
}

/** A consumer dies at any write; two others settle at the same time. What it had not finished, one of them gets. */
function consumerDies(preemptions: number): Explored {
  let finished: number[] = [];
  function* consuming(world: World): Script {
    for (let turn = 0; turn < 2; turn++) {
      const job = yield* take(world.arena.view, queue);
      if (!job) return;
      yield* done(queue, job);
      finished.push(numberOf(job.payload));
    }
  }
  return {
    name: "queue of 2, a consumer dies at any write, two others settle",
    preemptions,
    deaths: 1,
    mortal: [0],
    before: prepare(2, [1, 2]),
    scripts: (world) => {
      begin();
      finished = [];
      return [consuming(world), inherit(world, 1, 0), inherit(world, OBSERVER, 0)];
    },
    after: (world) => {
      const all = [...finished, ...taken.flat()].sort();
      // It may die right after it has finished one, before it has noted that.
      const lost = [1, 2].filter((number) => !all.includes(number));
      assert.ok(
        lost.length <= 1 && all.length + lost.length === 2,
        `finished ${finished}, others got ${taken.flat()}`,
      );
      world.play(OBSERVER, isWhole(world));
    },
  };
}

/** A producer dies at any write, while another one sends and a third takes. */
function producerDies(preemptions: number): Explored {
  let sent = 0;
  function* producing(): Script {
    for (const number of [1, 2]) if (yield* send(queue, payloadOf(number, 8))) sent = number;
  }
  return {
    name: "queue of 3, a producer dies at any write, another sends",
    preemptions,
    deaths: 1,
    mortal: [0],
    before: prepare(3),
    scripts: (world) => {
      begin();
      sent = 0;
      return [producing(), sendAll(world, 1, 3), inherit(world, OBSERVER, 0)];
    },
    after: (world) => {
      world.play(OBSERVER, inherit(world, OBSERVER, 0));
      const all = taken.flat();
      const own = all.filter((number) => number < 3);
      assert.ok(own.length >= sent && own.length <= sent + 1, `${sent} were sent, ${own} came`);
      assert.deepEqual(own, own.length === 2 ? [1, 2] : own.length === 1 ? [1] : []);
      assert.deepEqual(
        all.filter((number) => number >= 3),
        [3],
      );
      world.play(OBSERVER, isWhole(world));
    },
  };
}

/** One leaves with a message that it has taken and a slot that it has claimed; another one gets both. */
function leaves(preemptions: number): Explored {
  function* leaving(world: World): Script {
    yield* take(world.arena.view, queue);
    yield* claim(queue);
    const flags = yield* call("queueLeave", queue.queue, queue.capacity, queue.slotBytes);
    assert.ok(flags < 16, `queueLeave gave ${flags}`);
    yield* callOne(queue.messages);
    yield* callOne(queue.room);
  }
  return {
    name: "queue of 2, one leaves with a message and a claim",
    preemptions,
    before: prepare(2, [1]),
    scripts: (world) => {
      begin();
      return [leaving(world), takeAndFinish(world, 1, 2), sendAll(world, OBSERVER, 2)];
    },
    after: (world) => {
      assert.deepEqual(taken.flat().sort(), [1, 2]);
      world.play(OBSERVER, isWhole(world));
    },
  };
}

export const queueScenarios: Explored[] = [
  oneByOne(1, 2),
  oneByOne(2, 2),
  twoTake(1),
  twoSend(1),
  twoByTwo(1, 1),
  twoByTwo(2, 1),
  givesBack(2),
  givesUp(true, 2),
  consumerDies(1),
  producerDies(1),
  leaves(1),
  late(oneByOne(2, 1), 1, 1),
  late(twoTake(1), 1, 1),
];
