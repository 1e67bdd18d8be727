/** A reader never sees a mix, never goes back, and one that waits is woken; two writers never tear each other's value. */
import { strict as assert } from "node:assert";
import { LATEST_WAITERS_OFFSET } from "../../../protocol/layout.js";
import type { World } from "../../lib/explore.js";
import {
  type LatestValue,
  openLatest,
  readInPlace,
  readLatest,
  writeLatest,
} from "../../lib/hosts/latest.js";
import { latestWish, waitFor } from "../../lib/hosts/segment.js";
import { attempt, call, type Script, until } from "../../lib/script.js";
import { type Explored, OBSERVER, populate, SLOTS } from "./ground.js";

function prepare(world: World, valueBytes: number, before: number[]): LatestValue {
  populate(world);
  const value = world.play(OBSERVER, openLatest(world.arena.view, latestWish("value", valueBytes)));
  for (const number of before) world.play(OBSERVER, writeLatest(value, number));
  return value;
}

function* writeAll(value: LatestValue, numbers: number[], dead: () => number[] = () => []): Script {
  for (const number of numbers) {
    yield* attempt(function* () {
      return (yield* writeLatest(value, number, dead())) || undefined;
    });
  }
}

/** Reads that often; values may only become newer. */
function* readAll(
  value: LatestValue,
  times: number,
  read: (value: LatestValue) => Script<number | undefined>,
): Script {
  let newest = 0;
  for (let turn = 0; turn < times; turn++) {
    const number = yield* attempt(() => read(value));
    assert.ok(number >= newest, `read ${number} after ${newest}`);
    newest = number;
  }
}

type Reader = (value: LatestValue) => Script<number | undefined>;

interface LatestScenario {
  name: string;
  valueBytes: number;
  before: number[];
  writes: number[];
  reads: number;
  read?: Reader;
}

/** As a read-only opener reads: it cannot pin and has no scratch. */
const unpinned: Reader = (value) => readInPlace(value, 0);

const SCENARIOS: LatestScenario[] = [
  { name: "small, first value", valueBytes: 16, before: [], writes: [1], reads: 2 },
  { name: "small, overwritten", valueBytes: 16, before: [1, 2], writes: [3, 4, 5], reads: 2 },
  { name: "small, read in place", valueBytes: 16, before: [1], writes: [2, 3, 4], reads: 2, read: unpinned },
  { name: "large, first value", valueBytes: 512, before: [], writes: [1], reads: 2 },
  {
    name: "large, read in place",
    valueBytes: 512,
    before: [1],
    writes: [2, 3, 4, 5, 6],
    reads: 1,
    read: unpinned,
  },
];

function newest(world: World, value: LatestValue): number | undefined {
  return world.play(OBSERVER, readLatest(value));
}

function writeAndRead(one: LatestScenario, preemptions: number, delays = 0): Explored {
  let value: LatestValue;
  return {
    name: `latest, ${one.name}${delays > 0 ? `, ${delays} late stores` : ""}`,
    preemptions,
    delays,
    before: (world) => {
      value = prepare(world, one.valueBytes, one.before);
    },
    scripts: () => [writeAll(value, one.writes), readAll(value, one.reads, one.read ?? readLatest)],
    after: (world) => assert.equal(newest(world, value), one.writes.at(-1)),
  };
}

/** As if earlier owners of two slots had died with a pin each; those who have the slots now have other generations. */
function leavePins(world: World, { latest }: LatestValue): void {
  const [data, room] = [call("ringWaitersData", 0), call("ringWaitersRoom", 0)];
  const pins = latest + LATEST_WAITERS_OFFSET + world.play(OBSERVER, room) - world.play(OBSERVER, data);
  for (const [index, slot] of [SLOTS[1], SLOTS[2]].entries()) {
    world.arena.view.setUint32(pins + 4 * slot, (7 << 8) | (index + 2), true);
  }
}

/** A reader that has pinned the newest value finds it whole, however many are written before it looks again. */
function pinnedReader(): Explored {
  let value: LatestValue;
  let pinned = false;
  function* readSlowly(world: World): Script {
    const slot = (yield* call("latestPeek", value.latest, value.valueBytes, 1)) >>> 0;
    assert.ok(slot > 1024, "peek");
    pinned = true;
    yield* until(() => world.state(1) === "done");
    assert.ok(yield* call("latestValidate", value.latest, 1), "overtaken, though pinned");
  }
  function* writeMeanwhile(): Script {
    yield* until(() => pinned);
    yield* writeAll(value, [2, 3, 4, 5, 6]);
  }
  return {
    name: "latest, large, a pinned value is not written over",
    preemptions: 2,
    before: (world) => {
      value = prepare(world, 512, [1]);
      leavePins(world, value);
    },
    scripts: (world) => {
      pinned = false;
      return [readSlowly(world), writeMeanwhile()];
    },
  };
}

function twoWriters(valueBytes: number): Explored {
  let value: LatestValue;
  return {
    name: `latest, two writers, ${valueBytes} bytes`,
    preemptions: 2,
    before: (world) => {
      value = prepare(world, valueBytes, [1]);
    },
    scripts: () => [writeAll(value, [11, 12]), writeAll(value, [21, 22])],
    after: (world) => {
      assert.ok([12, 22].includes(newest(world, value) ?? 0), "the last write is lost");
      assert.equal(world.play(OBSERVER, call("latestVersion", value.latest)), 5, "version");
    },
  };
}

/** Two wait for the next value, asleep; both are woken. Who they are says whether their bits lie in one word. */
function waiting(name: string, waiters: [number, number]): Explored {
  let value: LatestValue;
  function* next(view: DataView, slot: number, set: number): Script {
    const look = function* (): Script<number | undefined> {
      return (yield* readLatest(value)) || undefined;
    };
    assert.equal((yield* look()) ?? (yield* waitFor(view, slot, set, look)), 7);
  }
  return {
    name: `latest, two wait for a value, ${name}`,
    preemptions: 2,
    before: (world) => {
      value = prepare(world, 16, []);
    },
    scripts: (world) => {
      const set = world.play(OBSERVER, call("latestWaiters", value.latest)) >>> 0;
      const { view } = world.arena;
      return [0, 1, 2].map((id) =>
        waiters.includes(id) ? next(view, SLOTS[id] as number, set) : writeAll(value, [7]),
      );
    },
  };
}

/** A writer dies at any write, another goes on, a third reads. */
function writerDies(valueBytes: number): Explored {
  let value: LatestValue;
  return {
    name: `latest, a writer dies at any write, ${valueBytes} bytes`,
    preemptions: 1,
    deaths: 1,
    mortal: [0],
    before: (world) => {
      value = prepare(world, valueBytes, [1]);
    },
    scripts: (world) => {
      const dead = (): number[] => (world.state(0) === "dead" ? [SLOTS[0]] : []);
      return [writeAll(value, [11]), writeAll(value, [21, 22], dead)];
    },
    after: (world) => assert.ok([11, 22].includes(newest(world, value) ?? 0), "a write is lost"),
  };
}

export const latestScenarios: Explored[] = [
  ...SCENARIOS.map((one) => writeAndRead(one, one.valueBytes > 256 ? 2 : 3)),
  ...SCENARIOS.map((one) => writeAndRead(one, 2, 1)),
  pinnedReader(),
  twoWriters(16),
  twoWriters(512),
  waiting("bits in one word", [1, 2]),
  waiting("bits in two words", [0, 1]),
  writerDies(16),
  writerDies(512),
];
