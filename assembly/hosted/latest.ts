/**
 * Latest, for hosts that block. A writer waits for another one, which writes for microseconds, up to LATEST_WRITE_TIMEOUT_MS,
 * and never for a dead one. A reader looks again when writers were faster.
 *
 * To write a small value:                               To read a small value:
 *  1. the host puts it into the scratch                  1. hostedLatestRead; ANSWER_VERSION is its version
 *  2. hostedLatestWrite                                  2. the host takes it out of the scratch
 * To write a large one, or in place:                    To read a large one, and, who only reads, a small one:
 *  1. hostedLatestBegin: where it is to be written       1. hostedLatestPeek: where it lies. It is pinned
 *  2. the host writes it there                           2. the host copies it, with loads that are not reordered
 *  3. hostedLatestCommit; or latestAbort                 3. latestValidate; 0: begin again, LATEST_READS_MAX times at most
 *
 * A reader without a slot maps nothing that it could write to: it has no scratch, and pins nothing.
 *
 * If a writer dies, or is cut off: see `latest.ts`. Between begin and commit the write is the host's to end.
 */
import { BUSY, CORRUPT } from "../../protocol/errors";
import { FLAG_WAKE, RESULT_OFFSETS } from "../../protocol/layout";
import { LATEST_READS_MAX, LATEST_WRITE_TIMEOUT_MS } from "../../protocol/limits";
import {
  latestAbort,
  latestBegin,
  latestBytes,
  latestCommit,
  latestKept,
  latestPeek,
  latestRead,
  latestValidate,
  latestVersion,
  latestWaiters,
  latestWrite,
} from "../latest";
import { gaveUp, hostedNotify, suspectGone } from "./session";
import { sysNow, sysSleep } from "./system";
import { isReadOnly, OVER, waitBegin, waitEnd, waitNext } from "./wait";

/** Pause between two attempts. Milliseconds. */
const ATTEMPT_MS: f64 = 0.05;

/** Makes the value in the scratch the newest. 0; BUSY when another one, alive, is in the middle of a write; EVICTED. */
export function hostedLatestWrite(latest: usize, valueBytes: u32): u32 {
  let result = latestWrite(latest, valueBytes);
  if (result == BUSY) result = contend(latest, valueBytes, true);
  return written(latest, result);
}

/** Begins a write in place: the offset of the value's bytes; BUSY, EVICTED; CORRUPT. */
export function hostedLatestBegin(latest: usize, valueBytes: u32): u32 {
  let result = latestBegin(latest, valueBytes);
  if (result == BUSY) result = contend(latest, valueBytes, false);
  if (result < u32(RESULT_OFFSETS)) return result;
  latestKept();
  return inside(latest, valueBytes, result) ? result : aborted(latest);
}

function aborted(latest: usize): u32 {
  latestAbort(latest);
  return CORRUPT;
}

/** The offset follows from shared words, which a peer can damage. */
function inside(latest: usize, valueBytes: u32, offset: u32): bool {
  return (
    offset > u32(latest) &&
    u64(offset) + valueBytes <= u64(latest) + latestBytes(valueBytes) &&
    offset % 8 == 0
  );
}

/** Ends it: the value is the newest. 0; EVICTED. */
export function hostedLatestCommit(latest: usize, valueBytes: u32, offset: u32): u32 {
  return written(latest, latestCommit(latest, valueBytes, offset));
}

function written(latest: usize, result: u32): u32 {
  if (result > u32(FLAG_WAKE)) return result;
  if (result != 0) hostedNotify(latestWaiters(latest));
  return 0;
}

function contend(latest: usize, valueBytes: u32, whole: bool): u32 {
  const end = sysNow() + f64(LATEST_WRITE_TIMEOUT_MS);
  let result: u32 = BUSY;
  while (result == BUSY) {
    if (!suspectGone()) {
      if (sysNow() >= end) return BUSY;
      sysSleep(ATTEMPT_MS);
    }
    result = whole ? latestWrite(latest, valueBytes) : latestBegin(latest, valueBytes);
  }
  return result;
}

/** Copies the newest small value to the scratch. 0; FLAG_EMPTY when none was written yet; BUSY: writers were faster; CORRUPT. */
export function hostedLatestRead(latest: usize, valueBytes: u32): u32 {
  let result = latestRead(latest, valueBytes);
  for (let turn: u32 = 1; result == BUSY && turn < u32(LATEST_READS_MAX); turn++)
    result = latestRead(latest, valueBytes);
  return result;
}

/** Begins a read in place: the offset of the value's bytes; 0 when none was written yet; BUSY; CORRUPT. */
export function hostedLatestPeek(latest: usize, valueBytes: u32): u32 {
  let result = latestPeek(latest, valueBytes, !isReadOnly());
  for (let turn: u32 = 1; result == BUSY && turn < u32(LATEST_READS_MAX); turn++) {
    result = latestPeek(latest, valueBytes, !isReadOnly());
  }
  if (result == BUSY) hostedLatestValidate(latest);
  if (result < u32(RESULT_OFFSETS) || inside(latest, valueBytes, result)) return result;
  hostedLatestValidate(latest);
  return CORRUPT;
}

/** Ends that read, and takes the pin back; whether what was copied is whole. */
export function hostedLatestValidate(latest: usize): bool {
  return latestValidate(latest, !isReadOnly());
}

/** Waits for a value of another version than `seen`, 0 for none. 0; BUSY, TIMED_OUT. A reader without a slot may call it, too. */
export function hostedLatestWait(latest: usize, seen: f64, timeoutMs: f64): u32 {
  waitBegin(latestWaiters(latest), timeoutMs);
  while (latestVersion(latest) == seen) {
    if (waitNext() == OVER) return gaveUp(timeoutMs);
  }
  waitEnd(false);
  return 0;
}
