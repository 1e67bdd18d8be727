/** What the shim says about shared memory. */
import { accessSync, constants } from "node:fs";
import type { NativeLimits } from "../../host/native.js";
import { native } from "../../host/region.js";
import { Segment } from "../../index.js";
import { bytesText } from "../print.js";
import { type Finding, ok, problem, warning } from "./finding.js";
import { cgroupFinding } from "./limits.js";

/** Docker's default is 64 MiB, which few programs are content with. */
const SMALL_BYTES = 128 * 1024 * 1024;
/** The smallest useful segment. */
const FREE_BYTES_MIN = 1024 * 1024;

const enlarge =
  "docker run --shm-size=1g …; Kubernetes: an emptyDir with medium: Memory on /dev/shm; a host: mount -o remount,size=… /dev/shm";

/** @param writable whether this user may make files there */
export function sizeFinding({ place, totalBytes, freeBytes }: NativeLimits, writable: boolean): Finding {
  const check = "shared memory";
  if (place === "") {
    return problem(check, "there is no place for named segments", "mount a tmpfs at /dev/shm");
  }
  const found = `${place}: ${bytesText(freeBytes)} free of ${bytesText(totalBytes)}`;
  if (!writable)
    return problem(check, `${found}, but this user may not make files there`, `chmod 1777 ${place}`);
  if (freeBytes < FREE_BYTES_MIN)
    return problem(check, found, `remove unused segments (isthmus prune), or ${enlarge}`);
  if (totalBytes < SMALL_BYTES) return warning(check, found, enlarge);
  return ok(check, found);
}

export function watcherFinding({ wordsPerWatcher }: NativeLimits): Finding {
  const check = "futex_waitv";
  if (wordsPerWatcher > 1) return ok(check, `one thread waits for up to ${wordsPerWatcher} segments`);
  return warning(
    check,
    "missing: one thread for each open segment that is waited on",
    "nothing must be done; a kernel from 5.16 on whose seccomp profile allows futex_waitv needs fewer threads",
  );
}

function leftoverFinding(): Finding {
  const check = "leftovers";
  // What is another user's or no segment, prune does not remove.
  const unused = Segment.list().filter(({ inUse, state }) => !inUse && state !== undefined);
  if (unused.length === 0) return ok(check, "no segment without a user");
  const bytes = unused.reduce((sum, segment) => sum + segment.bytes, 0);
  const count = unused.length === 1 ? "1 segment" : `${unused.length} segments`;
  return warning(
    check,
    `${count}, ${bytesText(bytes)}, that nobody alive has open`,
    "isthmus prune, by each user who left some",
  );
}

function isWritable(place: string): boolean {
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function memoryFindings(): Finding[] {
  const limits = native.limits();
  return [
    sizeFinding(limits, isWritable(limits.place)),
    cgroupFinding(limits.totalBytes),
    watcherFinding(limits),
    leftoverFinding(),
  ];
}
