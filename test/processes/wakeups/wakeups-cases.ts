/** Who sleeps for what, and who wakes them how: for `wakeups.test.ts`. */
import { KiB, Segment, struct } from "isthmus";
import * as assert from "uvu/assert";
import * as layout from "../../../protocol/layout.js";
import type { Core } from "../../../ts/core.js";
import { exportsOf, internal } from "../../lib/internals.js";
import { objectOffset, peek32, poke32 } from "../../lib/poke.js";
import type { Agent } from "../../lib/processes.js";

/** The creator has the first place. */
export const WAITER_SLOT = 1;
const WAITER = layout.PARTICIPANTS_OFFSET + WAITER_SLOT * layout.PARTICIPANT_BYTES;
/** Its doorbell for promises, and the one for its thread while that blocks. */
export const BELL = WAITER + layout.PARTICIPANT_DOORBELL_OFFSET;
export const BLOCKED_BELL = WAITER + layout.PARTICIPANT_BLOCKED_BELL_OFFSET;

export interface Case {
  name: string;
  /** What `wait` of the actions is asked for. */
  wait: string;
  /** Its set of waiters. */
  set(name: string): number;
  /** What the wait ends with. */
  ends: unknown;
  /** Brings about that there is nothing yet; then `act` rings, and `after` does what is left until the wait can end. */
  prepare(segment: Segment, waiter: Agent): Promise<{ act: () => unknown; after?: () => unknown }>;
}

export const value = struct({ number: "u32" });

const at = (object: string, offset: number) => (name: string) => objectOffset(name, object) + offset;
const data = at("ring", layout.RING_WAITERS_OFFSET);
const room = at("ring", layout.RING_WAITERS_OFFSET + layout.OBJECT_ALIGNMENT);
const endsSet = at("ring", layout.RING_WAITERS_OFFSET + 2 * layout.OBJECT_ALIGNMENT);
const signal = (object: string) => at(object, layout.SIGNAL_WAITERS_OFFSET);
const sharedSet = at("lock", layout.LOCK_WAITERS_OFFSET);
const exclusiveSet = at("lock", layout.LOCK_WAITERS_OFFSET + layout.OBJECT_ALIGNMENT);
const ringOf = (segment: Segment) => segment.ring("ring", { bytes: 4 * KiB });

/** A consumer in the other process, and what its producer here does. */
function receiving(
  name: string,
  ends: string,
  act: (producer: ReturnType<typeof producerOf>) => unknown,
): Case {
  return {
    name,
    wait: "data",
    set: data,
    ends,
    async prepare(segment, waiter) {
      await waiter.call("attachConsumer");
      const producer = producerOf(segment);
      return { act: () => act(producer) };
    },
  };
}

/** A subscriber in the other process, and what the publisher here does. */
function subscribing(
  name: string,
  ends: string,
  act: (publisher: ReturnType<typeof publisherOf>) => unknown,
): Case {
  return {
    name,
    wait: "published",
    set: at("topic", layout.BROADCAST_WAITERS_OFFSET),
    ends,
    async prepare(segment, waiter) {
      const publisher = publisherOf(segment);
      await waiter.call("subscribe");
      return { act: () => act(publisher) };
    },
  };
}

/** What `lockShared` of the core returns when a claim came between its look at the lock and its bit. */
const STEPPED_BACK = 2;

/** Opens it with a core that always steps back from a shared lock: within one call of the core nobody can come in between. */
function openSteppingBack(name: string): Segment {
  const core = internal<{ instantiate: (...given: unknown[]) => Core }>("core");
  const { instantiate } = core;
  core.instantiate = (...given) => ({ ...exportsOf(instantiate(...given)), lockShared: () => STEPPED_BACK });
  try {
    return Segment.open(name);
  } finally {
    core.instantiate = instantiate;
  }
}

const topicOf = (segment: Segment) => segment.broadcast("topic", { bytes: 4 * KiB });

