/** How a stream ends: whatever was sent before comes first, whether its producer closes or dies; a dead consumer has a heir. */
import { strict as assert } from "node:assert";
import { END_CLOSED, END_DEAD, END_LIVE } from "../../../protocol/layout.js";
import type { World } from "../../lib/explore.js";
import {
  abandonProducer,
  attachConsumer,
  attachProducer,
  closeProducer,
  numberOf,
  payloadOf,
  receive,
  receiveOrEnd,
  receiveStretch,
  send,
} from "../../lib/hosts/ring.js";
import { markDead, waitFor } from "../../lib/hosts/segment.js";
import { attempt, call, type Script, until } from "../../lib/script.js";
import { type Explored, SLOTS } from "./ground.js";
import { type Ends, NEAR_END, prepareRing } from "./ring.js";

/**
 * Receives until the end of the stream is reported. `dead` tells whether the kernel lock of the producer is free. Returns
 * the number of the last record.
 */
function* receiveToTheEnd(
  view: DataView,
  ends: Ends,
  expected: number,
  dead: () => boolean,
  ending?: number,
): Script<number> {
  const consumer = { ...ends.consumer };
  let last = ends.before;
  return yield* attempt(function* () {
    for (;;) {
      const payload = yield* receive(view, consumer, false);
      if (payload) {
        assert.equal(numberOf(payload), ++last, "order");
        continue;
      }
      if (dead()) yield* markDead(SLOTS[0]);
      const state = yield* call("ringEnd", consumer.ring, consumer.capacity);
      if (state === 0) return undefined;
      if (state === END_LIVE) continue; // sent right before the end
      if (ending !== undefined) assert.equal(state, ending);
      assert.ok(state === END_DEAD || last === ends.before + expected, "closed before everything came");
      return last;
    }
  });
}

function closing(mortal: boolean): Explored {
  const lengths = [9, 40];
  let ends: Ends;
  let started = 0;
  let finished = 0;
  function* producing(): Script {
    const producer = { ...ends.producer };
    for (const [index, length] of lengths.entries()) {
      started = index + 1;
      yield* attempt(function* () {
        return (yield* send(producer, payloadOf(ends.before + index + 1, length))) || undefined;
      });
      finished = index + 1;
    }
    yield* closeProducer(producer);
  }
  function* consuming(world: World): Script {
    const isDead = (): boolean => world.state(0) === "dead";
    const last = (yield* receiveToTheEnd(world.arena.view, ends, lengths.length, isDead)) - ends.before;
    assert.ok(last >= finished && last <= started, `${finished} to ${started} were sent, ${last} came`);
  }
  return {
    name: `ring, the producer ${mortal ? "dies at any write" : "closes its end"}`,
    preemptions: 2,
    ...(mortal ? { deaths: 1, mortal: [0] } : {}),
    before: (world) => {
      ends = prepareRing(world, 128, NEAR_END);
    },
    scripts: (world) => {
      [started, finished] = [0, 0];
      return [producing(), consuming(world)];
    },
  };
}

/** The consumer dies at any write; the third one takes its end over and gets all that is left. */
function consumerDies(inStretches: boolean): Explored {
  const lengths = inStretches ? [8, 8, 8] : [16, 16, 16];
  let ends: Ends;
  let [got, sent] = [0, 0];
  function* consuming(view: DataView): Script {
    const consumer = { ...ends.consumer };
    const handle = (payload: Uint8Array): void => assert.equal(numberOf(payload), ++got, "order");
    while (got < lengths.length) {
      if (inStretches) {
        yield* attempt(function* () {
          return (yield* receiveStretch(view, consumer, handle)) || undefined;
        });
      } else handle(yield* attempt(() => receive(view, consumer)));
    }
  }
  function* producing(): Script {
    const producer = { ...ends.producer };
    for (const [index, length] of lengths.entries()) {
      yield* attempt(function* () {
        return (yield* send(producer, payloadOf(index + 1, length))) || undefined;
      });
      sent++;
    }
  }
  function* inheriting(world: World): Script {
    const { view } = world.arena;
    yield* until(() => world.state(1) === "dead" || world.state(1) === "done");
    if (world.state(1) === "done") return;
    const consumer = yield* attachConsumer(ends.consumer, [SLOTS[1]]);
    assert.ok(consumer, "busy");
    let next: number | undefined;
    while (next === undefined || next <= lengths.length) {
      const number = numberOf(yield* attempt(() => receive(view, consumer)));
      if (next === undefined) assert.ok(number <= got + 1, `${number} came, but only ${got} were taken`);
      else assert.equal(number, next, "order");
      next = number + 1;
    }
  }
  return {
    name: `ring, the consumer ${inStretches ? "takes stretches and " : ""}dies at any write`,
    preemptions: 1,
    deaths: 1,
    mortal: [1],
    before: (world) => {
      ends = prepareRing(world, inStretches ? 512 : 64);
    },
    scripts: (world) => {
      [got, sent] = [0, 0];
      return [producing(), consuming(world.arena.view), inheriting(world)];
    },
    after: () => assert.equal(sent, lengths.length),
  };
}

