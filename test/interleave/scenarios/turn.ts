/** Who waits for the write lock asleep gets it: no wake-up is lost, whoever releases it while somebody begins to wait. */
import { strict as assert } from "node:assert";
import { ANSWER_WAKE_OFFSET, WRITE_LOCK_WAITERS_OFFSET } from "../../../protocol/layout.js";
import { TURN_MS } from "../../../protocol/limits.js";
import type { World } from "../../lib/explore.js";
import { check, repair } from "../../lib/hosts/heap.js";
import { call, read, type Script, sleep, wake, write } from "../../lib/script.js";
import { type Explored, OBSERVER, populate, SLOTS } from "./ground.js";

const SET = WRITE_LOCK_WAITERS_OFFSET;

/** One change, if the lock is to be had; then whoever is next is woken. */
function* change(): Script<boolean> {
  const done = yield* repair([]);
  yield* passOn();
  return done;
}

/** What the host does after each call that may have given a turn. */
function* passOn(): Script {
  const at = ((yield* call("answers")) >>> 0) + ANSWER_WAKE_OFFSET;
  const [bell] = new Uint32Array((yield* read(at, 4)).slice().buffer) as unknown as [number];
  if (bell === 0) return;
  yield* write(at, new Uint8Array(4));
  yield* wake(bell);
}

/** Changes something, asleep while others do. */
function* changeAsleep(world: World, id: number, changes = 1): Script {
  const bell = (yield* call("doorbell", SLOTS[id] as number)) >>> 0;
  for (let done = 0; done < changes; done++) {
    while (!(yield* change())) {
      const rung = world.arena.view.getUint32(bell, true);
      yield* call("waitersArm", SET);
      if (yield* change()) break;
      yield* sleep(bell, rung);
    }
    yield* call("waitersDisarm", SET);
    yield* call("turnServed");
    yield* passOn();
  }
}

/** Waits for the lock, and gives up when it is woken: it was its turn, perhaps. */
function* giveUp(): Script {
  yield* call("waitersArm", SET);
  yield* call("selfCheck");
  yield* call("turnLeave");
  yield* passOn();
}

/** Comes late, again and again, and does not wait for those who do not use their turn. */
function* passOver(): Script {
  for (let now = 0; now < 4 * TURN_MS; now += TURN_MS) {
    if (yield* change()) return;
    yield* call("turnPass", now);
    yield* passOn();
  }
}

function after(world: World): void {
  assert.ok(world.play(OBSERVER, repair([])), "a turn stands that nobody uses");
  world.play(OBSERVER, check());
}

function turnScenario(one: Pick<Explored, "name" | "preemptions" | "scripts">): Explored {
  return { ...one, name: `turn, ${one.name}`, before: populate, after };
}

export const turnScenarios: Explored[] = [
  turnScenario({
    name: "two change, who waits sleeps",
    preemptions: 3,
    scripts: (world) => [changeAsleep(world, 0), changeAsleep(world, 1)],
  }),
  turnScenario({
    name: "two change twice, who waits sleeps",
    preemptions: 2,
    scripts: (world) => [changeAsleep(world, 0, 2), changeAsleep(world, 1, 2)],
  }),
  turnScenario({
    name: "three change, who waits sleeps",
    preemptions: 2,
    scripts: (world) => [changeAsleep(world, 0), changeAsleep(world, 1), changeAsleep(world, 2)],
  }),
  turnScenario({
    name: "two change, one gives up",
    preemptions: 2,
    scripts: (world) => [changeAsleep(world, 0), changeAsleep(world, 1), giveUp()],
  }),
  turnScenario({
    name: "two change, one passes them over",
    preemptions: 1,
    scripts: (world) => [changeAsleep(world, 0), changeAsleep(world, 1), passOver()],
  }),
];
