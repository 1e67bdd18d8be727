/** Values change whole or not at all, whoever dies; counts are right, nothing is lost, and references of the dead come back. */
import { strict as assert } from "node:assert";
import {
  HANDLE_VALUE_OFFSET,
  VALUE_DICT,
  VALUE_LATIN1,
  VALUE_LIST,
  VALUE_SEQUENCE_OFFSET,
  VALUES_LINKS_OFFSET,
  VALUES_VERSION_OFFSET,
} from "../../../protocol/layout.js";
import type { CrashCase, CrashLane } from "../../lib/crash.js";
import { check, repair } from "../../lib/hosts/heap.js";
import { overcome } from "../../lib/hosts/segment.js";
import {
  acquire,
  at,
  audit,
  type Content,
  FLAG_EMPTY,
  get,
  hashOf,
  make,
  pop,
  push,
  release,
  remove,
  replace,
  type Shared,
  set,
  setRoot,
  settle,
  sharedAt,
} from "../../lib/hosts/values.js";
import { call, type Script, variable } from "../../lib/script.js";
import { FILLS, type Fill, populate, scribbleJournal, slotsOf, someoneDied } from "./ground.js";
import { LOST } from "./heap.js";

/** What the cases begin with. Participant 1 has made it; the victim has handles of all of it. */
export interface Ground {
  payload: number;
  root: Shared;
  list: Shared;
  inner: Shared;
  text: Shared;
  /** Handles of the victim, of `inner`, and of a list that only it knows. */
  handle: number;
  own: number;
}

const LONG = "a string that is longer than eight bytes";

function* made(view: DataView, kind: number, text?: string): Script<[number, Shared]> {
  const handle = (yield* make(kind, text)) as number;
  return [handle, sharedAt(view, view.getUint32(handle + HANDLE_VALUE_OFFSET, true))];
}

/** The root has a list, a dictionary that another cell refers to, too, and a string. */
function* build(view: DataView): Script<Omit<Ground, "handle" | "own">> {
  const [rootHandle, root] = yield* made(view, VALUE_DICT);
  const [listHandle, list] = yield* made(view, VALUE_LIST);
  const [innerHandle, inner] = yield* made(view, VALUE_DICT);
  const [textHandle, text] = yield* made(view, VALUE_LATIN1, LONG);
  yield* setRoot(root);
  for (const one of [1, "two", 3]) yield* push(list, one);
  yield* set(inner, "deep", "er");
  yield* set(inner, "deeper", 4);
  yield* set(root, "one", 1);
  yield* set(root, "list", { ...list, kind: VALUE_LIST });
  yield* set(root, "inner", { ...inner, kind: VALUE_DICT });
  yield* set(root, "text", { ...text, kind: VALUE_LATIN1 });
  yield* push(list, { ...inner, kind: VALUE_DICT });
  for (const handle of [rootHandle, listHandle, innerHandle, textHandle]) yield* release(handle);
  yield* settle();
  return { payload: (yield* variable("payload")) >>> 0, root, list, inner, text };
}

interface ValueOperation {
  name: string;
  run(ground: Ground, view: DataView): Script<unknown>;
  before?(lane: CrashLane, ground: Ground): void;
  /** Survivors die, too: while they undo what was half done; or also while they give back what the dead have left. */
  survivorsDie?: "undoing" | "settling";
}

export function prepareValues(lane: CrashLane): Ground {
  populate(lane, FILLS[1] as Fill);
  const parts = lane.play(1, build(lane.view));
  const handle = lane.play(0, acquire(parts.inner)) as number;
  const [own, mine] = lane.play(0, made(lane.view, VALUE_LIST));
  for (const one of [1, "two"]) lane.play(0, push(mine, one));
  return { ...parts, handle, own };
}

/** A survivor uses the values; then they are as before. */
function* work(view: DataView, { payload, root }: Ground): Script {
  const before = audit(view, payload);
  const handle = (yield* make(VALUE_LIST)) as number;
  const list = sharedAt(view, view.getUint32(handle + HANDLE_VALUE_OFFSET, true));
  yield* set(root, "work", { ...list, kind: VALUE_LIST });
  yield* push(list, "done");
  assert.equal(yield* at(list, 0), "done");
  assert.deepEqual(yield* get(root, "work"), [list.at]);
  yield* release(handle);
  assert.equal(yield* remove(root, "work"), 0);
  assert.deepEqual(yield* get(root, "work"), []);
  assert.ok(yield* settle());
  assert.equal(audit(view, payload), before, "work that was undone leaves traces");
}

