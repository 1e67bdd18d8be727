/** What needs the write lock, through the hosted core. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BUSY, EVICTED, OWNER_DIED, TIMED_OUT } from "../../protocol/errors.js";
import {
  LOCK_JOURNALED,
  LOCK_OWNER_DIED,
  OBJECT_LOCK,
  PARTICIPANT_BYTES,
  PARTICIPANT_WORD_OFFSET,
  PARTICIPANTS_OFFSET,
  RESULT_OFFSETS,
} from "../../protocol/layout.js";
import { type Hosted, HostedWorld } from "../lib/hosted.js";

function hosts(): { world: HostedWorld; one: Hosted; other: Hosted; lock: number } {
  const world = new HostedWorld();
  const [one, other] = [world.enter(1), world.enter(2)];
  return { world, one, other, lock: world.opened(one, "lock", OBJECT_LOCK) };
}

const heldBy = (host: Hosted): number => host.lockHeld.value >>> 0;

test("blocks are had, laid out, made the root, and given back", () => {
  const { world, one, other } = hosts();
  const block = one.hostedAllocate(40, 8, 1) >>> 0;
  assert.ok(block >= RESULT_OFFSETS);
  assert.equal(world.bytes.slice(block, block + 40), new Uint8Array(40));
  assert.is(other.hostedSetLayout(block, 77), 0);
  assert.is(one.heapLayout(block), 77);
  assert.is(one.hostedSetRoot(block), 0);
  assert.is(other.heapRoot() >>> 0, block);
  assert.is(other.hostedFree(block), 0);
  assert.not(other.hostedFree(block) === 0);
  assert.is(one.heapRoot(), 0);
});

test("each waits for a living one that has the write lock, and for a dead one not at all", () => {
  const calls: ((host: Hosted, block: number) => number)[] = [
    (host) => host.hostedAllocate(40, 8, 0),
    (host, block) => host.hostedSetLayout(block, 1),
    (host, block) => host.hostedSetRoot(block),
    (host, block) => host.hostedFree(block),
    (host) => host.hostedWriteLockTake(),
  ];
  for (const call of calls) {
    const { world, one, other } = hosts();
    const block = other.hostedAllocate(40, 8, 0) >>> 0;
    assert.is(one.hostedWriteLockTake(), 0);
    assert.is(call(other, block), BUSY);
    assert.ok(world.nowMs >= 5000);
    world.asleep = () => one.hostedWriteLockRelease();
    const result = call(other, block) >>> 0;
    assert.ok(result === 0 || result >= RESULT_OFFSETS, `${result}`);
    world.asleep = () => {};
    other.hostedWriteLockRelease();
    const { sleeps } = world;
    assert.is(one.hostedWriteLockTake(), 0);
    world.kill(1);
    const again = call(other, call === calls[3] ? other.hostedAllocate(8, 8, 0) >>> 0 : block) >>> 0;
    assert.ok(again === 0 || again >= RESULT_OFFSETS, `${again}`);
    assert.is(world.sleeps, sleeps);
  }
});

test("who waits for the write lock is served in turn, and who gives up passes its turn on", () => {
  const { world, one, other } = hosts();
  assert.is(one.hostedWriteLockTake(), 0);
  let tries = 0;
  // Before the other one has slept, the first releases the lock and wants it again at once.
  world.asleep = () => {
    if (tries++ > 0) return;
    one.hostedWriteLockRelease();
    assert.is(one.writeLockTake(), BUSY, "taken out of turn");
  };
  assert.is(other.hostedWriteLockTake(), 0);
  world.asleep = () => {};
  other.hostedWriteLockRelease();
  assert.is(one.writeLockTake(), 0);
  assert.is(other.hostedWriteLockTake(), BUSY);
  one.hostedWriteLockRelease();
  assert.is(one.writeLockTake(), 0, "the other one has given up");
  one.hostedWriteLockRelease();
});

test("a transaction stays whole, or never happened, and gives its lock back", () => {
  const { world, one, other, lock } = hosts();
  const block = one.hostedAllocate(16, 8, 1) >>> 0;
  for (const keep of [0, 1]) {
    assert.is(one.hostedTransactionBegin(lock, 0, 0), 0);
    const held = heldBy(one);
    assert.is(one.lockState(lock) & LOCK_JOURNALED, LOCK_JOURNALED);
    assert.is(other.hostedLockAcquire(lock, 0, 0, -1), BUSY);
    assert.is(one.transactionNote(block, 4), 0);
    world.view.setUint32(block, 99, true);
    assert.is(one.hostedTransactionEnd(lock, held, keep), 0);
    assert.is(heldBy(one), 0);
    assert.is(world.view.getUint32(block, true), keep ? 99 : 0);
  }
  assert.is(other.hostedLockAcquire(lock, 0, 0, -1), 0);
});

test("transactions do not nest, and one under a hold gives back only its own", () => {
  const { one, other, lock } = hosts();
  assert.is(one.hostedLockAcquire(lock, 0, 1, 0), 0);
  const shared = heldBy(one);
  assert.is(one.hostedTransactionBegin(lock, shared, 0), 0);
  const held = heldBy(one);
  assert.is(one.hostedTransactionBegin(lock, held, 1000), BUSY);
  assert.is(one.hostedWriteLockTake(), BUSY);
  assert.is(one.hostedTransactionEnd(lock, held, 1), 0);
  assert.is(heldBy(one), shared);
  assert.is(other.hostedLockAcquire(lock, 0, 1, -1), 0);
});

test("who dies in a transaction leaves nothing to repair, and nothing of what it wrote", () => {
  const { world, one, other, lock } = hosts();
  const block = one.hostedAllocate(16, 8, 1) >>> 0;
  assert.is(one.hostedTransactionBegin(lock, 0, 0), 0);
  assert.is(one.transactionNote(block, 4), 0);
  world.view.setUint32(block, 99, true);
  world.kill(1);
  assert.is(other.hostedTransactionBegin(lock, 0, 1000), 0);
  assert.is(world.view.getUint32(block, true), 0);
  assert.is(other.hostedTransactionEnd(lock, heldBy(other), 1), 0);
});

test("a lock whose holder died outside of a transaction has to be repaired first", () => {
  const { world, one, other, lock } = hosts();
  assert.is(one.hostedLockAcquire(lock, 0, 0, 0), 0);
  world.kill(1);
  assert.is(other.hostedTransactionBegin(lock, 0, 1000), OWNER_DIED);
  assert.is(heldBy(other), 0);
  assert.is(other.hostedLockAcquire(lock, 0, 0, 0), LOCK_OWNER_DIED, "it is not broken, and free");
  assert.is(other.hostedTransactionBegin(lock, heldBy(other), 0), 0, "under a hold it is the host's affair");
});

test("a transaction that cannot begin in its time holds nothing", () => {
  const { world, one, other, lock } = hosts();
  assert.is(one.hostedWriteLockTake(), 0);
  assert.is(other.hostedTransactionBegin(lock, 0, 20), TIMED_OUT);
  assert.is(other.hostedTransactionBegin(lock, 0, -1), BUSY);
  assert.is(other.hostedTransactionBegin(lock, 0, Number.POSITIVE_INFINITY), BUSY);
  assert.is(heldBy(other), 0);
  assert.is(other.lockState(lock) >>> 16, 0);
  world.asleep = () => one.hostedWriteLockRelease();
  assert.is(other.hostedTransactionBegin(lock, 0, 20), 0);
});

test("who was removed in a transaction is told", () => {
  const { world, one, lock } = hosts();
  assert.is(one.hostedTransactionBegin(lock, 0, 0), 0);
  world.view.setUint32(PARTICIPANTS_OFFSET + 0 * PARTICIPANT_BYTES + PARTICIPANT_WORD_OFFSET, 0, true);
  assert.is(one.hostedTransactionEnd(lock, heldBy(one), 1), EVICTED);
});

test.run();
