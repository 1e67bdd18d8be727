/** Every scenario of the interleavings. */
import { broadcastScenarios } from "./broadcast.js";
import { cacheScenarios } from "./cache.js";
import { directoryScenarios } from "./directory.js";
import { type Explored, late } from "./ground.js";
import { heapScenarios } from "./heap.js";
import { latestScenarios } from "./latest.js";
import { lockScenarios } from "./lock.js";
import { queueScenarios } from "./queue.js";
import { referenceScenarios } from "./queue-values.js";
import { ringScenarios } from "./ring.js";
import { ringEndScenarios } from "./ring-ends.js";
import { serviceScenarios } from "./service.js";
import { settleScenarios } from "./settle.js";
import { signalScenarios } from "./signal.js";
import { turnScenarios } from "./turn.js";
import { valueScenarios } from "./values.js";

/** Rings and values bring theirs along; of the heap and the directory only these are few enough to be run every time. */
const LATE = ["insert x walk", "the same name twice", "one waits for an object"];
const lateScenarios = [...signalScenarios, ...lockScenarios, ...heapScenarios, ...directoryScenarios]
  .filter(
    ({ name, deaths }) =>
      !deaths && (!/^(heap|directory)/.test(name) || LATE.some((part) => name.includes(part))),
  )
  .map((one) => late(one, Math.min(1, one.preemptions), 1));

export const scenarios: Explored[] = [
  ...signalScenarios,
  ...lockScenarios,
  ...heapScenarios,
  ...directoryScenarios,
  ...turnScenarios,
  ...settleScenarios,
  ...valueScenarios,
  ...queueScenarios,
  ...referenceScenarios,
  ...broadcastScenarios,
  ...cacheScenarios,
  ...serviceScenarios,
  ...latestScenarios,
  ...ringScenarios,
  ...ringEndScenarios,
  ...lateScenarios,
];
