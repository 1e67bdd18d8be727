/** Each request is answered once, by one server, and nobody sleeps past a request, an answer, a cancellation, nor past room. */
import { strict as assert } from "node:assert";
import { CALL_ANSWERED, CALL_LOST, CALL_RETURNED } from "../../../protocol/layout.js";
import type { World } from "../../lib/explore.js";
import { callOne } from "../../lib/hosts/queue.js";
import { numberOf, payloadOf } from "../../lib/hosts/ring.js";
import { markDead, waitFor } from "../../lib/hosts/segment.js";
import {
  answer,
  begin,
  callAgain,
  claimCall,
  forget,
  giveRequestBack,
  type Held,
  leaveService,
  openService,
  type Request,
  responseOf,
  resultOf,
  type Service,
  serviceWish,
  settleService,
  takeRequest,
} from "../../lib/hosts/service.js";
import { call, type Script, until } from "../../lib/script.js";
import { type Explored, FOURTH, late, OBSERVER, populateFour, slotOf } from "./ground.js";

const BYTES = 8;
let service: Service;
/** Numbers of requests that were answered, and of those whose callers know the answer. */
let answered: number[] = [];
let received: number[] = [];
let lost: number[] = [];

function prepare(capacity: number): (world: World) => void {
  return (world) => {
    populateFour(world);
    service = world.play(OBSERVER, openService(world.arena.view, serviceWish(capacity, BYTES, BYTES)));
    // All of them are members, as after their first call.
    for (const id of [0, 1, OBSERVER, FOURTH]) world.play(id, claimAndForget(world));
  };
}

function* claimAndForget({ arena }: World): Script {
  yield* forget(service, (yield* claimCall(arena.view, service)) as Held);
}

function start(): void {
  answered = [];
  received = [];
  lost = [];
}

/** Sends a request, and waits for room. */
function* beginWaiting({ arena: { view } }: World, id: number, number: number): Script<Held> {
  const attempt = (): Script<Held | undefined> => begin(view, service, payloadOf(number, BYTES));
  const passOn = (): Script => callOne(service.room);
  return (yield* attempt()) ?? (yield* waitFor(view, slotOf(id), service.room, attempt, { passOn }));
}

/** Calls, waits for the answer, and sends it again as often as it comes back. */
function* calling(world: World, id: number, ...numbers: number[]): Script {
  const { view } = world.arena;
  for (const number of numbers) {
    const one = yield* beginWaiting(world, id, number);
    for (;;) {
      const look = function* (): Script<number | undefined> {
        return (yield* resultOf(service, one)) || undefined;
      };
      const result = (yield* look()) ?? (yield* waitFor(view, slotOf(id), service.notices, look));
      if (result === CALL_ANSWERED) {
        assert.equal(numberOf(yield* responseOf(view, service, one)), number + 100, "the answer of another");
        received.push(number);
        break;
      }
      if (result === CALL_LOST) {
        lost.push(number);
        break;
      }
      assert.equal(result, CALL_RETURNED);
      yield* callAgain(service, one);
    }
    yield* forget(service, one);
  }
}

function* takeWaiting({ arena: { view } }: World, id: number): Script<Request> {
  const look = (): Script<Request | undefined> => takeRequest(view, service);
  const passOn = (): Script => callOne(service.requests);
  return (yield* look()) ?? (yield* waitFor(view, slotOf(id), service.requests, look, { passOn }));
}

function* answering(one: Request): Script {
  const number = numberOf(one.payload);
  yield* answer(service, one, payloadOf(number + 100, BYTES));
  answered.push(number);
}

function* serving(world: World, id: number, count: number): Script {
  for (let turn = 0; turn < count; turn++) yield* answering(yield* takeWaiting(world, id));
}

/** All slots are there, and nothing else. */
function* isWhole({ arena: { view } }: World): Script {
  assert.equal(yield* takeRequest(view, service), undefined, "a request is left");
  const claims: Held[] = [];
  for (let one = yield* claimCall(view, service); one; one = yield* claimCall(view, service))
    claims.push(one);
  assert.equal(claims.length, service.capacity, "slots");
  for (const one of claims) yield* forget(service, one);
}

