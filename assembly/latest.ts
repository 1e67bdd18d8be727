/**
 * Latest: the newest value of a fixed size. A writer never waits for readers; readers are lock-free.
 *
 *     object:   0                    128      256       256+W   + 4P                + slots x stride
 *               +---------+----------+--------+---------+-------+-------------------+
 *               | current | versions | writer | waiters | pins  | slot 0, slot 1 …  |
 *               +---------+----------+--------+---------+-------+-------------------+
 *
 *     current = version << 8 | slot          versions[slot] = version of what the slot holds, 0 while it is written
 *
 * | word         | written by                                                 | read by                             |
 * | ------------ | ---------------------------------------------------------- | ----------------------------------- |
 * | writer       | CAS from 0 or a dead participant's token; 0 at the end     | writers                             |
 * | versions     | the writer                                                 | readers, before and after the value |
 * | current      | the writer                                                 | everyone                            |
 * | slots        | the writer, never the slot that is current                 | readers                             |
 * | pins         | each participant its own: 0, or its short token, in which  | writers of large values             |
 * |              | the number is the slot that it reads, plus 1               |                                     |
 *
 * To write:                                            To read:
 *  1. writer = our token                                1. read current: version v in slot s (large: pin s)
 *  2. choose a slot: not current, best not pinned       2. versions[s] is v, else back to 1
 *  3. versions[slot] = 0                                3. the host copies the value
 *  4. the host writes the value                         4. (large: unpin) versions[s] is still v, else back to 1
 *  5. versions[slot] = version
 *  6. current = version, slot
 *  7. writer = 0; anyone waiting? then wake
 *
 * Small values (LATEST_SMALL_BYTES_MAX) have two slots. The core copies them from and to the scratch of the participant, word
 * by word. The writer's stores are plain, and ordered between steps 3 and 5. The reader's loads are atomic, so step 4 comes
 * after them. A read-only host, which has no scratch, does the same with Atomics. Large values have four slots. A reader that
 * can write to the segment pins the slot that it reads, so that a fast writer does not starve a slow reader. A pin is only a
 * request: if all other slots are pinned, the writer takes one of them nevertheless, and the reader notices in step 4.
 *
 * If a participant dies: the writer after 1 … 5: current is unchanged, and so is its slot. The next writer proves the death and
 * takes the writer word over. After 6: the value is written. A reader leaves a pin, which counts only while the slot of the
 * reader is LIVE with the same generation (its low 22 bits).
 *
 * If a call is cut off and its participant lives on (see `left-over.ts`): the same states, and the writer word names this
 * participant. The private variable `writing` remembers the value that is being written. If the word of that value still names
 * us when another write of ours begins, or with the heartbeat, it is a left-over, because the host calls nothing else between
 * `latestBegin` and `latestCommit`. A claim, which a user keeps open between two calls, is ended by the host, after it has
 * called `latestKept`.
 *
 * Source of the idea: seqlocks (Lameter); Boehm, "Can seqlocks get along with programming language memory models?", 2012.
 */
import { BUSY, CORRUPT, EVICTED } from "../protocol/errors";
import {
  ANSWER_VERSION_OFFSET,
  FLAG_EMPTY,
  LATEST_CURRENT_OFFSET,
  LATEST_VERSIONS_OFFSET,
  LATEST_WAITERS_OFFSET,
  LATEST_WRITER_OFFSET,
  PARTICIPANT_WORD_OFFSET,
  RESULT_OFFSETS,
  SLOT_LIVE,
} from "../protocol/layout";
import {
  LATEST_BYTES_MAX,
  LATEST_LARGE_SLOTS,
  LATEST_SMALL_BYTES_MAX,
  LATEST_SMALL_SLOTS,
} from "../protocol/limits";
import { alignObject, participants, self, selfSlot, setSuspect, waitersBytes } from "./instance";
import { answers, isLive, scratch, selfCheck, slotOffset } from "./participants";
import { numberedToken, numberOf, stateOf } from "./token";
import { waitersAny } from "./waiters";
import { load32, load64, store32, store64, swap64 } from "./word";

/** A reader that is overtaken this often in one call gives up. The host calls again. */
const READ_TURNS_MAX = 64;

