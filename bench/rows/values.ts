import { MiB, Segment } from "isthmus";
import type { Plan } from "../contest.js";
import { alone, ENTRIES, type Store } from "./cache-programme.js";

/** Bytes of a dictionary of so many values, with headers, keys, its table and room for a value that is set anew. */
export function dictionaryBytes(keys: number, payloadBytes: number): number {
  return 4 * MiB + 2 * keys * (payloadBytes + 160);
}

/** A live dictionary whose values are bytes: each one that is set is a value of its own, and the one before is freed. */
function open(plan: Plan): Store {
  const segment = Segment.openOrCreate(plan.segment, { bytes: dictionaryBytes(ENTRIES, plan.payloadBytes) });
  const dictionary = segment.share({});
  return {
    get: (key) => dictionary.get(key) as Uint8Array | undefined,
    set: (key, value) => void dictionary.set(key, value),
    close: () => segment.close(),
  };
}

export const gets = { contestant: alone(open, false) };
export const sets = { contestant: alone(open, true) };
