/** Where to plant bugs in the heap, the journal and the locks; see `planted-sites.ts`. */
import {
  DIRECTORY_COUNT_OFFSET,
  HEAP_BLOCKS_OFFSET,
  HEAP_CHANGES_OFFSET,
  HEAP_FREE_UNITS_OFFSET,
  JOURNAL_ENTRIES_OFFSET,
  LOCK_SHARED_OFFSET,
  LOCK_WAITERS_OFFSET,
  LOCK_WORD_OFFSET,
  OBJECT_COUNTER,
  OBJECT_LOCK,
  OBJECT_SEMAPHORE,
  PARTICIPANT_BYTES,
  PARTICIPANT_DOORBELL_OFFSET,
  PARTICIPANTS_OFFSET,
  SEGMENT_LOCK_OFFSET,
  SIGNAL_VALUE_OFFSET,
  WRITE_LOCK_TURN_OFFSET,
  WRITE_LOCK_WAITERS_OFFSET,
} from "../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../protocol/limits.js";
import type { CrashLane } from "../lib/crash.js";
import { allocate, begin, free, repair, writeNoted } from "../lib/hosts/heap.js";
import { acquire, releaseShared } from "../lib/hosts/lock.js";
import { insertOnce, markDead, openObject, ringWish } from "../lib/hosts/segment.js";
import { call, type Script } from "../lib/script.js";
import { FILLS, type Fill, populate, SLOTS, someoneDied } from "./cases/ground.js";
import { prepareHeap } from "./cases/heap.js";

const LOST_SLOT = 7;
const JOURNAL = PARTICIPANTS_OFFSET + PARTICIPANTS_MIN * PARTICIPANT_BYTES;

function someoneDiedFreeing(lane: CrashLane): void {
  const { blocks } = prepareHeap(lane, FILLS[0] as Fill);
  someoneDied(lane, LOST_SLOT, () => lane.playUntil(2, HEAP_BLOCKS_OFFSET, free(blocks[2] as number)));
}

/** The store of an old value into the journal. */
export function oldValue(lane: CrashLane): number {
  const { blocks } = prepareHeap(lane, FILLS[0] as Fill);
  return lane.siteWriting(JOURNAL + JOURNAL_ENTRIES_OFFSET + 4, 0, free(blocks[2] as number));
}

/** The store that restores a word. */
export function restoring(lane: CrashLane): number {
  someoneDiedFreeing(lane);
  return lane.siteWriting(HEAP_FREE_UNITS_OFFSET, 1, repair([LOST_SLOT]));
}

/** The store that restores a byte of a word. */
export function restoringByte(lane: CrashLane): number {
  const { blocks } = prepareHeap(lane, FILLS[0] as Fill);
  const at = (blocks[0] as number) + 5;
  const script = function* (): Script {
    yield* begin();
    yield* writeNoted(at, new Uint8Array(1));
    yield* call("transactionEnd", 0);
  };
  return lane.siteWriting(at, 0, script());
}

/** The store that publishes an entry that a dead one has committed. */
export function publishedByAnother(lane: CrashLane): number {
  populate(lane, FILLS[0] as Fill);
  const insert = insertOnce(ringWish("lost", 64));
  someoneDied(lane, LOST_SLOT, () => lane.playUntil(2, DIRECTORY_COUNT_OFFSET, insert));
  return lane.siteWriting(DIRECTORY_COUNT_OFFSET, 1, repair([LOST_SLOT]));
}

/** The store that commits a transaction. */
export function commit(lane: CrashLane): number {
  const { blocks } = prepareHeap(lane, FILLS[0] as Fill);
  return lane.siteWriting(
    JOURNAL,
    0,
    (function* (): Script {
      yield* begin();
      yield* writeNoted(blocks[0] as number, new Uint8Array(4));
      yield* call("transactionEnd", 1);
    })(),
  );
}

/** The store that says that an insert has changed the heap. */
export function insertChanged(lane: CrashLane): number {
  populate(lane, FILLS[0] as Fill);
  return lane.siteWriting(HEAP_CHANGES_OFFSET, 0, insertOnce(ringWish("ring", 64)));
}

/** The compare-exchange that gives the write lock back after an insert. */
export function givenBack(lane: CrashLane): number {
  populate(lane, FILLS[0] as Fill);
  return lane.siteWriting(SEGMENT_LOCK_OFFSET, 0, insertOnce(ringWish("ring", 64)));
}

/** The compare-exchange that takes the write lock. */
export function right(lane: CrashLane): number {
  populate(lane, FILLS[0] as Fill);
  return lane.sitesWriting(SEGMENT_LOCK_OFFSET, 0, allocate({ bytes: 64 }))[0] as number;
}

