/** The plays of `host-steps.ts` in a process of their own, where garbage can be collected; also with bugs that were planted. */
import { KERNEL_LOCK_CREATION, KERNEL_LOCK_HOLDERS } from "../../../protocol/layout.js";
import { collect } from "../../lib/garbage.js";
import type { Flaws } from "../../lib/steps.js";
import * as files from "../file-kills/file-steps.js";
import { type Act, playAll } from "./host-steps.js";

/** Closed segments keep their addresses until the next garbage collection. */
const PLAYS_MAX = 200;

/** A lock that everybody is told to have. */
function unlocked(wanted: number): () => Flaws {
  return () => ({
    lock: (shim) => (object, index, shared) =>
      index === wanted || shim.lock(object as number, index as number, shared as boolean),
  });
}

/** Bugs, and a victim that shows them. */
export const planted: Record<string, [victim: Act, flaws: (name: string) => Flaws]> = {
  "what is removed is not compared with what was looked at": [
    "unlinkHeld",
    (name) => ({
      remove: (shim) => () => {
        shim.unlink(name, 0);
        return true;
      },
    }),
  ],
  "removing without the lock of creation": ["unlink", unlocked(KERNEL_LOCK_CREATION)],
  "pruning without the lock of creation": ["prune", unlocked(KERNEL_LOCK_CREATION)],
  "pruning without the lock of holders": ["prune", unlocked(KERNEL_LOCK_HOLDERS)],
  "creating without the lock of creation": ["openOrCreate", unlocked(KERNEL_LOCK_CREATION)],
  "replacing without the lock of creation": ["replace", unlocked(KERNEL_LOCK_CREATION)],
  "a new name that takes whatever is there": [
    "replace",
    () => ({ publish: (shim) => (object) => shim.publish(object as number, true) }),
  ],
};

function breathe(plays: number): void {
  if (plays % PLAYS_MAX === 0) collect();
}

export function playVictim(victim: Act): { problems: string[]; plays: number } {
  return playAll([victim], undefined, breathe);
}

export function playPlanted(what: string): string[] {
  const [victim, flaws] = planted[what] as [Act, (name: string) => Flaws];
  return playAll([victim], flaws, breathe).problems;
}

/** Bugs that files show, and their victims. */
export const plantedInFiles: Record<string, [victim: files.Act, flaws: Flaws]> = {
  "truncating without the lock of holders": ["close", unlocked(KERNEL_LOCK_HOLDERS)()],
  "extending without the lock of creation": ["openLarge", unlocked(KERNEL_LOCK_CREATION)()],
};

export function playVictimInFile(victim: files.Act): { problems: string[]; plays: number } {
  return files.playAll([victim], undefined, breathe);
}

export function playPlantedInFile(what: string): string[] {
  const [victim, flaws] = plantedInFiles[what] as [files.Act, Flaws];
  return files.playAll([victim], flaws, breathe).problems;
}
