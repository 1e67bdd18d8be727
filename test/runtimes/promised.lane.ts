// watchdog: 1200 s
/** Every ordered pair of the runtimes that Isthmus promises to run in. */
import { promisedRuntimes } from "../lib/runtimes.js";
import { pairSuite } from "./pair.js";

const runtimes = promisedRuntimes();
for (const first of runtimes) for (const second of runtimes) pairSuite(first, second).run();
