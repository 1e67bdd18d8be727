/**
 * A call is cut off between two calls of the core (a full stack, a script that is stopped), and the same opener goes on; or the publisher
 * publishes there. What comes and what is lost is what was published.
 */
import { type Broadcast, type Publisher, Segment, type Subscriber } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BROADCAST_RECENT_OFFSET } from "../../../protocol/layout.js";
import type { Core } from "../../../ts/core.js";
import { exportsOf, internal } from "../../lib/internals.js";
import { objectOffset, poke64 } from "../../lib/poke.js";
import { segmentName } from "../../lib/segments.js";

const CUT = new RangeError("cut off");
const BYTES = 256;

type Name = Extract<keyof Core, `broadcast${string}`>;
type Call = (...args: number[]) => number;

interface Ground extends Disposable {
  publisher: Publisher;
  subscriber: Subscriber;
  topic: Broadcast;
  name: string;
}

/** Opens a segment twice; the calls of one core go through `through`, those of the publisher or those of the subscriber. */
function ground(
  whose: "publisher" | "subscriber",
  access: "read-write" | "read-only",
  name: Name,
  through: (call: Call) => Call,
): Ground {
  const core = internal<{ instantiate: (...given: unknown[]) => Core }>("core");
  const { instantiate } = core;
  const changed = (open: () => Segment, change: boolean): Segment => {
    core.instantiate = (...given) => {
      const real = instantiate(...given);
      return change ? { ...exportsOf(real), [name]: through(real[name] as Call) } : real;
    };
    try {
      return open();
    } finally {
      core.instantiate = instantiate;
    }
  };
  const segment = Segment.create(segmentName("cut-off"), { bytes: 2 ** 20 });
  segment.broadcast("t", { bytes: BYTES });
  const publishing = changed(() => Segment.open(segment.name), whose === "publisher");
  const reading = changed(() => Segment.open(segment.name, { access }), whose === "subscriber");
  return {
    topic: segment.broadcast("t"),
    name: segment.name,
    publisher: publishing.broadcast("t").publisher(),
    subscriber: reading.broadcast("t").subscriber(),
    [Symbol.dispose]() {
      segment.unlink();
      for (const one of [reading, publishing, segment]) one.close();
    },
  };
}

function unlessCut<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (error !== CUT) throw error;
    return undefined;
  }
}

const recordOf = (value: number): Uint8Array => new Uint8Array(1 + (value % 40)).fill(value);

const PLACES: ["publisher" | "subscriber", Name][] = [
  ["publisher", "broadcastClaim"],
  ["publisher", "broadcastPublish"],
  ["subscriber", "broadcastNext"],
  ["subscriber", "broadcastFollowing"],
  ["subscriber", "broadcastIsWhole"],
];

for (const [whose, name] of PLACES) {
  for (const when of ["before", "after"]) {
    for (const access of ["read-write", "read-only"] as const) {
      test(`one ${name} in three is cut off ${when} its work (${access})`, () => {
        let calls = 0;
        let enabled = true;
        using all = ground(whose, access, name, (call) => (...args) => {
          const cut = enabled && ++calls % 3 === 0;
          if (cut && when === "before") throw CUT;
          const result = call(...args);
          if (cut) throw CUT;
          return result;
        });
        const { publisher, subscriber, topic } = all;
        let received = 0;
        const take = (record: Uint8Array | undefined): void => {
          if (!record) return;
          received++;
          for (const byte of record) assert.is(byte, record[0]);
        };
        for (let i = 0; i < 200; i++) {
          unlessCut(() => publisher.publish(recordOf(i)));
          if (i % 5 === 0) unlessCut(() => publisher.publishMany([recordOf(i), recordOf(i + 1)]));
          if (i % 7 === 0) unlessCut(() => publisher.claim(5).commit(0));
          if (i % 11 < 8) take(unlessCut(() => subscriber.tryReceive()));
          const record = unlessCut(() => subscriber.tryPeek());
          if (!record) continue;
          const bytes = Uint8Array.from(record.bytes);
          // Who was cut off asks again: what was read before is what it was.
          if (unlessCut(() => record.isWhole()) ?? record.isWhole()) take(bytes);
          record.release();
        }
        enabled = false;
        for (let one = subscriber.tryReceive(); one; one = subscriber.tryReceive()) take(one);
        assert.ok(calls > 20, `${calls} calls`);
        assert.is(received + subscriber.lost, topic.stats.published);
      });
    }
  }
}

for (const access of ["read-write", "read-only"] as const) {
  for (const name of ["broadcastNext", "broadcastFound", "broadcastNumber", "broadcastIsWhole"] as const) {
    const when = name === "broadcastIsWhole" ? "before" : "after";
    test(`a copy during which the record is overwritten is not given: ${when} ${name} (${access})`, () => {
      let between = (): void => {};
      using all = ground("subscriber", access, name, (call) => (...args) => {
        if (when === "before") between();
        const result = call(...args);
        between();
        return result;
      });
      const { publisher, subscriber, topic } = all;
      let received = 0;
      for (let round = 0; round < 20; round++) {
        publisher.publish(recordOf(round));
        between = () => {
          between = () => {};
          for (let i = 0; i < 8 + round; i++) publisher.publish(recordOf(100 + i));
        };
        for (let one = subscriber.tryReceive(); one; one = subscriber.tryReceive()) {
          received++;
          assert.is(one.length, 1 + ((one[0] as number) % 40), "a whole record");
          for (const byte of one) assert.is(byte, one[0]);
        }
        assert.is(received + subscriber.lost, topic.stats.published);
      }
      assert.ok(subscriber.lost > 20 && received > 20);
    });
  }
}

test("the number of what a dead publisher has not published counts nothing, and what was lost is counted with the end", () => {
  using all = ground("subscriber", "read-write", "broadcastNext", (call) => call);
  const { publisher, subscriber, name } = all;
  for (let i = 0; i < 100; i++) publisher.publish(recordOf(i));
  // As one leaves it that dies right before its next record is published.
  poke64(name, objectOffset(name, "t") + BROADCAST_RECENT_OFFSET, 2n ** 40n);
  assert.is(subscriber.tryReceive(), undefined);
  assert.is(subscriber.lost, 0);
  publisher.close();
  assert.is(subscriber.receiveSync({ timeoutMs: 60_000 }), undefined);
  assert.is(subscriber.lost, 100);
});

test.run();
