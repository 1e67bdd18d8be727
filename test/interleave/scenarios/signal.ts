/** No more is taken from a semaphore than is given, no addition is lost, and nobody sleeps past what he waits for. */
import { strict as assert } from "node:assert";
import { OBJECT_COUNTER, OBJECT_EVENT, OBJECT_SEMAPHORE } from "../../../protocol/layout.js";
import type { World } from "../../lib/explore.js";
import { notify, openObject, waitFor } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { type Explored, OBSERVER, populate, SLOTS } from "./ground.js";

let signal = 0;

function prepare(type: number, first: number): (world: World) => void {
  return (world) => {
    populate(world);
    signal = world.play(OBSERVER, openObject(world.arena.view, { type, name: "signal", first }));
  };
}

function* whenTrue(world: World, id: number, name: string): Script {
  function* look(): Script<true | undefined> {
    return (yield* call(name, signal)) === 1 ? true : undefined;
  }
  if (yield* look()) return;
  const set = (yield* call("signalWaiters", signal)) >>> 0;
  yield* waitFor(world.arena.view, SLOTS[id] as number, set, look);
}

function* wakeIf(result: number): Script {
  assert.ok(result <= 1, `error ${result}`);
  if (result === 1) yield* notify((yield* call("signalWaiters", signal)) >>> 0);
}

/** As many as there are permits may be between taking and giving back. */
function semaphore(permits: number, participants: number, preemptions: number): Explored {
  let inside = 0;
  function* pass(world: World, id: number): Script {
    yield* whenTrue(world, id, "semaphoreTry");
    assert.ok(++inside <= permits, `${inside} have taken one of ${permits}`);
    yield* call("selfCheck");
    inside--;
    yield* wakeIf(yield* call("semaphoreRelease", signal, 1));
  }
  return {
    name: `semaphore, ${participants} share ${permits}`,
    preemptions,
    before: prepare(OBJECT_SEMAPHORE, permits),
    scripts: (world) => {
      inside = 0;
      return Array.from({ length: participants }, (_, id) => pass(world, id));
    },
    after: (world) => assert.equal(world.play(OBSERVER, call("signalValue", signal)), permits),
  };
}

/**
 * One takes two permits that two others give, one after the other: who is rung and arms again is seen by the second giver, also
 * while the first goes on ringing.
 */
function semaphoreTwice(): Explored {
  function* takeTwo(world: World, id: number): Script {
    yield* whenTrue(world, id, "semaphoreTry");
    yield* whenTrue(world, id, "semaphoreTry");
  }
  function* give(): Script {
    yield* wakeIf(yield* call("semaphoreRelease", signal, 1));
  }
  return {
    name: "semaphore, one takes what two give",
    preemptions: 3,
    before: prepare(OBJECT_SEMAPHORE, 0),
    scripts: (world) => [give(), takeTwo(world, 1), give()],
    after: (world) => assert.equal(world.play(OBSERVER, call("signalValue", signal)), 0),
  };
}

function event(): Explored {
  return {
    name: "event, two wait until it is signaled",
    preemptions: 2,
    before: prepare(OBJECT_EVENT, 0),
    scripts: (world) => [
      whenTrue(world, 0, "signalValue"),
      whenTrue(world, 1, "signalValue"),
      (function* (): Script {
        yield* wakeIf(yield* call("eventSet", signal, 1));
      })(),
    ],
  };
}

/** Who waited before the first signal passes, however soon resets follow, and whoever signals and resets beside. */
function eventPulse(pulses: number, waiters: number, preemptions: number): Explored {
  const BEGIN = 0;
  function* passes(world: World, id: number): Script {
    function* look(): Script<true | undefined> {
      const word = yield* call("signalValue", signal);
      return word % 2 === 1 || word !== BEGIN ? true : undefined;
    }
    const set = (yield* call("signalWaiters", signal)) >>> 0;
    yield* waitFor(world.arena.view, SLOTS[id] as number, set, look);
  }
  function* pulse(): Script {
    yield* wakeIf(yield* call("eventSet", signal, 1));
    yield* wakeIf(yield* call("eventSet", signal, 0));
  }
  return {
    name: `event, ${waiters} wait, ${pulses} signal and reset`,
    preemptions,
    before: prepare(OBJECT_EVENT, BEGIN),
    scripts: (world) => [
      ...Array.from({ length: waiters }, (_, id) => passes(world, id)),
      ...Array.from({ length: pulses }, pulse),
    ],
    after: (world) => {
      const word = world.play(OBSERVER, call("signalValue", signal));
      assert.ok(word > BEGIN && word % 2 === 0, `an event that was reset last says ${word}`);
    },
  };
}

/** Adds by adding, or by comparing and exchanging. */
function counter(): Explored {
  function* exchange(): Script {
    for (let old = 0; ; ) {
      const found = yield* call("counterCompareExchange", signal, old, old + 10);
      if (found === old) return;
      old = found;
    }
  }
  function* add(amount: number): Script {
    yield* call("counterAdd", signal, amount);
    yield* call("counterAdd", signal, amount);
  }
  return {
    name: "counter, three add",
    preemptions: 3,
    before: prepare(OBJECT_COUNTER, 0),
    scripts: () => [add(1), exchange(), add(100)],
    after: (world) => assert.equal(world.play(OBSERVER, call("counterValue", signal)), 212),
  };
}

export const signalScenarios: Explored[] = [
  semaphore(1, 2, 3),
  semaphore(1, 3, 2),
  semaphore(2, 3, 2),
  semaphoreTwice(),
  event(),
  eventPulse(1, 2, 3),
  eventPulse(2, 1, 3),
  counter(),
];
