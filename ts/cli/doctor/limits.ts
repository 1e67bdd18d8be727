/**
 * What the limits of this process (ulimit) and of its cgroup mean for segments. As in `system.ts`, each function takes what it
 * judges, and `limitFindings` reads the real ones.
 */
import path from "node:path";
import { bytesText } from "../print.js";
import { type Finding, ok, warning } from "./finding.js";
import { textOf } from "./system.js";

/** Engines reserve up to this much address space per open segment. */
const ADDRESSES_PER_SEGMENT = 10 * 1024 ** 3;
const ADDRESSES_WANTED = 8 * ADDRESSES_PER_SEGMENT;
/** Each open segment takes one descriptor. Programs need some for other things. */
const DESCRIPTORS_WANTED = 256;
const GiB = 1024 ** 3;
/** What the kernel calls no limit, in the older kind of cgroup. */
const UNLIMITED_FROM = 2 ** 60;

/** The soft limit of that name in the text of /proc/self/limits; undefined when it is not there. */
function softLimit(limits: string | undefined, name: string): number | undefined {
  const [, text] = new RegExp(`^${name}\\s+(\\S+)`, "m").exec(limits ?? "") ?? [];
  return text === undefined ? undefined : text === "unlimited" ? Infinity : Number(text);
}

function limitText(bytes: number): string {
  return bytes === Infinity ? "unlimited" : bytesText(bytes);
}

export function addressSpaceFinding(limits: string | undefined): Finding {
  const check = "address space";
  const bytes = softLimit(limits, "Max address space");
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

export function openFilesFinding(limits: string | undefined): Finding {
  const check = "open files";
  const files = softLimit(limits, "Max open files");
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
  const bytes = softLimit(limits, "Max file size");
  if (bytes === undefined) return ok(check, "no limit is known");
  if (bytes >= 4 * GiB) return ok(check, limitText(bytes));
  return warning(
    check,
    `limited to ${bytesText(bytes)}: creating a larger segment fails with OUT_OF_SHARED_MEMORY`,
    "ulimit -f unlimited, or LimitFSIZE= of a service",
  );
}

/** Nothing can fail here; it is what people ask who know other shared memory. */
export function lockedMemoryFinding(limits: string | undefined): Finding {
  const bytes = softLimit(limits, "Max locked memory");
  const allowed = bytes === undefined ? "no limit is known" : `${limitText(bytes)} allowed`;
  return ok("locked memory", `${allowed}; segments need none: their pages may be swapped out like others`);
}

/** Judges how much memory the cgroup may have, beside the room for segments. */
export function memoryLimitFinding(limitBytes: number, sharedBytes: number): Finding {
  const check = "memory limit";
  if (limitBytes === Infinity) return ok(check, "no limit of a cgroup is seen");
  const found = `the cgroup may have ${bytesText(limitBytes)}`;
  if (limitBytes >= sharedBytes) return ok(check, `${found}, segments included`);
  return warning(
    check,
    `${found}, segments included, and shared memory holds ${bytesText(sharedBytes)}: who fills more is killed`,
    "raise the limit (docker run --memory=…, Kubernetes: resources.limits.memory, MemoryMax= of a service), or make " +
      "/dev/shm smaller than it, so that create fails with an error instead",
  );
}

/**
 * The lowest memory limit of the cgroup and those above it. Bytes; Infinity when there is none.
 *
 * @param cgroup text of /proc/self/cgroup
 * @param read gives the text of a file below /sys/fs/cgroup
 */
export function memoryLimit(cgroup: string, read: (file: string) => string | undefined): number {
  const unified = /^0::(\/.*)$/m.exec(cgroup)?.[1];
  const older = /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(\/.*)$/m.exec(cgroup)?.[1];
  let least = Infinity;
  const look = (root: string, group: string | undefined, name: string): void => {
    for (let at = group; at !== undefined; at = at === "/" ? undefined : path.dirname(at)) {
      const bytes = Number.parseInt(read(path.join(root, at, name)) ?? "", 10);
      if (bytes < UNLIMITED_FROM) least = Math.min(least, bytes);
    }
  };
  look("/", unified, "memory.max");
  look("/memory", older, "memory.limit_in_bytes");
  return least;
}

export function limitFindings(): Finding[] {
  const limits = textOf("/proc/self/limits");
  return [
    addressSpaceFinding(limits),
    openFilesFinding(limits),
    fileSizeFinding(limits),
    lockedMemoryFinding(limits),
  ];
}

/** @param sharedBytes how much shared memory there is */
export function cgroupFinding(sharedBytes: number): Finding {
  const limit = memoryLimit(textOf("/proc/self/cgroup") ?? "", (file) =>
    textOf(path.join("/sys/fs/cgroup", file)),
  );
  return memoryLimitFinding(limit, sharedBytes);
}
