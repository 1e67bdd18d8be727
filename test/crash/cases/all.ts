/** Every case of the crash lane. */
import type { CrashCase } from "../../lib/crash.js";
import { DEEP } from "../../lib/depth.js";
import { broadcastCases } from "./broadcast.js";
import { cacheCases } from "./cache.js";
import { keptCases, settlingCases } from "./cut-off.js";
import { directoryCases } from "./directory.js";
import { headerCases } from "./header.js";
import { heapCases } from "./heap.js";
import { latestCases } from "./latest.js";
import { lockCases } from "./lock.js";
import { participantCases } from "./participants.js";
import { queueCases } from "./queue.js";
import { referenceCases } from "./queue-values.js";
import { ringCases } from "./ring.js";
import { serviceCases } from "./service.js";
import { signalCases } from "./signal.js";
import { transactionCases } from "./transaction.js";
import { turnCases } from "./turn.js";
import { valueCases } from "./values.js";
import { waiterCases } from "./waiters.js";

export const crashCases: CrashCase[] = [
  ...waiterCases,
  ...headerCases,
  ...participantCases,
  ...ringCases,
  ...broadcastCases,
  ...cacheCases,
  ...queueCases,
  ...referenceCases,
  ...serviceCases,
  ...latestCases,
  ...heapCases,
  ...transactionCases,
  ...valueCases,
  ...turnCases,
  ...lockCases,
  ...signalCases,
  ...directoryCases,
  ...keptCases,
  ...settlingCases,
];

/** Whether a case is played in this run. What was in the memory before makes hardly a difference. */
export function isPlayed({ name }: CrashCase): boolean {
  return DEEP || !name.endsWith(", stale memory");
}
