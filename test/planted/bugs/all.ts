/** All bugs that the lane plants, and the sources that have none. */
import type { Bug } from "../bug.js";
import { BUGS as BROADCAST } from "./broadcast.js";
import { BUGS as CACHE } from "./cache.js";
import { BUGS as CLI } from "./cli.js";
import { BUGS as FACE } from "./face.js";
import { BUGS as HOSTED } from "./hosted.js";
import { BUGS as HOSTED_WAITS } from "./hosted-waits.js";
import { BUGS as MEMORY } from "./memory.js";
import { BUGS as QUEUE } from "./queue.js";
import { BUGS as RING } from "./ring.js";
import { BUGS as SEGMENT } from "./segment.js";
import { BUGS as SERVICE } from "./service.js";
import { BUGS as SHIMS } from "./shims.js";
import { BUGS as SYNC } from "./sync.js";
import { BUGS as VALUES } from "./values.js";
import { BUGS as WAIT } from "./wait.js";

export const BUGS: Bug[] = [
  ...WAIT,
  ...SEGMENT,
  ...FACE,
  ...RING,
  ...QUEUE,
  ...SERVICE,
  ...BROADCAST,
  ...VALUES,
  ...CACHE,
  ...MEMORY,
  ...SYNC,
  ...CLI,
  ...HOSTED,
  ...HOSTED_WAITS,
  ...SHIMS,
];

/** Why a source has no bug. */
export const WITHOUT_BUGS: Record<string, string> = {
  ...Object.fromEntries(
    "failure file guard load lock map memory name object security size text wait"
      .split(" ")
      .map((subject) => [`shims/windows_${subject}.c`, "these bugs are planted in the shim of Linux only"]),
  ),
  ...Object.fromEntries(
    "file handle index name object size wait"
      .split(" ")
      .map((subject) => [`shims/darwin_${subject}.c`, "these bugs are planted in the shim of Linux only"]),
  ),
  "assembly/hosted/index.ts": "names of what is exported only",
  "assembly/hosted/system.ts": "declarations only",
  "ts/core.ts": "the types of the core's functions, and one call that every test needs",
  "ts/host/embedded-core.d.cts": "types only",
  "ts/host/embedded-shims.d.cts": "types only",
  "ts/host/native.ts": "types only",
  "ts/host/text.ts": "one line, which every test needs",
  "ts/ring/payload.ts": "types only",
  "ts/cli/command.ts": "types and texts only",
  "ts/cli/doctor/finding.ts": "three constructors of a record",
};