function allAnswered(numbers: number[]): (world: World) => void {
  return (world) => {
    assert.deepEqual([...received].sort(), numbers);
    assert.deepEqual([...answered].sort(), numbers);
    world.play(OBSERVER, isWhole(world));
  };
}

function oneByOne(numbers: number[], preemptions: number): Explored {
  return {
    name: `service of 1, one calls, ${numbers.length} in all, another answers`,
    preemptions,
    before: prepare(1),
    scripts: (world) => {
      start();
      return [calling(world, 0, ...numbers), serving(world, 1, numbers.length)];
    },
    after: allAnswered(numbers),
  };
}

function twoCall(capacity: number, preemptions: number): Explored {
  return {
    name: `service of ${capacity}, two call, one answers`,
    preemptions,
    before: prepare(capacity),
    scripts: (world) => {
      start();
      return [calling(world, 0, 1), calling(world, 1, 2), serving(world, OBSERVER, 2)];
    },
    after: allAnswered([1, 2]),
  };
}

function twoServe(preemptions: number): Explored {
  return {
    name: "service of 2, one calls twice, two answer",
    preemptions,
    before: prepare(2),
    scripts: (world) => {
      start();
      return [calling(world, 0, 1, 2), serving(world, 1, 1), serving(world, OBSERVER, 1)];
    },
    after: allAnswered([1, 2]),
  };
}

/** A server gives a request back before it has begun; another one answers it. */
function givesBack(preemptions: number): Explored {
  function* back(world: World): Script {
    const one = yield* takeRequest(world.arena.view, service);
    if (one) yield* giveRequestBack(service, one);
  }
  return {
    name: "service of 1, a server gives a request back, another answers it",
    preemptions,
    before: prepare(1),
    scripts: (world) => {
      start();
      return [calling(world, 0, 1), back(world), serving(world, OBSERVER, 1)];
    },
    after: allAnswered([1]),
  };
}

/** A caller gives up at any moment; a server that waits for that learns it. */
function cancels(preemptions: number): Explored {
  let begun = 0;
  let seen = 0;
  function* caller(world: World): Script {
    yield* forget(service, yield* beginWaiting(world, 0, 1));
  }
  function* server(world: World): Script {
    const { view } = world.arena;
    const one = yield* takeRequest(view, service);
    if (!one) return;
    begun++;
    const look = function* (): Script<true | undefined> {
      return (yield* call("serviceIsCancelled", one.at, one.held)) ? true : undefined;
    };
    if (yield* waitFor(view, slotOf(1), service.notices, look)) seen++;
    yield* answer(service, one, payloadOf(0, BYTES));
  }
  return {
    name: "service of 1, a call is cancelled, its server waits for that",
    preemptions,
    before: prepare(1),
    scripts: (world) => {
      start();
      [begun, seen] = [0, 0];
      return [caller(world), server(world), claimAndForgetWaiting(world)];
    },
    after: (world) => {
      assert.equal(seen, begun);
      world.play(OBSERVER, isWhole(world));
    },
  };
}

/** A caller gives up, while its server answers: one of the two frees the slot, once. */
function cancelsAnswered(preemptions: number): Explored {
  function* server(world: World): Script {
    const one = yield* takeRequest(world.arena.view, service);
    if (one) yield* answering(one);
  }
  return {
    name: "service of 1, a call is cancelled by one who does not wait",
    preemptions,
    before: prepare(1),
    scripts: (world) => {
      start();
      return [beginAndForget(world, 0), server(world)];
    },
    after: (world) => world.play(OBSERVER, isWhole(world)),
  };
}

/** Waits for room, and gives it back. */
function* claimAndForgetWaiting({ arena: { view } }: World): Script {
  const look = (): Script<Held | undefined> => claimCall(view, service);
  const passOn = (): Script => callOne(service.room);
  const one = (yield* look()) ?? (yield* waitFor(view, slotOf(OBSERVER), service.room, look, { passOn }));
  yield* forget(service, one);
}

