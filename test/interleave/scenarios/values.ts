/** Readers of lists and dictionaries take no lock, and never see what is half changed or belongs to something else by now. */
import { strict as assert } from "node:assert";
import { HANDLE_VALUE_OFFSET, VALUE_DICT, VALUE_LIST } from "../../../protocol/layout.js";
import type { World } from "../../lib/explore.js";
import { check, repair } from "../../lib/hosts/heap.js";
import {
  acquire,
  at,
  audit,
  BEGIN,
  type Content,
  get,
  make,
  next,
  pop,
  push,
  pushUnlessCircle,
  release,
  remove,
  type Shared,
  set,
  setRoot,
  settle,
  sharedAt,
} from "../../lib/hosts/values.js";
import { attempt, call, type Script, variable } from "../../lib/script.js";
import { type Explored, late, OBSERVER, populate, SLOTS } from "./ground.js";

const OLD = "old old old";
const NEW = "new new new new";

let root: Shared;
let list: Shared;
/** Only one handle of participant 0 refers to it. */
let own: Shared;
let handle = 0;
let payload = 0;

function* made(view: DataView, kind: number): Script<[number, Shared]> {
  const one = (yield* make(kind)) as number;
  return [one, sharedAt(view, view.getUint32(one + HANDLE_VALUE_OFFSET, true))];
}

/** A dictionary with `entries` entries behind "text" and "list", which has three items. */
function prepare(entries: number): (world: World) => void {
  return (world) => {
    populate(world);
    const { view } = world.arena;
    payload = world.play(OBSERVER, variable("payload")) >>> 0;
    const [rootHandle, first] = world.play(OBSERVER, made(view, VALUE_DICT));
    const [listHandle, second] = world.play(OBSERVER, made(view, VALUE_LIST));
    root = first;
    list = second;
    world.play(OBSERVER, setRoot(root));
    world.play(OBSERVER, set(root, "text", OLD));
    world.play(OBSERVER, set(root, "list", { ...list, kind: VALUE_LIST }));
    for (const one of [1, OLD, 3]) world.play(OBSERVER, push(list, one));
    for (let entry = 0; entry < entries; entry++) world.play(OBSERVER, set(root, `key ${entry}`, entry));
    for (const one of [rootHandle, listHandle]) world.play(OBSERVER, release(one));
    [handle, own] = world.play(0, made(view, VALUE_LIST));
    world.play(OBSERVER, settle());
  };
}

function deadOf(world: World): number[] {
  return [0, 1, 2].filter((id) => world.state(id) === "dead").map((id) => SLOTS[id] as number);
}

/** A change, as soon as nobody is in the way. */
function changing(world: World, body: (dead: number[]) => Script<number | undefined>): Script<number> {
  return attempt(() => body(deadOf(world)));
}

type Seen = Content | [number] | [] | null;

/** What a reader sees is one of these. */
function* reads(look: () => Script<Seen | undefined>, allowed: Seen[]): Script {
  const seen = yield* attempt(look);
  assert.ok(
    allowed.some((one) => JSON.stringify(one) === JSON.stringify(seen)),
    `a reader sees ${JSON.stringify(seen)}`,
  );
}

function* inTurn(...scripts: Script<unknown>[]): Script {
  for (const script of scripts) yield* script;
}

/** Sees every key that stays, once, in order. */
function* iterates(world: World, stays: string[]): Script {
  const keys: string[] = [];
  for (let step = BEGIN; ; ) {
    const found = yield* attempt(() => next(world.arena.view, root, step));
    assert.ok(found !== null, "the dictionary is gone");
    if (Array.isArray(found)) break;
    keys.push(found.key);
    step = found;
  }
  assert.deepEqual(new Set(keys).size, keys.length, `twice: ${keys}`);
  assert.deepEqual(
    keys.filter((key) => stays.includes(key)),
    stays,
    `keys: ${keys}`,
  );
}

interface ValueScenario {
  name: string;
  preemptions: number;
  entries?: number;
  mortal?: number[];
  scripts(world: World): Script<unknown>[];
}

function valueScenario({ name, preemptions, entries = 0, mortal, scripts }: ValueScenario): Explored {
  return {
    name: `values, ${name}`,
    preemptions,
    ...(mortal ? { deaths: 1, mortal } : {}),
    before: prepare(entries),
    scripts,
    after: (world) => {
      const dead = deadOf(world);
      assert.ok(world.play(OBSERVER, repair(dead)));
      for (const slot of dead)
        if (world.play(OBSERVER, call("watchSlot", slot))) world.play(OBSERVER, call("markDead"));
      assert.ok(world.play(OBSERVER, settle(dead)));
      world.play(OBSERVER, check());
      audit(world.arena.view, payload);
    },
  };
}

