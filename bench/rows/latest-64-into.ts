import { latestContestant, valueFrom } from "./latest.js";

/** Each read overwrites one object. */
export const contestant = latestContestant((latest) => {
  const value = valueFrom(-1);
  return () => (latest.readInto(value) ? value : undefined);
});
