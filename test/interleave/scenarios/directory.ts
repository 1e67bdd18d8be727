/** Inserts and attaches that race: one name is one object, an end has one holder, a death is marked dead once. */
import { strict as assert } from "node:assert";
import {
  DIRECTORY_WAITERS_OFFSET,
  FLAG_WAKE,
  HEADER_DROPS_OFFSET,
  HEADER_FINGERPRINT_OFFSET,
  HEADER_LAYOUT_MISMATCHES_OFFSET,
  HEADER_RECOVERIES_OFFSET,
} from "../../../protocol/layout.js";
import type { World } from "../../lib/explore.js";
import {
  attachConsumer,
  attachProducer,
  type ConsumerEnd,
  closeProducer,
  openRing,
  type ProducerEnd,
  type Ring,
} from "../../lib/hosts/ring.js";
import {
  insertOnce,
  joinSegment,
  latestWish,
  leaveSegment,
  markDead,
  notify,
  type ObjectWish,
  openObject,
  ringWish,
  tryOpenObject,
  waitFor,
} from "../../lib/hosts/segment.js";
import { attempt, call, type Script, wake } from "../../lib/script.js";
import type { Scenario } from "../../lib/search.js";
import { SEGMENT_BYTES } from "../../lib/shipped.js";
import { type Explored, OBSERVER, populate, SLOTS } from "./ground.js";

const LOST_SLOT = 7;

/** Both insert; `made[i]` is what participant i got. */
function inserting(name: string, wishes: ObjectWish[], objects: number, mortal: number[] = []): Explored {
  let made: (number | undefined)[] = [];
  function* insert(world: World, id: number): Script {
    const dead = (): number[] => (world.state(1 - id) === "dead" ? [SLOTS[1 - id] as number] : []);
    made[id] = yield* attempt(() => tryOpenObject(world.arena.view, wishes[id] as ObjectWish, dead()));
  }
  return {
    name: `directory, ${name}`,
    preemptions: mortal.length > 0 ? 1 : 2,
    ...(mortal.length > 0 ? { deaths: 1, mortal } : {}),
    before: populate,
    scripts: (world) => {
      made = [];
      return [insert(world, 0), insert(world, 1)];
    },
    after: (world) => {
      const count = world.play(OBSERVER, call("directoryCount"));
      const dead = mortal.some((id) => world.state(id) === "dead");
      assert.ok(count === objects || (dead && count === objects - 1), `${count} objects`);
      wishes.forEach((wish, id) => {
        if (made[id] === undefined) return;
        const again = world.play(OBSERVER, openObject(world.arena.view, wish, dead ? [SLOTS[0]] : []));
        assert.equal(again, made[id], "the object moved");
      });
      if (objects === 2 && !dead) assert.notEqual(made[0], made[1]);
      if (objects === 1 && !dead) assert.equal(made[0], made[1]);
    },
  };
}

/** One waits, asleep, for an object that the other makes. */
function waitingForObject(): Explored {
  const wish = ringWish("wanted", 64);
  function* insert(): Script {
    const entry = (yield* insertOnce(wish)) >>> 0;
    if (entry & FLAG_WAKE) yield* notify(DIRECTORY_WAITERS_OFFSET);
  }
  function* wait(view: DataView): Script {
    const look = function* (): Script<number | undefined> {
      return (yield* call("directoryCount")) || undefined;
    };
    assert.equal((yield* look()) ?? (yield* waitFor(view, SLOTS[1], DIRECTORY_WAITERS_OFFSET, look)), 1);
  }
  return {
    name: "directory, one waits for an object",
    preemptions: 2,
    before: populate,
    scripts: (world) => [insert(), wait(world.arena.view)],
  };
}

type Attach = (ring: Ring, dead?: readonly number[]) => Script<ProducerEnd | ConsumerEnd | undefined>;

/** Both want the same end; the owner before them has died, has closed, or there was none. */
function attaching(name: string, attach: Attach, before: (world: World, ring: Ring) => void): Explored {
  let ring: Ring;
  let holders: number[] = [];
  function* take(id: number): Script {
    if (yield* attach(ring, [LOST_SLOT])) holders.push(id);
  }
  return {
    name: `ends, ${name}`,
    preemptions: 3,
    before: (world) => {
      populate(world);
      ring = world.play(OBSERVER, openRing(world.arena.view, ringWish("ring", 64)));
      before(world, ring);
    },
    scripts: () => {
      holders = [];
      return [take(0), take(1)];
    },
    after: (world) => {
      assert.equal(holders.length, 1, "holders");
      const owner = holders[0] as number;
      const state = attach === attachProducer ? "ringProducerState" : "ringConsumerState";
      assert.equal(world.play(1 - owner, call(state, ring.ring)), 1, "the holder does not count as live");
    },
  };
}

/** The third participant's instance plays one who took the end, and died or closed it. */
function held(attach: Attach, closes: boolean): (world: World, ring: Ring) => void {
  return (world, ring) => {
    world.play(OBSERVER, leaveSegment());
    world.play(OBSERVER, joinSegment(LOST_SLOT));
    const end = world.play(OBSERVER, attach(ring));
    assert.ok(end);
    if (closes) world.play(OBSERVER, call("ringCloseProducer", ring.ring));
    if (closes) world.play(OBSERVER, call("ringCloseConsumer", ring.ring));
    world.play(OBSERVER, joinSegment(SLOTS[OBSERVER]));
  };
}

