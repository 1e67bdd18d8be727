/** Who holds a lock exclusively holds it alone, whoever waits, upgrades, gives up or dies; and nobody sleeps for ever. */
import { strict as assert } from "node:assert";
import { BUSY, DEADLOCK } from "../../../protocol/errors.js";
import { LOCK_SHARED_FIRST, LOCK_SHARED_PRESENT, OBJECT_LOCK } from "../../../protocol/layout.js";
import type { World } from "../../lib/explore.js";
import {
  acquire,
  callExclusive,
  cancel,
  downgrade,
  Expected,
  type Mode,
  releaseExclusive,
  releaseShared,
  type Told,
  take,
  wakeThem,
} from "../../lib/hosts/lock.js";
import {
  joinSegment,
  leaveSegment,
  markDead,
  openObject,
  waitFor,
  waitInVain,
} from "../../lib/hosts/segment.js";
import { attempt, call, type Script } from "../../lib/script.js";
import { type Explored, OBSERVER, populate, SLOTS } from "./ground.js";

const LOST_SLOT = 7;

/** Who holds the lock as far as the scripts know: from the return of taking it to the call that gives it back. */
class Holders {
  #exclusive: number | undefined;
  readonly #shared = new Set<number>();
  /** How often anybody held it. */
  total = 0;

