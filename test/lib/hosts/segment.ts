/**
 * What hosts do with a segment, its participants, waiters and directory, as scripts: the same calls in the same order as
 * `ts/`, without the conveniences.
 */
import { BUSY } from "../../../protocol/errors.js";
import {
  FLAG_WAKE,
  OBJECT_LATEST,
  OBJECT_RING,
  PARTICIPANT_BYTES,
  PARTICIPANT_DOORBELL_OFFSET,
  PARTICIPANTS_OFFSET,
  RESULT_CALL_ALL,
  SUSPECT_GONE,
  SUSPECT_NONE,
} from "../../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../../protocol/limits.js";
import { attempt, call, type Script, sleep, wake, write } from "../script.js";
import { SEGMENT_BYTES } from "../shipped.js";

/** The host's clock stands still: no lane depends on time. */
export const NOW_NS = 1.7e18;
/** No offset of an object lies below this. */
const ERRORS_END = 1024;

export class CoreError extends Error {
  constructor(
    readonly what: string,
    readonly status: number,
  ) {
    super(`${what} gave error ${status}`);
  }
}

/** The result as an offset; throws when it is an error. */
export function offsetOf(what: string, result: number): number {
  const offset = result >>> 0;
  if (offset < ERRORS_END) throw new CoreError(what, offset);
  return offset;
}

// --- segment and participants ---

/** Creates the segment and joins it, as the first opener does. */
export function* createSegment(slot: number): Script {
  const status = yield* call("create", SEGMENT_BYTES, 1, PARTICIPANTS_MIN, 100 + slot, NOW_NS);
  if (status !== 0) throw new CoreError("create", status);
  yield* joinSegment(slot);
}

export function* joinSegment(slot: number): Script {
  const status = yield* call("validate", SEGMENT_BYTES, 1);
  if (status !== 0) throw new CoreError("validate", status);
  yield* call("join", slot, 100 + slot, 1, NOW_NS);
}

export function* leaveSegment(): Script {
  yield* call("leave", 1);
}

/**
 * Repeats an operation that a dead participant stands in the way of. `dead`: the slots whose kernel lock is free. A live
 * one in the way is `undefined`, and for the caller to wait for.
 */
export function* overcome(
  dead: readonly number[],
  operation: () => Script<number>,
): Script<number | undefined> {
  for (let marked = 0; marked <= dead.length; ) {
    const result = (yield* operation()) >>> 0;
    if (result !== BUSY) return result;
    const slot = yield* call("suspectSlot");
    if (slot === SUSPECT_NONE) return undefined;
    if (slot === SUSPECT_GONE) continue;
    if (!dead.includes(slot)) return undefined;
    yield* call("markDead");
    marked++;
  }
  return undefined;
}

/** Declares a participant dead whose kernel lock is free, without meeting its token first. */
export function* markDead(slot: number): Script<boolean> {
  if ((yield* call("watchSlot", slot)) === 0) return false;
  return (yield* call("markDead")) !== 0;
}

// --- waiters ---

/** Wakes everybody in the set, each once. */
export function* notify(set: number): Script {
  for (let from = 0; ; ) {
    const bell = (yield* call("waitersTake", set, from)) >>> 0;
    if (bell === 0) return;
    yield* wake(bell);
    from = Math.floor((bell - PARTICIPANTS_OFFSET - PARTICIPANT_DOORBELL_OFFSET) / PARTICIPANT_BYTES) + 1;
  }
}

/** Calls one participant for each of `count` things; `next` is the function that says who takes next. */
export function* callSome(set: number, count: number, next: () => Script<number>): Script {
  for (let called = 0; called < count; called++) {
    const bell = (yield* next()) >>> 0;
    if (bell === 0) return;
    if (bell === RESULT_CALL_ALL) return yield* notify(set);
    yield* wake(bell);
  }
}

/** How a participant waits. */
export interface Waiting {
  /** Blocking the thread; default: in an event loop. */
  blocks?: boolean;
  /** For what only one can take: calls the next one, if a call came after the look that took it. */
  passOn?(): Script;
}

/** Repeats the attempt until it gives something, asleep in between. */
export function* waitFor<T>(
  view: DataView,
  slot: number,
  set: number,
  look: () => Script<T | undefined>,
  { blocks = false, passOn }: Waiting = {},
): Script<T> {
  const bell = (yield* call(blocks ? "blockedBell" : "doorbell", slot)) >>> 0;
  for (;;) {
    const rung = view.getUint32(bell, true);
    yield* call(blocks ? "waitersBlock" : "waitersArm", set);
    const found = yield* look();
    if (found !== undefined) {
      if (blocks) yield* call("waitersUnblock");
      if ((yield* call("waitersDisarm", set)) === 0 && passOn) yield* passOn();
      return found;
    }
    yield* sleep(bell, rung);
  }
}

/** Waits for one look only, as a promise whose signal is aborted: what it was called for it passes on. */
export function* waitInVain(set: number, passOn: () => Script, look: () => Script<unknown>): Script<boolean> {
  yield* call("waitersArm", set);
  if (yield* look()) {
    yield* call("waitersDisarm", set);
    return true;
  }
  yield* call("selfCheck"); // asleep, when its signal is aborted
  if ((yield* call("waitersDisarm", set)) === 0) yield* passOn();
  return false;
}

// --- directory ---

export interface ObjectWish {
  type: number;
  name: string;
  /** Capacity of a ring, bytes of a value. */
  first: number;
  /** The other parameters; the second one is SECOND_PARAMETER if there is none. */
  second?: number;
  third?: number;
  fourth?: number;
}

export function ringWish(name: string, capacity: number): ObjectWish {
  return { type: OBJECT_RING, name, first: capacity };
}

export function latestWish(name: string, valueBytes: number): ObjectWish {
  return { type: OBJECT_LATEST, name, first: valueBytes };
}

/** What the second parameter of every object is. */
export const SECOND_PARAMETER = 7;

export function parametersOf({
  first,
  second = SECOND_PARAMETER,
  third = 0,
  fourth = 0,
}: ObjectWish): number[] {
  return [first, second, third, fourth];
}

/** One call of objectOpen: the offset of the object, perhaps with FLAG_WAKE, or an error. */
export function* insertOnce(wish: ObjectWish): Script<number> {
  const name = Buffer.from(wish.name);
  const scratch = (yield* call("scratch")) >>> 0;
  yield* write(scratch, name);
  return yield* call("objectOpen", wish.type, name.length, ...parametersOf(wish));
}

/** Finds or makes the object, past the dead; `undefined` while a live participant has the directory locked. */
export function* tryOpenObject(
  _view: DataView,
  wish: ObjectWish,
  dead: readonly number[],
): Script<number | undefined> {
  const result = yield* overcome(dead, () => insertOnce(wish));
  if (result === undefined) return undefined;
  return offsetOf(`objectOpen of ${wish.name}`, result) & ~FLAG_WAKE;
}

/** As `tryOpenObject`, waiting for the live. */
export function* openObject(view: DataView, wish: ObjectWish, dead: readonly number[] = []): Script<number> {
  return yield* attempt(() => tryOpenObject(view, wish, dead));
}
