/** Every scenario of the hosted core. */
import { hostedMemoryScenarios } from "./hosted-memory.js";
import { hostedRingScenarios } from "./hosted-ring.js";
import { hostedSyncScenarios } from "./hosted-sync.js";

export const hostedScenarios = [...hostedRingScenarios, ...hostedSyncScenarios, ...hostedMemoryScenarios];
