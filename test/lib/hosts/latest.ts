/** What hosts do with a latest value, as scripts. */
import { BUSY } from "../../../protocol/errors.js";
import { FLAG_EMPTY, FLAG_WAKE } from "../../../protocol/layout.js";
import { LATEST_SMALL_BYTES_MAX } from "../../../protocol/limits.js";
import { call, read, type Script, write } from "../script.js";
import { CoreError, notify, type ObjectWish, offsetOf, openObject, overcome } from "./segment.js";

export interface LatestValue {
  latest: number;
  valueBytes: number;
  /** Small values go through the scratch of the participant; large ones are written and read in place. */
  small: boolean;
}

export function* openLatest(
  view: DataView,
  wish: ObjectWish,
  dead: readonly number[] = [],
): Script<LatestValue> {
  const latest = yield* openObject(view, wish, dead);
  return { latest, valueBytes: wish.first, small: wish.first <= LATEST_SMALL_BYTES_MAX };
}

/** A value that consists of its number. */
function filled(number: number, bytes: number): Uint8Array {
  return new Uint8Array(bytes).fill(number);
}

function numberIn(bytes: Uint8Array): number {
  if (bytes.some((byte) => byte !== bytes[0])) throw new Error("a value is torn");
  return bytes[0] as number;
}

/** Makes the value the newest; false while a live participant writes. */
export function* writeLatest(
  value: LatestValue,
  number: number,
  dead: readonly number[] = [],
): Script<boolean> {
  const result = value.small
    ? yield* writeSmall(value, number, dead)
    : yield* writeLarge(value, number, dead);
  if (result === undefined) return false;
  if (result > FLAG_WAKE) throw new CoreError("writing a latest value", result);
  if (result & FLAG_WAKE) yield* notify((yield* call("latestWaiters", value.latest)) >>> 0);
  return true;
}

function* writeSmall(
  value: LatestValue,
  number: number,
  dead: readonly number[],
): Script<number | undefined> {
  yield* write((yield* call("scratch")) >>> 0, filled(number, value.valueBytes));
  return yield* overcome(dead, () => call("latestWrite", value.latest, value.valueBytes));
}

function* writeLarge(
  value: LatestValue,
  number: number,
  dead: readonly number[],
): Script<number | undefined> {
  const slot = yield* beginLatest(value, dead);
  if (slot === undefined) return undefined;
  yield* write(slot, filled(number, value.valueBytes));
  return (yield* call("latestCommit", value.latest, value.valueBytes, slot)) >>> 0;
}

/** The slot to write a large value to; `undefined` while a live participant writes. */
export function* beginLatest(value: LatestValue, dead: readonly number[] = []): Script<number | undefined> {
  const begun = yield* overcome(dead, () => call("latestBegin", value.latest, value.valueBytes));
  return begun === undefined ? undefined : offsetOf("latestBegin", begun);
}

/** The newest value's number, 0 when there is none, or `undefined` when a writer was faster. */
export function* readLatest(value: LatestValue): Script<number | undefined> {
  if (!value.small) return yield* readInPlace(value, 1);
  const result = yield* call("latestRead", value.latest, value.valueBytes);
  if (result === FLAG_EMPTY) return 0;
  if (result === BUSY) return undefined;
  if (result !== 0) throw new Error(`latestRead failed with ${result}`);
  const scratch = yield* call("scratch");
  return numberIn(yield* read(offsetOf("scratch", scratch), value.valueBytes));
}

/** Reads where the value lies: large values, pinned; and what read-only openers do, who cannot pin. */
export function* readInPlace(value: LatestValue, pin: 0 | 1): Script<number | undefined> {
  const slot = (yield* call("latestPeek", value.latest, value.valueBytes, pin)) >>> 0;
  if (slot === 0) return 0;
  if (slot === BUSY) return undefined;
  const bytes = yield* read(offsetOf("latestPeek", slot), value.valueBytes);
  return (yield* call("latestValidate", value.latest, pin)) ? numberIn(bytes) : undefined;
}
