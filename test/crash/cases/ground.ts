/** What the crash cases stand on: memory as somebody left it, and three participants who have joined. */
import {
  HEAP_COLUMNS_OFFSET,
  HEAP_ROWS,
  JOURNAL_COUNT_OFFSET,
  JOURNAL_ENTRIES_OFFSET,
  JOURNAL_ENTRY_BYTES,
  PARTICIPANT_BYTES,
  PARTICIPANTS_OFFSET,
  RECORD_DATA,
} from "../../../protocol/layout.js";
import { JOURNAL_BYTES_PER_ENTRY, JOURNAL_ENTRIES_MIN, PARTICIPANTS_MIN } from "../../../protocol/limits.js";
import { type CrashLane, SURVIVORS, VICTIM } from "../../lib/crash.js";
import { createSegment, joinSegment, leaveSegment } from "../../lib/hosts/segment.js";
import { SEGMENT_BYTES } from "../../lib/shipped.js";

/** Slot of each participant: in different words of the sets of waiters. */
export const SLOTS = [5, 33, 63] as const;

/** Memory before the segment was created. */
export interface Fill {
  name: string;
  fill(bytes: Uint8Array): void;
}

/** New memory; and memory full of what looks like published records. */
export const FILLS: Fill[] = [
  { name: "fresh memory", fill: (bytes) => bytes.fill(0) },
  {
    name: "stale memory",
    fill: (bytes) => {
      const words = new Uint32Array(bytes.buffer, 0, SEGMENT_BYTES / 4);
      for (let at = 0; at < words.length; at += 2) words.set([8, RECORD_DATA], at);
    },
  },
];

/**
 * The entries of the journal that do not count say something, and something wrong: whoever rolls back what was not noted in full
 * does damage.
 */
export function scribbleJournal({ view }: CrashLane): void {
  const journal = PARTICIPANTS_OFFSET + PARTICIPANTS_MIN * PARTICIPANT_BYTES;
  const entries = Math.max(JOURNAL_ENTRIES_MIN, Math.floor(SEGMENT_BYTES / JOURNAL_BYTES_PER_ENTRY));
  for (let index = view.getUint32(journal + JOURNAL_COUNT_OFFSET, true); index < entries; index++) {
    const at = journal + JOURNAL_ENTRIES_OFFSET + index * JOURNAL_ENTRY_BYTES;
    view.setUint32(at, HEAP_COLUMNS_OFFSET + 4 * (HEAP_ROWS - 1), true);
    view.setUint32(at + 4, 0xfffffff8, true);
  }
}

export function slotsOf(participants: readonly number[]): number[] {
  return participants.map((one) => SLOTS[one] as number);
}

/** A segment that survivor 1 created and all have joined. */
export function populate(lane: CrashLane, fill: Fill): void {
  fill.fill(lane.arena.segment);
  const [first, second] = SURVIVORS as [number, number];
  lane.play(first, createSegment(SLOTS[first] as number));
  lane.play(VICTIM, joinSegment(SLOTS[VICTIM]));
  lane.play(second, joinSegment(SLOTS[second] as number));
}

/**
 * Somebody lives in that slot and is gone without leaving. The instance of participant 2 plays the part, forgets it, and joins
 * again as itself.
 */
export function someoneDied(lane: CrashLane, slot: number, live: () => void): void {
  const second = SURVIVORS[1] as number;
  lane.play(second, leaveSegment());
  lane.play(second, joinSegment(slot));
  const globals = lane.arena.globals();
  live();
  lane.arena.recall(globals);
  lane.play(second, joinSegment(SLOTS[second] as number));
}

/** All fills of a case. */
export function onEachFill<T extends { name: string }>(make: (fill: Fill) => T): T[] {
  return FILLS.map((fill) => {
    const made = make(fill);
    return { ...made, name: `${made.name}, ${fill.name}` };
  });
}
