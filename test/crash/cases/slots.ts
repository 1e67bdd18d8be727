/** What the participant table says. */
import { strict as assert } from "node:assert";
import {
  PARTICIPANT_BYTES,
  PARTICIPANT_HEARTBEAT_NS_OFFSET,
  PARTICIPANT_JOINED_NS_OFFSET,
  PARTICIPANT_PID_OFFSET,
  PARTICIPANT_RUNTIME_OFFSET,
  PARTICIPANT_WORD_OFFSET,
  PARTICIPANTS_OFFSET,
  SLOT_LIVE,
} from "../../../protocol/layout.js";
import { NOW_NS } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";

/** Offset of a slot of the participant table. */
export function slotAt(slot: number): number {
  return PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES;
}

/** SLOT_… */
export function slotState(view: DataView, slot: number): number {
  return Number(view.getBigUint64(slotAt(slot) + PARTICIPANT_WORD_OFFSET, true) & 3n);
}

/** The slot says who lives there, fully, and its owner may write. */
export function* livesIn(view: DataView, slot: number): Script {
  assert.equal(slotState(view, slot), SLOT_LIVE);
  assert.equal(yield* call("selfCheck"), 0, "selfCheck");
  assert.equal(view.getUint32(slotAt(slot) + PARTICIPANT_PID_OFFSET, true), 100 + slot, "pid");
  assert.equal(view.getUint32(slotAt(slot) + PARTICIPANT_RUNTIME_OFFSET, true), 1, "runtime");
  for (const time of [PARTICIPANT_JOINED_NS_OFFSET, PARTICIPANT_HEARTBEAT_NS_OFFSET]) {
    assert.equal(view.getBigUint64(slotAt(slot) + time, true), BigInt(NOW_NS), `the time at ${time}`);
  }
}
