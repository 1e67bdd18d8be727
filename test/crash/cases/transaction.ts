/** What a transaction writes, takes and gives back happens all or not at all, whenever its participant dies. */
import { strict as assert } from "node:assert";
import { BUSY, NOT_FOUND, TOO_LARGE } from "../../../protocol/errors.js";
import { HEAP_BLOCKS_OFFSET, HEAP_ROOT_OFFSET, OBJECT_LOCK, SUSPECT_NONE } from "../../../protocol/layout.js";
import type { CrashCase, LivingOn } from "../../lib/crash.js";
import { allocate, begin, check, free, repair, writeNoted } from "../../lib/hosts/heap.js";
import { acquire, Expected, releaseExclusive, releaseShared } from "../../lib/hosts/lock.js";
import { insertOnce, offsetOf, openObject, ringWish } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { FILLS, type Fill, slotsOf } from "./ground.js";
import { type Ground, type HeapOperation, heapCase, LOST, lost, prepareHeap } from "./heap.js";

/** As `segment.transaction`: frees come last, since what they give back must not be taken before the commit. */
function* transaction(body: () => Script, keep: boolean, frees: number[] = []): Script {
  assert.ok(yield* begin(LOST), "the write lock is not to be had");
  assert.equal((yield* call("transactionBegin")) >>> 0, BUSY, "transactions do not nest");
  yield* body();
  if (keep) for (const block of frees) assert.ok(yield* free(block));
  assert.equal(yield* call("transactionEnd", keep ? 1 : 0), keep ? 1 : 0);
  yield* check();
}

/** The host ends what was cut off: at once when it knows, else in a turn of its event loop. */
export const undone: LivingOn = {
  next: () => call("transactionEnd", 0),
  settle: () => call("transactionEnd", 0),
  meanwhile: () => repair([]),
};

/** Words of two blocks, one of them in two steps and across words. */
function* writeTwo({ blocks }: Ground): Script {
  yield* writeNoted((blocks[0] as number) + 5, new Uint8Array(9).fill(0xa1));
  yield* writeNoted(blocks[4] as number, new Uint8Array(8).fill(0xa2));
  yield* writeNoted(blocks[4] as number, new Uint8Array(4).fill(0xa3));
}

/** Takes a block, writes into it, makes it the root, and gives it a layout. */
function* takeOne(): Script {
  const block = (yield* allocate({ bytes: 100, alignment: 32, zero: true })) as number;
  yield* writeNoted(block + 4, new Uint8Array(8).fill(0xb1));
  assert.equal(yield* call("heapSetRoot", block), 0);
  assert.equal(yield* call("heapSetLayout", block, 99), 0);
}

function* everything(ground: Ground): Script {
  yield* writeTwo(ground);
  yield* takeOne();
  assert.equal(yield* call("heapSetLayout", ground.blocks[4] as number, 98), 0);
  yield* writeNoted(ground.blocks[2] as number, new Uint8Array(4).fill(0xc1));
}

/** Notes until the journal is full: then nothing more can be changed, and what was can be undone. */
function* tooMuch({ blocks }: Ground): Script {
  const at = blocks[0] as number;
  let notes = 0;
  while ((yield* call("transactionNote", at, 40)) === 0) notes++;
  assert.ok(notes > 10, "no room for anything");
  assert.equal((yield* call("transactionNote", at, 0xfffffffe)) >>> 0, TOO_LARGE);
  let taken = 0;
  while ((yield* call("heapAllocate", 8, 8, 0)) >>> 0 !== TOO_LARGE) taken++;
  assert.ok(taken > 0, "no room for a change of the heap");
  for (const block of [0, at]) assert.equal((yield* call("heapSetRoot", block)) >>> 0, TOO_LARGE);
  assert.equal((yield* call("heapSetLayout", at, 77)) >>> 0, TOO_LARGE);
  assert.equal((yield* call("heapFree", at)) >>> 0, TOO_LARGE);
}

/** What a host must not do gives an error and changes nothing. */
function* refused({ blocks }: Ground): Script {
  assert.equal(
    (yield* call("transactionNote", blocks[0] as number, 4)) >>> 0,
    BUSY,
    "outside of a transaction",
  );
  assert.equal(yield* call("transactionEnd", 1), 0, "outside of a transaction");
  assert.equal((yield* call("heapSetRoot", blocks[1] as number)) >>> 0, NOT_FOUND, "a free block as root");
}

/** An object that exists is found; none comes into being, which would commit what was written before. */
function* insertInside(ground: Ground): Script {
  yield* writeTwo(ground);
  const before = yield* call("directoryCount");
  for (const turn of [1, 2]) {
    assert.equal((yield* insertOnce(ringWish("inside", 128))) >>> 0, BUSY, `turn ${turn}`);
    assert.equal((yield* call("suspectSlot")) >>> 0, SUSPECT_NONE, "somebody else is in the way");
  }
  assert.equal(yield* call("directoryCount"), before);
  offsetOf("objectOpen", yield* insertOnce(ringWish("existing", 128)));
}

const existing: Partial<HeapOperation> = {
  before: (lane) => {
    lane.play(1, openObject(lane.view, ringWish("existing", 128)));
  },
};

