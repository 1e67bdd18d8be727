/** Participants that take and give back at once get blocks of their own, and whoever walks over the heap finds it whole. */
import { strict as assert } from "node:assert";
import { NOT_FOUND } from "../../../protocol/errors.js";
import { CHECK_CHANGING, OBJECT_LOCK } from "../../../protocol/layout.js";
import type { World } from "../../lib/explore.js";
import { allocate, begin, check, free, picture, repair, writeNoted } from "../../lib/hosts/heap.js";
import { openObject, overcome, ringWish, tryOpenObject } from "../../lib/hosts/segment.js";
import { attempt, call, type Script, variable } from "../../lib/script.js";
import { type Explored, OBSERVER, populate, SLOTS } from "./ground.js";

const BYTES = 40;

let payload = 0;
/** Blocks that were in use before, with bytes of their own. */
let blocks: number[] = [];
let before = "";

function prepare(world: World): void {
  populate(world);
  payload = world.play(OBSERVER, variable("payload")) >>> 0;
  blocks = [0, 1, 2, 3].map(() => world.play(OBSERVER, allocate({ bytes: BYTES })) as number);
  for (const block of blocks) world.arena.segment.fill(block & 0xff, block, block + BYTES);
  before = picture(world.arena.view, payload);
}

function deadOf(world: World): number[] {
  return [0, 1, 2].filter((id) => world.state(id) === "dead").map((id) => SLOTS[id] as number);
}

function taken(world: World, bytes: number, fill: number): Script<number> {
  return (function* (): Script<number> {
    const block = yield* attempt(() => allocate({ bytes, alignment: 32, zero: true }, deadOf(world)));
    const { segment } = world.arena;
    assert.ok(
      segment.subarray(block, block + bytes).every((byte) => byte === 0),
      "not cleared",
    );
    segment.fill(fill, block, block + bytes);
    yield* call("selfCheck");
    assert.ok(
      segment.subarray(block, block + bytes).every((byte) => byte === fill),
      "somebody else's too",
    );
    return block;
  })();
}

function* givenBack(world: World, block: number): Script {
  yield* attempt(function* () {
    return (yield* free(block, deadOf(world))) || undefined;
  });
}

function* takeAndGiveBack(world: World, bytes: number, fill: number): Script {
  yield* givenBack(world, yield* taken(world, bytes, fill));
}

/** As before: each one has given back what it took. */
function isAsBefore(world: World): void {
  assert.ok(world.play(OBSERVER, repair(deadOf(world))));
  world.play(OBSERVER, check());
  assert.equal(picture(world.arena.view, payload), before);
}

function* inTurn(...scripts: Script<unknown>[]): Script {
  for (const script of scripts) yield* script;
}

function* transaction(world: World, keep: boolean): Script {
  yield* attempt(function* () {
    return (yield* begin(deadOf(world))) || undefined;
  });
  yield* writeNoted(blocks[0] as number, new Uint8Array(8).fill(0xf0));
  const block = (yield* allocate({ bytes: 60 })) as number;
  yield* writeNoted(block, new Uint8Array(4).fill(0xf1));
  if (keep) yield* free(block);
  if (keep) yield* writeNoted(blocks[0] as number, new Uint8Array(8).fill((blocks[0] as number) & 0xff));
  assert.equal(yield* call("transactionEnd", keep ? 1 : 0), keep ? 1 : 0);
}

/** A view of a block that somebody else may have freed: it gets its layout, or is told that there is no block. */
function* view(world: World, block: number): Script {
  const status = yield* attempt(function* () {
    return yield* overcome(deadOf(world), () => call("heapSetLayout", block, 0xff77));
  });
  assert.ok(status === 0 || status === NOT_FOUND, `heapSetLayout: ${status}`);
}

/** Walks over the heap again and again: it is whole, or being changed. */
function* walk(times: number): Script {
  for (let turn = 0; turn < times; turn++) {
    const found = yield* call("heapCheck");
    assert.ok(found === 0 || found === CHECK_CHANGING, `heapCheck: ${found}`);
  }
}

interface HeapScenario {
  name: string;
  preemptions: number;
  scripts(world: World): Script<unknown>[];
  mortal?: number[];
  /** Somebody leaves more than there was. */
  grows?: boolean;
}