function publisherOf(segment: Segment) {
  return topicOf(segment).publisher();
}

function producerOf(segment: Segment) {
  return ringOf(segment).producer();
}

/** A producer in the other process whose ring is full, and what its consumer here does. */
function sending(
  name: string,
  act: (consumer: ReturnType<typeof consumerOf>) => unknown,
  after?: (segment: Segment) => unknown,
): Case {
  return {
    name,
    wait: "room",
    set: room,
    ends: "done",
    async prepare(segment, waiter) {
      const consumer = consumerOf(segment);
      await waiter.call("fill");
      return { act: () => act(consumer), after: () => after?.(segment) };
    },
  };
}

function consumerOf(segment: Segment) {
  return ringOf(segment).consumer();
}

type Mode = "exclusive" | "shared";

/** The other process wants the lock, which is held here. */
function locking(
  name: string,
  wait: Mode,
  mode: Mode,
  act: (held: ReturnType<typeof heldOf>, segment: Segment) => unknown,
): Case {
  return {
    name,
    wait,
    set: wait === "shared" ? sharedSet : exclusiveSet,
    ends: wait,
    async prepare(segment) {
      const held = heldOf(segment, mode);
      return { act: () => act(held, segment) };
    },
  };
}

function heldOf(segment: Segment, mode: Mode) {
  return segment.lock("lock").acquireSync(mode, { timeoutMs: 10_000 });
}

