/**
 * The death watch: participants look after each other, because nobody meets the token of one that died with a message of a queue.
 * `assembly/participants.ts` says who watches whom.
 *
 * If a participant dies, the one before it notices that with its next heartbeat: within HEARTBEAT_MS. If that one is stopped, it
 * counts as stalled after STALLED_MS, and from then on the one before it does its work.
 */
import {
  PARTICIPANT_BYTES,
  PARTICIPANT_HEARTBEAT_NS_OFFSET,
  PARTICIPANTS_OFFSET,
  SUSPECT_NONE,
} from "../../protocol/layout.js";
import { STALLED_MS } from "../../protocol/limits.js";
import { nowNs } from "../host/runtime.js";
import type { Attachment } from "./attachment.js";

/** Asks the kernel about the participant behind this one, and about the next ones while they are dead or stalled. */
export function watchOthers(attachment: Attachment): void {
  const { core, slot: own } = attachment;
  if (own < 0) return;
  for (let slot = core.slotAfter(own); slot < SUSPECT_NONE; slot = core.slotAfter(slot)) {
    if (!attachment.held(slot)) core.markDead();
    else if (!isStalled(attachment, slot)) return;
  }
}

function isStalled({ view }: Attachment, slot: number): boolean {
  const at = PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES + PARTICIPANT_HEARTBEAT_NS_OFFSET;
  return nowNs() - Number(view.getBigUint64(at, true)) > STALLED_MS * 1e6;
}
