/** What a tool of an operator does to take a participant's slot from it; the library has no call for it. Linux only. */
import { readFileSync } from "node:fs";
import * as layout from "../../protocol/layout.js";
import { peek64, poke64 } from "./poke.js";
import type { Agent } from "./processes.js";
import { until } from "./watchdog.js";

/** Marks the slot as EVICTED. Its owner must not be changing the word itself: it is this thread, or stopped. */
export function evictSlot(name: string, slot: number): void {
  const offset =
    layout.PARTICIPANTS_OFFSET + slot * layout.PARTICIPANT_BYTES + layout.PARTICIPANT_WORD_OFFSET;
  const word = peek64(name, offset);
  if (Number(word & 3n) !== layout.SLOT_LIVE) throw new Error(`slot ${slot} is not live: ${word}`);
  poke64(name, offset, (word & ~3n) | BigInt(layout.SLOT_EVICTED));
}

/** Token of the participant in a slot, as the words that it holds name it. */
export function tokenOf(name: string, slot: number): bigint {
  const offset =
    layout.PARTICIPANTS_OFFSET + slot * layout.PARTICIPANT_BYTES + layout.PARTICIPANT_WORD_OFFSET;
  return peek64(name, offset) & ~0xffffn;
}

/** SIGSTOP, and every thread of the process stands still. */
export async function stop(agent: Agent): Promise<void> {
  agent.signal("SIGSTOP");
  const state = () => /\) (\w)/.exec(readFileSync(`/proc/${agent.pid}/stat`, "latin1"))?.[1];
  await until(`${agent.name} is stopped`, () => state() === "T");
}
