/** Streams where one end or both are held by hosts that block: everything arrives once, in order, and nobody sleeps for ever. */
import { strict as assert } from "node:assert";
import { CLOSED, PEER_DIED, TIMED_OUT } from "../../../protocol/errors.js";
import { OBJECT_RING } from "../../../protocol/layout.js";
import { RECHECK_MS } from "../../../protocol/limits.js";
import type { World } from "../../lib/explore.js";
import {
  type HostedEnd,
  hostedAttach,
  hostedCloseConsumer,
  hostedReceive,
  hostedRelease,
  hostedSend,
} from "../../lib/hosts/hosted.js";
import {
  attachConsumer,
  attachProducer,
  type ConsumerEnd,
  closeConsumer,
  closeProducer,
  numberOf,
  type ProducerEnd,
  payloadOf,
  type Ring,
  receive,
  send,
} from "../../lib/hosts/ring.js";
import { waitFor } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";

import {
  deadSlots,
  FOREVER,
  type HostedScenario,
  hosted,
  impatiently,
  SHORT_MS,
  SLOTS,
  slowly,
} from "./hosted-ground.js";

const CAPACITY = 64;

let ring = 0;
/** Records that a call was begun to send, and that were sent. */
let started = 0;
let sent = 0;

function* attach(which: "producer" | "consumer", timeoutMs = FOREVER): Script<HostedEnd> {
  const end = yield* hostedAttach(ring, CAPACITY, which, timeoutMs);
  if (typeof end === "number") throw new Error(`attaching the ${which} gave ${end}`);
  return end;
}

/** Sends the records that come next; whether all of them, or the other end died. */
function* sending(end: HostedEnd, lengths: number[], timeoutMs = FOREVER): Script<number> {
  for (const length of lengths) {
    started = sent + 1;
    const told = yield* hostedSend(end, payloadOf(started, length), timeoutMs);
    if (told !== 0) return told;
    sent = started;
  }
  return 0;
}

function* producing(lengths: number[]): Script {
  const end = yield* attach("producer");
  assert.equal(yield* sending(end, lengths), 0);
  yield* call("hostedRingCloseProducer", ring);
}

/** Receives until the stream ends; how it ended. `first` is what comes first, or what came before it was counted. */
function* receiving(end: HostedEnd, first = 1, timeoutMs = FOREVER): Script<number> {
  for (let number = first; ; number++) {
    const payload = yield* hostedReceive(end, timeoutMs);
    if (typeof payload === "number") {
      if (payload !== TIMED_OUT)
        assert.ok(number > sent && number <= started + 1, `${number - 1} came of ${sent}`);
      return payload;
    }
    assert.equal(numberOf(payload), number, "order");
  }
}

function* consuming(): Script {
  const end = yield* attach("consumer");
  assert.equal(yield* receiving(end), CLOSED);
  yield* hostedCloseConsumer(end);
}

const streams = {
  type: OBJECT_RING,
  first: CAPACITY,
  before: (_world: World, object: number): void => {
    ring = object;
  },
};

function begin<T>(scripts: T): T {
  started = sent = 0;
  return scripts;
}

const both: HostedScenario = {
  ...streams,
  name: "ring, both ends wait",
  preemptions: 2,
  scripts: () => begin([producing([9, 24, 9]), consuming()]),
};

let producer: HostedEnd;
let consumer: HostedEnd;

/** Each has its end before the exploration begins. */
const attached: Pick<HostedScenario, "type" | "first" | "before"> = {
  ...streams,
  before: (world, object) => {
    ring = object;
    producer = world.play(0, attach("producer"));
    consumer = world.play(1, attach("consumer"));
  },
};

const producerDies: HostedScenario = {
  ...attached,
  name: "ring, the producer dies at any write",
  preemptions: 1,
  deaths: 1,
  mortal: [0],
  scripts: (world) =>
    begin([
      (function* (): Script {
        assert.equal(yield* sending({ ...producer }, [9, 40]), 0);
        yield* call("hostedRingCloseProducer", ring);
      })(),
      (function* (): Script {
        const told = yield* receiving({ ...consumer });
        assert.ok(told === CLOSED || world.state(0) === "dead", `told ${told}`);
        assert.equal(yield* receiving({ ...consumer }, sent + 1, SHORT_MS), TIMED_OUT, "told twice");
      })(),
    ]),
};

const consumerDies: HostedScenario = {
  ...attached,
  name: "ring, the consumer dies at any write, and a heir goes on",
  preemptions: 1,
  deaths: 1,
  mortal: [1],
  scripts: (world) =>
    begin([
      (function* (): Script {
        const lengths = [40, 40];
        const end = { ...producer };
        for (let died = 0; sent < lengths.length; died++) {
          const told = yield* sending(end, lengths.slice(sent));
          assert.ok(told === 0 || (told === PEER_DIED && died === 0), `told ${told}`);
        }
        yield* call("hostedRingCloseProducer", ring);
      })(),
      (function* (): Script {
        const end = { ...consumer };
        assert.equal(yield* receiving(end), CLOSED);
        yield* hostedCloseConsumer(end);
      })(),
      (function* (): Script {
        const end = yield* attach("consumer");
        let last: number | undefined;
        for (;;) {
          const payload = yield* hostedReceive(end, SHORT_MS);
          if (payload === CLOSED) return;
          if (payload === TIMED_OUT) {
            if (world.state(0) !== "done") continue;
            // The end of a stream is told once: to the one who died, perhaps.
            return assert.ok(last === undefined || last === sent, `${last} came of ${sent}`);
          }
          if (typeof payload === "number") throw new Error(`receiving gave ${payload}`);
          const number = numberOf(payload);
          if (last !== undefined) assert.equal(number, last + 1, "order");
          last = number;
        }
      })(),
    ]),
};