/** Those who live on after a death: they mark it dead, settle, and answer what there is. */
function* inherit(world: World, dead: number): Script {
  yield* until(() => world.state(dead) === "dead" || world.state(dead) === "done");
  if (world.state(dead) === "dead") yield* markDead(slotOf(dead));
  yield* settleService(service);
  for (;;) {
    const one = yield* takeRequest(world.arena.view, service);
    if (!one) return;
    yield* answering(one);
  }
}

/** A server dies at any write; its caller and a third settle at the same time, and the caller learns what became of its call. */
function serverDies(preemptions: number): Explored {
  let one: Held;
  function* caller(world: World): Script {
    const { view } = world.arena;
    yield* until(() => world.state(0) === "dead" || world.state(0) === "done");
    if (world.state(0) === "dead") yield* markDead(slotOf(0));
    yield* settleService(service);
    const result = yield* resultOf(service, one);
    if (result === CALL_ANSWERED) {
      assert.equal(numberOf(yield* responseOf(view, service, one)), 101);
      received.push(1);
    } else if (result === CALL_LOST) lost.push(1);
    yield* forget(service, one);
  }
  return {
    name: "service of 1, a server dies at any write, its caller and a third settle",
    preemptions,
    deaths: 1,
    mortal: [0],
    before: (world) => {
      prepare(1)(world);
      one = world.play(1, begin(world.arena.view, service, payloadOf(1, BYTES))) as Held;
    },
    scripts: (world) => {
      start();
      return [serving(world, 0, 1), caller(world), inherit(world, 0)];
    },
    after: (world) => {
      if (world.state(0) === "done") assert.deepEqual([received, lost], [[1], []]);
      assert.ok(received.length + lost.length <= 1);
      world.play(OBSERVER, isWhole(world));
    },
  };
}

/** A caller dies at any write, while a server answers; a third settles. */
function callerDies(preemptions: number): Explored {
  function* server(world: World): Script {
    const one = yield* takeRequest(world.arena.view, service);
    if (one) yield* answering(one);
  }
  function* caller({ arena: { view } }: World): Script {
    const one = (yield* begin(view, service, payloadOf(1, BYTES))) as Held;
    yield* resultOf(service, one);
    yield* forget(service, one);
  }
  return {
    name: "service of 2, a caller dies at any write, a server answers, a third settles",
    preemptions,
    deaths: 1,
    mortal: [0],
    before: prepare(2),
    scripts: (world) => {
      start();
      return [caller(world), server(world), inherit(world, 0)];
    },
    after: (world) => {
      world.play(OBSERVER, inherit(world, 0));
      world.play(OBSERVER, isWhole(world));
    },
  };
}

/** One leaves with a request that it has taken and a call of its own. */
function leaves(preemptions: number): Explored {
  function* leaving(world: World): Script {
    yield* takeRequest(world.arena.view, service);
    yield* begin(world.arena.view, service, payloadOf(9, BYTES));
    yield* leaveService(service);
  }
  function* server(world: World): Script {
    const one = yield* takeRequest(world.arena.view, service);
    if (one) yield* answer(service, one, payloadOf(numberOf(one.payload) + 100, BYTES));
  }
  return {
    name: "service of 2, one leaves with a request and a call",
    preemptions,
    before: (world) => {
      prepare(2)(world);
    },
    scripts: (world) => {
      start();
      return [leaving(world), server(world), beginAndForget(world, OBSERVER)];
    },
    after: (world) => world.play(OBSERVER, isWhole(world)),
  };
}

function* beginAndForget(world: World, id: number): Script {
  yield* forget(service, yield* beginWaiting(world, id, 1));
}

export const serviceScenarios: Explored[] = [
  oneByOne([1], 2),
  oneByOne([1, 2], 1),
  twoCall(1, 1),
  twoCall(2, 1),
  twoServe(1),
  givesBack(1),
  cancels(2),
  cancelsAnswered(2),
  serverDies(1),
  callerDies(1),
  leaves(1),
  late(oneByOne([1], 1), 1, 1),
];
