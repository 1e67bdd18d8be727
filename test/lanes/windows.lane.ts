// watchdog: 1800 s
/** The runtimes for Windows in pairs, under Wine or on Windows: "npm run test:windows". With --deep every ordered pair. */
import { existsSync } from "node:fs";
import { programOf, WINDOWS_RUNTIMES } from "../../scripts/lanes/windows-runtimes.js";
import { DEEP } from "../lib/depth.js";
import type { Runtime } from "../lib/runtimes.js";
import { pairSuite } from "../runtimes/pair.js";

if (process.platform !== "win32") throw new Error('run "npm run test:windows"');

const runtimes: Runtime[] = WINDOWS_RUNTIMES.map((runtime) => {
  const command = programOf(runtime);
  if (!existsSync(command)) throw new Error(`${command} is missing: "npm run test:windows" puts it there`);
  return { name: runtime.name, command, flags: runtime.flags };
});
/** In a plain run each runtime is once on either side, and the first one also with itself. */
const isTried = (first: number, second: number): boolean =>
  DEEP || first + second === 0 || (first + 1) % runtimes.length === second;
for (const [i, first] of runtimes.entries())
  for (const [k, second] of runtimes.entries()) if (isTried(i, k)) pairSuite(first, second).run();
