/** Where segments can be found: how the object behind each kind of segment is opened. */
import { oneOf, options, text } from "./arguments.js";
import { attempt } from "./errors.js";
import { native, Region } from "./host/region.js";
import { type Namespace, namespaceNumber, segmentName } from "./names.js";
import type { Making, Place } from "./opening.js";

export type Access = "read-write" | "read-only";

export interface OpenOptions {
  /** "read-only" maps without the right to write; default "read-write". */
  access?: Access;
  /** Default "local". */
  namespace?: Namespace;
}

export function isReadOnly(given: Pick<OpenOptions, "access"> | undefined): boolean {
  const { access = "read-write" } = options<OpenOptions>("options", given);
  return oneOf("access", access, ["read-write", "read-only"] as const) === "read-only";
}

export function namespaceOf(given: Pick<OpenOptions, "namespace"> | undefined): number {
  return namespaceNumber(options<OpenOptions>("options", given).namespace);
}

function opened(what: string, readOnly: boolean, open: () => number): Region {
  return new Region(attempt(what, open), readOnly);
}

/** The segment of that name. */
export function named(name: string, namespace: number, readOnly: boolean): Place {
  const valid = segmentName(name);
  return {
    name: valid,
    described: `segment "${valid}"`,
    remedy: "create it with { replace: true }",
    remove: () => attempt(`removing segment "${valid}"`, () => native.unlink(valid, namespace)),
    open: (making) =>
      opened(`opening segment "${valid}"`, readOnly, () =>
        native.openNamed(valid, namespace, making !== undefined, readOnly, making?.mode ?? 0),
      ),
  };
}

/** A new object that will take the name of the place when it is published. */
export function staged(place: Place, namespace: number, making: Making): Region {
  return opened(`creating segment "${place.name}"`, false, () =>
    native.openStaged(place.name, namespace, making.mode),
  );
}

const nameless = { name: "", described: "the anonymous segment", remedy: "make a new one" };

/** A new object without a name. */
export function anonymous(): Place {
  return {
    ...nameless,
    open: () => opened("creating an anonymous segment", false, () => native.openAnonymous()),
  };
}

/** The object that another process passed on. */
export function passedOn(handle: string, readOnly: boolean): Place {
  text("handle", handle);
  return {
    ...nameless,
    open: () => opened("opening an anonymous segment", readOnly, () => native.openHandle(handle, readOnly)),
  };
}
