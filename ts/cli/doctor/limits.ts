/**
 * Checks what the limits of this process (ulimit) and of its cgroup mean for segments. Each function takes its data as arguments,
 * so that tests can pass those of any system. `limitFindings` reads the real limits with `ts/host/limits.ts`, as error texts do.
 */
import { bytesText, type MemoryLimit, memoryLimits, processLimit, textOf } from "../../host/limits.js";
import { isWindows } from "../../host/system.js";
import { type Finding, ok, problem, warning } from "./finding.js";

/** Engines reserve up to this much address space per open segment. */
const ADDRESSES_PER_SEGMENT = 10 * 1024 ** 3;
const ADDRESSES_WANTED = 8 * ADDRESSES_PER_SEGMENT;
/** Each open segment takes one descriptor. Programs need some for other things. */
const DESCRIPTORS_WANTED = 256;
const GiB = 1024 ** 3;
/** The smallest useful segment. */
const ROOM_MIN = 1024 ** 2;

export function addressSpaceFinding(limits: string | undefined): Finding {
  const check = "address space";
  const bytes = processLimit("addressSpace", limits);
  if (bytes === undefined) return ok(check, "no limit is known");
  if (bytes === Infinity) return ok(check, "unlimited");
  const segments = Math.floor(bytes / ADDRESSES_PER_SEGMENT);
  if (bytes >= ADDRESSES_WANTED) return ok(check, `${bytesText(bytes)}: about ${segments} open segments`);
  return warning(
    check,
    `limited to ${bytesText(bytes)}: about ${segments} open segments, because engines reserve 10 GiB of addresses for each`,
    "ulimit -v unlimited; limit memory with cgroups instead",
  );
}

export function dataFinding(limits: string | undefined): Finding {
  const check = "data size";
  const bytes = processLimit("data", limits);
  if (bytes === undefined) return ok(check, "no limit is known");
  if (bytes >= 4 * GiB) return ok(check, bytesText(bytes));
  return warning(
    check,
    `limited to ${bytesText(bytes)}: opening a larger segment fails, because the engine allocates its memory first`,
    "ulimit -d unlimited, or LimitDATA= of a service; limit memory with cgroups instead",
  );
}

export function openFilesFinding(limits: string | undefined): Finding {
  const check = "open files";
  const files = processLimit("openFiles", limits);
  if (files === undefined) return ok(check, "no limit is known");
  if (files >= DESCRIPTORS_WANTED) return ok(check, `${files}, of which each open segment takes one`);
  return warning(
    check,
    `limited to ${files}, of which each open segment takes one`,
    "ulimit -n 1024, LimitNOFILE= of a service, or docker run --ulimit nofile=1024",
  );
}

export function fileSizeFinding(limits: string | undefined): Finding {
  const check = "file size";
  const bytes = processLimit("fileSize", limits);
  if (bytes === undefined) return ok(check, "no limit is known");
  if (bytes >= 4 * GiB) return ok(check, bytesText(bytes));
  return warning(
    check,
    `limited to ${bytesText(bytes)}: creating a larger segment fails with OUT_OF_SHARED_MEMORY`,
    "ulimit -f unlimited, or LimitFSIZE= of a service",
  );
}

/** This check always passes. It is here because other kinds of shared memory need locked memory. */
export function lockedMemoryFinding(limits: string | undefined): Finding {
  const bytes = processLimit("lockedMemory", limits);
  const allowed = bytes === undefined ? "no limit is known" : `${bytesText(bytes)} allowed`;
  return ok(
    "locked memory",
    `${allowed}; segments need no locked memory, and their pages may be swapped out`,
  );
}

const RAISE =
  "raise the limit (docker run --memory=…, Kubernetes: resources.limits.memory, MemoryMax= of a service)";

/**
 * Judges how much memory this process may have.
 *
 * @param sharedBytes size of the file system for shared memory
 */
export function memoryLimitFinding(limits: MemoryLimit[], sharedBytes: number): Finding {
  const check = "memory limit";
  const [nearest] = [...limits].sort((one, other) => one.roomBytes - other.roomBytes);
  if (!nearest || nearest.roomBytes === Infinity) return ok(check, "no limit is known");
  const { who, limitBytes, roomBytes } = nearest;
  const room = bytesText(Math.max(0, roomBytes));
  const found = `${who} may have ${bytesText(limitBytes)}, segments included, and has ${room} left`;
  if (roomBytes < ROOM_MIN) return problem(check, found, `end programs that are not needed, or ${RAISE}`);
  const slow = limits.find(({ slowBytes }) => slowBytes < sharedBytes);
  if (slow) {
    return warning(
      check,
      `${found}; from ${bytesText(slow.slowBytes)} on the kernel slows down the processes of ${slow.who} (memory.high)`,
      "raise memory.high (MemoryHigh= of a service) above what the segments and the program need",
    );
  }
  const grouped = limits.filter(({ who }) => who.startsWith("cgroup "));
  const low = grouped.find((limit) => limit.limitBytes < sharedBytes);
  if (!low) return ok(check, found);
  return warning(
    check,
    `${found}; shared memory holds ${bytesText(sharedBytes)}, which is more than ${who} may have: a segment that does not ` +
      "fit fails with OUT_OF_SHARED_MEMORY, and the kernel kills other programs that fill shared memory",
    `${RAISE}, or make /dev/shm smaller`,
  );
}

/** The limits of this process. Windows has none of this kind. */
export function limitFindings(): Finding[] {
  if (isWindows) return [];
  const limits = textOf("/proc/self/limits");
  return [
    addressSpaceFinding(limits),
    dataFinding(limits),
    openFilesFinding(limits),
    fileSizeFinding(limits),
    lockedMemoryFinding(limits),
  ];
}

/** @param sharedBytes how much shared memory there is */
export function cgroupFinding(sharedBytes: number): Finding {
  return memoryLimitFinding(memoryLimits(), sharedBytes);
}
