import { latestContestant } from "./latest.js";

/** Each read gives an object of its own. */
export const contestant = latestContestant((latest) => () => latest.read());
