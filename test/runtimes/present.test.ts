// watchdog: 240 s
/** Every ordered pair of the runtimes that `npm ci` installs. The lane has all of them: `npm run test:runtimes`. */
import { DEEP } from "../lib/depth.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { pairSuite } from "./pair.js";

const runtimes = presentRuntimes();
/** In a plain run each runtime is once on either side. */
const isTried = (first: number, second: number): boolean =>
  DEEP || first + second === 0 || (first + 1) % runtimes.length === second;
for (const [i, first] of runtimes.entries())
  for (const [k, second] of runtimes.entries()) if (isTried(i, k)) pairSuite(first, second).run();