export const CASES: Case[] = [
  {
    name: "a wait for the producer's end, by its holder that closes it",
    wait: "producer",
    set: endsSet,
    ends: "done",
    async prepare(segment) {
      const producer = producerOf(segment);
      return { act: () => producer.close() };
    },
  },
  {
    name: "a wait for the producer's end, by its holder that abandons a stream",
    wait: "producer",
    set: endsSet,
    ends: "done",
    async prepare(segment) {
      const writable = ringOf(segment).writable();
      return { act: () => void writable.abort("enough").catch(() => {}) };
    },
  },
  {
    name: "a wait for the consumer's end, by its holder that closes it",
    wait: "consumer",
    set: endsSet,
    ends: "done",
    async prepare(segment) {
      const consumer = consumerOf(segment);
      return { act: () => consumer.close() };
    },
  },
  receiving("a receive, by a send", "record 1", (producer) => producer.trySend(Uint8Array.of(1))),
  receiving("a receive, by a batch", "record 2", (producer) => producer.trySendMany([Uint8Array.of(2)])),
  receiving("a receive, by a claim that is committed", "record 0", (producer) =>
    producer.tryClaim(8)?.commit(),
  ),
  receiving("a receive, by the end of the producer", "end of the stream", (producer) => producer.close()),
  sending("a send, by a drain", (consumer) => consumer.tryDrain(() => {})),
  sending("a send, by records received one by one", (consumer) => {
    while (consumer.tryReceive());
  }),
  sending("a send, by a record that is released", (consumer) => consumer.tryPeek()?.release()),
  sending(
    "a send, by the end of a consumer",
    (consumer) => consumer.close(),
    (segment) => consumerOf(segment).tryDrain(() => {}),
  ),
  sending("a send, by the end of a consumer that has taken records", (consumer) => {
    consumer.tryReceive();
    consumer.close();
  }),
  {
    name: "an acquire of a semaphore",
    wait: "semaphore",
    set: signal("semaphore"),
    ends: "done",
    prepare: async (segment) => ({ act: () => segment.semaphore("semaphore", { initial: 0 }).release() }),
  },
  {
    name: "a wait for an event",
    wait: "event",
    set: signal("event"),
    ends: "done",
    async prepare(segment) {
      segment.event("event").reset();
      return { act: () => segment.event("event").signal() };
    },
  },
  {
    name: "a wait for an event, when its bell passes its end",
    wait: "event",
    set: signal("event"),
    ends: "done",
    async prepare(segment) {
      for (const bell of [BELL, BLOCKED_BELL]) poke32(segment.name, bell, 0xffffffff);
      return {
        act() {
          segment.event("event").signal();
          const bells = [BELL, BLOCKED_BELL].map((bell) => peek32(segment.name, bell));
          assert.ok(bells.includes(0) && bells.includes(0xffffffff), "not one of them has passed its end");
        },
      };
    },
  },
  {
    name: "a wait for a value",
    wait: "latest",
    set: at("value", layout.LATEST_WAITERS_OFFSET),
    ends: 7,
    prepare: async (segment) => ({ act: () => segment.latest("value", value).write({ number: 7 }) }),
  },
  {
    name: "a wait for an object",
    wait: "object",
    set: () => layout.DIRECTORY_WAITERS_OFFSET,
    ends: "wanted",
    prepare: async (segment) => ({ act: () => segment.counter("wanted") }),
  },
  {
    name: "a wait for the publisher's end, by its holder that closes it",
    wait: "publisher",
    set: at("topic", layout.BROADCAST_WAITERS_OFFSET + layout.OBJECT_ALIGNMENT),
    ends: "done",
    async prepare(segment) {
      const publisher = topicOf(segment).publisher();
      return { act: () => publisher.close() };
    },
  },
  subscribing("a subscriber, by a record", "record 1", (publisher) => publisher.publish(Uint8Array.of(1))),
  subscribing("a subscriber, by many records", "record 2", (publisher) =>
    publisher.publishMany([Uint8Array.of(2), Uint8Array.of(3)]),
  ),
  subscribing("a subscriber, by a claim that is committed", "record 0", (publisher) =>
    publisher.claim(8).commit(),
  ),
  subscribing("a subscriber, by the end of the publisher", "end of the stream", (publisher) =>
    publisher.close(),
  ),
  locking("a claim, by an exclusive release", "exclusive", "exclusive", (held) => held.release()),
  locking("a claim, by a shared release", "exclusive", "shared", (held) => held.release()),
  locking("a shared acquire, by an exclusive release", "shared", "exclusive", (held) => held.release()),
  locking("a shared acquire, by a downgrade", "shared", "exclusive", (held) => held.downgrade()),
  locking("a claim, by a holder that closes the segment", "exclusive", "exclusive", (_, segment) =>
    segment.close(),
  ),
  {
    name: "a receive, by a send that finds only the end of the ring too short",
    wait: "data",
    set: data,
    ends: "record 9",
    async prepare(segment, waiter) {
      await waiter.call("attachConsumer");
      const producer = producerOf(segment);
      producer.trySend(new Uint8Array(2000));
      await waiter.call("wait", "data");
      // The consumer has to skip the padding before there is room.
      return { act: () => void producer.send(new Uint8Array(3000).fill(9)).catch(() => {}) };
    },
  },
  {
    name: "a shared acquire, by a claim that is taken back",
    wait: "shared",
    set: sharedSet,
    ends: "shared",
    async prepare(segment) {
      heldOf(segment, "shared");
      const claimant = Segment.open(segment.name);
      const controller = new AbortController();
      const claim = claimant.lock("lock").acquire("exclusive", { signal: controller.signal });
      claim.catch(() => claimant.close());
      return { act: () => controller.abort() };
    },
  },
  {
    name: "a claim, by a shared attempt that stepped back",
    wait: "exclusive",
    set: exclusiveSet,
    ends: "exclusive",
    async prepare(segment) {
      const held = heldOf(segment, "shared");
      const other = openSteppingBack(segment.name);
      return {
        act: () => assert.is(other.lock("lock").tryAcquire("shared"), undefined),
        after() {
          held.release();
          other.close();
        },
      };
    },
  },
  {
    name: "an upgrade, by a shared release",
    wait: "upgrade",
    set: exclusiveSet,
    ends: "exclusive",
    async prepare(segment, waiter) {
      const held = heldOf(segment, "shared");
      await waiter.call("hold", "shared");
      return { act: () => held.release() };
    },
  },
];
