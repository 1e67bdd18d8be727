/**
 * A request that was sent is answered once, or its caller learns that it is not; what a dead participant had called is gone, and
 * what it served comes back to its callers; and no slot is lost.
 */
import { strict as assert } from "node:assert";
import {
  CALL_ANSWERED,
  CALL_CANCELLED,
  CALL_LOST,
  CALL_RETURNED,
  MESSAGE_FREE,
  MESSAGE_SENDING,
  MESSAGE_STATE_MASK,
  MESSAGE_TAKEN,
  PARTICIPANT_ANSWERS_OFFSET,
  PARTICIPANT_BYTES,
  PARTICIPANTS_OFFSET,
  QUEUE_HEAD_OFFSET,
  QUEUE_TAIL_OFFSET,
} from "../../../protocol/layout.js";
import { type CrashCase, type CrashLane, VICTIM } from "../../lib/crash.js";
import { BITMAP } from "../../lib/hosts/queue.js";
import { numberOf, payloadOf } from "../../lib/hosts/ring.js";
import { markDead, type ObjectWish } from "../../lib/hosts/segment.js";
import {
  answer,
  begin,
  callAgain,
  callSlot,
  claimCall,
  endOwned,
  forget,
  giveRequestBack,
  type Held,
  leaveService,
  memberOfService,
  type OwnedCalls,
  openService,
  type Request,
  responseOf,
  resultOf,
  type Service,
  serviceWish,
  settleService,
  takeRequest,
} from "../../lib/hosts/service.js";
import { call, type Script } from "../../lib/script.js";
import { type Fill, onEachFill, populate, SLOTS, slotsOf, someoneDied } from "./ground.js";

const CAPACITY = 3;
const BYTES = 16;
/** More than there are cells, so that the next request is in a cell that was used before. */
const LAP = 130;
const LOST_SLOT = 7;
const OTHER = SLOTS[1];

/** What is there before the operation, and what participants know of it. */
interface Scene {
  service: Service;
  lane: CrashLane;
  /** Calls of participant 1, with their numbers. */
  calls: (Held & { number: number })[];
  /** A request that participant 1 has taken, of the victim or of a dead one. */
  served: Request | undefined;
  /** What the victim owns. */
  owned: OwnedCalls;
}

type Step = (scene: Scene) => Script<unknown>;

interface ServiceCase {
  name: string;
  /** What happens before, each by the participant with this number. */
  before: [by: number, step: Step][];
  /** What somebody did who is dead, in a slot of its own. */
  died?: (scene: Scene) => void;
  cutOff?: (scene: Scene) => void;
  /** Who waits while the operation runs. */
  waits?: "notices" | "requests" | "room";
  operation: Step;
  /** What becomes of the first call of participant 1 when the operation ended; MESSAGE_SENDING: it waits for a server. */
  after: number;
  /** What may have become of it when it was cut off, too. */
  or: number[];
  /** What may have become of the others; default: MESSAGE_SENDING. */
  second?: number[];
}

// --- steps -------------------------------------------------------------------------------------------------------------------

/** Participant 1 calls. */
const calls = (number: number): Step =>
  function* ({ service, lane, calls: known }) {
    const one = yield* begin(lane.view, service, payloadOf(number, BYTES));
    assert.ok(one, "there is no room");
    known.push(Object.assign(one, { number }));
  };

/** The victim calls. */
function* calling({ service, lane, owned }: Scene): Script<void> {
  assert.ok(yield* begin(lane.view, service, payloadOf(9, BYTES), owned), "there is no room");
}

function* callingInVain({ service, lane }: Scene): Script<void> {
  assert.equal(yield* begin(lane.view, service, payloadOf(9, BYTES)), undefined, "there is room");
}

function* taking({ service, lane, owned }: Scene): Script<Request> {
  const request = yield* takeRequest(lane.view, service);
  assert.ok(request, "there is no request");
  owned.requests.push(request);
  return request;
}

const answering: Step = function* (scene) {
  const request = (scene.owned.requests[0] as Request | undefined) ?? (yield* taking(scene));
  yield* answer(scene.service, request, payloadOf(100, BYTES));
  scene.owned.requests.pop();
};

const returning: Step = function* (scene) {
  yield* giveRequestBack(scene.service, yield* taking(scene));
  scene.owned.requests.pop();
};

