/** No death keeps a lock from the others; who died with it held exclusively is reported until the data are whole. */
import { strict as assert } from "node:assert";
import { BROKEN, BUSY } from "../../../protocol/errors.js";
import {
  LOCK_SHARED_FIRST,
  LOCK_SHARED_OFFSET,
  LOCK_SHARED_PRESENT,
  LOCK_WORD_OFFSET,
  OBJECT_LOCK,
} from "../../../protocol/layout.js";
import type { CrashCase, CrashLane, LivingOn } from "../../lib/crash.js";
import {
  acquire,
  callExclusive,
  cancel,
  downgrade,
  Expected,
  type Mode,
  releaseExclusive,
  releaseShared,
  wakeThem,
} from "../../lib/hosts/lock.js";
import { openObject } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { FILLS, type Fill, populate, SLOTS, slotsOf, someoneDied } from "./ground.js";

const LOST_SLOT = 7;
const LOST = [LOST_SLOT];

interface LockCase {
  name: string;
  /** What happens before; the answer is what the next one may be told. */
  before?: ((lane: CrashLane, lock: number) => Expected) | undefined;
  run(lock: number, expected: Expected): Script<unknown>;
  /** Survivor 2 holds the lock shared from before. */
  second?: "shared";
  /** Survivor 2 takes it exclusively when the victim is about to set its shared bit. */
  crossed?: boolean;
}

function* exclusive(lock: number, expected: Expected): Script {
  const told = yield* acquire(lock, "exclusive", LOST, expected);
  if (told === "whole" || told === "died") yield* releaseExclusive(lock, told, expected);
}

function* repairing(lock: number, expected: Expected): Script {
  assert.equal(yield* acquire(lock, "exclusive", LOST, expected), "died");
  yield* call("lockMarkConsistent", lock);
  yield* releaseExclusive(lock, "whole", expected);
}

function* shared(lock: number, expected: Expected): Script {
  assert.ok(yield* acquire(lock, "shared", LOST, expected), "not to be had");
  yield* releaseShared(lock);
}

/** Those who were to come first have come: claims may pass again. */
function* sharedAsFirst(lock: number, expected: Expected): Script {
  assert.ok(yield* acquire(lock, "shared", LOST, expected), "not to be had");
  assert.equal(yield* call("lockState", lock), LOCK_SHARED_PRESENT);
  yield* releaseShared(lock);
}

function* upgrade(lock: number, expected: Expected, dead = LOST): Script {
  yield* acquire(lock, "shared", dead, expected);
  const told = yield* acquire(lock, "upgrade", dead, expected);
  assert.ok(told);
  yield* releaseExclusive(lock, told, expected);
}

function* upAndDown(lock: number, expected: Expected, dead = LOST): Script {
  const told = yield* acquire(lock, "exclusive", dead, expected);
  assert.ok(told);
  yield* downgrade(lock, told, expected);
  yield* releaseShared(lock);
}

/** While survivor 2 holds the lock shared. */
function* claimAndCancel(lock: number): Script {
  assert.equal((yield* call("lockExclusive", lock, 0, 0)) >>> 0, BUSY);
  assert.equal((yield* call("lockShared", lock)) >>> 0, BUSY, "a claim keeps new shared holders out");
  yield* cancel(lock);
  assert.equal(yield* call("lockShared", lock), 0);
  assert.equal((yield* call("lockUpgrade", lock, 1)) >>> 0, BUSY);
  yield* cancel(lock);
  yield* releaseShared(lock);
}

/** What does not belong to the caller is not his to give back. */
function* notOurs(lock: number): Script {
  for (const name of ["lockReleaseExclusive", "lockCancel", "lockDowngrade", "lockMarkConsistent"])
    yield* call(name, lock);
  assert.equal((yield* call("lockExclusive", lock, 0, 0)) >>> 0, BUSY);
  yield* cancel(lock);
}

/** Whoever wants it exclusively may come again. */
function* forgoing(lock: number): Script {
  yield* wakeThem(lock, yield* call("lockForgo", lock));
  assert.equal(yield* call("lockState", lock), 0);
}

/** By the one who claims it. */
function* callsClaimer(lock: number): Script {
  yield* callExclusive(lock);
  const set = (yield* call("lockWaitersExclusive", lock)) >>> 0;
  assert.equal(yield* call("waitersDisarm", set), 0, "not called");
  yield* cancel(lock);
}

