import { type Latest, Segment, type StructValue, struct } from "isthmus";
import { PATIENCE_MS, timeBlocks } from "../clock.js";
import type { Contestant } from "../contest.js";
import { Disturbed } from "../disturbed.js";

const fields = { a: "f64", b: "f64", c: "f64", d: "f64", e: "f64", f: "f64", g: "f64", h: "f64" } as const;
/** 64 bytes that must belong together: each field is the first one plus its place. */
export const Value = struct(fields);
export type ValueOf = StructValue<typeof fields>;
const FIELDS = 8;
/** The writer looks for messages of its parent after this long. Milliseconds. */
const SLICE_MS = 5;

export function valueFrom(n: number): ValueOf {
  return { a: n, b: n + 1, c: n + 2, d: n + 3, e: n + 4, f: n + 5, g: n + 6, h: n + 7 };
}

export function isWhole(value: ValueOf): boolean {
  const sum = value.a + value.b + value.c + value.d + value.e + value.f + value.g + value.h;
  return sum === FIELDS * value.a + (FIELDS * (FIELDS - 1)) / 2;
}

/** Reads beside a writer; `reading` makes the function that reads once. */
export function latestContestant(
  reading: (latest: Latest<typeof fields>) => () => ValueOf | undefined,
): Contestant {
  return {
    async left(plan, link) {
      using segment = Segment.create(plan.segment, { bytes: 1 << 20 });
      const latest = segment.latest("value", Value);
      latest.write(valueFrom(0));
      const read = reading(latest);
      link.send("open");
      await link.receive();
      let seen = -1;
      let changes = 0;
      let mixed = 0;
      const latenciesNs = timeBlocks(plan, () => {
        const value = read();
        if (!value) throw new Error("a value that was written is missing");
        if (!isWhole(value)) mixed++;
        if (value.a !== seen) changes++;
        seen = value.a;
      });
      link.send("stop");
      if (mixed > 0) throw new Error(`${mixed} values were mixed from two writes`);
      if (changes < 2) throw new Disturbed("the writer got no core while it was read");
      segment.unlink();
      const reads = (plan.warmup + plan.count) * plan.block;
      return { latenciesNs, parts: { "reads that saw a new value": changes / reads } };
    },

    async right(plan, link) {
      await link.receive();
      using segment = Segment.open(plan.segment);
      const latest = segment.latest("value", Value);
      let stopped = false;
      const giveUp = performance.now() + PATIENCE_MS;
      link.receive().then(() => {
        stopped = true;
      });
      link.send("ready");
      for (let n = 1; !stopped; ) {
        const sliceEnd = performance.now() + SLICE_MS;
        for (let now = performance.now(); now < sliceEnd; n++) {
          latest.write(valueFrom(n));
          const next = now + plan.paceNs / 1e6;
          do now = performance.now();
          while (now < next);
        }
        if (performance.now() > giveUp) throw new Disturbed(`nobody stopped the writer in ${PATIENCE_MS} ms`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}
