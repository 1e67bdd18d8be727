// watchdog: 300 s
/**
 * Whatever a shared word says, every call of the core ends after a bounded number of accesses, all of them inside of the
 * segment, traps nowhere, and gives no offset that leads out of the object. Every word of every object is damaged in turn; then
 * several by chance; then words change by chance between the accesses of the calls.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SLOT_LIVE } from "../../protocol/layout.js";
import { Arena, type Exports } from "../lib/arena.js";
import { isTried, often } from "../lib/depth.js";
import { createSegment, joinSegment } from "../lib/hosts/segment.js";
import { instrument } from "../lib/instrument.js";
import { Interception } from "../lib/mutation.js";
import { play } from "../lib/play.js";
import type { Script } from "../lib/script.js";
import { printedSeed, randomFrom } from "../lib/series.js";
import { SEGMENT_BYTES, shippedCore } from "../lib/shipped.js";
import { areas, build, OTHER_SLOT, SLOT, useAll } from "./damage.js";
import { cacheAreas, useCache } from "./damage-cache.js";

/** More than the longest walk over a heap of this size takes. */
const ACCESSES_MAX = 40_000;
const CHANCES = often(700, 80);
/** The share of the hostile values that each word gets. */
const SHARE = often(0.5, 0.06);
const random = randomFrom(printedSeed());
const below = (limit: number): number => Math.floor(random() * limit);

const arena = new Arena(instrument(shippedCore(), { hooks: true }), SEGMENT_BYTES, 65536);
let accesses = 0;
let meanwhile: (() => void) | undefined;

function step(site: number, address: number): void {
  if (++accesses > ACCESSES_MAX) throw new Error(`no end after ${ACCESSES_MAX} accesses`);
  const bytes = Math.max(arena.sites[site]?.bytes ?? 0, 1);
  arena.checkInside(address);
  arena.checkInside((address >>> 0) + bytes - 1);
  meanwhile?.();
}

function participant(): { exports: Exports; play<T>(script: Script<T>): T } {
  const exports = arena.instantiate({ step, ...new Interception(arena.view, () => undefined).hooks() });
  const memory = arena.segment;
  return { exports, play: (script) => play(script, { exports, memory, returned() {} }) };
}

arena.bytes.fill(0xa5, SEGMENT_BYTES);
const other = participant();
const user = participant();
accesses = -1e9;
other.play(createSegment(OTHER_SLOT));
user.play(joinSegment(SLOT));
const ground = build(user.exports, arena.view, user.play);
const bytes = arena.segment.slice();
const globals = arena.globals();
const words = areas(ground).flatMap(([name, from, count]) =>
  Array.from({ length: count >>> 2 }, (_, i) => ({ name, at: from + 4 * i })),
);

const token = (slot: number): number => (slot << 16) | SLOT_LIVE;
/** What code with a missing check trips over. */
const HOSTILE = [
  0,
  1,
  7,
  0x20,
  0x7ffffff8,
  0x80000000,
  0xffffffff,
  0xfffffff9,
  token(OTHER_SLOT),
  token(SLOT),
  token(0xffff),
  ground.payload,
  ground.heapEnd,
  ground.heapEnd + 1,
  (ground.blocks[1] as number) - 16,
  (ground.blocks[3] as number) - 16,
];

const calls: string[] = [];

function call(name: string, ...args: number[]): number {
  accesses = 0;
  calls.push(`${name}(${args.join(", ")})`);
  return (user.exports[name] as (...given: number[]) => number)(...args);
}

/** Uses everything, after the damage. */
function survive(what: string, damage: () => void, first: number, all = useAll): void {
  arena.segment.set(bytes);
  arena.recall(globals);
  calls.length = 0;
  damage();
  try {
    all(call, user.exports, ground, user.play, first);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`${what}: ${message}, in ${calls.slice(-3).join(", ")}`);
  } finally {
    accesses = 0;
  }
}

function poke(at: number, value: number): string {
  arena.view.setUint32(at, value >>> 0, true);
  return `[${at}] = ${value >>> 0}`;
}

/** As `useAll`, but for the cache alone: it has so many words. */
const useCacheAlone: typeof useAll = (made, _core, at, player) => useCache(made, at, player);

const isOfCache = ({ at }: { at: number }): boolean =>
  cacheAreas(ground.cache).some(([, from, count]) => at >= from && at < from + count);
const cacheWords = words.filter(isOfCache);

test("any one word may say anything", () => {
  for (const [index, { name, at }] of words.entries()) {
    if (!isTried(index, 0, 2)) continue;
    const all = isOfCache({ at }) ? useCacheAlone : useAll;
    // Once relative to what it says, too.
    const now = new DataView(bytes.buffer).getUint32(at, true);
    const values = HOSTILE.filter(() => random() < SHARE);
    for (const value of [...values, now + 1, now ^ 8, at])
      survive(`${name}, [${at}] = ${value >>> 0}`, () => poke(at, value), index, all);
  }
});

function chance(from = words): string {
  const word = from[below(from.length)] as { at: number };
  const value = random() < 0.5 ? HOSTILE[below(HOSTILE.length)] : random() * 2 ** 32;
  return poke(word.at, value as number);
}

/** Half of the turns are about the cache alone, whose calls depend on many of its words. */
for (const [of, from, all] of [
  ["", words, useAll],
  [" of a cache", cacheWords, useCacheAlone],
] as const) {
  test(`several words${of} may say anything`, () => {
    for (let turn = 0; turn < CHANCES; turn++) {
      const pokes: string[] = [];
      const damage = (): void => {
        for (let left = 2 + below(6); left > 0; left--) pokes.push(chance(from));
      };
      try {
        survive("", damage, turn, all);
      } catch (error) {
        throw new Error(`${pokes.join(", ")}${(error as Error).message}`);
      }
    }
  });

  test(`words${of} may change while they are looked at`, () => {
    for (let turn = 0; turn < CHANCES; turn++) {
      let left = 8;
      meanwhile = () => {
        if (below(100) === 0 && left-- > 0) chance(from);
      };
      try {
        survive("changed meanwhile", () => {}, turn, all);
      } finally {
        meanwhile = undefined;
      }
    }
  });
}

test("noticed: a core that takes the heap to be longer than it is", () => {
  const planted = (): void => {
    const believed = globals[1]?.indexOf(ground.heapEnd) as number;
    const changed = globals.map((values) => [...values]);
    (changed[1] as unknown[])[believed] = 0x7ffffff0;
    arena.recall(changed);
  };
  const size = (ground.blocks[3] as number) - 12;
  assert.throws(
    () =>
      survive(
        "a free block",
        () => {
          planted();
          poke(size, 0x100001);
        },
        0,
      ),
    /access outside the segment/,
  );
});

test("noticed: a call without end", () => {
  meanwhile = () => {
    accesses += ACCESSES_MAX;
  };
  try {
    assert.throws(() => survive("nothing", () => {}, 0), /no end/);
  } finally {
    meanwhile = undefined;
  }
});

test.after(() => {
  assert.ok(
    arena.bytes.subarray(SEGMENT_BYTES).every((byte) => byte === 0xa5),
    "bytes behind the segment were changed",
  );
});

test.run();