  enter(id: number, mode: Mode): void {
    assert.equal(this.#exclusive, undefined, `${id} has it ${mode} beside an exclusive holder`);
    this.#shared.delete(id);
    if (mode === "shared") this.#shared.add(id);
    else {
      assert.equal(this.#shared.size, 0, `${id} has it exclusively beside shared holders`);
      this.#exclusive = id;
    }
    this.total++;
  }

  leave(id: number): void {
    if (this.#exclusive === id) this.#exclusive = undefined;
    this.#shared.delete(id);
  }
}

let lock = 0;
let holders = new Holders();

function prepare(world: World): void {
  populate(world);
  lock = world.play(OBSERVER, openObject(world.arena.view, { type: OBJECT_LOCK, name: "lock", first: 0 }));
}

/** What the next holder is told is judged at the end. */
function anything(): Expected {
  const expected = new Expected();
  expected.perhaps("died");
  return expected;
}

/** One attempt, past the dead; who SHARED_FIRST keeps out has waited for RECHECK_MS at once. */
function* tryTake(mode: Mode, dead: readonly number[]): Script<Told | undefined> {
  const told = yield* dead.length > 0 ? acquire(lock, mode, dead, anything()) : take(lock, mode);
  if (told !== undefined || mode !== "exclusive") return told;
  const free = (yield* call("lockState", lock)) === LOCK_SHARED_FIRST;
  return free ? yield* take(lock, mode, true) : undefined;
}

/** The lock is held, and the others may come. */
function* inside(id: number, mode: Mode): Script {
  holders.enter(id, mode);
  yield* call("selfCheck");
}

function* giveBack(id: number, mode: Mode): Script {
  holders.leave(id);
  yield* mode === "shared" ? releaseShared(lock) : releaseExclusive(lock);
}

type Patience = "spins" | "sleeps";

/** Takes the lock, past the dead, and gives it back. */
function* hold(
  world: World,
  id: number,
  mode: Mode,
  patience: Patience,
  dead = (): number[] => [],
): Script<Told> {
  const look = (): Script<Told | undefined> => tryTake(mode, dead());
  let told = yield* look();
  if (told === undefined && patience === "spins") told = yield* attempt(look);
  if (told === undefined) {
    const waiters = mode === "shared" ? "lockWaitersShared" : "lockWaitersExclusive";
    const set = (yield* call(waiters, lock)) >>> 0;
    told = yield* waitFor(world.arena.view, SLOTS[id] as number, set, look);
  }
  yield* inside(id, mode);
  if (told === "died") yield* call("lockMarkConsistent", lock);
  yield* giveBack(id, mode);
  return told;
}

function* inTurn(scripts: Script<unknown>[]): Script {
  for (const script of scripts) yield* script;
}

/** The lock is free, and works. */
function isFree(world: World): void {
  const state = world.play(OBSERVER, call("lockState", lock));
  assert.equal(state & ~(LOCK_SHARED_FIRST | LOCK_SHARED_PRESENT), 0, `left in state ${state}`);
  assert.equal(world.play(OBSERVER, acquire(lock, "exclusive", [])), "whole");
}

/** Each participant takes the lock in these modes, one after the other. */
function taking(rounds: Mode[][], patience: Patience, preemptions: number, first?: "once shared"): Explored {
  const total = rounds.flat().length;
  const modes = rounds.map((round) => round.join(" and ")).join(" x ");
  return {
    name: `lock, ${first ? `${first}, ` : ""}${modes}, who waits ${patience}`,
    preemptions,
    before: (world) => {
      prepare(world);
      if (!first) return;
      world.play(0, acquire(lock, "shared", []));
      world.play(0, releaseShared(lock));
    },
    scripts: (world) => {
      holders = new Holders();
      return rounds.map((modes, id) => inTurn(modes.map((mode) => hold(world, id, mode, patience))));
    },
    after: (world) => {
      assert.equal(holders.total, total);
      isFree(world);
    },
  };
}

/** Holds it shared from before; upgrades, goes down again, and gives it back. True: another upgrade was in the way. */
function* upgrading(id: number): Script<boolean> {
  const status = yield* attempt(function* () {
    const status = (yield* call("lockUpgrade", lock, 1)) >>> 0;
    return status === BUSY ? undefined : status;
  });
  if (status === DEADLOCK) {
    yield* giveBack(id, "shared");
    return true;
  }
  assert.equal(status, 0);
  yield* inside(id, "upgrade");
  holders.leave(id);
  yield* downgrade(lock);
  yield* inside(id, "shared");
  yield* giveBack(id, "shared");
  return false;
}

function upgrades(name: string, ids: number[], others: (Mode | undefined)[], preemptions: number): Explored {
  let deadlocks = 0;
  function* count(id: number): Script {
    if (yield* upgrading(id)) deadlocks++;
  }
  return {
    name: `lock, ${name}`,
    preemptions,
    before: (world) => {
      prepare(world);
      for (const id of ids) world.play(id, acquire(lock, "shared", []));
    },
    scripts: (world) => {
      deadlocks = 0;
      holders = new Holders();
      for (const id of ids) holders.enter(id, "shared");
      return others.map((mode, id) => (mode ? hold(world, id, mode, "spins") : count(id)));
    },
    after: (world) => {
      assert.equal(deadlocks, ids.length - 1, "upgrades that were told of the other");
      isFree(world);
    },
  };
}

/**
 * A participant with two shared holds behind its one bit: one more may begin unless somebody claims the lock, and one of them
 * upgrades: it claims at once, and has the lock when the other one has gone, too.
 */
function tasks(others: (Mode | "upgrade")[], preemptions: number): Explored {
  function* two(id: number): Script {
    const joined = (yield* call("lockJoin", lock)) >>> 0;
    assert.ok(joined === 0 || joined === BUSY, `joining gave ${joined}`);
    if (joined === 0) yield* inside(id, "shared");
    const claimed = (yield* call("lockUpgrade", lock, 0)) >>> 0;
    assert.ok(claimed === BUSY || claimed === DEADLOCK, `an upgrade beside another hold gave ${claimed}`);
    yield* inside(id, "shared"); // the other hold goes on until now
    yield* upgrading(id);
  }
  function* upgradesOnce(id: number): Script {
    yield* upgrading(id);
  }
  const upgraders = others.flatMap((mode, index) => (mode === "upgrade" ? [index + 1] : []));
  return {
    name: `lock, two shared holds of one participant, and an upgrade x ${others.join(" x ")}`,
    preemptions,
    before: (world) => {
      prepare(world);
      for (const id of [0, ...upgraders]) world.play(id, acquire(lock, "shared", []));
    },
    scripts: (world) => {
      holders = new Holders();
      for (const id of [0, ...upgraders]) holders.enter(id, "shared");
      return [
        two(0),
        ...others.map((mode, index) =>
          mode === "upgrade" ? upgradesOnce(index + 1) : hold(world, index + 1, mode, "spins"),
        ),
      ];
    },
    after: isFree,
  };
}

/** One takes it exclusively, goes down to shared, and gives it back; others want it meanwhile. */
function downgrading(others: Mode[], preemptions: number): Explored {
  function* goDown(): Script {
    yield* attempt(() => tryTake("exclusive", []));
    yield* inside(0, "exclusive");
    holders.leave(0);
    yield* downgrade(lock);
    yield* inside(0, "shared");
    yield* giveBack(0, "shared");
  }
  return {
    name: `lock, from exclusive to shared x ${others.join(" x ")}`,
    preemptions,
    before: prepare,
    scripts: (world) => {
      holders = new Holders();
      return [goDown(), ...others.map((mode, index) => hold(world, index + 1, mode, "spins"))];
    },
    after: isFree,
  };
}

/** One gives its claim up while the holder in its way leaves; a third sleeps until the claim is gone. */
function cancelling(): Explored {
  function* claim(): Script {
    if (yield* take(lock, "exclusive")) {
      yield* inside(1, "exclusive");
      yield* giveBack(1, "exclusive");
    } else yield* cancel(lock);
  }
  return {
    name: "lock, a claim is cancelled while the holder leaves and another sleeps",
    preemptions: 2,
    before: (world) => {
      prepare(world);
      world.play(0, acquire(lock, "shared", []));
    },
    scripts: (world) => {
      holders = new Holders();
      holders.enter(0, "shared");
      return [giveBack(0, "shared"), claim(), hold(world, OBSERVER, "shared", "sleeps")];
    },
    after: isFree,
  };
}

/** One sleeps and gives up, perhaps after it was called; another one that sleeps gets the lock all the same. */
function givingUp(mode: Mode, preemptions: number): Explored {
  function* waits(): Script {
    const set = (yield* call(mode === "shared" ? "lockWaitersShared" : "lockWaitersExclusive", lock)) >>> 0;
    const passOn = function* (): Script {
      if (mode === "exclusive") yield* callExclusive(lock);
    };
    const look = (): Script<Told | undefined> => take(lock, mode);
    if (yield* waitInVain(set, passOn, look)) {
      yield* inside(1, mode);
      yield* giveBack(1, mode);
    } else if (mode === "exclusive") yield* cancel(lock);
    else yield* wakeThem(lock, yield* call("lockForgo", lock));
  }
  /** As a thread whose recheck does not come. */
  function* sleeps(world: World): Script {
    const set = (yield* call("lockWaitersExclusive", lock)) >>> 0;
    yield* waitFor(world.arena.view, SLOTS[2], set, () => take(lock, "exclusive"), { blocks: true });
    yield* inside(2, "exclusive");
    yield* giveBack(2, "exclusive");
  }
  return {
    name: `lock, one gives up waiting for it ${mode} while another sleeps`,
    preemptions,
    before: (world) => {
      prepare(world);
      world.play(0, acquire(lock, "exclusive", []));
    },
    scripts: (world) => {
      holders = new Holders();
      holders.enter(0, "exclusive");
      return [giveBack(0, "exclusive"), waits(), sleeps(world)];
    },
    after: isFree,
  };
}

/** One dies at any write, in this mode; the others go on, and are told until one of them repairs the data. */
function dying(mode: Mode, others: Mode[], preemptions: number): Explored {
  let told: Told[] = [];
  let held = false;
  function* mortal(world: World): Script {
    yield* attempt(() => tryTake(mode, []));
    holders.enter(0, mode);
    held = mode !== "shared";
    yield* call("selfCheck");
    holders.leave(0);
    const who = yield* call(mode === "shared" ? "lockReleaseShared" : "lockReleaseExclusive", lock);
    held = false;
    yield* wakeThem(lock, who);
    assert.equal(world.state(0), "ready");
  }
  return {
    name: `lock, ${mode} by one who dies x ${others.join(" x ")}`,
    preemptions,
    deaths: 1,
    mortal: [0],
    before: prepare,
    scripts: (world) => {
      told = [];
      held = false;
      holders = new Holders();
      const dead = (): number[] => {
        if (world.state(0) !== "dead") return [];
        holders.leave(0);
        return [SLOTS[0]];
      };
      return [
        mortal(world),
        ...others.map((other, index) =>
          (function* (): Script {
            told.push(yield* hold(world, index + 1, other, "spins", dead));
          })(),
        ),
      ];
    },
    after: (world) => {
      const dead = world.state(0) === "dead" ? [SLOTS[0]] : [];
      const last = world.play(OBSERVER, acquire(lock, "exclusive", dead, anything()));
      assert.ok(last, "not to be had");
      const reported = [...told, last].filter((one) => one === "died").length;
      if (!held || dead.length === 0) assert.equal(reported, 0, "nobody died holding it exclusively");
      else if (others.includes("shared")) assert.ok(reported >= 1, "nobody is told of the death");
      else assert.equal(reported, 1, "told of the death");
    },
  };
}

/**
 * The holder of a shared bit has died; its slot gets a new owner who holds the lock shared, while a claimant still looks at
 * the old one.
 */
function reborn(): Explored {
  function* newOwner(world: World): Script {
    yield* joinSegment(LOST_SLOT);
    yield* hold(world, OBSERVER, "shared", "spins");
  }
  function* upgradeOnce(): Script {
    yield* upgrading(1);
  }
  return {
    name: "lock, a dead holder's slot has a new owner while a claimant looks at the old one",
    preemptions: 2,
    before: (world) => {
      prepare(world);
      world.play(OBSERVER, leaveSegment());
      world.play(OBSERVER, joinSegment(LOST_SLOT));
      world.play(OBSERVER, acquire(lock, "shared", []));
      world.play(1, markDead(LOST_SLOT));
      world.play(1, acquire(lock, "shared", []));
    },
    scripts: (world) => {
      holders = new Holders();
      holders.enter(1, "shared");
      return [hold(world, 0, "exclusive", "spins"), upgradeOnce(), newOwner(world)];
    },
  };
}

export const lockScenarios: Explored[] = [
  taking([["exclusive"], ["exclusive"], ["exclusive"]], "spins", 2),
  taking([["exclusive"], ["shared"], ["shared"]], "spins", 2),
  taking([["exclusive"], ["exclusive"], ["shared"]], "spins", 2),
  taking(
    [
      ["exclusive", "shared"],
      ["shared", "exclusive"],
    ],
    "spins",
    3,
  ),
  taking([["exclusive"], ["exclusive"], ["exclusive"]], "spins", 2, "once shared"),
  taking([["exclusive"], ["shared"], ["shared"]], "spins", 2, "once shared"),
  taking([["exclusive"], ["exclusive"]], "sleeps", 3),
  taking([["exclusive"], ["exclusive"]], "sleeps", 3, "once shared"),
  taking([["exclusive"], ["shared"]], "sleeps", 3),
  taking([["exclusive"], ["exclusive"], ["shared"]], "sleeps", 2),
  taking([["shared"], ["shared"], ["exclusive"]], "sleeps", 2),
  tasks(["exclusive"], 3),
  tasks(["shared", "exclusive"], 2),
  tasks(["upgrade"], 3),
  upgrades("two upgrade at once", [0, 1], [undefined, undefined], 3),
  upgrades("an upgrade over a waiting claim", [0], [undefined, "exclusive", "shared"], 2),
  downgrading(["exclusive"], 3),
  downgrading(["exclusive", "shared"], 1),
  cancelling(),
  givingUp("exclusive", 3),
  givingUp("shared", 3),
  dying("exclusive", ["exclusive"], 2),
  dying("exclusive", ["exclusive", "shared"], 1),
  dying("shared", ["exclusive", "exclusive"], 1),
  reborn(),
];
