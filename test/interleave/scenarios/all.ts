/** Every scenario of the interleavings. */
import { directoryScenarios } from "./directory.js";
import type { Explored } from "./ground.js";
import { heapScenarios } from "./heap.js";
import { latestScenarios } from "./latest.js";
import { lockScenarios } from "./lock.js";
import { ringScenarios } from "./ring.js";
import { ringEndScenarios } from "./ring-ends.js";
import { signalScenarios } from "./signal.js";

export const scenarios: Explored[] = [
  ...signalScenarios,
  ...lockScenarios,
  ...heapScenarios,
  ...directoryScenarios,
  ...latestScenarios,
  ...ringScenarios,
  ...ringEndScenarios,
];
