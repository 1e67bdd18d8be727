/** References to values go through a queue: each to one consumer, and every count is right at the end. */
import { strict as assert } from "node:assert";
import { HANDLE_VALUE_OFFSET, VALUE_LIST } from "../../../protocol/layout.js";
import type { World } from "../../lib/explore.js";
import { check, repair } from "../../lib/hosts/heap.js";
import {
  cancel,
  claim,
  openQueue,
  type Queue,
  queueWish,
  settle as settleQueue,
} from "../../lib/hosts/queue.js";
import { finish, referredBy, share, takeValue } from "../../lib/hosts/queue-values.js";
import { markDead } from "../../lib/hosts/segment.js";
import { audit, make, release, type Shared, settle, sharedAt } from "../../lib/hosts/values.js";
import { type Script, until, variable } from "../../lib/script.js";
import { type Explored, FOURTH, OBSERVER, populateFour, slotOf } from "./ground.js";

const ALL = [0, 1, OBSERVER, FOURTH];
let queue: Queue;
let payload = 0;
/** One value of each participant, to which it has a handle. */
let values: Shared[] = [];
let handles: number[] = [];
/** What the consumers have received. */
let received: number[] = [];

/** `sent`: whose values are in the queue already. */
function prepare(sent: number[] = []): (world: World) => void {
  return (world) => {
    populateFour(world);
    const { view } = world.arena;
    queue = world.play(OBSERVER, openQueue(view, queueWish(2, 16)));
    payload = world.play(OBSERVER, variable("payload")) >>> 0;
    handles = ALL.map((id) => world.play(id, make(VALUE_LIST)) as number);
    values = handles.map((handle) => sharedAt(view, view.getUint32(handle + HANDLE_VALUE_OFFSET, true)));
    for (const id of sent) world.play(id, share(queue, values[id] as Shared));
    for (const id of ALL) world.play(id, claimAndCancel());
  };
}

function* claimAndCancel(): Script {
  const at = yield* claim(queue);
  if (at !== undefined) yield* cancel(queue, at);
}

const deadOf = (world: World): number[] => ALL.filter((id) => world.state(id) === "dead").map(slotOf);

/** Sends its value. */
function* shares(world: World, id: number): Script {
  assert.ok(yield* share(queue, values[id] as Shared, undefined, deadOf(world)), "no room");
}

function* receives(world: World): Script {
  const taken = yield* takeValue(world.arena.view, queue, false, undefined, deadOf(world));
  if (!taken) return;
  received.push(taken.value);
}

function* works(world: World): Script {
  const taken = yield* takeValue(world.arena.view, queue, true, undefined, deadOf(world));
  if (!taken) return;
  yield* finish(queue, taken.job, deadOf(world));
  received.push(taken.value);
}

/** Everything is in order, and what is left comes to the observer. */
function after(lost: number): (world: World) => void {
  return (world) => {
    const { view } = world.arena;
    const dead = deadOf(world);
    world.play(OBSERVER, repair(dead));
    for (const slot of dead) world.play(OBSERVER, markDead(slot));
    world.play(OBSERVER, settleQueue(queue));
    assert.ok(world.play(OBSERVER, settle(dead)));
    audit(view, payload, referredBy(view, queue));
    for (let turn = 0; turn < 3; turn++) world.play(OBSERVER, receives(world));
    for (const id of ALL) if (world.state(id) !== "dead") world.play(id, release(handles[id] as number));
    assert.ok(world.play(OBSERVER, settle()));
    world.play(OBSERVER, check());
    assert.deepEqual(referredBy(view, queue), []);
    audit(view, payload);
    assert.equal(new Set(received).size, received.length, `one value came twice: ${received}`);
    assert.ok(received.length + (dead.length > 0 ? lost : 0) >= 2, `received: ${received}`);
  };
}

function scenario(
  name: string,
  preemptions: number,
  scripts: (world: World) => Script<unknown>[],
  more: { sent?: number[]; mortal?: number[]; lost?: number } = {},
): Explored {
  const { sent, mortal, lost = 0 } = more;
  return {
    name: `references in a queue, ${name}`,
    preemptions,
    ...(mortal ? { deaths: 1, mortal } : {}),
    before: prepare(sent),
    scripts: (world) => {
      received = [];
      return scripts(world);
    },
    after: after(lost),
  };
}

/** Those who live on after a death: they settle, and receive what there is. */
function* inherits(world: World, dead: number): Script {
  yield* until(() => world.state(dead) === "dead" || world.state(dead) === "done");
  if (world.state(dead) === "dead") yield* markDead(slotOf(dead));
  yield* settleQueue(queue);
  yield* receives(world);
}

export const referenceScenarios: Explored[] = [
  scenario("two share, two receive", 1, (world) => [
    shares(world, 0),
    shares(world, 1),
    receives(world),
    receives(world),
  ]),
  scenario("one receives, one takes and finishes", 1, (world) => [receives(world), works(world)], {
    sent: [0, 1],
  }),
  scenario(
    "one that shares dies, two settle",
    0,
    (world) => [shares(world, 0), inherits(world, 0), inherits(world, 0)],
    { sent: [1], mortal: [0], lost: 1 },
  ),
  scenario(
    "one that receives dies, two settle",
    0,
    (world) => [receives(world), inherits(world, 0), inherits(world, 0)],
    { sent: [0, 1], mortal: [0], lost: 1 },
  ),
  scenario(
    "one that works dies, two settle",
    0,
    (world) => [works(world), inherits(world, 0), inherits(world, 0)],
    { sent: [0, 1], mortal: [0], lost: 1 },
  ),
];
