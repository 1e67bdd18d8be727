/** Locks through the hosted core: how often each is held, who waits for whom, and what a death leaves. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BROKEN, BUSY, CLOSED, DEADLOCK, TIMED_OUT, TOO_LARGE } from "../../protocol/errors.js";
import {
  LOCK_OWNER_DIED,
  LOCK_SHARED_FIRST,
  LOCK_WORD_OFFSET,
  OBJECT_LOCK,
  WAITERS_SUMMARY_OFFSET,
} from "../../protocol/layout.js";
import { RECHECK_MS } from "../../protocol/limits.js";
import { type Hosted, HostedWorld } from "../lib/hosted.js";

/** A lock as a host keeps it: each call passes what it knows, and takes over what it is told. */
class HostedLock {
  held = 0;

  constructor(
    readonly host: Hosted,
    readonly lock: number,
  ) {}

  #told(status: number): number {
    this.held = this.host.lockHeld.value >>> 0;
    return status >>> 0;
  }

  acquire(mode: "shared" | "exclusive" = "exclusive", timeoutMs = 0): number {
    return this.#told(
      this.host.hostedLockAcquire(this.lock, this.held, mode === "shared" ? 1 : 0, timeoutMs),
    );
  }

  nest(mode: "shared" | "exclusive" = "exclusive", timeoutMs = 0): number {
    return this.#told(this.host.hostedLockNest(this.lock, this.held, mode === "shared" ? 1 : 0, timeoutMs));
  }

  upgrade(timeoutMs = 0): number {
    return this.#told(this.host.hostedLockUpgrade(this.lock, this.held, timeoutMs));
  }

  downgrade(): number {
    return this.#told(this.host.hostedLockDowngrade(this.lock, this.held));
  }

  release(mode: "shared" | "exclusive" = "exclusive"): number {
    return this.#told(this.host.hostedLockRelease(this.lock, this.held, mode === "shared" ? 1 : 0));
  }

  /** Slot + 1 of the owner. */
  get owner(): number {
    return this.host.lockState(this.lock) >>> 16;
  }
}

function hosts(count: number): { world: HostedWorld; locks: HostedLock[] } {
  const world = new HostedWorld();
  const all = Array.from({ length: count }, (_, index) => world.enter(index + 1));
  const lock = world.opened(all[0] as Hosted, "lock", OBJECT_LOCK);
  return { world, locks: all.map((host) => new HostedLock(host, lock)) };
}

const pair = (): { world: HostedWorld; one: HostedLock; other: HostedLock } => {
  const { world, locks } = hosts(2);
  return { world, one: locks[0] as HostedLock, other: locks[1] as HostedLock };
};

test("one has it exclusively, or several shared, and what is held is counted", () => {
  const { one, other } = pair();
  assert.is(one.acquire(), 0);
  assert.is(other.acquire("exclusive", -1), BUSY);
  assert.is(other.acquire("shared", -1), BUSY);
  assert.is(other.held, 0);
  assert.is(one.release(), 0);
  assert.is(one.held, 0);
  assert.is(one.acquire("shared"), 0);
  assert.is(other.acquire("shared"), 0);
  assert.is(other.acquire("shared"), 0);
  assert.is(other.release("shared"), 0);
  assert.is(one.release("shared"), 0);
  assert.is(one.acquire("exclusive", -1), BUSY, "one of its two holds is left");
  assert.is(other.release("shared"), 0);
  assert.is(one.acquire(), 0);
  assert.is(one.release(), 0);
  assert.is(one.release(), CLOSED);
  assert.is(other.release("shared"), CLOSED);
});

test("who would wait for itself is told, and who only tries just does not get it", () => {
  const { one } = pair();
  assert.is(one.acquire("shared"), 0);
  assert.is(one.acquire("exclusive", 1000), DEADLOCK);
  assert.is(one.acquire("exclusive", -1), BUSY);
  assert.is(one.upgrade(), 0);
  assert.is(one.acquire("exclusive", 1000), DEADLOCK);
  assert.is(one.acquire("shared", 1000), DEADLOCK);
  assert.is(one.acquire("shared", -1), BUSY);
  assert.is(one.release(), 0);
});

test("a hold that is nested makes it exclusive for as long as it lasts", () => {
  const { one, other } = pair();
  assert.is(one.nest(), CLOSED);
  assert.is(one.acquire("shared"), 0);
  assert.is(one.nest(), 0);
  assert.is(one.owner, 1);
  assert.is(one.nest("shared"), 0);
  assert.is(one.nest(), 0);
  assert.is(one.release(), 0);
  assert.is(other.acquire("shared", -1), BUSY);
  assert.is(one.release(), 0);
  assert.is(one.owner, 0);
  assert.is(other.acquire("shared", -1), 0);
  assert.is(one.release("shared"), 0);
  assert.is(one.release("shared"), 0);
  assert.is(other.upgrade(), 0);
  assert.is(other.held, 1, "one exclusive hold, and no other one");
  assert.is(other.downgrade(), 0);
  assert.is(one.acquire("shared", -1), 0);
  assert.is(other.release("shared"), 0);
  assert.is(one.release("shared"), 0);
});

test("who waits is woken by the release", () => {
  const { world, one, other } = pair();
  assert.is(one.acquire(), 0);
  world.asleep = () => assert.is(one.release(), 0);
  assert.is(other.acquire("exclusive", 1000), 0);
  assert.is(world.sleeps, 1);
  assert.equal(world.woken, [other.host.blockedBell(1) >>> 0]);
});