type Dead = (lock: number, expected: Expected) => Script<unknown>;

/** Somebody did this, and died before its end: when about to write to that offset of the lock, or having done it. */
function died(run: Dead, before?: number): LockCase["before"] {
  return (lane, lock) => {
    const expected = new Expected();
    someoneDied(lane, LOST_SLOT, () => {
      const script = run(lock, expected);
      if (before === undefined) lane.play(2, script);
      else lane.playUntil(2, lock + before, script);
    });
    return expected;
  };
}

const holding =
  (...modes: Mode[]): Dead =>
  (lock, expected) =>
    (function* (): Script {
      for (const mode of modes) yield* acquire(lock, mode, [], expected);
    })();

const heldExclusively = died(holding("exclusive"));

/** Somebody claimed the lock while survivor 1 held it shared, and died; then survivor 1 gave it back. */
function claimed(...modes: Mode[]): LockCase["before"] {
  return (lane, lock) => {
    lane.play(1, acquire(lock, "shared", []));
    someoneDied(lane, LOST_SLOT, () => lane.play(2, holding(...modes)(lock, new Expected())));
    lane.play(1, releaseShared(lock));
    return new Expected();
  };
}

/** The victim claimed the lock while survivor 1 held it shared, and is armed; then survivor 1 gave it back. */
function claimedAndArmed(lane: CrashLane, lock: number): Expected {
  lane.play(1, acquire(lock, "shared", []));
  lane.play(0, call("lockExclusive", lock, 0, 0));
  lane.play(0, call("waitersArm", lane.play(0, call("lockWaitersExclusive", lock)) >>> 0));
  lane.play(1, call("lockReleaseShared", lock));
  return new Expected();
}

/** Somebody released it while others waited for it shared, and those have gone. */
function keptForNobody(lane: CrashLane, lock: number): Expected {
  const expected = sharedFirst(lane, lock);
  const [shared, alone] = ["lockWaitersShared", "lockWaitersExclusive"].map(
    (name) => lane.play(2, call(name, lock)) >>> 0,
  ) as [number, number];
  lane.play(2, call("waitersDisarm", shared));
  lane.play(2, call("waitersArm", alone));
  return expected;
}

/** There were shared holders, and they have gone: the lock says that there may be some. */
function onceShared(lane: CrashLane, lock: number): Expected {
  lane.play(1, acquire(lock, "shared", []));
  lane.play(1, releaseShared(lock));
  return new Expected();
}

/** Somebody released it while others waited for it shared. */
function sharedFirst(lane: CrashLane, lock: number): Expected {
  lane.play(1, acquire(lock, "exclusive", []));
  lane.play(2, call("waitersArm", lane.play(2, call("lockWaitersShared", lock)) >>> 0));
  lane.play(1, releaseExclusive(lock));
  assert.equal(lane.view.getBigUint64(lock + LOCK_WORD_OFFSET, true), BigInt(LOCK_SHARED_FIRST));
  return new Expected();
}

function broken(lane: CrashLane, lock: number): Expected {
  const expected = heldExclusively?.(lane, lock) as Expected;
  lane.play(1, exclusive(lock, expected));
  return expected;
}

function cross(lane: CrashLane, lock: number, address: number): void {
  if (address === lock + LOCK_SHARED_OFFSET && lane.play(2, call("lockState", lock)) === 0)
    assert.equal(lane.play(2, acquire(lock, "exclusive", [])), "whole");
}

/** Shared in vain, once it was crossed. */
function* sharedInVain(lock: number): Script {
  assert.equal(yield* acquire(lock, "shared", LOST), undefined);
}

/** What a survivor finds, and does with the lock when it has put it in order. */
function* useLock(lane: CrashLane, by: number, lock: number, dead: number[], expected: Expected): Script {
  const told = yield* acquire(lock, "exclusive", dead, expected);
  assert.ok(told, "the lock is not to be had");
  if (told === "broken") {
    assert.equal((yield* call("lockShared", lock)) >>> 0, BROKEN);
    return;
  }
  yield* call("lockMarkConsistent", lock);
  yield* releaseExclusive(lock, "whole", expected);
  lane.settled(by);
  yield* upAndDown(lock, new Expected(), dead);
  yield* upgrade(lock, new Expected(), dead);
  assert.equal((yield* call("lockState", lock)) & ~LOCK_SHARED_FIRST, 0, "left as it was");
}

