/** Where segments can be found: how the object behind each kind of segment is opened. */
import { INVALID_NAME, NOT_FOUND } from "../../protocol/errors.js";
import { text } from "../arguments.js";
import { attempt } from "../errors.js";
import type { NativeError } from "../host/native.js";
import { native, Region } from "../host/region.js";
import type { Creation, Location } from "./open.js";
import { segmentName } from "./options.js";

/** Longer than any text of `segment.handle`. */
const HANDLE_CHARACTERS_MAX = 200;

/** @internal @param notFoundAdvice advice for NOT_FOUND, where the general one says too little */
export function openRegion(
  what: string,
  readOnly: boolean,
  open: () => number,
  notFoundAdvice?: string,
): Region {
  const advice = (error: NativeError) => (error.status === NOT_FOUND ? notFoundAdvice : undefined);
  return new Region(attempt(what, open, advice), readOnly);
}

/** What the system allows is not the disk's but shared memory's. */
function noSpaceAdvice(): string {
  const { place, totalBytes, freeBytes } = native.limits();
  return (
    `${place || "shared memory"} has ${freeBytes} of ${totalBytes} bytes free. Remove unused segments (isthmus prune), ` +
    "or raise the limit: docker run --shm-size=1g, or mount -o remount,size=… /dev/shm"
  );
}

const TO_CREATE = "create it, or wait for it with Segment.waitFor";

/** @internal The segment of that name. */
export function namedLocation(name: string, namespace: number, readOnly: boolean): Location {
  const valid = segmentName(name);
  return {
    name: valid,
    described: `segment "${valid}"`,
    remedy: "create it with { replace: true }",
    notFoundAdvice: TO_CREATE,
    noSpaceAdvice,
    open: (creation) =>
      openRegion(
        `opening segment "${valid}"`,
        readOnly,
        () => native.openNamed(valid, namespace, creation !== undefined, readOnly, creation?.mode ?? 0),
        `there is nothing of that name; ${TO_CREATE}`,
      ),
  };
}

/** @internal A new object that will take the name of the location when it is published. */
export function openStagedRegion(location: Location, namespace: number, creation: Creation): Region {
  return openRegion(`creating segment "${location.name}"`, false, () =>
    native.openStaged(location.name, namespace, creation.mode),
  );
}

const nameless = {
  name: "",
  described: "the anonymous segment",
  remedy: "make a new one",
  notFoundAdvice: "make one with Segment.createAnonymous",
  noSpaceAdvice,
};

/** @internal A new object without a name. */
export function anonymousLocation(): Location {
  return {
    ...nameless,
    open: () => openRegion("creating an anonymous segment", false, () => native.openAnonymous()),
  };
}

/** @internal The object that another process passed on. */
export function handleLocation(handle: string, readOnly: boolean): Location {
  if (text("handle", handle).length > HANDLE_CHARACTERS_MAX || handle.includes("\0"))
    throw new RangeError(
      `handle must be a text of segment.handle: up to ${HANDLE_CHARACTERS_MAX} characters without NUL`,
    );
  return {
    ...nameless,
    open: () =>
      new Region(
        attempt("opening an anonymous segment", () => native.openHandle(handle, readOnly), handleAdvice),
        readOnly,
      ),
  };
}

function handleAdvice({ status }: NativeError): string | undefined {
  if (status === INVALID_NAME) return "this is no text that segment.handle has given";
  return status === NOT_FOUND
    ? "nobody has it open any more, or it is in a place that this process cannot see"
    : undefined;
}
