/**
 * One that is removed alive before any access of a change that it makes, while another one goes on, gets EVICTED and leaves
 * nothing: unless it has the write lock or the writer's word in its hands at that moment. Of those docs/recovery.md says more.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { EVICTED } from "../../protocol/errors.js";
import {
  HEAP_ROOT_OFFSET,
  LATEST_WRITER_OFFSET,
  OBJECT_LATEST,
  PARTICIPANT_BYTES,
  PARTICIPANT_WORD_OFFSET,
  PARTICIPANTS_OFFSET,
  RESULT_OFFSETS,
  SEGMENT_LOCK_OFFSET,
  SLOT_EVICTED,
} from "../../protocol/layout.js";
import { Arena, type Exports } from "../lib/arena.js";
import { createSegment, joinSegment, openObject } from "../lib/hosts/segment.js";
import { instrument } from "../lib/instrument.js";
import { Interception } from "../lib/mutation.js";
import { play } from "../lib/play.js";
import type { Script } from "../lib/script.js";
import { SEGMENT_BYTES, shippedCore } from "../lib/shipped.js";

const VICTIM_SLOT = 5;
const OTHER_SLOT = 33;
const VALUE_BYTES = 16;
const WORD = PARTICIPANTS_OFFSET + VICTIM_SLOT * PARTICIPANT_BYTES + PARTICIPANT_WORD_OFFSET;

let meanwhile: (() => void) | undefined;
const arena = new Arena(instrument(shippedCore(), { hooks: true }), SEGMENT_BYTES);

function participant(step: () => void): { exports: Exports; play<T>(script: Script<T>): T } {
  const hooks = new Interception(arena.view, () => undefined).hooks();
  const exports = arena.instantiate({ step, ...hooks });
  const memory = arena.segment;
  return { exports, play: (script) => play(script, { exports, memory, reach() {}, returned() {} }) };
}

const victim = participant(() => meanwhile?.());
const other = participant(() => {});
other.play(createSegment(OTHER_SLOT));
victim.play(joinSegment(VICTIM_SLOT));
const latest = other.play(
  openObject(arena.view, { type: OBJECT_LATEST, name: "latest", first: VALUE_BYTES }),
);
const block = other.exports.heapAllocate?.(40, 8, 1) as number;
const token = arena.view.getBigUint64(WORD, true) & ~0xffffn;
const bytes = arena.segment.slice();
const globals = arena.globals();

interface Case {
  name: string;
  /** The word that says that the victim is in the middle. */
  word: number;
  run(exports: Exports): number;
}

const CASES: Case[] = [
  { name: "allocating", word: SEGMENT_LOCK_OFFSET, run: (core) => core.heapAllocate?.(64, 8, 1) ?? -1 },
  { name: "freeing", word: SEGMENT_LOCK_OFFSET, run: (core) => core.heapFree?.(block) ?? -1 },
  { name: "setting the root", word: SEGMENT_LOCK_OFFSET, run: (core) => core.heapSetRoot?.(block) ?? -1 },
  {
    name: "beginning a transaction",
    word: SEGMENT_LOCK_OFFSET,
    run: (core) => core.transactionBegin?.() ?? -1,
  },
  {
    name: "writing a latest value",
    word: latest + LATEST_WRITER_OFFSET,
    run: (core) => core.latestWrite?.(latest, VALUE_BYTES) ?? -1,
  },
];

/** What the other one does when it finds everything free: a change of each kind. */
function goOn(): number {
  fillScratch(other.exports, 2);
  const offset = (other.exports.heapAllocate?.(100, 8, 1) ?? 0) >>> 0;
  assert.ok(offset >= RESULT_OFFSETS, `allocating gave ${offset}`);
  assert.is(other.exports.heapSetRoot?.(offset), 0);
  assert.ok((other.exports.latestWrite?.(latest, VALUE_BYTES) ?? RESULT_OFFSETS) <= 1);
  return offset;
}

function fillScratch(core: Exports, byte: number): void {
  const scratch = (core.scratch?.() ?? 0) >>> 0;
  arena.segment.fill(byte, scratch, scratch + VALUE_BYTES);
}

function whole(root: number): void {
  // The victim may have taken the write lock after it was removed: whoever wants it next takes it over.
  assert.is(other.exports.writeLockTake?.(), 0);
  other.exports.writeLockRelease?.();
  assert.is(other.exports.heapCheck?.(), 0, "the heap is whole");
  assert.is(arena.view.getUint32(HEAP_ROOT_OFFSET, true), root, "the other's change stands");
  assert.is(other.exports.latestRead?.(latest, VALUE_BYTES), 0, "there is a value");
  const value = (other.exports.scratch?.() ?? 0) >>> 0;
  assert.equal(
    [...arena.segment.slice(value, value + VALUE_BYTES)],
    Array(VALUE_BYTES).fill(2),
    "the other's value",
  );
  goOn();
  assert.is(other.exports.heapCheck?.(), 0, "the heap stays whole");
}

interface Course {
  /** Accesses that the victim made. */
  accesses: number;
  /** The root that the other one set last; 0 when the victim was not removed. */
  root: number;
  result: number;
}

/** The victim is removed before one access, if it is not in the middle; the other goes on then, and before a later access. */
function course({ word, run }: Case, removal: number, later: number): Course {
  arena.segment.set(bytes);
  arena.recall(globals);
  fillScratch(victim.exports, 1);
  let accesses = 0;
  let root = 0;
  let inside = false;
  meanwhile = () => {
    const access = accesses++;
    inside ||= arena.view.getBigUint64(word, true) === token;
    if (access === removal && !inside) {
      arena.view.setBigUint64(WORD, token | BigInt(SLOT_EVICTED), true);
      root = goOn();
    } else if (access === later && root !== 0) root = goOn();
  };
  const result = run(victim.exports) >>> 0;
  meanwhile = undefined;
  return { accesses, root, result };
}

for (const one of CASES) {
  test(`removed before any access while ${one.name}`, () => {
    let removals = 0;
    const alone = course(one, -1, -1).accesses;
    for (let removal = 0; removal < alone; removal++) {
      for (let later = removal + 1, ended = false; !ended; later++) {
        const { accesses, root, result } = course(one, removal, later);
        ended = accesses <= later;
        if (root === 0) break;
        removals++;
        assert.is(result, EVICTED, `removed before access ${removal}`);
        whole(root);
      }
    }
    assert.ok(removals >= 3, `removed at ${removals} accesses`);
  });
}

test.run();
