/** What of ours another process holds. */
import type { Agent } from "../lib/processes.js";
import { until } from "../lib/watchdog.js";

export interface Resources {
  descriptors: number;
  threads: number;
  mappings: number;
}

/**
 * Until the process holds just that, where that can be seen, which is on Linux. A thread has its name, and vanishes from /proc, a moment after the call that began
 * or ended it.
 */
export async function holds(agent: Agent, expected: Partial<Resources>): Promise<void> {
  if (process.platform !== "linux") return;
  await until(`${agent.name} to hold ${JSON.stringify(expected)}`, async () => {
    const now = await agent.call<Resources>("resources");
    return Object.entries(expected).every(([what, count]) => now[what as keyof Resources] === count);
  });
}
