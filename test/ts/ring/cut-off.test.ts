/**
 * A call of the core is cut off before or after it did its work (a full stack, a script that is stopped), and the same end goes
 * on: what it sends and receives then is what it would have been.
 */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Core } from "../../../ts/core.js";
import type { Attachment } from "../../../ts/segment/attachment.js";
import { exportsOf } from "../../lib/internals.js";
import { randomFrom } from "../../lib/schedule.js";

const CUT = new RangeError("cut off");
const CAPACITY = 512;
const RECORDS = 400;

type Name = "ringClaim" | "ringCommit" | "ringPublish" | "ringReceive" | "ringRelease";

/** Cuts off one call in so many: the core of a segment of which no end has been made yet. */
class Cutter {
  #calls = 0;
  enabled = true;

  constructor(attachment: Attachment, name: Name, when: "before" | "after", oneIn: number) {
    const core = attachment.core;
    const real = core[name] as (...args: number[]) => number;
    const cutting = (...args: number[]): number => {
      const cut = this.enabled && ++this.#calls % oneIn === 0;
      if (cut && when === "before") throw CUT;
      const result = real(...args);
      if (cut) throw CUT;
      return result;
    };
    (attachment as { core: Core }).core = { ...exportsOf(core), [name]: cutting };
  }
}

/** A ring in a segment whose core is cut off. */
function ground(name: Name, when: "before" | "after", oneIn: number) {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const probe = segment.ring("probe", { bytes: CAPACITY }).producer();
  const { attachment } = probe as unknown as { attachment: Attachment };
  const cutter = new Cutter(attachment, name, when, oneIn);
  const ring = segment.ring("r", { bytes: CAPACITY });
  return { segment, cutter, producer: ring.producer(), consumer: ring.consumer() };
}

function isCut(call: () => unknown): boolean {
  try {
    call();
    return false;
  } catch (error) {
    if (error !== CUT) throw error;
    return true;
  }
}

/** A payload of which each word is its number. */
function payload(number: number, words: number): Uint8Array {
  return new Uint8Array(new Uint32Array(words).fill(number).buffer);
}

function numberOf(bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.slice().buffer);
  for (const word of words) assert.is(word, words[0], "a record is torn");
  return words[0] as number;
}

for (const when of ["before", "after"] as const) {
  for (const name of ["ringClaim", "ringCommit", "ringPublish"] as const) {
    for (const oneIn of [1, 2, 3, 7]) {
      test(`a producer goes on when one ${name} in ${oneIn} was cut off ${when} its work`, () => {
        const { segment, producer, consumer } = ground(name, when, oneIn);
        const random = randomFrom(oneIn);
        /** Whether each record was sent: unknown when the call was cut off. */
        const sent: (boolean | undefined)[] = [];
        const came: number[] = [];
        const take = (): void => {
          consumer.tryDrain((record) => came.push(numberOf(record.copy())));
        };
        while (sent.length < RECORDS) {
          const numbers = Array.from({ length: 1 + random(5) }, (_, index) => sent.length + index);
          const payloads = numbers.map((number) => payload(number, 1 + random(20)));
          let done = 0;
          const cut = isCut(() => {
            if (name === "ringPublish") done = producer.trySendMany(payloads);
            else
              for (const bytes of payloads)
                if (producer.trySend(bytes)) done++;
                else break;
          });
          for (const index of numbers.keys()) sent.push(index < done ? true : cut ? undefined : false);
          if (random(2) === 0) take();
        }
        take();
        came.forEach((number, index) => {
          assert.ok(index === 0 || number > (came[index - 1] as number), `${number} came out of order`);
          assert.ok(sent[number] !== false, `${number} was not sent`);
        });
        sent.forEach((was, number) => {
          if (was) assert.ok(came.includes(number), `${number} is lost`);
        });
        segment.close();
      });
    }
  }

  for (const name of ["ringReceive", "ringRelease"] as const) {
    for (const oneIn of [1, 2, 3, 7]) {
      test(`a consumer goes on when one ${name} in ${oneIn} was cut off ${when} its work`, () => {
        const { segment, producer, consumer, cutter } = ground(name, when, oneIn);
        const random = randomFrom(oneIn);
        let sent = 0;
        let came = 0;
        const note = (bytes: Uint8Array): void => assert.is(numberOf(bytes), came++);
        const forms = [
          () => {
            const bytes = consumer.tryReceive();
            if (bytes) note(bytes);
          },
          () => {
            const record = consumer.tryPeek();
            if (record) note(record.copy());
            record?.release();
          },
          () => consumer.tryDrain((record) => note(record.copy()), { limit: 3 }),
        ];
        // When every call is cut off, nothing gets on: then one in two turns is not.
        for (let turn = 0; came < RECORDS; turn++) {
          cutter.enabled = oneIn > 1 || turn % 2 === 0;
          // No more than 56 bytes, so that none is so large that it is released when it is received.
          while (sent < RECORDS && producer.trySend(payload(sent, 1 + random(12)))) sent++;
          const form = forms[random(3)] as () => void;
          isCut(form);
          assert.ok(turn < 100 * RECORDS, `it does not get on: ${came} of ${sent}`);
        }
        segment.close();
      });
    }
  }
}

test.run();
