/** What hosts do with a lock, as scripts: the calls of `ts/sync/lock-state.ts`, and what can be known of the lock meanwhile. */
import { strict as assert } from "node:assert";
import { BROKEN, BUSY } from "../../../protocol/errors.js";
import { LOCK_OWNER_DIED } from "../../../protocol/layout.js";
import { call, type Script } from "../script.js";
import { CoreError, callSome, notify, overcome } from "./segment.js";

const WAKE_SHARED = 1;
const WAKE_EXCLUSIVE = 2;

/** What the next one who takes the lock is told. */
export type Told = "whole" | "died" | "broken";

/**
 * What the next holder may be told if the one who acts dies now: one thing, or either of two in the middle of a call. Kept by
 * the scripts outside of the segment, so it is what the rules say and not what the lock says.
 */
export class Expected {
  may: ReadonlySet<Told>;

  constructor(told: Told = "whole") {
    this.may = new Set([told]);
  }

  copy(): Expected {
    const copy = new Expected();
    copy.may = this.may;
    return copy;
  }

  /** A call begins that may lead there. */
  perhaps(told: Told): void {
    this.may = new Set([...this.may, told]);
  }

  now(told: Told): void {
    this.may = new Set([told]);
  }

  heard(told: Told): void {
    assert.ok(this.may.has(told), `told "${told}", not one of ${[...this.may].join(", ")}`);
  }
}

/** journaled: exclusively, for a transaction. */
export type Mode = "exclusive" | "journaled" | "shared" | "upgrade";

function once(lock: number, mode: Mode, impatient: boolean): Script<number> {
  if (mode === "shared") return call("lockShared", lock);
  if (mode === "upgrade") return call("lockUpgrade", lock, 1);
  return call("lockExclusive", lock, impatient ? 1 : 0, mode === "journaled" ? 1 : 0);
}

function toldBy(status: number): Told {
  if (status === 0) return "whole";
  if (status === LOCK_OWNER_DIED) return "died";
  if (status === BROKEN) return "broken";
  throw new CoreError("the lock", status);
}

/** Whether an attempt to take it shared has given up its bit, which may have sent a claimant to sleep: then that one is woken. */
function* steppedBack(lock: number, mode: Mode, status: number): Script<boolean> {
  if (mode !== "shared" || status !== WAKE_EXCLUSIVE) return false;
  yield* wakeThem(lock, status);
  return true;
}

/** One attempt: what the holder is told; `undefined`: not now, and a claim stays. */
export function* take(lock: number, mode: Mode, impatient = false): Script<Told | undefined> {
  const status = (yield* once(lock, mode, impatient)) >>> 0;
  if (status === BUSY) return undefined;
  if (yield* steppedBack(lock, mode, status)) return undefined;
  return toldBy(status);
}

/** Takes the lock past the dead, and checks what it is told. */
export function* acquire(
  lock: number,
  mode: Mode,
  dead: readonly number[],
  expected = new Expected(),
): Script<Told | undefined> {
  const owned = mode === "journaled" ? "whole" : "died";
  if (mode !== "shared") expected.perhaps(owned);
  const status = yield* overcome(dead, () => once(lock, mode, true));
  if (status === undefined || (yield* steppedBack(lock, mode, status))) return undefined;
  const told = toldBy(status);
  expected.heard(told);
  expected.now(told === "whole" && mode !== "shared" ? owned : told);
  return told;
}

/** Calls whoever can have the lock exclusively next. */
export function* callExclusive(lock: number): Script {
  yield* callSome((yield* call("lockWaitersExclusive", lock)) >>> 0, 1, () => call("lockCall", lock));
}

export function* wakeThem(lock: number, who: number): Script {
  if (who & WAKE_SHARED) yield* notify((yield* call("lockWaitersShared", lock)) >>> 0);
  if (who & WAKE_EXCLUSIVE) yield* callExclusive(lock);
}

/** `told` is what the holder was told, and has not repaired. */
export function* releaseExclusive(lock: number, told: Told = "whole", expected = new Expected()): Script {
  const after = told === "died" ? "broken" : "whole";
  expected.perhaps(after);
  const who = yield* call("lockReleaseExclusive", lock);
  expected.now(after);
  yield* wakeThem(lock, who);
}

export function* releaseShared(lock: number): Script {
  yield* wakeThem(lock, yield* call("lockReleaseShared", lock));
}

export function* cancel(lock: number): Script {
  yield* wakeThem(lock, yield* call("lockCancel", lock));
}

export function* downgrade(lock: number, told: Told = "whole", expected = new Expected()): Script {
  expected.perhaps(told);
  const who = yield* call("lockDowngrade", lock);
  expected.now(told);
  yield* wakeThem(lock, who);
}
