/** Readers get whole values of the key that they asked for, and miss none that was there all the time, while writers work. */
import { strict as assert } from "node:assert";
import { CACHE_EVICT_LRU, CACHE_EVICT_NONE, FLAG_EMPTY, FLAG_PRESENT } from "../../../protocol/layout.js";
import type { World } from "../../lib/explore.js";
import { add, type Cache, get, openCache, persist, remove, reserve, set } from "../../lib/hosts/cache.js";
import { waitFor } from "../../lib/hosts/segment.js";
import { type Script, until } from "../../lib/script.js";
import { type Explored, late, OBSERVER, populate, SLOTS } from "./ground.js";

/** Eight entries with such values fill the log. */
const LENGTH = 360;

function bytesOf(number: number): Uint8Array {
  return new Uint8Array(LENGTH).fill(number);
}

let cache: Cache;

function prepare(keys: string[], policy: number = CACHE_EVICT_LRU): (world: World) => void {
  return (world) => {
    populate(world);
    cache = world.play(OBSERVER, openCache(world.arena.view, policy));
    for (const [index, key] of keys.entries()) world.play(0, set(cache, key, bytesOf(index + 1)));
  };
}

function* gets(world: World, key: string, allowed: (number | undefined)[]): Script {
  const value = yield* get(world.arena.view, cache, key);
  if (value === undefined) {
    assert.ok(allowed.includes(undefined), `${key} is missing`);
    return;
  }
  const [first] = value as Uint8Array;
  assert.deepEqual(value, bytesOf(first as number), `${key} is torn`);
  assert.ok(allowed.includes(first), `${key} is ${first}`);
}

const setting = (key: string, number: number): Script<boolean> =>
  persist(() => set(cache, key, bytesOf(number)));

const KEYS = ["a", "b", "c", "d", "e", "f", "g"];

/** One sets a value again, and two read it. */
const twoReaders: Explored = {
  name: "cache, one sets, two get",
  preemptions: 1,
  before: prepare(["a"]),
  scripts: (world) => [setting("a", 9), gets(world, "a", [1, 9]), gets(world, "a", [1, 9])],
};

/** The hand evicts what one reads. */
const evicted: Explored = {
  name: "cache, one gets what is evicted and overwritten",
  preemptions: 2,
  before: prepare(KEYS),
  scripts: (world) => [
    (function* (): Script {
      yield* setting("x", 11);
      yield* setting("y", 12);
    })(),
    gets(world, "a", [1, undefined]),
  ],
};

/** The hand moves what one reads: it is never missing. */
const moved: Explored = {
  name: "cache, one gets what is moved",
  preemptions: 2,
  before: (world) => {
    prepare(KEYS)(world);
    world.play(1, get(world.arena.view, cache, "a"));
  },
  scripts: (world) => [
    (function* (): Script {
      yield* setting("x", 11);
      yield* setting("y", 12);
    })(),
    gets(world, "a", [1]),
  ],
};

const movedKept: Explored = {
  ...moved,
  name: "cache, one gets what is moved because nothing may be evicted",
  before: (world) => {
    prepare(["a", "b"], CACHE_EVICT_NONE)(world);
    for (let time = 0; time < 4; time++) world.play(0, set(cache, "b", bytesOf(2)));
  },
};

function twoWriters(preemptions: number, deaths = 0): Explored {
  return {
    name: `cache, two set the same key${deaths ? ", one dies" : ""}`,
    preemptions,
    deaths,
    mortal: [0],
    before: prepare(["a"]),
    scripts: (world) => [
      setting("a", 8),
      (function* (): Script {
        if (deaths) yield* until(() => world.state(0) === "dead" || world.state(0) === "done");
        const one = { ...cache, dead: world.state(0) === "dead" ? [SLOTS[0]] : [] };
        yield* persist(() => set(one, "a", bytesOf(9)));
        const allowed = deaths ? [9] : [8, 9];
        yield* gets(world, "a", allowed);
      })(),
    ],
  };
}

const deleted: Explored = {
  name: "cache, one deletes, another sets and gets its neighbour",
  preemptions: 1,
  before: prepare(["a", "b"]),
  scripts: (world) => [
    (function* (): Script {
      assert.equal(yield* persist(() => remove(cache, "a")), true);
    })(),
    (function* (): Script {
      yield* setting("b", 7);
      yield* gets(world, "b", [7]);
      yield* gets(world, "a", [1, undefined]);
    })(),
  ],
};

const adding: Explored = {
  name: "cache, two add",
  preemptions: 2,
  before: prepare([]),
  scripts: (world) => {
    const sums: number[] = [];
    function* one(): Script {
      sums.push(yield* persist(() => add(cache, "n", 1)));
      if (sums.length === 2) assert.deepEqual(sums.sort(), [1, 2]);
      const value = yield* get(world.arena.view, cache, "n");
      assert.ok(value === 1 || value === 2, `${value}`);
    }
    return [one(), one()];
  },
};

/** One computes, another waits for it; who computes may die. */
function computing(deaths: number): Explored {
  let computed = 0;
  return {
    name: `cache, two want a value that is computed once${deaths ? ", one dies" : ""}`,
    preemptions: 1,
    deaths,
    mortal: [0],
    before: prepare([]),
    scripts: (world) => {
      computed = 0;
      function* wants(id: number): Script {
        if (deaths && id === 1) yield* until(() => world.state(0) === "dead" || world.state(0) === "done");
        const look = function* (): Script<Uint8Array | undefined> {
          const ours = { ...cache, dead: world.state(0) === "dead" ? [SLOTS[0]] : [] };
          const state = yield* persist(() => reserve(ours, "a", id + 1));
          if (state === FLAG_EMPTY) return undefined;
          if (state === FLAG_PRESENT)
            return (yield* get(world.arena.view, ours, "a")) as Uint8Array | undefined;
          computed++;
          assert.ok(yield* persist(() => set(ours, "a", bytesOf(3), { ticket: id + 1 })), "it is not stored");
          return bytesOf(3);
        };
        const value =
          (yield* look()) ?? (yield* waitFor(world.arena.view, SLOTS[id] as number, cache.waiters, look));
        assert.deepEqual(value, bytesOf(3));
        if (!deaths) assert.equal(computed, 1);
      }
      return [wants(0), wants(1)];
    },
  };
}

export const cacheScenarios: Explored[] = [
  twoReaders,
  evicted,
  moved,
  movedKept,
  twoWriters(2),
  twoWriters(1, 1),
  deleted,
  adding,
  computing(0),
  computing(1),
  late({ ...evicted, preemptions: 1 }, 1, 1),
  late({ ...moved, preemptions: 1 }, 1, 1),
];