/** Participant 1 takes a request, and has it. */
const serves: Step = function* (scene) {
  scene.served = yield* takeRequest(scene.lane.view, scene.service);
  assert.ok(scene.served, "there is no request");
};

/** Participant 1 answers the request that it has. */
const answers: Step = function* (scene) {
  yield* answer(scene.service, scene.served as Request, payloadOf(109, BYTES));
  scene.served = undefined;
};

const returns: Step = function* (scene) {
  yield* giveRequestBack(scene.service, scene.served as Request);
  scene.served = undefined;
};

/** The victim ends its call, whatever its state. */
const ending: Step = function* ({ service, owned }) {
  yield* forget(service, owned.calls[0] as Held);
  owned.calls.pop();
};

const receiving: Step = function* (scene) {
  const { service, lane, owned } = scene;
  const one = owned.calls[0] as Held;
  assert.equal(yield* resultOf(service, one), CALL_ANSWERED);
  assert.equal(numberOf(yield* responseOf(lane.view, service, one)), 109);
  yield* ending(scene);
};

const again: Step = ({ service, owned }) => callAgain(service, owned.calls[0] as Held);

const leaving: Step = ({ service }) => leaveService(service);

const settling: Step = function* ({ service }) {
  yield* markDead(LOST_SLOT);
  yield* settleService(service);
};

/** Participant 1 cancels its first call. */
const cancels: Step = function* ({ service, calls: known }) {
  yield* forget(service, known.shift() as Held);
};

/** A call from its begin to its end. */
const whole: Step = function* ({ service, lane }) {
  const one = yield* begin(lane.view, service, payloadOf(1, BYTES));
  const request = yield* takeRequest(lane.view, service);
  yield* answer(service, request as Request, payloadOf(2, BYTES));
  yield* forget(service, one as Held);
};

const withdrawn: Step = function* ({ service, lane }) {
  yield* forget(service, (yield* begin(lane.view, service, payloadOf(1, BYTES))) as Held);
};

const times = (count: number, by: number, step: Step): [number, Step][] =>
  Array.from({ length: count }, () => [by, step]);

const someone = (scene: Scene): Scene => ({ ...scene, owned: { calls: [], requests: [] } });

