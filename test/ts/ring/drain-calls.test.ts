/**
 * What the function of a drain may call: every pair of calls, at the first, a middle and the last record, in every form of drain.
 * Each call gives a clear result or a clear error; no record is lost, and none is delivered twice but the one that was not
 * acknowledged.
 */
import {
  type Claim,
  type Consumer,
  type Lock,
  type Producer,
  type Ring,
  type RingRecord,
  Segment,
  struct,
} from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { evictSlot } from "../../lib/evict.js";
import { refused, rejected } from "../../lib/refusals.js";
import { forget, keep, segmentName } from "../../lib/segments.js";
import { within } from "../../lib/watchdog.js";

const Numbered = struct({ n: "u32" });
const LENGTH = Numbered.bytes;
const SENT = 6;
const ENOUGH = new Error("enough");

// biome-ignore lint/suspicious/noExplicitAny: records of both kinds of rings are handled alike
type Any = any;

interface Scene {
  segment: Segment;
  ring: Ring;
  producer: Producer<Any, Any>;
  consumer: Consumer<Any, Any>;
  lock: Lock;
  controller: AbortController;
  /** What a call that needs the consumer gets now. */
  now: "BUSY" | "CLOSED";
  segmentOpen: boolean;
  /** What was sent, in order, and what is on its way through promises. */
  sent: number[];
  later: Promise<unknown>[];
  payload(n: number): unknown;
}

const nothing = (): void => {};

/** Calls for the function of a drain. Those that throw end its turn. */
const CALLS: Record<string, (s: Scene, record: RingRecord<Any>) => unknown> = {
  "does nothing": nothing,
  "closes the consumer": (s) => {
    s.consumer.close();
    s.now = "CLOSED";
  },
  "closes the consumer, and looks at the record with another one": (s) => {
    s.consumer.close();
    s.now = "CLOSED";
    if (!s.segmentOpen) return;
    const next = s.ring.consumer();
    assert.ok(next.tryPeek());
    next.close();
  },
  "closes the segment": (s) => {
    s.segment.close();
    s.now = "CLOSED";
    s.segmentOpen = false;
  },
  "closes the producer": (s) => s.producer.close(),
  "releases the record": (s, record) => {
    refused(s.now, () => record.release());
    if (s.now === "BUSY") refused("BUSY", () => record[Symbol.dispose]());
    else record[Symbol.dispose]();
  },
  "takes another record at once": (s) => {
    for (const call of [
      () => s.consumer.tryReceive(),
      () => s.consumer.tryReceiveInto(new Uint8Array(99)),
      () => s.consumer.receiveSync(),
      () => s.consumer.receiveIntoSync(new Uint8Array(99)),
      () => s.consumer.tryPeek(),
      () => s.consumer.peekSync(),
      () => s.consumer.tryDrain(nothing),
      () => s.consumer.drainSync(nothing),
      () => s.consumer.tryDrainInto(new Uint8Array(99), new Uint32Array(9)),
      () => s.consumer.drainIntoSync(new Uint8Array(99), new Uint32Array(9)),
    ])
      refused(s.now, call);
  },
  "takes another record later": (s) => {
    for (const call of [
      s.consumer.receive(),
      s.consumer.receiveInto(new Uint8Array(99)),
      s.consumer.peek(),
      s.consumer.drain(nothing),
      s.consumer.drainInto(new Uint8Array(99), new Uint32Array(9)),
      s.consumer.records().next(),
    ])
      s.later.push(rejected(s.now, call));
  },
  "takes the end again": (s) => {
    if (s.now === "CLOSED") return;
    refused("BUSY", () => s.ring.consumer());
    refused("BUSY", () => s.ring.readable());
    refused("DEADLOCK", () => s.ring.waitForConsumerSync());
  },
  "claims while it claims": (s) => {
    const claim = attempt(() => s.producer.tryClaim(LENGTH)) as Claim<Any> | undefined;
    if (!claim) return;
    for (const call of [
      () => s.producer.tryClaim(LENGTH),
      () => s.producer.claimSync(LENGTH),
      () => s.producer.trySend(s.payload(0)),
      () => s.producer.sendSync(s.payload(0)),
      () => s.producer.trySendMany([s.payload(0)]),
    ])
      refused("BUSY", call);
    for (const call of [s.producer.claim(LENGTH), s.producer.send(s.payload(0)), s.producer.end()])
      s.later.push(rejected("BUSY", call));
    claim.bytes.fill(0)[0] = s.sent.length;
    claim.commit();
    s.sent.push(s.sent.length);
    refused("CLOSED", () => claim.commit());
  },
  "aborts a claim": (s) => (attempt(() => s.producer.tryClaim(LENGTH)) as Claim<Any> | undefined)?.abort(),
  "sends until there is no room": (s) => {
    while (attempt(() => s.producer.trySend(s.payload(s.sent.length)))) s.sent.push(s.sent.length);
    if (attempt(() => s.producer.trySend(s.payload(0))) === undefined) return; // closed
    if (s.now === "CLOSED") return; // nobody of this thread has the other end
    refused("DEADLOCK", () => s.producer.sendSync(s.payload(0)), /it also holds the consumer's end/);
    refused("DEADLOCK", () => s.producer.sendManySync([s.payload(0)]));
    refused("DEADLOCK", () => s.producer.claimSync(LENGTH));
    refused("TIMED_OUT", () => s.producer.sendSync(s.payload(0), { timeoutMs: 1 }));
  },
  "runs a transaction": (s) => {
    const body = () => {
      const block = s.segment.heap.allocate(64);
      s.segment.root = block;
      return 7;
    };
    if (!s.segmentOpen) return refused("CLOSED", () => s.segment.transactionSync(s.lock, body));
    assert.is(s.segment.transactionSync(s.lock, body), 7);
    assert.is(s.segment.tryTransaction(s.lock, body), 7);
    s.segment.root = undefined;
    return undefined;
  },
  "receives in a transaction, which is undone": (s) => {
    if (!s.segmentOpen) return;
    const before = s.segment.heap.stats.used;
    refused(s.now, () =>
      s.segment.transactionSync(s.lock, () => {
        s.segment.heap.allocate(64);
        s.consumer.tryReceive();
      }),
    );
    assert.is(s.segment.heap.stats.used, before);
  },
  "aborts the signal of the drain": (s) => s.controller.abort(new Error("aborted")),
  throws: () => {
    throw ENOUGH;
  },
  "throws undefined": () => {
    throw undefined;
  },
  "returns a promise": () => Promise.reject(ENOUGH),
};

/** undefined when the producer, or the segment, was closed by another call. */
function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    assert.is((error as { code?: string }).code, "CLOSED");
    return undefined;
  }
}