/** All values, and how often one that others refer to was put into another one. */
function state(view: DataView, payload: number): string {
  return `${audit(view, payload)}, ${view.getUint32(VALUES_LINKS_OFFSET, true)}`;
}

function valueCase(one: ValueOperation): CrashCase {
  let ground: Ground;
  let before = "";
  let after = "";
  return {
    name: `values, ${one.name}`,
    before: (lane) => {
      ground = prepareValues(lane);
      one.before?.(lane, ground);
      scribbleJournal(lane);
      const look = (): string => state(lane.view, ground.payload);
      before = lane.foresee(1, putInOrder(LOST), look);
      after = lane.foresee(0, one.run(ground, lane.view), look);
    },
    operation: (lane) => one.run(ground, lane.view),
    *goOn(lane, by, dead, finished) {
      const lost = [...slotsOf(dead), ...LOST];
      if (!one.survivorsDie) lane.settled(by);
      assert.ok(yield* repair(lost), "the write lock is not to be had");
      if (one.survivorsDie === "undoing") lane.settled(by);
      for (const slot of lost) if (yield* call("watchSlot", slot)) yield* call("markDead");
      assert.ok(yield* settle(lost), "the write lock is not to be had");
      assert.equal(yield* call("valuesPending"), 0, "something is left");
      lane.settled(by);
      yield* check();
      const now = state(lane.view, ground.payload);
      assert.ok(now === after || (!finished && now === before), `neither before nor after: ${now}`);
      if (by === 1 && dead.length > 0 && now.startsWith("{one")) yield* work(lane.view, ground);
    },
    livesOn: { meanwhile: () => repair([]) },
  };
}

/** What `valuesLinks` says at first. */
const NO_LINKS = 1;

const refer = (value: Shared, kind: number): Content => ({ ...value, kind });

/** A key whose hash has that lowest bit. */
function keyOf(bit: number): string {
  const keys = Array.from({ length: 64 }, (_, index) => `key ${index}`);
  return keys.find((key) => hashOf(Buffer.from(key)) % 2 === bit) as string;
}

/** The second entry of a dictionary, whose hash has that lowest bit; that of the first one has the other. */
function splitting(name: string, bit: number): ValueOperation {
  return {
    name: `set an entry, ${name}`,
    run: ({ inner }) => set(inner, keyOf(bit), 1, LOST),
    before: (lane, ground) => {
      const [handle, dict] = lane.play(1, made(lane.view, VALUE_DICT));
      lane.play(1, set(ground.root, "one", refer(dict, VALUE_DICT)));
      lane.play(1, set(dict, keyOf(1 - bit), 2));
      lane.play(1, release(handle));
      ground.inner = dict;
    },
  };
}