function heapScenario({ name, preemptions, scripts, mortal, grows }: HeapScenario): Explored {
  return {
    name: `heap, ${name}`,
    preemptions,
    ...(mortal ? { deaths: 1, mortal } : {}),
    before: prepare,
    scripts,
    after: (world) => {
      if (!grows && deadOf(world).length === 0) isAsBefore(world);
      else {
        assert.ok(world.play(OBSERVER, repair(deadOf(world))));
        world.play(OBSERVER, check());
      }
    },
  };
}

/** What anyone has seen in the directory stays there, whoever dies. */
function seenEntries(): Explored {
  let seen = 0;
  function* insert(world: World, id: number): Script {
    yield* attempt(() => tryOpenObject(world.arena.view, ringWish(`ring ${id}`, 64), deadOf(world)));
  }
  function* look(): Script {
    for (let turn = 0; turn < 2; turn++) {
      const count = yield* call("directoryCount");
      assert.ok(count >= seen, "an entry has disappeared");
      seen = count;
    }
  }
  return {
    name: "directory, what was seen stays",
    preemptions: 1,
    deaths: 1,
    mortal: [0],
    before: populate,
    scripts: (world) => {
      seen = 0;
      return [insert(world, 0), look()];
    },
    after: (world) => {
      world.play(OBSERVER, repair(deadOf(world)));
      world.play(OBSERVER, check());
      assert.ok(world.play(OBSERVER, call("directoryCount")) >= seen, "an entry has disappeared");
    },
  };
}

function* insertLock(world: World): Script {
  yield* openObject(world.arena.view, { type: OBJECT_LOCK, name: "lock", first: 0 });
}

export const heapScenarios: Explored[] = [
  heapScenario({
    name: "two take and give back, a third gives back",
    preemptions: 1,
    grows: true,
    scripts: (world) => [
      takeAndGiveBack(world, 50, 0xaa),
      takeAndGiveBack(world, 70, 0xbb),
      givenBack(world, blocks[1] as number),
    ],
  }),
  heapScenario({
    name: "two take",
    preemptions: 2,
    grows: true,
    scripts: (world) => [taken(world, 50, 0xaa), taken(world, 50, 0xbb)],
  }),
  heapScenario({
    name: "one dies taking and giving back, another does the same",
    preemptions: 0,
    mortal: [0],
    scripts: (world) => [takeAndGiveBack(world, 50, 0xaa), takeAndGiveBack(world, 70, 0xbb)],
  }),
  heapScenario({
    name: "a transaction that stays x take and give back",
    preemptions: 1,
    scripts: (world) => [transaction(world, true), takeAndGiveBack(world, 70, 0xbb)],
  }),
  heapScenario({
    name: "a transaction that does not stay x take and give back",
    preemptions: 1,
    scripts: (world) => [transaction(world, false), takeAndGiveBack(world, 70, 0xbb)],
  }),
  heapScenario({
    name: "a transaction of one who dies x take and give back",
    preemptions: 1,
    mortal: [0],
    scripts: (world) => [transaction(world, false), takeAndGiveBack(world, 70, 0xbb)],
  }),
  heapScenario({
    name: "a view x give that block back and take",
    preemptions: 2,
    grows: true,
    scripts: (world) => [
      view(world, blocks[1] as number),
      inTurn(givenBack(world, blocks[1] as number), taken(world, 70, 0xbb)),
    ],
  }),
  heapScenario({
    name: "a view x give back that block and the one before x take",
    preemptions: 1,
    grows: true,
    scripts: (world) => [
      view(world, blocks[2] as number),
      inTurn(givenBack(world, blocks[1] as number), givenBack(world, blocks[2] as number)),
      taken(world, 90, 0xbb),
    ],
  }),
  heapScenario({
    name: "take and give back x walk over it",
    preemptions: 1,
    scripts: (world) => [takeAndGiveBack(world, 50, 0xaa), walk(1)],
  }),
  heapScenario({
    name: "insert x walk over it",
    preemptions: 1,
    grows: true,
    scripts: (world) => [insertLock(world), walk(1)],
  }),
  heapScenario({
    name: "a transaction that does not stay x walk over it",
    preemptions: 1,
    scripts: (world) => [transaction(world, false), walk(2)],
  }),
  seenEntries(),
];
