/** Joining: step 8 of a writer in `open.ts`. The caller holds KERNEL_LOCK_CREATION. */
import {
  KERNEL_LOCK_PARTICIPANTS,
  PARTICIPANT_BYTES,
  PARTICIPANT_PID_OFFSET,
  PARTICIPANTS_OFFSET,
  SUSPECT_NONE,
} from "../../../protocol/layout.js";
import { PARTICIPANTS_MAX } from "../../../protocol/limits.js";
import { IsthmusError } from "../../errors.js";
import { nowNs, pid, runtime } from "../../host/runtime.js";
import type { Attachment } from "../attachment.js";

/** Takes the first free slot; if there is none, the first one whose owner has died. */
export function takeSlot(attachment: Attachment): void {
  const { core, region } = attachment;
  const slots: number = core.participants.value;
  for (let turn = 0; turn < 2 * slots; turn++) {
    const slot = core.slotToTry(turn);
    if (slot === SUSPECT_NONE || !region.lock(KERNEL_LOCK_PARTICIPANTS + slot, false)) continue;
    attachment.slot = slot; // from here on, closing gives the slot back
    core.join(slot, pid, runtime, nowNs());
    core.beat(nowNs());
    return;
  }
  throw new IsthmusError("TOO_MANY_PARTICIPANTS", crowdedText(attachment, slots));
}

/** Tells why no slot is left. A frequent cause is a process that opens the segment again and again instead of once. */
function crowdedText({ core, u32, name }: Attachment, slots: number): string {
  let here = 0;
  let strangers = 0;
  const processes = new Set<number>();
  for (let slot = 0; slot < slots; slot++) {
    if (core.watchSlot(slot) === 0) strangers++;
    const owner = u32[(PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES + PARTICIPANT_PID_OFFSET) >>> 2];
    processes.add(owner);
    if (owner === pid) here++;
  }
  if (strangers > 0) {
    return (
      `segment "${name}" has no participant slot left: ${strangers} of ${slots} have no owner, but another process has ` +
      "locked them. Every process that can read the segment can do that. Find out which has it open (fuser), and create it " +
      "with a mode that lets fewer users read it"
    );
  }
  const whose =
    here > 1
      ? `${here} of them belong to this process, which should open the segment once per thread, keep it, and close it`
      : `they belong to ${processes.size} processes`;
  return (
    `all ${slots} participant slots of segment "${name}" have live owners; ${whose}. Close segments that you do not ` +
    `need, or create the segment with { participants: n }, up to ${PARTICIPANTS_MAX}`
  );
}