/** Somebody waits for the write lock, and a change releases it: the write to that address. */
function releasing(lane: CrashLane, address: number): number {
  populate(lane, FILLS[0] as Fill);
  lane.play(1, call("waitersArm", WRITE_LOCK_WAITERS_OFFSET));
  return lane.siteWriting(address, 0, repair([]));
}

/** The compare-exchange that gives a waiter the turn of the write lock. */
export function turnGiven(lane: CrashLane): number {
  return releasing(lane, WRITE_LOCK_TURN_OFFSET);
}

/** The addition to the doorbell of the one whose turn it is. */
export function turnRung(lane: CrashLane): number {
  return releasing(lane, PARTICIPANTS_OFFSET + SLOTS[1] * PARTICIPANT_BYTES + PARTICIPANT_DOORBELL_OFFSET);
}

/** The compare-exchange that ends a turn that was used. */
export function turnUsed(lane: CrashLane): number {
  populate(lane, FILLS[0] as Fill);
  lane.play(0, call("waitersArm", WRITE_LOCK_WAITERS_OFFSET));
  lane.play(1, repair([]));
  return lane.siteWriting(WRITE_LOCK_TURN_OFFSET, 0, repair([]));
}

function lockOf(lane: CrashLane): number {
  populate(lane, FILLS[0] as Fill);
  return lane.play(1, openObject(lane.view, { type: OBJECT_LOCK, name: "lock", first: 0 }));
}

/** The compare-exchange that takes a free lock exclusively at once. */
export function takenAtOnce(lane: CrashLane): number {
  const lock = lockOf(lane);
  return lane.siteWriting(lock + LOCK_WORD_OFFSET, 0, acquire(lock, "exclusive", []));
}

/** A lock that may have shared holders: it says so, but they have gone. */
function lockOnceShared(lane: CrashLane): number {
  const lock = lockOf(lane);
  lane.play(1, acquire(lock, "shared", []));
  lane.play(1, releaseShared(lock));
  return lock;
}

/** The compare-exchange that says that a lock may have shared holders. */
export function sharedPresent(lane: CrashLane): number {
  const lock = lockOf(lane);
  return lane.siteWriting(lock + LOCK_WORD_OFFSET, 0, acquire(lock, "shared", []));
}

/** The compare-exchange that claims a lock exclusively. */
export function claim(lane: CrashLane): number {
  const lock = lockOnceShared(lane);
  return lane.sitesWriting(lock + LOCK_WORD_OFFSET, 0, acquire(lock, "exclusive", [])).at(-2) as number;
}

/** The compare-exchange that turns a claim into a hold. */
export function held(lane: CrashLane): number {
  const lock = lockOnceShared(lane);
  return lane.siteWriting(lock + LOCK_WORD_OFFSET, 0, acquire(lock, "exclusive", []));
}

function sharedWord(lock: number, slot: number): number {
  return lock + LOCK_SHARED_OFFSET + 4 * (slot >>> 5);
}

/** The bit of a shared holder. */
export function sharedBit(lane: CrashLane): number {
  const lock = lockOf(lane);
  return lane.siteWriting(sharedWord(lock, SLOTS[0]), 0, acquire(lock, "shared", []));
}

function generation(lane: CrashLane, lock: number, slot: number): number {
  const first = lane.play(1, call("lockWaitersShared", lock)) >>> 0;
  const second = lane.play(1, call("lockWaitersExclusive", lock)) >>> 0;
  return lock + LOCK_WAITERS_OFFSET + 2 * (second - first) + 4 * slot;
}

/** The generation of a shared holder. */
export function sharedGeneration(lane: CrashLane): number {
  const lock = lockOf(lane);
  return lane.siteWriting(generation(lane, lock, SLOTS[0]), 0, acquire(lock, "shared", []));
}

/** The compare-exchange that forgets a shared holder who died. */
export function forgotten(lane: CrashLane): number {
  const lock = lockOf(lane);
  someoneDied(lane, LOST_SLOT, () => lane.play(2, acquire(lock, "shared", [])));
  lane.play(1, markDead(LOST_SLOT));
  return lane.siteWriting(generation(lane, lock, LOST_SLOT), 0, acquire(lock, "exclusive", []));
}

function signalOf(lane: CrashLane, type: number): number {
  populate(lane, FILLS[0] as Fill);
  return lane.play(1, openObject(lane.view, { type, name: "signal", first: 3 }));
}

/** The compare-exchange that takes one from a semaphore. */
export function semaphoreTaken(lane: CrashLane): number {
  const signal = signalOf(lane, OBJECT_SEMAPHORE);
  return lane.siteWriting(signal + SIGNAL_VALUE_OFFSET, 0, call("semaphoreTry", signal, 1));
}

/** The addition to a counter. */
export function counterAdded(lane: CrashLane): number {
  const signal = signalOf(lane, OBJECT_COUNTER);
  return lane.siteWriting(signal + SIGNAL_VALUE_OFFSET, 0, call("counterAdd", signal, 1));
}
