/**
 * The heartbeat of a participant whose call was cut off settles what that call has left, while another participant wants the same:
 * nobody sees half of it, and it can be had afterwards.
 */
import { strict as assert } from "node:assert";
import type { World } from "../../lib/explore.js";
import { allocate, check, repair } from "../../lib/hosts/heap.js";
import {
  beginLatest,
  type LatestValue,
  openLatest,
  readLatest,
  writeLatest,
} from "../../lib/hosts/latest.js";
import { attachConsumer, attachProducer, openRing, type Ring } from "../../lib/hosts/ring.js";
import { latestWish, NOW_NS, ringWish } from "../../lib/hosts/segment.js";
import { attempt, call, type Script } from "../../lib/script.js";
import { type Explored, OBSERVER, populate } from "./ground.js";

/** The call has made all its writes, and its host does not know. */
const AFTER_LAST = -1;

function* heartbeat(): Script {
  yield* call("beat", NOW_NS);
}

/** Participant 0 was cut off before one write more than so many; then its heartbeat comes. */
function settling(
  one: Pick<Explored, "name" | "preemptions" | "after"> & {
    before(world: World): Script<unknown>;
    other(world: World): Script<unknown>;
  },
  writes: number,
): Explored {
  return {
    name: `heartbeat, ${one.name}, cut off after ${writes === AFTER_LAST ? "its last write" : `${writes} writes`}`,
    preemptions: one.preemptions,
    ...(one.after && { after: one.after }),
    before: (world) => {
      populate(world);
      const cut = one.before(world);
      if (writes === AFTER_LAST) world.play(0, cut);
      else world.cutOff(0, cut, writes);
    },
    scripts: (world) => [heartbeat(), one.other(world)],
  };
}

/** A change of the heap: the lock is taken; entries of the journal are written, and some of the words. */
function change(writes: number): Explored {
  return settling(
    {
      name: "another one takes the write lock",
      preemptions: 3,
      before: () => allocate({ bytes: 24 }),
      other: () => attempt(() => allocate({ bytes: 40 })),
      after: (world) => {
        assert.ok(world.play(OBSERVER, repair([])), "the write lock is held");
        world.play(OBSERVER, check());
      },
    },
    writes,
  );
}

/** A value: it is read as it was, or written anew. */
function value(bytes: number, writes: number): Explored {
  let latest: LatestValue;
  return settling(
    {
      name: `another one reads and writes a value of ${bytes} bytes`,
      preemptions: 3,
      before: (world) => {
        latest = world.play(OBSERVER, openLatest(world.arena.view, latestWish("value", bytes)));
        assert.ok(world.play(1, writeLatest(latest, 1)));
        return latest.small ? writeLatest(latest, 2) : beginLatest(latest);
      },
      other: function* (): Script {
        assert.equal(yield* attempt(() => readLatest(latest)), 1);
        yield* attempt(function* () {
          return (yield* writeLatest(latest, 3)) || undefined;
        });
        assert.equal(yield* attempt(() => readLatest(latest)), 3);
      },
      after: (world) => assert.equal(world.play(OBSERVER, readLatest(latest)), 3),
    },
    writes,
  );
}

/** An end of a ring: its owner never knew that it had it. */
function end(which: "producer" | "consumer", writes: number): Explored {
  let ring: Ring;
  const attach = (): Script<object | undefined> =>
    which === "producer" ? attachProducer(ring) : attachConsumer(ring);
  return settling(
    {
      name: `another one takes the ${which}'s end of a ring`,
      preemptions: 3,
      before: (world) => {
        ring = world.play(OBSERVER, openRing(world.arena.view, ringWish("ring", 64)));
        if (writes !== AFTER_LAST) return attach();
        return call(
          which === "producer" ? "ringAttachProducer" : "ringAttachConsumer",
          ring.ring,
          ring.capacity,
        );
      },
      other: function* (): Script {
        yield* attempt(attach);
        const close = which === "producer" ? "ringCloseProducer" : "ringCloseConsumer";
        yield* call(close, ring.ring);
      },
      after: (world) => assert.ok(world.play(OBSERVER, attach()), "the end is taken"),
    },
    writes,
  );
}

export const settleScenarios: Explored[] = [
  change(1),
  change(4),
  change(12),
  value(16, 1),
  value(16, 2),
  value(16, 4),
  value(512, 1),
  end("producer", AFTER_LAST),
  end("consumer", AFTER_LAST),
  end("consumer", 1),
  end("consumer", 2),
];
