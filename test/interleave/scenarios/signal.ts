/** No more is taken from a semaphore than is given, no addition is lost, and nobody sleeps past what he waits for. */
import { strict as assert } from "node:assert";
import { BUSY } from "../../../protocol/errors.js";
import {
  FLAG_WAKE,
  OBJECT_COUNTER,
  OBJECT_EVENT,
  OBJECT_SEMAPHORE,
  SEMAPHORE_TAKEN,
} from "../../../protocol/layout.js";
import type { World } from "../../lib/explore.js";
import {
  callSome as callEach,
  notify,
  openObject,
  type Waiting,
  waitFor,
  waitInVain,
} from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { type Explored, OBSERVER, populate, SLOTS } from "./ground.js";

let signal = 0;

function prepare(type: number, first: number): (world: World) => void {
  return (world) => {
    populate(world);
    signal = world.play(OBSERVER, openObject(world.arena.view, { type, name: "signal", first }));
  };
}

/** Waits until it has taken so many, as `ts/sync/semaphore.ts` does: who waits for several claims what comes. */
function* take(world: World, id: number, count = 1, blocks = false): Script {
  function* look(again = true): Script<true | undefined> {
    const result = (yield* call("semaphoreTry", signal, count)) >>> 0;
    if (result !== BUSY && result & SEMAPHORE_TAKEN) {
      if (result & FLAG_WAKE) yield* callAll();
      return true;
    }
    // What came before the claim was seen called others.
    const claimed = count > 1 && (yield* call("semaphoreClaim", signal)) === 0;
    return claimed && again ? yield* look(false) : undefined;
  }
  yield* until(world, id, look, { blocks, passOn: () => callSome(1) });
}

function* signaled(world: World, id: number): Script {
  yield* until(world, id, function* look(): Script<true | undefined> {
    return (yield* call("signalValue", signal)) === 1 ? true : undefined;
  });
}

function* until(world: World, id: number, look: () => Script<true | undefined>, how: Waiting = {}): Script {
  if (yield* look()) return;
  const set = (yield* call("signalWaiters", signal)) >>> 0;
  yield* waitFor(world.arena.view, SLOTS[id] as number, set, look, how);
}

/** Calls one that waits for each of so many. */
function* callSome(count: number): Script {
  const set = (yield* call("signalWaiters", signal)) >>> 0;
  yield* callEach(set, count, () => call("semaphoreCall", signal));
}

/** The same for each that is there, after a claim of ours has ended. */
function* callAll(): Script {
  yield* callSome(yield* call("signalValue", signal));
}

/** Gives so many. */
function* give(count = 1): Script {
  const result = yield* call("semaphoreRelease", signal, count);
  assert.ok(result <= 1, `error ${result}`);
  if (result & FLAG_WAKE) yield* callSome(count);
}

function* wakeIf(result: number): Script {
  assert.ok(result <= 1, `error ${result}`);
  if (result === 1) yield* notify((yield* call("signalWaiters", signal)) >>> 0);
}

/** As many as there are permits may be between taking and giving back. */
function semaphore(permits: number, participants: number, preemptions: number): Explored {
  let inside = 0;
  function* pass(world: World, id: number): Script {
    yield* take(world, id);
    assert.ok(++inside <= permits, `${inside} have taken one of ${permits}`);
    yield* call("selfCheck");
    inside--;
    yield* give();
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
    yield* take(world, id);
    yield* take(world, id);
  }
  return {
    name: "semaphore, one takes what two give",
    preemptions: 3,
    before: prepare(OBJECT_SEMAPHORE, 0),
    scripts: (world) => [give(), takeTwo(world, 1), give()],
    after: (world) => assert.equal(world.play(OBSERVER, call("signalValue", signal)), 0),
  };
}

/** One gives twice, and two sleep: one may take before it is called, and then get the call for what is left. */
function semaphoreGivenTwice(passesOn: boolean, preemptions: number): Explored {
  function* takeOne(world: World, id: number): Script {
    const look = function* (): Script<true | undefined> {
      return ((yield* call("semaphoreTry", signal, 1)) >>> 0) & SEMAPHORE_TAKEN ? true : undefined;
    };
    yield* until(world, id, look, passesOn ? { passOn: () => callSome(1) } : {});
  }
  return {
    name: `semaphore, one gives twice, two take one each${passesOn ? "" : ", and pass nothing on"}`,
    preemptions,
    before: prepare(OBJECT_SEMAPHORE, 0),
    scripts: (world) => [
      (function* (): Script {
        yield* give();
        yield* give();
      })(),
      takeOne(world, 1),
      takeOne(world, 2),
    ],
    after: (world) => assert.equal(world.play(OBSERVER, call("signalValue", signal)), 0),
  };
}

/** @internal The bug of a host for planted.test.ts. */
export const whoTookPassesNothingOn = semaphoreGivenTwice(false, 3);