export const VALUE_OPERATIONS: ValueOperation[] = [
  { name: "make a string", run: () => make(VALUE_LATIN1, LONG, LOST) },
  {
    name: "make the first value of a segment",
    run: () => make(VALUE_DICT, "", LOST),
    before: (lane) => lane.view.setUint32(VALUES_VERSION_OFFSET, 0, true),
  },
  { name: "read", run: ({ root, list }) => readBoth(root, list) },
  { name: "make a dictionary", run: () => make(VALUE_DICT, "", LOST) },
  { name: "take a reference", run: ({ text }) => acquire(text, LOST) },
  {
    name: "take a reference, the first of a participant",
    run: ({ text }) => acquire(text, LOST),
    before: (lane, { handle, own }) => {
      for (const one of [handle, own]) lane.play(0, release(one));
      lane.play(0, call("valuesLeave"));
      lane.play(0, settle());
    },
  },
  { name: "give a reference back", run: ({ handle }) => release(handle, LOST) },
  { name: "give the last reference to a list back", run: ({ own }) => release(own, LOST) },
  { name: "set a number", run: ({ root }) => set(root, "new", 7, LOST) },
  splitting("the new entry goes into the new bucket", 1),
  splitting("the old entry goes into the new bucket", 0),
  {
    name: "give the last reference to an emptied dictionary back",
    run: ({ own }) => release(own, LOST),
    before: (lane, ground) => {
      const [handle, dict] = lane.play(0, made(lane.view, VALUE_DICT));
      lane.play(0, set(dict, "gone", 1));
      lane.play(0, remove(dict, "gone"));
      ground.own = handle;
    },
  },
  {
    name: "set the first entry",
    run: ({ inner }) => set(inner, "first", 1, LOST),
    before: (lane, ground) => {
      const [handle, empty] = lane.play(1, made(lane.view, VALUE_DICT));
      lane.play(1, set(ground.root, "one", refer(empty, VALUE_DICT)));
      lane.play(1, release(handle));
      ground.inner = empty;
    },
  },
  { survivorsDie: "undoing", name: "set a string", run: ({ root }) => set(root, "new", LONG, LOST) },
  { name: "set a value", run: ({ root, inner }) => set(root, "again", refer(inner, VALUE_DICT), LOST) },
  { name: "replace a number by a string", run: ({ root }) => set(root, "one", LONG, LOST) },
  {
    survivorsDie: "undoing",
    name: "replace a list by a number",
    run: ({ root }) => set(root, "list", 0, LOST),
  },
  { name: "remove the first entry", run: ({ root }) => remove(root, "one", LOST) },
  {
    survivorsDie: "undoing",
    name: "remove an entry in the middle",
    run: ({ root }) => remove(root, "inner", LOST),
  },
  { name: "remove the last entry", run: ({ root }) => remove(root, "text", LOST) },
  { name: "remove what is not there", run: ({ root }) => remove(root, "nothing", LOST) },
  { name: "push a number into a new chunk", run: ({ list }) => push(list, 5, LOST) },
  { name: "push a string", run: ({ list }) => push(list, LONG, LOST) },
  { name: "replace an item", run: ({ list }) => replace(list, 1, "another", LOST) },
  {
    name: "push a dictionary that others refer to",
    run: ({ list, inner }) => push(list, refer(inner, VALUE_DICT), LOST, NO_LINKS),
  },
  {
    name: "replace an item by a dictionary that others refer to",
    run: ({ list, inner }) => replace(list, 1, refer(inner, VALUE_DICT), LOST, NO_LINKS),
  },
  {
    name: "set an entry to a list that others refer to",
    run: ({ root, list }) => set(root, "more", refer(list, VALUE_LIST), LOST, NO_LINKS),
  },
  {
    name: "replace an entry by a list that others refer to",
    run: ({ root, list }) => set(root, "one", refer(list, VALUE_LIST), LOST, NO_LINKS),
  },
  {
    name: "push a dictionary after a look that does not count",
    run: ({ list, inner }) => push(list, refer(inner, VALUE_DICT), LOST, NO_LINKS + 2),
  },
  { name: "pop a dictionary", run: ({ list }) => popAndRelease(list) },
  {
    name: "pop a number",
    run: ({ list }) => popAndRelease(list),
    before: (lane, { list }) => lane.play(1, push(list, 9)),
  },
  { name: "make another value the root", run: ({ inner }) => setRoot(inner, LOST) },
  { name: "clear the root", run: () => overcome(LOST, () => call("heapSetRoot", 0)) },
  { name: "give up all references", run: () => overcome(LOST, () => call("valuesLeave")) },
  {
    name: "settle what one has left that died",
    survivorsDie: "settling",
    run: () => settle(LOST),
    before: (lane, { text, list }) =>
      someoneDied(lane, LOST[0] as number, () => {
        lane.play(2, acquire(text));
        lane.play(2, acquire(list));
      }),
  },
  {
    name: "a number when one died setting a string",
    run: ({ root }) => set(root, "new", 7, LOST),
    before: (lane, { root }) =>
      someoneDied(lane, LOST[0] as number, () =>
        lane.playUntil(2, root.at + VALUE_SEQUENCE_OFFSET, set(root, "old", LONG)),
      ),
  },
];

function* readBoth(root: Shared, list: Shared): Script {
  assert.equal(yield* get(root, "one"), 1);
  assert.equal(yield* at(list, 1), "two");
}

function* putInOrder(dead: number[]): Script {
  yield* repair(dead);
  yield* settle(dead);
}

function* popAndRelease(list: Shared): Script {
  const handle = (yield* pop(list, LOST)) as number;
  assert.notEqual(handle, FLAG_EMPTY);
  if (handle !== 0) yield* release(handle, LOST);
}

export const valueCases: CrashCase[] = VALUE_OPERATIONS.map(valueCase);