const ENDS_ITS_TURN = ["throws", "throws undefined", "returns a promise"];

type Drain = (s: Scene, handle: (record: RingRecord<Any>) => void, send: () => void) => Promise<number>;

const FORMS: Record<string, Drain> = {
  tryDrain: async (s, handle, send) => {
    send();
    return s.consumer.tryDrain(handle);
  },
  drainSync: async (s, handle, send) => {
    send();
    return s.consumer.drainSync(handle);
  },
  "drain of what is there": (s, handle, send) => {
    send();
    return s.consumer.drain(handle, { signal: s.controller.signal });
  },
  "drain that waits": (s, handle, send) => {
    const draining = s.consumer.drain(handle, { signal: s.controller.signal, timeoutMs: 1e6 });
    send();
    return draining;
  },
};

function sceneOf(segment: Segment, typed: boolean, acknowledge: "batch" | "each"): Scene {
  const ring = segment.ring("r", { bytes: 256, ...(typed ? { layout: Numbered } : {}) }) as unknown as Ring;
  return {
    segment,
    ring,
    producer: ring.producer(),
    consumer: ring.consumer({ acknowledge }),
    lock: segment.lock("l"),
    controller: new AbortController(),
    now: "BUSY",
    segmentOpen: true,
    sent: [],
    later: [],
    payload: (n) => (typed ? { n } : new Uint8Array(LENGTH).fill(n)),
  };
}

/** Plays two calls at one record of a drain, and checks what was delivered, and what comes afterwards. */
async function play(s: Scene, form: Drain, at: number, names: string[]): Promise<void> {
  const delivered: number[] = [];
  let throws = false;
  const numberOf = (record: RingRecord<Any>): number => record.copy()[0] as number;
  const handle = (record: RingRecord<Any>): unknown => {
    delivered.push(numberOf(record));
    if (delivered.length - 1 !== at) return undefined;
    let result: unknown;
    for (const name of names) {
      throws = ENDS_ITS_TURN.includes(name);
      result = CALLS[name]?.(s, record);
      if (throws) return result;
    }
    return undefined;
  };
  const send = (): void => {
    for (let n = 0; n < SENT; n++) {
      assert.ok(s.producer.trySend(s.payload(n)));
      s.sent.push(n);
    }
  };
  const outcome = await within(
    "the drain",
    form(s, handle as (record: RingRecord<Any>) => void, send).then(
      (handled) => ({ handled }),
      (error: unknown) => ({ error }),
    ),
  );
  await within("other calls", Promise.all(s.later));
  assert.is("error" in outcome, throws, String((outcome as { error?: unknown }).error));
  const ended = throws || s.now === "CLOSED";
  if ("handled" in outcome) assert.is(outcome.handled, delivered.length);
  assert.equal(delivered, ended ? s.sent.slice(0, at + 1) : s.sent);
  if (s.segmentOpen && s.now === "BUSY")
    s.consumer.tryDrain((record) => void delivered.push(numberOf(record)));
  else {
    using next = Segment.open(s.segment.name);
    using consumer = next.ring("r", { ...(s.ring.layout ? { layout: Numbered } : {}) }).consumer();
    consumer.tryDrain((record) => void delivered.push(numberOf(record as RingRecord<Any>)));
  }
  const again = ended ? s.sent.slice(at) : [];
  assert.equal(delivered, [...s.sent.slice(0, ended ? at + 1 : undefined), ...again]);
}

