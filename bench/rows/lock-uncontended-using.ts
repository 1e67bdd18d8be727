import { lockContestant } from "./lock-uncontended.js";

export const contestant = lockContestant("using");
