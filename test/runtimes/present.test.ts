// watchdog: 240 s
/** Every ordered pair of the runtimes that `npm ci` installs. The lane has all of them: `npm run test:runtimes`. */
import { presentRuntimes } from "../lib/runtimes.js";
import { pairSuite } from "./pair.js";

const runtimes = presentRuntimes();
for (const first of runtimes) for (const second of runtimes) pairSuite(first, second).run();