/** Several wait for an end: each has it once, whoever gives up meanwhile. */
function standby(givesUp: boolean): HostedScenario {
  let holder: number | undefined;
  function* hold(id: number, timeoutMs: number): Script {
    const end = yield* hostedAttach(ring, CAPACITY, "producer", timeoutMs);
    if (end === TIMED_OUT) return assert.equal(timeoutMs, SHORT_MS);
    assert.notEqual(typeof end, "number", `attaching gave ${end}`);
    assert.equal(holder, undefined, "two have the end");
    holder = id;
    yield* call("selfCheck");
    holder = undefined;
    yield* call("hostedRingCloseProducer", ring);
  }
  return {
    ...streams,
    name: `ring, three want the producer's end${givesUp ? ", one gives up" : ""}`,
    preemptions: 2,
    scripts: () => {
      holder = undefined;
      return [hold(0, FOREVER), hold(1, givesUp ? SHORT_MS : FOREVER), hold(2, FOREVER)];
    },
  };
}

const standbyDeath: HostedScenario = {
  ...streams,
  name: "ring, three want the producer's end, one dies at any write",
  preemptions: 1,
  deaths: 1,
  mortal: [0],
  scripts: standby(false).scripts,
};

/** Who wants one end each, and both are taken: an end that is free is not slept through. */
const bothEnds: HostedScenario = {
  ...streams,
  name: "ring, one waits for the producer's end, another for the consumer's",
  preemptions: 2,
  before: (world, object) => {
    ring = object;
    world.play(0, hostedAttach(object, CAPACITY, "producer", 0));
    world.play(0, hostedAttach(object, CAPACITY, "consumer", 0));
  },
  scripts: () => [
    (function* (): Script {
      yield* call("hostedRingCloseProducer", ring);
      yield* call("ringCloseConsumer", ring);
      yield* call("hostedNotify", (yield* call("ringWaitersEnds", ring)) >>> 0);
    })(),
    (function* (): Script {
      yield* attach("producer");
    })(),
    (function* (): Script {
      yield* attach("consumer");
    })(),
  ],
};

/** A try that gives up loses nothing. */
const triesOnly: HostedScenario = {
  ...streams,
  name: "ring, a consumer whose time is over tries again",
  preemptions: 1,
  timeouts: 1,
  scripts: () =>
    begin([
      producing([9, 40]),
      (function* (): Script {
        const end = yield* attach("consumer");
        let number = 1;
        for (;;) {
          const payload = yield* hostedReceive(end, SHORT_MS);
          if (payload === TIMED_OUT) continue;
          if (typeof payload === "number") return assert.equal(payload, CLOSED);
          assert.equal(numberOf(payload), number++);
          yield* hostedRelease(end);
        }
      })(),
    ]),
};

// --- beside an event loop ---

function* asRing(): Script<Ring> {
  return {
    ring,
    capacity: CAPACITY,
    waitersData: (yield* call("ringWaitersData", ring)) >>> 0,
    waitersRoom: (yield* call("ringWaitersRoom", ring)) >>> 0,
    waitersEnds: (yield* call("ringWaitersEnds", ring)) >>> 0,
  };
}

/** Waits in its event loop, in the slot of that participant. */
function eventually<T>(world: World, id: number, set: number, look: () => Script<T | undefined>): Script<T> {
  return waitFor(world.arena.view, SLOTS[id] as number, set, look);
}

function* producingPlain(world: World, id: number, lengths: number[]): Script {
  const own = yield* asRing();
  const end = (yield* eventually(world, id, own.waitersEnds, () =>
    attachProducer(own, deadSlots(world)),
  )) as ProducerEnd;
  for (const length of lengths) {
    started = sent + 1;
    const payload = payloadOf(started, length);
    yield* eventually(world, id, end.waitersRoom, function* () {
      return (yield* send(end, payload)) || undefined;
    });
    sent = started;
  }
  yield* closeProducer(end);
}

function* consumingPlain(world: World, id: number, count: number): Script {
  const own = yield* asRing();
  const end = (yield* eventually(world, id, own.waitersEnds, () =>
    attachConsumer(own, deadSlots(world)),
  )) as ConsumerEnd;
  for (let number = 1; number <= count; number++) {
    const payload = yield* eventually(world, id, end.waitersData, () => receive(world.arena.view, end));
    assert.equal(numberOf(payload), number);
  }
  yield* closeConsumer(world.arena.view, end);
}

function plainConsumer(lengths: number[], preemptions: number): HostedScenario {
  return {
    ...streams,
    name: `ring, a host that blocks sends ${lengths.length}`,
    ...{ plain: 1, preemptions },
    scripts: (world) => begin([producing(lengths), nobody(), consumingPlain(world, 2, lengths.length)]),
  };
}

function plainProducer(lengths: number[], preemptions: number): HostedScenario {
  return {
    ...streams,
    name: `ring, a host that blocks receives ${lengths.length}`,
    ...{ plain: 1, preemptions },
    scripts: (world) => begin([nobody(), consuming(), producingPlain(world, 2, lengths)]),
  };
}

function* nobody(): Script {}

export const hostedRingScenarios = [
  hosted(both),
  hosted(slowly({ ...both, preemptions: 1 }, RECHECK_MS)),
  hosted(impatiently(both, 1)),
  hosted(triesOnly),
  hosted(producerDies),
  hosted(consumerDies),
  hosted(standby(false)),
  hosted(standby(true)),
  hosted(impatiently(standby(true), 1)),
  hosted(standbyDeath),
  hosted(bothEnds),
  hosted(plainConsumer([24], 2)),
  hosted(plainConsumer([9, 40], 1)),
  hosted(plainProducer([24], 2)),
  hosted(plainProducer([9, 40], 1)),
];