/** One takes the end of a dead producer, another marks the dead at the same time: the end is free, whoever was first. */
function buriedMeanwhile(): Explored {
  let ends: Ends;
  function* heir(): Script {
    assert.ok(yield* attachProducer(ends.producer, [SLOTS[0]]), "busy, but its holder is dead");
  }
  function* undertaker(): Script {
    yield* markDead(SLOTS[0]);
  }
  function* dead(): Script {
    yield* until(() => true); // it does nothing any more
  }
  return {
    name: "ends, a dead producer is marked dead while its heir attaches",
    preemptions: 2,
    before: (world) => {
      ends = prepareRing(world, 64);
    },
    scripts: () => [dead(), undertaker(), heir()],
  };
}

/** One waits for the producer's end while its holder gives it back: it is woken, and never sleeps for ever. */
function handedOver(abandoned: boolean): Explored {
  let ends: Ends;
  function* giving(): Script {
    yield* abandoned ? abandonProducer({ ...ends.producer }) : closeProducer({ ...ends.producer });
  }
  function* waiting(world: World): Script {
    yield* waitFor(world.arena.view, SLOTS[1], ends.producer.waitersEnds, () =>
      attachProducer(ends.producer),
    );
    const state = yield* call("ringConsumerState", ends.producer.ring);
    assert.equal(state, END_LIVE, "the consumer still holds its end");
  }
  return {
    name: `ends, the producer's is awaited while its holder ${abandoned ? "abandons" : "closes"} it`,
    preemptions: 3,
    before: (world) => {
      ends = prepareRing(world, 64);
    },
    scripts: (world) => [giving(), waiting(world)],
  };
}

/** A producer abandons its end after what it has sent: the consumer gets all that, and then the end of one that died. */
function abandons(): Explored {
  const lengths = [9, 40];
  let ends: Ends;
  function* producing(): Script {
    const producer = { ...ends.producer };
    for (const [index, length] of lengths.entries()) {
      yield* attempt(function* () {
        return (yield* send(producer, payloadOf(ends.before + index + 1, length))) || undefined;
      });
    }
    yield* abandonProducer(producer);
  }
  function* consuming(world: World): Script {
    const last = yield* receiveToTheEnd(world.arena.view, ends, lengths.length, () => false, END_DEAD);
    assert.equal(last - ends.before, lengths.length);
  }
  return {
    name: "ring, the producer abandons its end",
    preemptions: 2,
    before: (world) => {
      ends = prepareRing(world, 128, NEAR_END);
    },
    scripts: (world) => [producing(), consuming(world)],
  };
}

/**
 * A producer sends, and closes its end; the next one takes it, and sends more. The consumer gets all in order, with the end in
 * between, once. If the second one dies at any write, it gets all that was sent before, and an end behind it.
 */
function succeeded(before: boolean, mortal: boolean): Explored {
  let ends: Ends;
  const [first, second] = [1, 2];
  function* old(): Script {
    const producer = { ...ends.producer };
    yield* attempt(function* () {
      return (yield* send(producer, payloadOf(ends.before + first, 8))) || undefined;
    });
    yield* closeProducer(producer);
  }
  function* next(): Script {
    const producer = yield* attempt(() => attachProducer(ends.producer));
    yield* attempt(function* () {
      return (yield* send(producer, payloadOf(ends.before + second, 8))) || undefined;
    });
    yield* closeProducer(producer);
  }
  function* consuming(world: World): Script {
    const consumer = { ...ends.consumer };
    const seen: string[] = before ? [`${first}`] : [];
    while (seen.filter((one) => one.startsWith("end")).length < 2) {
      const got = yield* attempt(function* () {
        if (world.state(2) === "dead") yield* markDead(SLOTS[2]);
        const isLast = world.state(2) === "dead" && world.state(0) === "done";
        const found = yield* receiveOrEnd(world.arena.view, consumer);
        return found ?? (isLast ? "no more" : undefined);
      });
      if (got === "no more") break;
      seen.push(typeof got === "number" ? `end ${got}` : `${numberOf(got) - ends.before}`);
    }
    const [one, end, ...rest] = seen;
    assert.equal(one, `${first}`);
    if (!mortal) assert.deepEqual([end, ...rest], [`end ${END_CLOSED}`, `${second}`, `end ${END_CLOSED}`]);
    else assert.match([end, ...rest].join(), /^(end \d+(,2)?(,end \d+)?)$/);
  }
  function* nothing(): Script {}
  const how = `${before ? " before" : ""}${mortal ? ", whose producer dies at any write" : ""}`;
  return {
    name: `ring, a stream behind one that was closed${how}`,
    preemptions: before && !mortal ? 2 : 1,
    ...(mortal ? { deaths: 1, mortal: [2] } : {}),
    before: (world) => {
      ends = prepareRing(world, 64, [24]);
      if (!before) return;
      world.play(0, old());
      assert.ok(world.play(1, receive(world.arena.view, ends.consumer)));
    },
    scripts: (world) => [before ? nothing() : old(), consuming(world), next()],
  };
}

export const ringEndScenarios: Explored[] = [
  succeeded(false, false),
  succeeded(true, false),
  succeeded(true, true),
  handedOver(false),
  handedOver(true),
  abandons(),
  closing(false),
  closing(true),
  consumerDies(false),
  consumerDies(true),
  buriedMeanwhile(),
];