const CASES: ServiceCase[] = [
  { name: "call, the first", before: [], operation: calling, after: MESSAGE_SENDING, or: [] },
  {
    name: "call behind another, a server waits",
    before: [[1, calls(1)]],
    waits: "requests",
    operation: calling,
    after: MESSAGE_SENDING,
    or: [],
  },
  {
    name: "call in a later lap",
    before: [...times(LAP, 1, whole), [1, calls(1)]],
    operation: calling,
    after: MESSAGE_SENDING,
    or: [],
  },
  {
    name: "call when the list is full of calls that were withdrawn",
    before: times(128, 0, withdrawn),
    operation: calling,
    after: MESSAGE_SENDING,
    or: [],
  },
  {
    name: "call when full",
    before: [
      [1, calls(1)],
      [1, calls(2)],
      [1, calls(3)],
    ],
    operation: callingInVain,
    after: MESSAGE_SENDING,
    or: [],
  },
  {
    name: "take",
    before: [
      [1, calls(1)],
      [1, calls(2)],
    ],
    operation: taking,
    after: CALL_LOST,
    or: [MESSAGE_SENDING, CALL_RETURNED],
  },
  {
    name: "take and answer, the caller waits",
    before: [[1, calls(1)]],
    waits: "notices",
    operation: answering,
    after: CALL_ANSWERED,
    or: [MESSAGE_SENDING, CALL_RETURNED, CALL_LOST],
  },
  {
    name: "take and give back",
    before: [[1, calls(1)]],
    waits: "notices",
    operation: returning,
    after: CALL_RETURNED,
    or: [MESSAGE_SENDING, CALL_LOST],
  },
  {
    name: "answer a call that was cancelled, one waits for room",
    before: [
      [1, calls(1)],
      [0, taking],
      [1, cancels],
    ],
    waits: "room",
    operation: answering,
    after: MESSAGE_SENDING,
    or: [],
  },
  {
    name: "receive an answer, one waits for room",
    before: [
      [0, calling],
      [1, serves],
      [1, answers],
      [1, calls(1)],
    ],
    waits: "room",
    operation: receiving,
    after: MESSAGE_SENDING,
    or: [],
  },
  {
    name: "withdraw a call",
    before: [
      [0, calling],
      [1, calls(1)],
    ],
    waits: "room",
    operation: ending,
    after: MESSAGE_SENDING,
    or: [],
  },
  {
    name: "cancel a call",
    before: [
      [0, calling],
      [1, serves],
      [1, calls(1)],
    ],
    waits: "notices",
    operation: ending,
    after: MESSAGE_SENDING,
    or: [],
  },
  {
    name: "call again",
    before: [
      [0, calling],
      [1, serves],
      [1, returns],
      [1, calls(1)],
    ],
    operation: again,
    after: MESSAGE_SENDING,
    or: [],
  },
  {
    name: "leave, with calls and a request",
    before: [
      [0, calling],
      [1, serves],
      [1, calls(1)],
      [0, taking],
      [0, calling],
    ],
    operation: leaving,
    after: CALL_LOST,
    or: [CALL_RETURNED],
  },
  {
    name: "settle what one has left that died when it had taken",
    before: [
      [1, calls(1)],
      [1, calls(2)],
    ],
    died: (scene) => scene.lane.play(2, taking(someone(scene))),
    operation: settling,
    after: CALL_LOST,
    or: [],
  },
  {
    name: "settle what one has left that died when it had called",
    before: [],
    died: (scene) => {
      scene.lane.play(2, calling(someone(scene)));
      scene.lane.play(1, serves(scene));
      scene.lane.play(2, calling(someone(scene)));
      scene.lane.play(2, claimCall(scene.lane.view, scene.service));
    },
    operation: settling,
    after: MESSAGE_SENDING,
    or: [],
  },
  {
    name: "settle what one has left that died when its call was answered",
    before: [[1, calls(1)]],
    died: (scene) => {
      // It takes the call of 1, cancelled since, and has called, which was answered.
      scene.lane.play(2, taking(someone(scene)));
      scene.lane.play(1, cancels(scene));
      scene.lane.play(2, calling(someone(scene)));
      scene.lane.play(1, serves(scene));
      scene.lane.play(1, answers(scene));
    },
    operation: settling,
    after: MESSAGE_SENDING,
    or: [],
  },
  {
    name: "call behind one that died before it moved the tail on",
    before: [[1, calls(1)]],
    died: (scene) =>
      scene.lane.playUntil(2, scene.service.queue + QUEUE_TAIL_OFFSET, calling(someone(scene))),
    operation: calling,
    after: MESSAGE_SENDING,
    or: [],
  },
  {
    name: "take behind one that died before it moved the head on",
    before: [
      [1, calls(1)],
      [1, calls(2)],
    ],
    died: (scene) => scene.lane.playUntil(2, scene.service.queue + QUEUE_HEAD_OFFSET, taking(someone(scene))),
    operation: answering,
    after: CALL_LOST,
    or: [],
    second: [MESSAGE_SENDING, CALL_ANSWERED, CALL_LOST, CALL_RETURNED],
  },
];

/** The heartbeat after a call of the victim that was cut off before it wrote to an address. */
function settlingOwn(): ServiceCase[] {
  const before: [number, Step][] = [[1, calls(1)]];
  type Cut = [name: string, at: (scene: Scene) => number, step: Step, after: number];
  const first = ({ service }: Scene): number => callSlot(service, 1);
  const next = ({ service }: Scene): number => callSlot(service, 0);
  const cuts: Cut[] = [
    ["claiming", next, calling, MESSAGE_SENDING],
    ["calling", ({ service }) => service.queue + QUEUE_TAIL_OFFSET, calling, MESSAGE_SENDING],
    ["taking", ({ service }) => service.queue + QUEUE_HEAD_OFFSET, taking, CALL_RETURNED],
    ["freeing", ({ service }) => service.queue + BITMAP, withdrawnLast, MESSAGE_SENDING],
  ];
  return [
    ...cuts.map(
      ([name, at, step, after]): ServiceCase => ({
        name: `its heartbeat after ${name}, cut off`,
        before,
        cutOff: (scene) => scene.lane.playUntil(0, at(scene), step(someone(scene))),
        operation: () => call("beat", 0),
        after,
        or: step === taking ? [CALL_LOST] : [],
      }),
    ),
    {
      name: "its next call after taking, cut off",
      before: [...before, [1, calls(2)]],
      cutOff: (scene) => scene.lane.playUntil(0, first(scene), taking(someone(scene))),
      operation: leaving,
      after: MESSAGE_SENDING,
      or: [],
    },
  ];
}