test("who gives up takes its claim back and wakes those that it kept out", () => {
  const { world, locks } = hosts(3);
  const [one, other, third] = locks as [HostedLock, HostedLock, HostedLock];
  assert.is(one.acquire("shared"), 0);
  world.asleep = () => {
    world.asleep = () => {};
    assert.is(third.acquire("shared", -1), BUSY, "a claim keeps new shared holders out");
    third.host.waitersArm(third.host.lockWaitersShared(third.lock));
  };
  assert.is(other.acquire("exclusive", 50), TIMED_OUT);
  assert.is(other.owner, 0);
  assert.is(other.held, 0);
  assert.ok(world.woken.includes(third.host.doorbell(2) >>> 0));
  assert.is(third.acquire("shared", -1), 0);
});

test("two who upgrade do not wait for each other, but for the dead one of them nobody waits", () => {
  const { world, one, other } = pair();
  assert.is(one.acquire("shared"), 0);
  assert.is(other.acquire("shared"), 0);
  let told = -1;
  world.asleep = () => {
    world.asleep = () => {};
    told = other.upgrade(1000);
    other.release("shared");
  };
  assert.is(one.upgrade(1000), 0);
  assert.is(told, DEADLOCK);
  assert.is(one.release(), 0);
  assert.is(one.acquire("shared"), 0);
  assert.is(other.acquire("shared"), 0);
  world.asleep = () => {
    world.asleep = () => {};
    world.kill(1);
    told = other.upgrade(1000);
  };
  one.upgrade(1000);
  assert.is(told, 0);
});

test("an upgrade that takes too long leaves the hold as it was", () => {
  const { one, other } = pair();
  assert.is(one.acquire("shared"), 0);
  assert.is(other.acquire("shared"), 0);
  const { held } = one;
  assert.is(one.upgrade(50), TIMED_OUT);
  assert.is(one.held, held);
  assert.is(one.owner, 0);
  assert.is(other.upgrade(-1), BUSY);
  assert.is(one.release("shared"), 0);
});

test("a holder that dies is noticed within a recheck, and told of until the data are consistent", () => {
  for (const repaired of [true, false]) {
    const { world, one, other } = pair();
    assert.is(one.acquire(), 0);
    world.asleep = () => world.kill(1);
    assert.is(other.acquire("exclusive", 1000), LOCK_OWNER_DIED);
    assert.is(world.sleeps, 1);
    if (repaired) other.host.lockMarkConsistent(other.lock);
    assert.is(other.nest(), repaired ? 0 : LOCK_OWNER_DIED);
    other.release();
    assert.is(other.release(), 0);
    assert.is(other.acquire("shared", -1), repaired ? 0 : BROKEN);
  }
});

test("who tries asks the kernel at once", () => {
  const { world, one, other } = pair();
  assert.is(one.acquire("shared"), 0);
  world.kill(1);
  assert.is(other.acquire("exclusive", -1), 0);
});

/** Those who wait for shared come first, but none of them comes. */
function sharedFirst(): { world: HostedWorld; one: HostedLock; other: HostedLock } {
  const all = pair();
  const { world, one, other } = all;
  assert.is(one.acquire(), 0);
  other.host.waitersArm(other.host.lockWaitersShared(other.lock));
  assert.is(one.release(), 0);
  assert.is(world.view.getUint32(one.lock + LOCK_WORD_OFFSET, true), LOCK_SHARED_FIRST);
  return all;
}

test("who waits passes those that were to come first after a recheck", () => {
  const { world, other } = sharedFirst();
  const begin = world.nowMs;
  assert.is(other.acquire("exclusive", 1000), 0);
  assert.is(world.nowMs - begin, RECHECK_MS);
});

test("who tries passes them when the lock was kept for them for a recheck, from try to try", () => {
  const { one, other } = sharedFirst();
  const { world } = { world: one };
  assert.is(world.acquire("exclusive", -1), BUSY);
  assert.ok(one.held !== 0, "it is remembered since when");
  assert.is(one.release(), CLOSED, "which is no hold");
  assert.is(one.nest("shared"), CLOSED);
  assert.is(other.acquire("shared", -1), 0, "until then they come first");
  assert.is(other.release("shared"), 0);
});

test("a try that finds the lock kept for others for long takes it", () => {
  const { world, one } = sharedFirst();
  assert.is(one.acquire("exclusive", -1), BUSY);
  const other = world.open(one.host, "another", OBJECT_LOCK);
  const event = new HostedLock(world.enter(3), other);
  assert.is(event.acquire(), 0);
  assert.is(one.host.hostedLockAcquire(other, 0, 0, RECHECK_MS), TIMED_OUT); // time passes
  assert.is(one.acquire("exclusive", -1), 0);
  assert.is(one.release(), 0);
});

test("nothing is armed after a wait, whatever its end", () => {
  const { world, one, other } = pair();
  assert.is(one.acquire(), 0);
  for (const mode of ["shared", "exclusive"] as const) assert.is(other.acquire(mode, 10), TIMED_OUT);
  for (const set of [other.host.lockWaitersShared(other.lock), other.host.lockWaitersExclusive(other.lock)]) {
    assert.is(world.view.getUint32(set + 4, true), 0);
    assert.is(world.view.getUint32(set + WAITERS_SUMMARY_OFFSET, true), 1, "it was armed");
  }
});

test("holds are counted up to a bound", () => {
  const { one } = pair();
  assert.is(one.acquire("shared"), 0);
  one.held = 0x7fff << 15;
  assert.is(one.acquire("shared"), TOO_LARGE);
  assert.is(one.held, 0x7fff << 15);
});

test.run();