/** Several wait for different counts; each gives back what it took. Nobody starves, also not who wants them all. */
function semaphoreCounts(counts: number[], permits: number, preemptions: number): Explored {
  let inside = 0;
  function* pass(world: World, id: number, count: number): Script {
    yield* take(world, id, count);
    inside += count;
    assert.ok(inside <= permits, `${inside} of ${permits} are taken`);
    yield* call("selfCheck");
    inside -= count;
    yield* give(count);
  }
  return {
    name: `semaphore, ${counts.join(" and ")} out of ${permits}`,
    preemptions,
    before: prepare(OBJECT_SEMAPHORE, permits),
    scripts: (world) => {
      inside = 0;
      return counts.map((count, id) => pass(world, id, count));
    },
    after: (world) => {
      assert.equal(world.play(OBSERVER, call("signalValue", signal)), permits);
      assert.equal(world.play(OBSERVER, call("semaphoreClaim", signal)), 0, "a claim is left");
    },
  };
}

/** One gives what two wait for, who sleep on doorbells of either kind: each that is given is taken. */
function semaphoreSleepers(count: number, blocks: boolean, preemptions: number): Explored {
  return {
    name: `semaphore, ${count} given at once, one waits ${blocks ? "blocking" : "in its event loop"}`,
    preemptions,
    before: prepare(OBJECT_SEMAPHORE, 0),
    scripts: (world) => [give(count), take(world, 1, 1, blocks), take(world, 2)],
    after: (world) => assert.equal(world.play(OBSERVER, call("signalValue", signal)), 0),
  };
}

/** One waits and gives up, perhaps after it was called: another one that sleeps does not miss what was given. */
function semaphoreGivesUp(passesOn: boolean, preemptions: number): Explored {
  return {
    name: `semaphore, one gives up, another sleeps${passesOn ? "" : ", and nothing is passed on"}`,
    preemptions,
    before: prepare(OBJECT_SEMAPHORE, 0),
    scripts: (world) => [
      give(),
      (function* (): Script {
        const set = (yield* call("signalWaiters", signal)) >>> 0;
        const look = function* (): Script<boolean> {
          return (((yield* call("semaphoreTry", signal, 1)) >>> 0) & SEMAPHORE_TAKEN) !== 0;
        };
        const passOn = (): Script => (passesOn ? callSome(1) : callSome(0));
        if (yield* waitInVain(set, passOn, look)) yield* give();
      })(),
      take(world, 2),
    ],
    after: (world) => assert.equal(world.play(OBSERVER, call("signalValue", signal)), 0),
  };
}

/** @internal The bug of a host for planted.test.ts. */
export const nothingIsPassedOn = semaphoreGivesUp(false, 2);

/** One waits for several while others give one by one and take one: it claims, and nobody sleeps through what is left. */
function semaphoreClaimed(preemptions: number): Explored {
  return {
    name: "semaphore, one claims two while another waits for one",
    preemptions,
    before: prepare(OBJECT_SEMAPHORE, 0),
    scripts: (world) => [
      (function* (): Script {
        for (let given = 0; given < 3; given++) yield* give();
      })(),
      take(world, 1, 2),
      take(world, 2),
    ],
    after: (world) => assert.equal(world.play(OBSERVER, call("signalValue", signal)), 0),
  };
}

function event(): Explored {
  return {
    name: "event, two wait until it is signaled",
    preemptions: 2,
    before: prepare(OBJECT_EVENT, 0),
    scripts: (world) => [
      signaled(world, 0),
      signaled(world, 1),
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

/** Each value that is put in comes out once: in an exchange, or at the end. */
function counterExchange(): Explored {
  let out: number[] = [];
  function* exchange(value: number): Script {
    out.push(yield* call("counterExchange", signal, value));
  }
  return {
    name: "counter, three exchange",
    preemptions: 3,
    before: prepare(OBJECT_COUNTER, 0),
    scripts: () => {
      out = [];
      return [exchange(1), exchange(2), exchange(3)];
    },
    after: (world) => {
      const last = world.play(OBSERVER, call("counterValue", signal));
      assert.deepEqual([...out, last].sort(), [0, 1, 2, 3]);
    },
  };
}

export const signalScenarios: Explored[] = [
  semaphore(1, 2, 3),
  semaphore(1, 3, 2),
  semaphore(2, 3, 2),
  semaphoreTwice(),
  semaphoreGivenTwice(true, 3),
  semaphoreSleepers(2, true, 3),
  semaphoreSleepers(2, false, 3),
  semaphoreGivesUp(true, 3),
  semaphoreClaimed(2),
  semaphoreCounts([2, 1], 2, 3),
  semaphoreCounts([2, 2], 3, 3),
  semaphoreCounts([2, 1, 1], 2, 2),
  event(),
  eventPulse(1, 2, 3),
  eventPulse(2, 1, 3),
  counter(),
  counterExchange(),
];
