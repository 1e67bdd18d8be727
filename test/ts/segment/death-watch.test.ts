/** Whom a participant asks the kernel about, with each heartbeat. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  PARTICIPANT_BYTES,
  PARTICIPANT_HEARTBEAT_NS_OFFSET,
  PARTICIPANTS_OFFSET,
  SUSPECT_NONE,
} from "../../../protocol/layout.js";
import type { Attachment } from "../../../ts/segment/attachment.js";
import { watchOthers } from "../../../ts/segment/death-watch.js";

type State = "free" | "alive" | "stalled" | "dead";

/** The slots about which the participant in one of them asks, and those that it marks dead. */
function watched(own: number, states: State[]): { asked: number[]; marked: number[] } {
  const asked: number[] = [];
  const marked: number[] = [];
  const view = new DataView(new ArrayBuffer(PARTICIPANTS_OFFSET + states.length * PARTICIPANT_BYTES));
  states.forEach((state, slot) => {
    const beat = Date.now() - (state === "stalled" ? 4000 : 0);
    const at = PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES + PARTICIPANT_HEARTBEAT_NS_OFFSET;
    view.setBigUint64(at, BigInt(beat) * 1_000_000n, true);
  });
  const core = {
    slotAfter(slot: number): number {
      for (let step = 1; step < states.length; step++) {
        const next = (slot + step) % states.length;
        if (next === own) return SUSPECT_NONE;
        if (states[next] !== "free" && !marked.includes(next)) return next;
      }
      return SUSPECT_NONE;
    },
    markDead(): void {
      marked.push(asked.at(-1) as number);
    },
  };
  const held = (slot: number): boolean => {
    asked.push(slot);
    return states[slot] !== "dead";
  };
  watchOthers({ core, slot: own, view, held } as unknown as Attachment);
  return { asked, marked };
}

test("a participant asks about the next one that is alive, also behind the last slot", () => {
  assert.equal(watched(0, ["alive", "free", "alive", "alive"]), { asked: [2], marked: [] });
  assert.equal(watched(3, ["free", "alive", "alive", "alive"]), { asked: [1], marked: [] });
  assert.equal(watched(1, ["free", "alive", "free"]), { asked: [], marked: [] });
});

test("it goes on behind those that are dead or stalled", () => {
  assert.equal(watched(0, ["alive", "dead", "dead", "alive", "dead"]), { asked: [1, 2, 3], marked: [1, 2] });
  assert.equal(watched(2, ["dead", "stalled", "alive", "dead"]), { asked: [3, 0, 1], marked: [3, 0] });
  assert.equal(watched(0, ["alive", "stalled", "dead", "alive"]), { asked: [1, 2, 3], marked: [2] });
});

test("a reader watches nobody", () => {
  assert.equal(watched(-1, ["dead"]), { asked: [], marked: [] });
});

test.run();