/** The value whose writer word may be ours, unless it belongs to a claim of the host; 0 for none. */
let writing: usize = 0;

/** The slot and version that `latestPeek` found, which `latestValidate` compares. */
let readSlot: u32 = 0;
let readVersion: u64 = 0;

function slotsFor(valueBytes: u32): u32 {
  return valueBytes <= u32(LATEST_SMALL_BYTES_MAX) ? LATEST_SMALL_SLOTS : LATEST_LARGE_SLOTS;
}

function pins(latest: usize): usize {
  return latest + LATEST_WAITERS_OFFSET + waitersBytes();
}

function slotData(latest: usize, slot: u32, valueBytes: u32): usize {
  return (
    pins(latest) + usize(alignObject(u64(participants) << 2)) + usize(slot) * usize(alignObject(valueBytes))
  );
}

/** Bytes of the object; 0 if a value of that size is not allowed. */
export function latestBytes(valueBytes: u32): u64 {
  if (valueBytes == 0 || valueBytes > u32(LATEST_BYTES_MAX)) return 0;
  return u64(slotData(0, 0, valueBytes)) + u64(slotsFor(valueBytes)) * alignObject(valueBytes);
}

/** The set of participants that wait for the next value. */
export function latestWaiters(latest: usize): usize {
  return latest + LATEST_WAITERS_OFFSET;
}

export function latestInitialise(latest: usize, valueBytes: u32): void {
  memory.fill(latest, 0, slotData(latest, 0, valueBytes) - latest);
}

/** The pin of the participant with this token, or word of its slot. */
function pinOf(owner: u64, slot: u32): u32 {
  return numberedToken(owner, slot + 1);
}

function pinned(latest: usize, slot: u32): bool {
  for (let i: u32 = 0; i < participants; i++) {
    const pin = load32(pins(latest) + (i << 2));
    if (numberOf(pin) != slot + 1) continue;
    const owner = load64(slotOffset(i) + PARTICIPANT_WORD_OFFSET);
    if (stateOf(owner) == SLOT_LIVE && pin == pinOf(owner, slot)) return true;
  }
  return false;
}

function setPin(latest: usize, pin: u32): void {
  store32(pins(latest) + (selfSlot << 2), pin); // pairs with the load in pinned
}

function chooseSlot(latest: usize, current: u64, valueBytes: u32): u32 {
  const slots = slotsFor(valueBytes);
  const newest = u32(current & 0xff) % slots;
  if (current == 0) return 0;
  if (slots == LATEST_SMALL_SLOTS) return newest ^ 1;
  for (let step: u32 = 1; step < slots; step++) {
    const slot = (newest + step) % slots;
    if (!pinned(latest, slot)) return slot;
  }
  return (newest + 1) % slots;
}

/** Begins a write. Returns the offset of the slot to write the value to; or BUSY (the suspect is set), or EVICTED. */
export function latestBegin(latest: usize, valueBytes: u32): u32 {
  const failed = selfCheck();
  if (failed != 0) return failed;
  settleLatest();
  const writer = load64(latest + LATEST_WRITER_OFFSET);
  setSuspect(writer);
  if (writer != 0 && isLive(writer)) return BUSY;
  writing = latest;
  if (!swap64(latest + LATEST_WRITER_OFFSET, writer, self)) {
    setSuspect(load64(latest + LATEST_WRITER_OFFSET));
    writing = 0;
    return BUSY;
  }
  // If we were evicted before the CAS, the word names a participant that counts as dead, and the next writer takes it over.
  const removed = selfCheck();
  if (removed != 0) return removed;
  const slot = chooseSlot(latest, load64(latest + LATEST_CURRENT_OFFSET), valueBytes);
  const version = latest + LATEST_VERSIONS_OFFSET + (slot << 3);
  store64(version, 0); // pairs with the loads in latestPeek and latestValidate
  load64(version); // a later plain store must not become visible before that store: an acquiring load in between
  return u32(slotData(latest, slot, valueBytes));
}

