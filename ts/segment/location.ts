/** The locations of segments other than files: a name, a handle, or none (anonymous segments). */
import { ACCESS_DENIED, INVALID_NAME, NOT_FOUND, OUT_OF_SHARED_MEMORY } from "../../protocol/errors.js";
import { text } from "../arguments.js";
import { accessAdvice, ENLARGE, NOTHING_NAMED, noRoomAdvice } from "../host/advice.js";
import { errnoName, isFull } from "../host/errno.js";
import type { NativeError } from "../host/native.js";
import { native, Region } from "../host/region.js";
import type { Creation, Location, Owner } from "./life/open.js";
import { segmentName } from "./options.js";

/** More characters than any text of `segment.handle` has. */
const HANDLE_CHARACTERS_MAX = 200;

function noSpaceAdvice(): string {
  const { place, ...storage } = native.limits();
  return noRoomAdvice(
    place || "shared memory",
    storage,
    `Remove unused segments (isthmus prune), or raise the limit: ${ENLARGE}`,
  );
}

/** Explains why a named segment cannot be opened, created or removed, if the error number alone says too little. */
export function namedAdvice(name: string, error: NativeError): string | undefined {
  const { place, readOnly } = native.limits();
  if (place === "") {
    return (
      "there is no /dev/shm here, and named segments need it (AWS Lambda has none): mount a tmpfs there, or use " +
      'Segment.createAnonymous, or Segment.openFile with a path in "/tmp"'
    );
  }
  if (error.status === OUT_OF_SHARED_MEMORY && isFull(error.errno)) return noSpaceAdvice();
  if (readOnly && errnoName(error.errno) === "EROFS") {
    return (
      `${place} is mounted read-only: segments that exist can be opened with { access: "read-only" }; to make or ` +
      `change some, mount it writable (docker run --tmpfs ${place}, mount -o remount,rw ${place})`
    );
  }
  return error.status === ACCESS_DENIED ? accessAdvice(`${place}/isthmus.${name}`, error) : undefined;
}

const TO_CREATE = "create it, or wait for it with Segment.waitFor";

function nothingThere(doing: "opening" | "unlinking"): string {
  return doing === "opening"
    ? `${NOTHING_NAMED}; ${TO_CREATE}`
    : `${NOTHING_NAMED}; Segment.list() gives the names that exist`;
}

/** @internal The location of a named segment. `doing` names the attempt in errors. */
export function namedLocation(
  name: string,
  namespace: number,
  readOnly: boolean,
  owner: Owner = "self",
  doing: "opening" | "unlinking" = "opening",
): Location {
  const valid = segmentName(name);
  const openAs = (creation: Creation | undefined, reading: boolean) =>
    Region.open(
      `${doing} segment "${valid}"`,
      reading,
      () => native.openNamed(valid, namespace, creation !== undefined, reading, creation?.mode ?? 0),
      (error) => namedAdvice(valid, error) ?? (error.status === NOT_FOUND ? nothingThere(doing) : undefined),
    );
  return {
    name: valid,
    described: `segment "${valid}"`,
    remedy: "create it with { replace: true }",
    notFoundAdvice: TO_CREATE,
    noSpaceAdvice,
    refusedAdvice: (error) => namedAdvice(valid, error),
    owner,
    open: (creation) => openAs(creation, readOnly),
    openForWriting: () => openAs(undefined, false),
  };
}

/** @internal A new object that gets the name of the location when it is published. */
export function openStagedRegion(location: Location, namespace: number, creation: Creation): Region {
  return Region.open(
    `creating segment "${location.name}"`,
    false,
    () => native.openStaged(location.name, namespace, creation.mode),
    (error) => namedAdvice(location.name, error),
  );
}

const nameless = {
  name: "",
  described: "the anonymous segment",
  remedy: "make a new one",
  notFoundAdvice: "make one with Segment.createAnonymous",
  noSpaceAdvice: () =>
    "the system has not enough memory: end programs that are not needed, or raise the limit on memory",
};

/** @internal A new object without a name. */
export function anonymousLocation(): Location {
  return {
    ...nameless,
    open: () => Region.open("creating an anonymous segment", false, () => native.openAnonymous()),
  };
}

/** @internal The object that another process has passed on by its handle. */
export function handleLocation(handle: string, readOnly: boolean): Location {
  if (text("handle", handle).length > HANDLE_CHARACTERS_MAX || handle.includes("\0"))
    throw new RangeError(
      `handle must be a text of segment.handle: up to ${HANDLE_CHARACTERS_MAX} characters without NUL`,
    );
  return {
    ...nameless,
    open: () =>
      Region.open(
        "opening an anonymous segment",
        readOnly,
        () => native.openHandle(handle, readOnly),
        handleAdvice,
      ),
  };
}

function handleAdvice({ status, errno }: NativeError): string | undefined {
  if (status === INVALID_NAME) return "this is not a value of segment.handle";
  if (status === NOT_FOUND)
    return (
      "the process that gave the handle has closed the segment or ended, or a container or pid namespace hides it from this " +
      "one: take the handle of a process that has the segment open"
    );
  if (status !== ACCESS_DENIED) return undefined;
  if (!["EACCES", "EPERM"].includes(errnoName(errno)))
    return "this is not the handle of a segment: it refers to something that is not shared memory";
  return (
    "the kernel keeps the descriptors of that process from this one: it belongs to another user, or one of the two programs " +
    "has capabilities (setcap) or is setuid, so that the kernel protects it. Use a named segment between them, or give the " +
    "capability to the service instead of the program (AmbientCapabilities=, net.ipv4.ip_unprivileged_port_start)"
  );
}
