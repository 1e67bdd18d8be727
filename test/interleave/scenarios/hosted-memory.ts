/** The write lock, entering and leaving, and heartbeats of hosts that block: nobody sleeps past a lock that is free. */
import { strict as assert } from "node:assert";
import { TIMED_OUT } from "../../../protocol/errors.js";
import {
  KERNEL_LOCK_CREATION,
  KERNEL_LOCK_PARTICIPANTS,
  OBJECT_COUNTER,
  OBJECT_LOCK,
  OBJECT_SEMAPHORE,
} from "../../../protocol/layout.js";
import { RECHECK_MS } from "../../../protocol/limits.js";
import type { World } from "../../lib/explore.js";
import { check, repair } from "../../lib/hosts/heap.js";
import { HostedLock, hostedOpen } from "../../lib/hosts/hosted.js";
import { call, type Script, until } from "../../lib/script.js";
import { SEGMENT_BYTES } from "../../lib/shipped.js";
import {
  deadSlots,
  FOREVER,
  type HostedScenario,
  hosted,
  impatiently,
  OBSERVER,
  SHORT_MS,
  slowly,
  succeed,
} from "./hosted-ground.js";

/** The heap is whole, and the write lock is free once the dead are marked dead: nobody has it, or the turn to take it. */
function whole(world: World): void {
  // Who dies may have the turn: others wait for a moment then, and the observer does not.
  const free = world.play(OBSERVER, repair(deadSlots(world)));
  assert.ok(free || deadSlots(world).length > 0, "the write lock is held, or kept for somebody");
  world.play(OBSERVER, check());
}

function* take(bytes = 24): Script<number> {
  return yield* succeed("hostedAllocate", bytes, 8, 0);
}

function* takeAndGive(): Script {
  const block = yield* take();
  assert.ok(block > 128, `allocating gave ${block}`);
  assert.equal(yield* call("hostedFree", block), 0);
}

function memory(
  one: Pick<HostedScenario, "name" | "preemptions" | "scripts"> & Partial<HostedScenario>,
): HostedScenario {
  return { after: whole, ...one, name: `heap, ${one.name}` };
}

const two = memory({
  name: "two take and give back",
  preemptions: 1,
  scripts: () => [takeAndGive(), takeAndGive()],
});

const three = memory({
  name: "three take",
  preemptions: 2,
  scripts: () => [take(), take(), take()],
});

const dies = memory({
  name: "two take, one dies at any write",
  preemptions: 1,
  ...{ deaths: 1, mortal: [0] },
  scripts: () => [take(), take()],
});

const threeDies = memory({
  name: "three take, one dies at any write",
  preemptions: 0,
  ...{ deaths: 1, mortal: [0] },
  scripts: () => [take(), take(), take()],
});

const opens = memory({
  name: "two open the same name, a third one takes",
  preemptions: 1,
  scripts: () => {
    const found: number[] = [];
    function* open(): Script {
      found.push(yield* hostedOpen(OBJECT_COUNTER, "name"));
      assert.equal(found[0], found.at(-1), "two objects of one name");
    }
    return [open(), open(), take()];
  },
});

// --- transactions ---

let lock = 0;
let semaphore = 0;

const transaction: HostedScenario = {
  type: OBJECT_LOCK,
  before: (_world, object) => {
    lock = object;
  },
  name: "transaction, two begin, a third one takes",
  preemptions: 1,
  scripts: () => {
    let running = 0;
    function* change(timeoutMs: number): Script {
      const own = new HostedLock(lock);
      const told = yield* own.begin(timeoutMs);
      if (told === TIMED_OUT && timeoutMs !== FOREVER) return;
      assert.equal(told, 0);
      assert.equal(++running, 1, "two transactions");
      yield* take();
      running--;
      assert.equal(yield* own.end(true), 0);
    }
    return [change(FOREVER), change(FOREVER), take()];
  },
  after: whole,
};

// --- entering and leaving ---

/** As a host enters: alone with KERNEL_LOCK_CREATION, which the call gives back. */
function* enter(world: World, id: number): Script {
  yield* until(() => !world.kernel.heldByOther(KERNEL_LOCK_CREATION, id));
  world.kernel.take(KERNEL_LOCK_CREATION, id);
  assert.equal(yield* call("hostedEnter", SEGMENT_BYTES, 100 + id, 5), 0);
}

function slotsTaken(world: World): number[] {
  return [...world.kernel.state].filter(([index]) => index >= KERNEL_LOCK_PARTICIPANTS).map(([, id]) => id);
}

function* renew(world: World, id: number): Script {
  yield* call("hostedLeave");
  yield* enter(world, id);
  assert.equal(yield* call("selfCheck"), 0, "another one has the slot");
}

const entering: HostedScenario = {
  name: "two leave and enter again",
  preemptions: 2,
  scripts: (world) => [renew(world, 0), renew(world, 1)],
  after: (world) => {
    assert.deepEqual(slotsTaken(world).sort(), [0, 1, 2]);
    whole(world);
  },
};

const enteringDies: HostedScenario = {
  name: "one enters and dies at any write, another leaves and enters",
  preemptions: 1,
  ...{ deaths: 1, mortal: [0] },
  scripts: (world) => [renew(world, 0), renew(world, 1)],
  after: (world) => {
    const alive = [0, 1, 2].filter((id) => world.state(id) !== "dead");
    assert.deepEqual(slotsTaken(world).sort(), alive);
  },
};

// --- calls that were cut off ---

/**
 * A call that took the write lock was cut off, and its participant waits for something else. Its heartbeat comes in that wait,
 * and wakes whom the call has kept waiting.
 */
const heartbeatInWait: HostedScenario = {
  name: "heartbeat in a wait, a change was cut off, another one waits for the write lock",
  type: OBJECT_SEMAPHORE,
  preemptions: 1,
  timeouts: 1,
  before: (world, object) => {
    semaphore = object;
    world.cutOff(0, take(), 3);
  },
  scripts: () => [
    (function* (): Script {
      assert.equal(yield* call("hostedSemaphoreAcquire", semaphore, 1, SHORT_MS), TIMED_OUT);
    })(),
    take(),
  ],
  after: whole,
};

export const hostedMemoryScenarios = [
  hosted(two),
  hosted(slowly(two, RECHECK_MS)),
  hosted(three),
  hosted(impatiently(three, 0)),
  hosted(dies),
  hosted(threeDies),
  hosted(opens),
  hosted(transaction),
  hosted(entering),
  hosted(enteringDies),
  hosted(heartbeatInWait),
];