/** One closes its end while the other wants it. */
function handingOver(): Explored {
  let ring: Ring;
  let producer: ProducerEnd | undefined;
  function* close(): Script {
    assert.ok(producer);
    yield* closeProducer(producer);
  }
  return {
    name: "ends, closed while another waits for it",
    preemptions: 3,
    before: (world) => {
      populate(world);
      ring = world.play(OBSERVER, openRing(world.arena.view, ringWish("ring", 64)));
      producer = world.play(0, attachProducer(ring));
    },
    scripts: () => [close(), attempt(() => attachProducer(ring))],
  };
}

/** The third participant's instance plays those who lived in these slots, and died. */
function died(world: World, slots: number[]): void {
  world.play(OBSERVER, leaveSegment());
  for (const slot of [...slots, SLOTS[OBSERVER]]) world.play(OBSERVER, joinSegment(slot));
}

/** Both find somebody dead: the same one, or each another. */
function markingDead(name: string, slots: [number, number]): Explored {
  const dead = [...new Set(slots)];
  let marked = 0;
  function* markOneDead(slot: number): Script {
    if (yield* markDead(slot)) marked++;
  }
  return {
    name: `participants, ${name}`,
    preemptions: 3,
    before: (world) => {
      populate(world);
      died(world, dead);
    },
    scripts: () => {
      marked = 0;
      return slots.map(markOneDead);
    },
    after: (world) => {
      assert.equal(marked, dead.length, "marked dead");
      assert.equal(world.arena.view.getUint32(HEADER_RECOVERIES_OFFSET, true), dead.length, "recoveries");
    },
  };
}

/** One goes to sleep, or changes its mind, while the other notifies: nobody who is armed is forgotten. */
function arming(name: string, disarms: boolean): Explored {
  const set = DIRECTORY_WAITERS_OFFSET;
  let bells: number[] = [];
  return {
    name: `waiters, ${name}`,
    preemptions: 3,
    before: (world) => {
      populate(world);
      bells = [0, 1, 2].map((id) => world.play(id, call("doorbell", SLOTS[id] as number)) >>> 0);
      if (disarms) world.play(1, call("waitersArm", set));
    },
    scripts: () => [
      notify(set),
      disarms ? call("waitersDisarm", set) : call("waitersArm", set),
      call("waitersArm", set),
    ],
    after: (world) => {
      world.play(OBSERVER, notify(set));
      const rung = bells.map((bell) => world.arena.view.getUint32(bell, true) > 0);
      assert.deepEqual(rung.slice(disarms ? 2 : 1), disarms ? [true] : [true, true], "forgotten");
      assert.equal(world.play(OBSERVER, call("waitersAny", set)), 0, "summary");
    },
  };
}

/** Both count in the same word. */
function counting(
  name: string,
  counter: number,
  count: (world: World) => Script<unknown>,
  before?: Scenario["before"],
): Explored {
  return {
    name: `counters, ${name}`,
    preemptions: 2,
    before: (world) => {
      populate(world);
      before?.(world);
    },
    scripts: (world) => [count(world), count(world)],
    after: (world) => assert.equal(world.arena.view.getUint32(counter, true), 2, "count"),
  };
}

/**
 * One was seen dead, and before it is marked dead its slot gets a new owner, who must stay alive. Joining is serialised by the
 * kernel's creation lock, marking dead is not; `held` is the kernel lock of the slot.
 */
function markingDeadTooLate(sweepers: 1 | 2): Explored {
  let held = false;
  function* rejoin(): Script {
    yield* wake(0); // a system call: others may run before it
    held = true;
    yield* joinSegment(LOST_SLOT);
    assert.equal(yield* call("selfCheck"), 0, "the new owner was marked dead");
  }
  function* markDeadIfFree(): Script {
    if (!(yield* call("watchSlot", LOST_SLOT))) return;
    yield* wake(0);
    if (!held) yield* call("markDead");
  }
  return {
    name: `participants, a slot is taken while its dead owner is marked dead${sweepers > 1 ? " by two" : ""}`,
    preemptions: 3,
    before: (world) => {
      populate(world);
      died(world, [LOST_SLOT]);
    },
    scripts: () => {
      held = false;
      return [markDeadIfFree(), rejoin(), ...(sweepers > 1 ? [markDeadIfFree()] : [])];
    },
    after: (world) => assert.equal(world.play(1, call("selfCheck")), 0, "the new owner was marked dead"),
  };
}

const RING = ringWish("ring", 64);

export const directoryScenarios: Explored[] = [
  inserting("the same name twice", [RING, RING], 1),
  inserting("two names", [RING, ringWish("other", 128)], 2),
  { ...inserting("a ring and a value", [RING, latestWish("value", 16)], 2), preemptions: 1 },
  inserting("one dies at any write", [RING, ringWish("other", 128)], 2, [0]),
  inserting("one dies at any write, the same name", [RING, RING], 1, [0]),
  waitingForObject(),
  attaching("two attach a producer", attachProducer, () => {}),
  attaching("two attach a consumer", attachConsumer, () => {}),
  attaching("two attach after a close", attachProducer, held(attachProducer, true)),
  attaching("two attach after a death", attachConsumer, held(attachConsumer, false)),
  handingOver(),
  markingDead("two mark the same one dead", [LOST_SLOT, LOST_SLOT]),
  markingDead("two mark two dead", [LOST_SLOT, LOST_SLOT + 1]),
  markingDeadTooLate(1),
  markingDeadTooLate(2),
  arming("two arm while one notifies", false),
  arming("one disarms while another is notified", true),
  counting("two drops", HEADER_DROPS_OFFSET, () => call("countDrop")),
  counting(
    "two refusals",
    HEADER_LAYOUT_MISMATCHES_OFFSET,
    () => call("validate", SEGMENT_BYTES, 1),
    (world) => world.arena.view.setUint32(HEADER_FINGERPRINT_OFFSET, 99, true),
  ),
];
