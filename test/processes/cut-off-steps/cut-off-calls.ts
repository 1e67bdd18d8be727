/**
 * A call of a lock, an end of a ring or a claim that is cut off before or after any of its calls of the core, as `cut-off-steps.ts`
 * has it. What its user has given back is free for the same opener at once, and for everybody after its heartbeat.
 */
import vm from "node:vm";
import { KiB, Segment, struct } from "isthmus";
import type { Attachment } from "../../../ts/segment/attachment.js";
import { exportsOf, internal } from "../../lib/internals.js";
import type { Then, Way } from "./cut-off-steps.js";

const { Attachment: attachments } =
  internal<typeof import("../../../ts/segment/attachment.js")>("segment/attachment");

const LARGE = struct({ number: "u32", bytes: "bytes:1000" });
const STOP_MS = 10;
const CALLS_MAX = 60;

type Call = (...given: number[]) => unknown;

/** What happens before and after each call of the core; undefined: nothing. */
let around: (() => void) | undefined;

/** A segment whose core can be watched. */
function watched(): { segment: Segment; attachment: Attachment } {
  const { prototype } = attachments;
  const { join } = prototype;
  let attachment: Attachment | undefined;
  prototype.join = function (this: Attachment): void {
    join.call(this);
    attachment = this;
    const core = Object.entries(exportsOf(this.core)).map(([name, value]) => [
      name,
      surrounded(value as Call),
    ]);
    Object.defineProperty(this, "core", { value: Object.fromEntries(core) });
  };
  try {
    const segment = Segment.createAnonymous({ bytes: 256 * KiB });
    return { segment, attachment: attachment as unknown as Attachment };
  } finally {
    prototype.join = join;
  }
}

function surrounded(call: Call): Call {
  if (typeof call !== "function") return call;
  return (...given) => {
    around?.();
    const result = call(...given);
    around?.();
    return result;
  };
}

interface Scene {
  /** Takes something; the result gives it back. */
  take(segment: Segment): () => void;
  /** Whether it can be had now; it is given back. */
  free(segment: Segment): boolean;
  /** A task of the opener itself comes next. */
  queued?: boolean;
}

function had(thing: { close(): void } | undefined): boolean {
  thing?.close();
  return thing !== undefined;
}

/** An end that somebody has is BUSY. */
function caught(take: () => { close(): void }): boolean {
  try {
    return had(take());
  } catch {
    return false;
  }
}

const ringOf = (segment: Segment) => segment.ring("ring", { bytes: KiB });
const topicOf = (segment: Segment) => segment.broadcast("topic", { bytes: KiB });
const lockIsFree = (segment: Segment): boolean => had(segment.lock("lock").tryAcquire());

export const scenes: Record<string, Scene> = {
  exclusive: {
    take: (segment) => {
      const held = segment.lock("lock").acquireSync();
      return () => held.release();
    },
    free: lockIsFree,
  },
  shared: {
    take: (segment) => {
      const held = segment.lock("lock").acquireSync("shared");
      return () => held.release();
    },
    free: lockIsFree,
  },
  "nested, the inner first": {
    take: (segment) => {
      const held = segment.lock("lock").acquireSync("shared");
      const inner = held.acquireSync("exclusive");
      return () => {
        inner.close();
        held.close();
      };
    },
    free: lockIsFree,
  },
  "exclusive, and a task waits": {
    take: (segment) => {
      const lock = segment.lock("lock");
      const held = lock.acquireSync();
      void lock.acquire("exclusive").then((next) => next.close());
      return () => held.release();
    },
    free: lockIsFree,
    queued: true,
  },
  downgrade: {
    take: (segment) => {
      const held = segment.lock("lock").acquireSync();
      return () => {
        if (held.mode === "exclusive") held.downgrade();
        held.close();
      };
    },
    free: lockIsFree,
  },
  producer: {
    take: (segment) => {
      const producer = ringOf(segment).producer();
      return () => producer.close();
    },
    free: (segment) => caught(() => ringOf(segment).producer()),
  },
  consumer: {
    take: (segment) => {
      const consumer = ringOf(segment).consumer();
      return () => consumer.close();
    },
    free: (segment) => caught(() => ringOf(segment).consumer()),
  },
  publisher: {
    take: (segment) => {
      const publisher = topicOf(segment).publisher();
      return () => publisher.close();
    },
    free: (segment) => caught(() => topicOf(segment).publisher()),
  },
  "claim, committed": {
    take: (segment) => {
      const claim = segment.latest("value", LARGE).claim();
      let done = false;
      return () => {
        if (done) return claim.abort();
        done = true;
        claim.commit();
      };
    },
    free: (segment) => caught(() => segment.latest("value", LARGE).claim()),
  },
  "claim, aborted": {
    take: (segment) => {
      const claim = segment.latest("value", LARGE).claim();
      return () => claim.abort();
    },
    free: (segment) => caught(() => segment.latest("value", LARGE).claim()),
  },
};

/** Whether the call was cut off. */
function cutOff(way: Way, at: number, run: () => void): boolean {
  let call = 0;
  let reached = false;
  const context = vm.createContext({ run });
  around = () => {
    if (++call < at) return;
    reached = true;
    if (way === "full") throw new RangeError("Maximum call stack size exceeded");
    for (;;);
  };
  try {
    if (way === "full") run();
    else vm.runInContext("run()", context, { timeout: STOP_MS });
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT") reached = true;
    else if (!(error instanceof RangeError)) throw error;
  } finally {
    around = undefined;
  }
  return reached;
}

/** What the timer does, where the stack is empty. */
function heartbeat(attachment: Attachment): void {
  attachment.settleLeftOvers();
  attachment.beat();
}

async function play(
  { take, free, queued }: Scene,
  way: Way,
  then: Then,
  at: number,
): Promise<string[] | undefined> {
  const { segment, attachment } = watched();
  const other = Segment.fromHandle(segment.handle);
  const problems: string[] = [];
  const giveBack = take(segment);
  const cut = cutOff(way, at, giveBack);
  if (then === "again") {
    giveBack(); // who was cut off before it was given back gives it back now
    if (!queued && !free(segment)) problems.push("the opener itself does not get it");
  }
  await new Promise((resolve) => setImmediate(resolve));
  heartbeat(attachment);
  giveBack();
  await new Promise((resolve) => setImmediate(resolve));
  if (!free(other)) problems.push("another one does not get it");
  if (!free(segment)) problems.push("the opener itself does not get it later");
  segment.close();
  other.close();
  return cut ? problems : undefined;
}

export async function playCalls(what: string, way: Way): Promise<{ problems: string[]; plays: number }> {
  const problems: string[] = [];
  let plays = 0;
  for (const then of ["again", "turn"] as const) {
    for (let at = 1; at < CALLS_MAX; at++) {
      const found = await play(scenes[what] as Scene, way, then, at);
      if (!found) break;
      plays++;
      problems.push(...found.map((one) => `${what}, ${way}, ${then}, at ${at}: ${one}`));
    }
  }
  return { problems, plays };
}