/** Withdraws a call that it finds: the bitmap is written when its slot is freed, not when it is claimed. */
const withdrawnLast: Step = function* (scene) {
  const { service, lane } = scene;
  const one = yield* call("serviceClaim", service.service, service.capacity, BYTES, BYTES);
  yield* forget(service, { at: one, held: lane.view.getUint32(one, true) });
};

// --- what must hold ------------------------------------------------------------------------------------------------------------

/** The slot of whoever acts. */
function* actor(): Script<number> {
  const at = yield* call("answers");
  return (at - PARTICIPANTS_OFFSET - PARTICIPANT_ANSWERS_OFFSET) / PARTICIPANT_BYTES;
}

function stateOf(lane: CrashLane, { at, held }: Held): number {
  const low = lane.view.getUint32(at, true);
  return ((low ^ held) & ~MESSAGE_STATE_MASK) === 0 ? low & MESSAGE_STATE_MASK : MESSAGE_FREE;
}

/** Answers every request that is there; the numbers of them. */
function* answerAll({ service, lane }: Scene, owned: OwnedCalls): Script<number[]> {
  const numbers: number[] = [];
  for (;;) {
    const request = yield* takeRequest(lane.view, service);
    if (!request) return numbers;
    owned.requests.push(request);
    const number = numberOf(request.payload);
    numbers.push(number);
    yield* answer(service, request, payloadOf(number + 100, BYTES));
    owned.requests.pop();
  }
}

/** As many calls as `room` can be made, in order, and no more. */
function* useAll({ service, lane }: Scene, room: number, owned: OwnedCalls): Script {
  const { view } = lane;
  for (let number = 0; number < room; number++) {
    const one = yield* begin(view, service, payloadOf(number, BYTES), owned);
    assert.ok(one, `only ${number} of ${room} slots are there`);
    assert.equal(yield* resultOf(service, one), 0);
  }
  assert.equal(yield* claimCall(view, service), undefined, "there are more slots than there were");
  const numbers = yield* answerAll({ service, lane } as Scene, owned);
  assert.deepEqual(
    numbers,
    Array.from({ length: room }, (_, number) => number),
  );
  for (let number = 0; number < room; number++) {
    const one = owned.calls[0] as Held;
    assert.equal(yield* resultOf(service, one), CALL_ANSWERED);
    assert.equal(numberOf(yield* responseOf(view, service, one)), number + 100);
    yield* forget(service, one);
    owned.calls.shift();
  }
}

/** A new service has all its slots. */
export function* useService(view: DataView, wish: ObjectWish, dead: number[]): Script {
  const service = yield* openService(view, wish, dead);
  for (const slot of dead) yield* markDead(slot);
  yield* settleService(service);
  const nobody: OwnedCalls = { calls: [], requests: [] };
  yield* answerAll({ service, lane: { view } } as unknown as Scene, nobody);
  yield* useAll({ service, lane: { view } } as unknown as Scene, service.capacity, nobody);
}