export const TRANSACTIONS: HeapOperation[] = [
  {
    name: "write, insert in vain, commit",
    run: (ground) => transaction(() => insertInside(ground), true),
    ...existing,
  },
  {
    name: "write, insert in vain, abort",
    run: (ground) => transaction(() => insertInside(ground), false),
    ...existing,
  },
  { name: "write, commit", run: (ground) => transaction(() => writeTwo(ground), true) },
  { name: "write, abort", run: (ground) => transaction(() => writeTwo(ground), false) },
  {
    name: "write, take, give back, commit",
    run: (ground) =>
      transaction(() => everything(ground), true, [ground.blocks[2], ground.blocks[7]] as number[]),
  },
  { name: "write, take, abort", run: (ground) => transaction(() => everything(ground), false) },
  {
    name: "write, commit, when one died in a transaction",
    run: (ground) => transaction(() => writeTwo(ground), true),
    ...lost(HEAP_ROOT_OFFSET, (ground) => transaction(() => everything(ground), true)),
  },
  {
    name: "take, abort, when one died committing",
    run: () => transaction(takeOne, false),
    ...lost(HEAP_BLOCKS_OFFSET, (ground) =>
      transaction(() => writeTwo(ground), true, [ground.blocks[2] as number]),
    ),
  },
  { name: "what is refused", run: refused },
];

/**
 * A transaction writes some bytes of a word, and others write the rest of it meanwhile, before each of its stores. What is undone
 * are its own bytes.
 */
function besideOthers(keep: boolean): CrashCase {
  let ground: Ground;
  let theirs = 0;
  /** The bytes around those that the transaction writes: they share words with them. */
  const around = (): number[] => [4, 14, 15].map((at) => (ground.blocks[0] as number) + at);
  return {
    name: `heap, bytes beside those that others write, ${keep ? "commit" : "abort"}`,
    before: (lane) => {
      ground = prepareHeap(lane, FILLS[1] as Fill);
      theirs = 0;
    },
    operation: () =>
      transaction(() => writeNoted((ground.blocks[0] as number) + 5, new Uint8Array(9).fill(0xa1)), keep),
    meanwhile: (lane) => {
      theirs = (theirs + 1) % 251;
      for (const at of around()) lane.arena.segment[at] = theirs;
    },
    *goOn(lane, by, dead, finished) {
      assert.ok(yield* repair(slotsOf(dead)), "the write lock is not to be had");
      lane.settled(by);
      for (const at of around()) assert.equal(lane.arena.segment[at], theirs, "a byte of somebody else");
      const own = lane.arena.segment.subarray(around()[0] as number, around()[1]).subarray(1);
      const [first] = own;
      assert.ok(
        own.every((byte) => byte === first),
        "half of the transaction",
      );
      assert.ok(first === 1 || (first === 0xa1 && keep), `its bytes are ${first}`);
      if (finished && keep) assert.equal(first, 0xa1);
      yield* check();
    },
  };
}

/** How a transaction has its lock: taken for it, or nested in a hold. */
type Hold = "taken for it" | "nested in a hold";

function* underLock(hold: Hold, lock: number, ground: Ground, expected: Expected): Script {
  assert.ok(yield* acquire(lock, hold === "nested in a hold" ? "exclusive" : "journaled", [], expected));
  yield* transaction(() => writeTwo(ground), true);
  yield* releaseExclusive(lock, "whole", expected);
}

/** Who takes the lock next sees all of the transaction or nothing, and is told of a death if anything else was changed. */
function lockedCase(hold: Hold, mode: "exclusive" | "shared"): CrashCase {
  let ground: Ground;
  let lock = 0;
  let atDeath = new Expected();
  let now = new Expected();
  return {
    name: `transaction with a lock ${hold}, then ${mode}`,
    before: (lane) => {
      ground = prepareHeap(lane, FILLS[1] as Fill);
      lock = lane.play(1, openObject(lane.view, { type: OBJECT_LOCK, name: "lock", first: 0 }));
    },
    operation: () => {
      atDeath = new Expected();
      return underLock(hold, lock, ground, atDeath);
    },
    *goOn(lane, by, dead, finished) {
      const slots = slotsOf(dead);
      if (by === 1) now = atDeath.copy();
      const told = yield* acquire(lock, mode, slots, now);
      assert.ok(told, "the lock is not to be had");
      const [first, fifth] = [ground.blocks[0] as number, ground.blocks[4] as number];
      const seen = [first + 5, first + 13, fifth, fifth + 4].map((at) => lane.view.getUint8(at));
      const written = [0xa1, 0xa1, 0xa3, 0xa2];
      const old = finished ? written : [1, 1, 5, 5];
      assert.ok([String(written), String(old)].includes(String(seen)), `half of a transaction: ${seen}`);
      if (mode === "shared") return yield* releaseShared(lock);
      yield* call("lockMarkConsistent", lock);
      yield* releaseExclusive(lock, "whole", now);
    },
  };
}

const HOLDS: Hold[] = ["taken for it", "nested in a hold"];

export const transactionCases: CrashCase[] = [
  ...HOLDS.flatMap((hold) => (["exclusive", "shared"] as const).map((mode) => lockedCase(hold, mode))),
  ...[true, false].map(besideOthers),
  ...TRANSACTIONS.map((one) => heapCase({ ...one, name: `transaction, ${one.name}`, livesOn: undone })),
  // The journal is long, and each of its entries is restored alike: the survivors are not killed.
  heapCase({
    name: "transaction, more than the journal holds",
    run: (ground) => transaction(() => tooMuch(ground), false),
    survivorsLive: true,
  }),
];