const setText = (world: World, content: Content): Script<unknown> =>
  changing(world, (dead) => set(root, "text", content, dead));

/** The bytes of the first string become those of another one. */
function replaceTwice(world: World): Script {
  return inTurn(
    setText(world, 7),
    changing(world, (dead) => push(list, "used again", dead)),
  );
}

const replaceAndReuse = valueScenario({
  name: "a string is replaced and its bytes are used again x one reads it",
  preemptions: 1,
  scripts: (world) => [replaceTwice(world), reads(() => get(root, "text"), [OLD, 7])],
});

export const valueScenarios: Explored[] = [
  replaceAndReuse,
  late(replaceAndReuse, 0, 1),
  valueScenario({
    name: "a string is replaced x two read it",
    preemptions: 0,
    scripts: (world) => [
      setText(world, NEW),
      reads(() => get(root, "text"), [OLD, NEW]),
      reads(() => get(root, "text"), [OLD, NEW]),
    ],
  }),
  valueScenario({
    name: "an insertion that splits a bucket x one reads",
    preemptions: 1,
    entries: 1,
    scripts: (world) => [
      changing(world, (dead) => set(root, "more", 1, dead)),
      inTurn(
        reads(() => get(root, "list"), [[list.at]]),
        reads(() => get(root, "key 0"), [0]),
      ),
    ],
  }),
  valueScenario({
    name: "an entry is removed and another inserted x one looks at all",
    preemptions: 1,
    entries: 2,
    scripts: (world) => [
      inTurn(
        changing(world, (dead) => remove(root, "key 0", dead)),
        changing(world, (dead) => set(root, "key 2", 2, dead)),
      ),
      iterates(world, ["text", "list", "key 1"]),
    ],
  }),
  valueScenario({
    name: "an item is popped, and another pushed x one reads it",
    preemptions: 1,
    scripts: (world) => [
      inTurn(
        changing(world, (dead) => pop(list, dead)),
        changing(world, (dead) => push(list, NEW, dead)),
      ),
      reads(() => at(list, 2), [3, [], NEW]),
    ],
  }),
  valueScenario({
    name: "the last reference is given back x another one is taken",
    preemptions: 1,
    scripts: (world) => [
      changing(world, (dead) => release(handle, dead)),
      changing(world, (dead) => acquire(own, dead)),
    ],
  }),
  valueScenario({
    name: "the list is removed x one reads it x one pushes",
    preemptions: 0,
    scripts: (world) => [
      changing(world, (dead) => remove(root, "list", dead)),
      reads(() => at(list, 1), [OLD, null, []]),
      pushesIfThere(world),
    ],
  }),
  valueScenario({
    name: "one that sets a string dies x one reads and sets",
    preemptions: 0,
    mortal: [0],
    scripts: (world) => [
      setText(world, NEW),
      inTurn(
        changing(world, (dead) => set(root, "other", 1, dead)),
        reads(() => get(root, "text"), [OLD, NEW]),
      ),
    ],
  }),
];

let other: Shared;

/** Two lists are put into each other. */
function circle(looksAgain: boolean): Explored {
  const scenario = valueScenario({
    name: "a list is put into another one x the other one into it",
    preemptions: 1,
    scripts: (world) => {
      const dead = (): number[] => deadOf(world);
      return [pushUnlessCircle(own, other, dead, looksAgain), pushUnlessCircle(other, own, dead, looksAgain)];
    },
  });
  return {
    ...scenario,
    before: (world) => {
      prepare(0)(world);
      [, other] = world.play(1, made(world.arena.view, VALUE_LIST));
    },
    after: (world) => {
      const first = world.play(OBSERVER, at(own, 0));
      const second = world.play(OBSERVER, at(other, 0));
      assert.deepEqual(
        [first, second].filter((item) => Array.isArray(item) && item.length === 1).length,
        1,
        `a circle, or nothing: ${JSON.stringify([first, second])}`,
      );
      scenario.after?.(world);
    },
  };
}

valueScenarios.push(circle(true), late(circle(true), 0, 1));

/** Two hosts that do not look again when the other one has put something into a list meanwhile. */
export const believesInNoCircle: Explored = circle(false);

/** The list may be gone. */
function* pushesIfThere(world: World): Script {
  try {
    yield* changing(world, (dead) => push(list, 4, dead));
  } catch (error) {
    assert.match((error as Error).message, /listPush gave error 16/);
  }
}

/** A reader that does not look again whether what it has read counts. */
export const readerBelievesAll: Explored = {
  ...replaceAndReuse,
  scripts: (world) => [
    replaceTwice(world),
    (function* (): Script {
      const seen = yield* attempt(() => get(root, "text", false));
      assert.ok(seen === OLD || seen === 7, `torn: ${seen}`);
    })(),
  ],
};
