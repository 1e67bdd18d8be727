/** Contestants whose right end gets no core, or receives what was not sent. */
import type { Contestant } from "../contest.js";
import { Disturbed } from "../disturbed.js";
import { expectSum } from "../stamp.js";

function ending(end: () => void): { contestant: Contestant } {
  const left = async () => ({ latenciesNs: [1] });
  return { contestant: { left, right: async () => end() } };
}

export const disturbed = ending(() => {
  throw new Disturbed("the stub got no core");
});

export const wrong = ending(() => expectSum(1, 2));
