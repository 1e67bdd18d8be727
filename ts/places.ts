/** Where segments can be found: how the object behind each kind of segment is opened. */
import { INVALID_NAME, NOT_FOUND } from "../protocol/errors.js";
import { oneOf, options, text } from "./arguments.js";
import { attempt } from "./errors.js";
import type { NativeError } from "./host/native.js";
import { native, Region } from "./host/region.js";
import { type Namespace, namespaceNumber, segmentName } from "./names.js";
import type { Making, Place } from "./opening.js";

/** Longer than any text of `segment.handle`. */
const HANDLE_CHARACTERS_MAX = 200;

/** What an opener may do. */
export type Access = "read-write" | "read-only";

/** How a segment is opened. */
export interface OpenOptions {
  /** "read-only" maps without the right to write; default "read-write". */
  access?: Access | undefined;
  /** Where the name lives. Default "local". */
  namespace?: Namespace | undefined;
}

/** @internal */
export function isReadOnly(given: Pick<OpenOptions, "access"> | undefined): boolean {
  const { access = "read-write" } = options<OpenOptions>("options", given);
  return oneOf("access", access, ["read-write", "read-only"] as const) === "read-only";
}

/** @internal */
export function namespaceOf(given: Pick<OpenOptions, "namespace"> | undefined): number {
  return namespaceNumber(options<OpenOptions>("options", given).namespace);
}

/** @internal @param absent advice for NOT_FOUND, where the general one says too little */
export function opened(what: string, readOnly: boolean, open: () => number, absent?: string): Region {
  const advice = (error: NativeError) => (error.status === NOT_FOUND ? absent : undefined);
  return new Region(attempt(what, open, advice), readOnly);
}

/** What the system allows is not the disk's but shared memory's. */
function crowded(): string {
  const { place, totalBytes, freeBytes } = native.limits();
  return (
    `${place || "shared memory"} has ${freeBytes} of ${totalBytes} bytes free. Remove unused segments (isthmus prune), ` +
    "or raise the limit: docker run --shm-size=1g, or mount -o remount,size=… /dev/shm"
  );
}

const TO_CREATE = "create it, or wait for it with Segment.waitFor";

/** @internal The segment of that name. */
export function named(name: string, namespace: number, readOnly: boolean): Place {
  const valid = segmentName(name);
  return {
    name: valid,
    described: `segment "${valid}"`,
    remedy: "create it with { replace: true }",
    absent: TO_CREATE,
    crowded,
    open: (making) =>
      opened(
        `opening segment "${valid}"`,
        readOnly,
        () => native.openNamed(valid, namespace, making !== undefined, readOnly, making?.mode ?? 0),
        `there is nothing of that name; ${TO_CREATE}`,
      ),
  };
}

/** @internal A new object that will take the name of the place when it is published. */
export function staged(place: Place, namespace: number, making: Making): Region {
  return opened(`creating segment "${place.name}"`, false, () =>
    native.openStaged(place.name, namespace, making.mode),
  );
}

const nameless = {
  name: "",
  described: "the anonymous segment",
  remedy: "make a new one",
  absent: "make one with Segment.createAnonymous",
  crowded,
};

/** @internal A new object without a name. */
export function anonymous(): Place {
  return {
    ...nameless,
    open: () => opened("creating an anonymous segment", false, () => native.openAnonymous()),
  };
}

/** @internal The object that another process passed on. */
export function passedOn(handle: string, readOnly: boolean): Place {
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
    ? "nobody has it open any more, or in a place that this process cannot see"
    : undefined;
}
