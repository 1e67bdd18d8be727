/** What the contestants have in common that send from two processes to two others. Right ends 0 and 1 send, 2 and 3 receive. */
import type { Link, Plan, Sample } from "../contest.js";
import { expectSum, messageSum } from "../stamp.js";

export const PRODUCERS = 2;

/** What a right end says after each round. */
export interface Told {
  /** Messages that it took; 0 of a producer. */
  taken: number;
  sum: number;
}

/** Rounds of a run: one that is not counted, and one that is. */
export function roundsOf(plan: Plan): number[] {
  return [plan.warmup, plan.count];
}

/** Starts each round, and waits until all right ends have said what they did. The rate of the last round counts. */
export async function lead(plan: Plan, link: Link, go: (round: number) => void): Promise<Sample> {
  let sample: Sample = {};
  // One that is done is ready for the next round, perhaps before others are done.
  let ready = 0;
  let told: Told[] = [];
  const next = async (): Promise<void> => {
    const message = (await link.receive()) as Told | "ready";
    if (message === "ready") ready++;
    else told.push(message);
  };
  for (const [round, count] of roundsOf(plan).entries()) {
    while (ready < plan.rights * (round + 1)) await next();
    told = [];
    const start = performance.now();
    go(round);
    while (told.length < plan.rights) await next();
    const perSecond = (count * 1000) / (performance.now() - start);
    let expected = 0;
    for (let i = 0; i < count; i++)
      expected = (expected + messageSum(plan.payloadBytes >>> 2, plan.strideWords, i)) | 0;
    expectSum(
      told.reduce((sum, one) => (sum + one.sum) | 0, 0),
      expected,
    );
    const taken = told.map((one) => one.taken).filter((one) => one > 0);
    expectSum(
      taken.reduce((sum, one) => sum + one, 0),
      count,
    );
    sample = { perSecond, parts: { fewestOfMost: Math.min(...taken) / Math.max(...taken) } };
  }
  return sample;
}