/** All pairs of calls at a record in the middle, and each call alone at the first and the last one. */
function* scripts(): Generator<{ at: number; names: string[] }> {
  const all = Object.keys(CALLS);
  for (const first of all) {
    yield { at: 0, names: [first] };
    yield { at: SENT - 1, names: [first] };
    const ends = ENDS_ITS_TURN.includes(first);
    for (const second of ends ? [] : all) yield { at: 2, names: [first, second] };
  }
}

for (const [form, drain] of Object.entries(FORMS)) {
  for (const [kind, acknowledge] of [
    ["bytes", "batch"],
    ["values", "each"],
  ] as const) {
    const what = `${form} of ${kind}, acknowledged ${acknowledge === "each" ? "each" : "in batches"}`;
    test(`${what}: whatever its function calls, nothing is lost or delivered twice`, async () => {
      for (const { at, names } of scripts()) {
        const segment = Segment.create(segmentName("calls"), { bytes: 65536 });
        keep(segment.name);
        try {
          await play(sceneOf(segment, kind === "values", acknowledge), drain, at, names);
        } catch (error) {
          (error as Error).message += ` [record ${at}: ${names.join(", then ")}]`;
          throw error;
        } finally {
          segment.close();
          forget(segment.name);
        }
      }
    });
  }
}

test("a participant that is removed inside drain is handed no further record; the next consumer gets those", () => {
  using other = Segment.create(segmentName("removed"), { bytes: 65536 });
  const victim = Segment.open(other.name);
  const producer = other.ring("r", { bytes: 4096 }).producer();
  const consumer = victim.ring("r", { bytes: 4096 }).consumer();
  for (let n = 0; n < SENT; n++) producer.trySend(Uint8Array.of(n));
  const slot = victim.participants().find(({ self }) => self)?.slot as number;
  const delivered: number[] = [];
  refused("EVICTED", () =>
    consumer.tryDrain((record) => {
      delivered.push(record.copy()[0] as number);
      if (delivered.length === 2) evictSlot(other.name, slot);
    }),
  );
  assert.equal(delivered, [0, 1]);
  victim.close();
  const next = other.ring("r", { bytes: 4096 }).consumer();
  const rest: number[] = [];
  next.tryDrain((record) => void rest.push(record.copy()[0] as number));
  assert.equal(rest, [0, 1, 2, 3, 4, 5]); // nothing was acknowledged yet: fewer than 64
  other.unlink();
});

test("while a thread holds both ends of a ring, through whatever openers, blocking without a timeout is DEADLOCK", () => {
  using segment = Segment.create(segmentName("both"), { bytes: 65536 });
  using twin = Segment.open(segment.name);
  for (const opener of [segment, twin]) {
    using producer = segment.ring("r", { bytes: 256 }).producer();
    using consumer = opener.ring("r", { bytes: 256 }).consumer();
    refused(
      "DEADLOCK",
      () => consumer.receiveSync(),
      /also holds the producer's end of ring "r".*give a timeoutMs/,
    );
    refused("DEADLOCK", () => consumer.peekSync());
    refused("DEADLOCK", () => consumer.drainSync(nothing));
    refused("DEADLOCK", () => consumer.drainIntoSync(new Uint8Array(9), new Uint32Array(1)));
    refused("TIMED_OUT", () => consumer.receiveSync({ timeoutMs: 1 }));
    const both = [new Uint8Array(200), new Uint8Array(200)];
    assert.is((refused("DEADLOCK", () => producer.sendManySync(both)) as { sent?: number }).sent, 1);
    refused("DEADLOCK", () => producer.sendSync(new Uint8Array(200)));
    refused("DEADLOCK", () => producer.claimSync(200));
    refused("DEADLOCK", () => producer.sendPackedSync(new Uint8Array(200), [200]));
    assert.is(consumer.receiveSync()?.length, 200);
    assert.is(consumer.tryReceive(), undefined);
    producer.close();
    assert.is(consumer.receiveSync(), undefined);
  }
  const producer = segment.ring("r", { bytes: 256 }).producer();
  refused("DEADLOCK", () => twin.ring("r", { bytes: 256 }).waitForProducerSync());
  refused("TIMED_OUT", () => twin.ring("r", { bytes: 256 }).waitForProducerSync({ timeoutMs: 1 }));
  producer.close();
  segment.unlink();
});

test.run();