function lockCase(one: LockCase, fill: Fill): CrashCase {
  let lock = 0;
  let atFirst = new Expected();
  let atDeath = new Expected();
  let now = new Expected();
  const livesOn: LivingOn = {
    next: () => {
      now.perhaps("whole"); // it lives: what it held is not that of a dead one
      return call("lockSettle", lock, 0, 0);
    },
    settle: () => call("lockSettle", lock, 0, 0),
    again: one.second ? 1 : 2,
  };
  return {
    name: `lock, ${one.name}`,
    before: (lane) => {
      populate(lane, fill);
      lock = lane.play(1, openObject(lane.view, { type: OBJECT_LOCK, name: "lock", first: 0 }));
      atFirst = one.before?.(lane, lock) ?? new Expected();
      if (one.second) lane.play(2, acquire(lock, "shared", []));
    },
    operation: () => {
      atDeath = atFirst.copy();
      return one.run(lock, atDeath);
    },
    ...(one.crossed ? { meanwhile: (lane, address) => cross(lane, lock, address) } : {}),
    goOn(lane, by, dead) {
      if (by === 1) now = atDeath.copy();
      return goOn(lane, by, [...slotsOf(dead), LOST_SLOT]);
    },
    // Who crosses it, crosses it at each of the victim's attempts: nobody else could be told from it.
    ...(one.crossed ? {} : { livesOn }),
  };

  function* goOn(lane: CrashLane, by: number, slots: number[]): Script {
    if (one.second && by === 1) {
      assert.ok(yield* acquire(lock, "shared", slots, now), "not to be had shared");
      yield* releaseShared(lock);
      return;
    }
    if (one.second) yield* releaseShared(lock);
    if (one.crossed && (yield* call("lockState", lock)) >>> 16 === SLOTS[2] + 1) {
      if (by === 2) yield* releaseExclusive(lock);
      else return assert.equal(yield* acquire(lock, "shared", slots), undefined, "held twice");
    }
    yield* useLock(lane, by, lock, slots, now);
  }
}

const CASES: LockCase[] = [
  { name: "exclusive", run: exclusive },
  { name: "shared", run: shared },
  { name: "upgrade", run: upgrade },
  { name: "downgrade", run: upAndDown },
  { name: "claim and cancel beside a shared holder", run: claimAndCancel, second: "shared" },
  { name: "shared beside a shared holder", run: shared, second: "shared" },
  { name: "shared while another takes it", run: sharedInVain, crossed: true },
  { name: "what is not ours", run: notOurs, second: "shared" },
  { name: "exclusive after one died with it", run: exclusive, before: heldExclusively },
  { name: "shared after one died with it", run: shared, before: heldExclusively },
  { name: "upgrade after one died with it", run: upgrade, before: heldExclusively },
  { name: "downgrade after one died with it", run: upAndDown, before: heldExclusively },
  { name: "exclusive and repair after one died with it", run: repairing, before: heldExclusively },
  { name: "exclusive after one died holding it shared", run: exclusive, before: died(holding("shared")) },
  { name: "upgrade after one died holding it shared", run: upgrade, before: died(holding("shared")) },
  { name: "exclusive after one died upgraded", run: exclusive, before: died(holding("shared", "upgrade")) },
  { name: "exclusive after one died claiming it", run: exclusive, before: claimed("exclusive") },
  { name: "shared after one died claiming it", run: shared, before: claimed("exclusive") },
  { name: "upgrade after one died claiming it", run: upgrade, before: claimed("exclusive") },
  { name: "upgrade after one died upgrading", run: upgrade, before: claimed("shared", "upgrade") },
  { name: "exclusive when those who wait for shared come first", run: exclusive, before: sharedFirst },
  { name: "shared when those who wait for shared come first", run: sharedAsFirst, before: sharedFirst },
  { name: "the last one that it is kept for gives up", run: forgoing, before: keptForNobody },
  { name: "who claims it is called", run: callsClaimer, before: claimedAndArmed },
  { name: "exclusive when it is broken", run: exclusive, before: broken },
  { name: "exclusive after it was held shared", run: exclusive, before: onceShared },
  { name: "upgrade after it was held shared", run: upgrade, before: onceShared },
];

export const lockCases: CrashCase[] = CASES.flatMap((one) =>
  [FILLS[1] as Fill].map((fill) => lockCase(one, fill)),
);