/** Ends a write: the value at `offset` becomes the newest one. Returns 0, FLAG_WAKE, or an error. */
export function latestCommit(latest: usize, valueBytes: u32, offset: u32): u32 {
  if (selfCheck() != 0 || load64(latest + LATEST_WRITER_OFFSET) != self) return EVICTED;
  const slot = (offset - u32(slotData(latest, 0, valueBytes))) / u32(alignObject(valueBytes));
  const version = (load64(latest + LATEST_CURRENT_OFFSET) >> 8) + 1;
  store64(latest + LATEST_VERSIONS_OFFSET + (slot << 3), version); // pairs with the loads in latestPeek, latestValidate
  store64(latest + LATEST_CURRENT_OFFSET, (version << 8) | slot); // pairs with the load in latestPeek
  latestAbort(latest);
  return u32(waitersAny(latestWaiters(latest)));
}

/** Ends a write without a new value. */
export function latestAbort(latest: usize): void {
  swap64(latest + LATEST_WRITER_OFFSET, self, 0); // pairs with the load in latestBegin
  if (writing == latest) writing = 0;
}

/** The write that was begun last is a claim. The host may call other functions before it ends the claim, and it will end it. */
export function latestKept(): void {
  writing = 0;
}

/** Ends a write of this participant that was cut off. */
export function settleLatest(): void {
  if (writing != 0) latestAbort(writing);
}

/** Writes the small value that is in our scratch. Returns 0, FLAG_WAKE, BUSY (the suspect is set), or EVICTED. */
export function latestWrite(latest: usize, valueBytes: u32): u32 {
  const slot = latestBegin(latest, valueBytes);
  if (slot < u32(RESULT_OFFSETS)) return slot;
  const ours = scratch();
  // Plain stores: the load in latestBegin keeps them after the 0, and latestCommit publishes them. Atomic stores would be
  // barriers.
  for (let i: u32 = 0; i < valueBytes; i += 8) store<u64>(slot + i, load<u64>(ours + i));
  return latestCommit(latest, valueBytes, slot);
}

/**
 * Copies the newest small value to our scratch, and sets ANSWER_VERSION to its version. Returns 0; FLAG_EMPTY if none was
 * written yet; BUSY; or CORRUPT.
 */
export function latestRead(latest: usize, valueBytes: u32): u32 {
  const ours = scratch();
  for (let turn = 0; turn < READ_TURNS_MAX; turn++) {
    const slot = latestPeek(latest, valueBytes, false);
    if (slot == 0) return FLAG_EMPTY;
    if (slot < u32(RESULT_OFFSETS)) return slot;
    for (let i: u32 = 0; i < valueBytes; i += 8) store<u64>(ours + i, load64(slot + i));
    if (latestValidate(latest, false)) {
      store<u64>(answers() + ANSWER_VERSION_OFFSET, readVersion);
      return 0;
    }
  }
  return BUSY;
}

/**
 * Begins a read. Returns the offset of the newest value; 0 if none was written yet; CORRUPT; or BUSY: call it again, or call
 * `latestValidate`, which clears the pin.
 */
export function latestPeek(latest: usize, valueBytes: u32, pin: bool): u32 {
  const slots = slotsFor(valueBytes);
  for (let turn = 0; turn < READ_TURNS_MAX; turn++) {
    const current = load64(latest + LATEST_CURRENT_OFFSET);
    if (current == 0) return 0;
    readSlot = u32(current & 0xff);
    readVersion = current >> 8;
    if (readSlot >= slots) return CORRUPT;
    if (pin) setPin(latest, pinOf(self, readSlot));
    if (load64(latest + LATEST_VERSIONS_OFFSET + (readSlot << 3)) == readVersion) {
      return u32(slotData(latest, readSlot, valueBytes));
    }
  }
  return BUSY;
}

/** Ends a read. Returns whether the value that was copied since `latestPeek` is valid. */
export function latestValidate(latest: usize, pin: bool): bool {
  if (pin) setPin(latest, 0); // orders the plain loads of the value before the load below
  return load64(latest + LATEST_VERSIONS_OFFSET + (readSlot << 3)) == readVersion;
}

/** The version that `latestPeek` found. */
export function latestReadVersion(): f64 {
  return f64(readVersion);
}

/** Number of values written so far. */
export function latestVersion(latest: usize): f64 {
  return f64(load64(latest + LATEST_CURRENT_OFFSET) >> 8);
}