function serviceCase(one: ServiceCase, fill: Fill): CrashCase {
  let scene: Scene;
  /** What was there before the operation. */
  let then: Pick<Scene, "calls" | "served">;
  let kept: OwnedCalls;
  let left: OwnedCalls;
  const release = (): Script => endOwned(scene.service, scene.owned);
  return {
    name: `service: ${one.name}`,
    before: (lane) => {
      populate(lane, fill);
      const service = lane.play(1, openService(lane.view, serviceWish(CAPACITY, BYTES, BYTES)));
      scene = { service, lane, calls: [], served: undefined, owned: { calls: [], requests: [] } };
      for (const [by, step] of one.before) lane.play(by, step(scene));
      if (one.died) someoneDied(lane, LOST_SLOT, () => one.died?.(scene));
      one.cutOff?.(scene);
      // An answer and a cancellation are for participant 1.
      const by = one.waits === "notices" ? 1 : 2;
      if (one.waits) lane.play(by, call("waitersArm", scene.service[one.waits]));
      then = { calls: scene.calls.map((each) => ({ ...each })), served: scene.served };
      kept = copyOf(scene.owned);
    },
    operation() {
      scene.owned = copyOf(kept);
      left = scene.owned;
      return one.operation(scene);
    },
    goOn(_lane, by, dead, finished) {
      if (by === 1) {
        scene.owned = copyOf(left);
        scene.calls = then.calls.map((each) => ({ ...each }));
        scene.served = then.served;
      }
      return goOn(by, dead, finished);
    },
    livesOn: { next: release, settle: release },
  };

  function* goOn(by: number, dead: readonly number[], finished: boolean): Script {
    const { service, lane } = scene;
    const gone = [...slotsOf(dead), LOST_SLOT];
    for (const slot of gone) yield* markDead(slot);
    yield* settleService(service);
    for (const slot of gone)
      assert.equal(
        lane.view.getUint32(memberOfService(service, slot), true),
        0,
        "the dead are members still",
      );
    const me = yield* actor();
    const others = dead.includes(1) ? [] : scene.calls;
    const sure = finished && dead.includes(VICTIM);
    const allowed = sure ? [one.after] : [one.after, ...one.or];
    // What one did that was cut off or died, who went on before, is checked where that is the operation.
    const any = [MESSAGE_SENDING, CALL_ANSWERED, CALL_RETURNED, CALL_LOST];
    for (const [index, each] of others.entries()) {
      const state = stateOf(lane, each);
      const may = by === 2 ? any : index === 0 ? allowed : (one.second ?? [MESSAGE_SENDING]);
      assert.ok(may.includes(state), `call ${each.number} is in state ${state}, not in ${may}`);
    }
    const waiting = others.filter((each) => stateOf(lane, each) === MESSAGE_SENDING);
    assert.deepEqual(
      yield* answerAll(scene, ownedBy(me)),
      waiting.map(({ number }) => number),
      "requests",
    );
    let room = service.capacity;
    if (!dead.includes(1)) room -= yield* servedByOther(me, dead);
    if (me === OTHER) yield* finishOwn();
    else room -= others.length;
    yield* useAll(scene, room, ownedBy(me));
  }

  /** What the actor's host knows of what it does now: the victim lives on when it is cut off. */
  function ownedBy(me: number): OwnedCalls {
    return me === SLOTS[VICTIM] ? scene.owned : { calls: [], requests: [] };
  }

  /** Participant 1 has taken a request whose caller is gone, or does not wait: 1 while it has not ended that. */
  function* servedByOther(me: number, dead: readonly number[]): Script<number> {
    if (!scene.served) return 0;
    const state = stateOf(scene.lane, scene.served);
    const may = dead.includes(VICTIM) ? [CALL_CANCELLED] : [CALL_CANCELLED, MESSAGE_TAKEN];
    assert.ok(may.includes(state), `what 1 serves is in state ${state}`);
    if (me !== OTHER) return 1;
    assert.equal(
      yield* call("serviceIsCancelled", scene.served.at, scene.served.held),
      state === CALL_CANCELLED ? 1 : 0,
    );
    yield* answer(scene.service, scene.served, payloadOf(5, BYTES));
    scene.served = undefined;
    return state === CALL_CANCELLED ? 0 : 1;
  }

  /** Participant 1 brings its calls to their ends. */
  function* finishOwn(): Script {
    const { service, lane } = scene;
    for (const each of scene.calls) {
      const result = yield* resultOf(service, each);
      if (result !== CALL_ANSWERED) {
        assert.ok(result === CALL_LOST || result === CALL_RETURNED, `call ${each.number}: ${result}`);
        yield* callAgain(service, each);
        assert.deepEqual(yield* answerAll(scene, { calls: [], requests: [] }), [each.number]);
        assert.equal(yield* resultOf(service, each), CALL_ANSWERED);
      }
      const number = numberOf(yield* responseOf(lane.view, service, each));
      assert.ok(number === each.number + 100 || number === 100, `${number} answers call ${each.number}`);
      yield* forget(service, each);
    }
    scene.calls = [];
  }
}

function copyOf({ calls: own, requests }: OwnedCalls): OwnedCalls {
  return { calls: own.map((each) => ({ ...each })), requests: requests.map((each) => ({ ...each })) };
}

export const serviceCases: CrashCase[] = [...CASES, ...settlingOwn()].flatMap((one) =>
  onEachFill((fill) => serviceCase(one, fill)),
);
