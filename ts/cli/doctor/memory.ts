/** Checks shared memory with what the shim reports. */
import { accessSync, constants } from "node:fs";
import { ENLARGE } from "../../host/advice.js";
import { bytesText } from "../../host/limits.js";
import type { NativeLimits } from "../../host/native.js";
import { native } from "../../host/region.js";
import { isWindows } from "../../host/system.js";
import { Segment } from "../../index.js";
import { type Finding, ok, problem, warning } from "./finding.js";
import { cgroupFinding } from "./limits.js";

/** Less than this causes a warning. Docker's default is 64 MiB, which is too small for most programs. */
const SMALL_BYTES = 128 * 1024 * 1024;
/** The smallest useful segment. */
const FREE_BYTES_MIN = 1024 * 1024;

/** @param writable whether this user can create files there */
export function sizeFinding(limits: NativeLimits, writable: boolean): Finding {
  const { place, totalBytes, freeBytes, totalFiles, freeFiles, readOnly } = limits;
  const check = "shared memory";
  if (place === "") {
    return problem(
      check,
      "there is no location for named segments",
      "mount a tmpfs at /dev/shm; without it, use Segment.createAnonymous or Segment.openFile",
    );
  }
  const found = `${place}: ${bytesText(freeBytes)} free of ${bytesText(totalBytes)}`;
  if (readOnly)
    return problem(check, `${found}, but it is mounted read-only`, `mount -o remount,rw ${place}`);
  if (!writable)
    return problem(check, `${found}, but this user cannot create files there`, `chmod 1777 ${place}`);
  if (totalFiles > 0 && freeFiles === 0) {
    return problem(
      check,
      `${found}, but all ${totalFiles} inodes are used`,
      `remove unused segments (isthmus prune), or mount it with more: mount -o remount,nr_inodes=… ${place}`,
    );
  }
  if (freeBytes < FREE_BYTES_MIN)
    return problem(check, found, `remove unused segments (isthmus prune), or ${ENLARGE}`);
  if (totalBytes < SMALL_BYTES) return warning(check, found, ENLARGE);
  return ok(check, found);
}

export function watcherFinding({ wordsPerWatcher }: NativeLimits): Finding {
  const check = "futex_waitv";
  if (wordsPerWatcher > 1) return ok(check, `one thread waits for up to ${wordsPerWatcher} segments`);
  return warning(
    check,
    "missing: each open segment that is waited on needs a thread of its own",
    "no action is needed; Linux 5.16 or newer needs fewer threads, if the seccomp profile allows futex_waitv",
  );
}

function leftoverFinding(): Finding {
  const check = "leftovers";
  // `state` is undefined for files that are not segments or may not be read. `prune` does not remove these.
  const unused = Segment.list().filter(({ inUse, state }) => !inUse && state !== undefined);
  if (unused.length === 0) return ok(check, "every segment is in use");
  const bytes = unused.reduce((sum, segment) => sum + segment.bytes, 0);
  const count = unused.length === 1 ? "1 segment" : `${unused.length} segments`;
  return warning(
    check,
    `${count}, ${bytesText(bytes)}, that no live process has open`,
    "isthmus prune, run by the user that owns them",
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
  // On Windows, names are in no folder, every user may give some, and nothing is left over when the processes have ended.
  if (isWindows) return [sizeFinding(limits, true)];
  return [
    sizeFinding(limits, isWritable(limits.place)),
    cgroupFinding(limits.totalBytes),
    watcherFinding(limits),
    leftoverFinding(),
  ];
}
