/** Values for `damage.test.ts`: some to damage, and what a host does with them. */
import {
  PARTICIPANTS_OFFSET,
  RESULT_OFFSETS,
  VALUE_COPY,
  VALUE_DICT,
  VALUE_LATIN1,
  VALUE_LIST,
  VALUE_NUMBER,
} from "../../protocol/layout.js";
import type { Exports } from "../lib/arena.js";
import { hashOf, push, type Shared, set, sharedAt } from "../lib/hosts/values.js";
import { write } from "../lib/script.js";
import { type Call, type Ground, inside, type Play } from "./damage.js";

const KEYS = ["", "one", "two", "three", "four", "five"];

export /** A dictionary with strings and a list, each of which has a handle, too. */
function buildValues(core: Exports, view: DataView, play: Play): [Shared, Shared] {
  const made = (kind: number): Shared =>
    sharedAt(view, view.getUint32((core.valueMake?.(kind, 0) ?? 0) >>> 0, true));
  const [dict, list] = [made(VALUE_DICT), made(VALUE_LIST)];
  for (const [index, key] of KEYS.entries()) play(set(dict, key, index % 2 === 0 ? index : "a string"));
  play(set(dict, "list", { ...list, kind: VALUE_LIST }));
  for (const one of [1, "a string", 3, 4, 5]) play(push(list, one));
  return [dict, list];
}

export function useValues(call: Call, at: Ground, play: Play): void {
  const { dict, list } = at;
  const within = (name: string, result: number): number => inside(name, result, at.payload, at.heapEnd - 4);
  const scratch = inside("scratch", call("scratch"), PARTICIPANTS_OFFSET, at.payload);
  for (const key of KEYS.slice(0, 3)) {
    play(write(scratch, Buffer.from(key)));
    if (call("valueLook", dict.at, dict.generation) >>> 0 >= RESULT_OFFSETS) {
      const entry = within("dictFind", call("dictFind", dict.at, hashOf(Buffer.from(key)), 0));
      if (entry >= RESULT_OFFSETS) call("dictFind", dict.at, 7, entry);
      const next = within("dictNext", call("dictNext", dict.at, 0, 0, 0));
      if (next >= RESULT_OFFSETS) call("dictNext", dict.at, next, sharedAt(at.view, next).generation, 1);
    }
    call("dictSet", dict.at, dict.generation, scratch, key.length, VALUE_LATIN1 | VALUE_COPY, scratch, 5);
    call("dictDelete", dict.at, dict.generation, scratch, key.length);
    call("dictSet", dict.at, dict.generation, scratch, key.length, VALUE_LIST, list.at, list.generation);
  }
  for (const index of [0, 4, 5, 0xffffffff]) {
    if (call("valueLook", list.at, list.generation) >>> 0 >= RESULT_OFFSETS)
      within("listItem", call("listItem", list.at, index));
    call("listSet", list.at, list.generation, index, VALUE_NUMBER, 0, 0);
  }
  call("listPush", list.at, list.generation, VALUE_NUMBER, 0, 0);
  const popped = within("listPop", call("listPop", list.at, list.generation));
  if (popped >= RESULT_OFFSETS) call("valueRelease", popped);
  for (const kind of [VALUE_LATIN1, VALUE_LIST, VALUE_DICT]) {
    const handle = within("valueMake", call("valueMake", kind, 9));
    if (handle >= RESULT_OFFSETS) call("valueRelease", handle);
  }
  const handle = within("valueAcquire", call("valueAcquire", dict.at, dict.generation));
  call("valueCount", dict.at, dict.generation);
  call("valueSetRoot", dict.at, dict.generation);
  if (handle >= RESULT_OFFSETS) call("valueRelease", handle);
  call("heapSetRoot", 0);
  call("valuesPending");
  call("valuesLeave");
  for (let turn = 0; turn < 3; turn++) call("valuesSettle", 20);
}
