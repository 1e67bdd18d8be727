/**
 * The calls that open a segment: what each of them accepts, and where its segment lies. `Segment` makes the object for what they
 * give.
 */
import { flag, objectOf, options, type WaitOptions, waiting } from "../arguments.js";
import type { Attachment } from "./attachment.js";
import { fileLocation } from "./life/file.js";
import { type Creation, type Location, type Mode, openLocation } from "./life/open.js";
import { replace } from "./life/replace.js";
import { openWhenReady } from "./life/wait-for.js";
import { anonymousLocation, handleLocation, namedLocation, openStagedRegion } from "./location.js";
import {
  type CreateOptions,
  creationOf,
  type FileOptions,
  type FileUrl,
  fileCreationOf,
  isReadOnly,
  namespaceOf,
  type OpenOptions,
  ownerOf,
} from "./options.js";

const OPEN_OPTIONS = ["access", "namespace", "owner"];
const CREATE_OPTIONS = ["bytes", "mode", "replace", "participants", "namespace", "temporary"];
const OPEN_OR_CREATE_OPTIONS = CREATE_OPTIONS.filter((name) => name !== "replace");
const FILE_OPTIONS = ["bytes", "access", "mode", "participants"];
const ANONYMOUS_OPTIONS = ["bytes", "participants"];
const HANDLE_OPTIONS = ["access"];

/** A segment that was opened, and where it lies. */
export interface Opened {
  readonly attachment: Attachment;
  readonly location: Location;
}

function opened(location: Location, mode: Mode, creation: Creation | undefined): Opened {
  return { attachment: openLocation(location, mode, creation), location };
}

export function create(name: string, given: CreateOptions): Opened {
  options("options", objectOf("options", given), CREATE_OPTIONS);
  const creation = creationOf(given);
  const namespace = namespaceOf(given);
  const location = namedLocation(name, namespace, false);
  if (!flag("replace", given.replace, false)) return opened(location, "create", creation);
  const attachment = replace(location, () => openStagedRegion(location, namespace, creation), creation);
  return { attachment, location };
}

function locationOf(name: string, given: OpenOptions | undefined): Location {
  return namedLocation(name, namespaceOf(given), isReadOnly(given), ownerOf(given));
}

export function open(name: string, given: OpenOptions | undefined): Opened {
  options("options", given, OPEN_OPTIONS);
  return opened(locationOf(name, given), "open", undefined);
}

export function openOrCreate(name: string, given: Omit<CreateOptions, "replace">): Opened {
  options("options", objectOf("options", given), OPEN_OR_CREATE_OPTIONS);
  const creation = creationOf(given);
  return opened(namedLocation(name, namespaceOf(given), false), "openOrCreate", creation);
}

/** @param keep makes the object for the user, before the event loop goes on */
export function openAwaited<T>(
  name: string,
  given: (OpenOptions & WaitOptions) | undefined,
  keep: (opened: Opened) => T,
): Promise<T> {
  const how = waiting(given, OPEN_OPTIONS);
  const location = locationOf(name, given);
  return openWhenReady(location, how, (attachment) => keep({ attachment, location }));
}

export function openFile(path: string | FileUrl, given: FileOptions | undefined): Opened {
  const wish = options<FileOptions>("options", given, FILE_OPTIONS);
  const readOnly = isReadOnly(wish);
  const location = fileLocation(path, readOnly);
  const wanted = fileCreationOf(wish);
  const creation = readOnly ? undefined : wanted;
  return opened(location, creation ? "openOrCreate" : "open", creation);
}

export function createAnonymous(given: Pick<CreateOptions, "bytes" | "participants">): Opened {
  options("options", objectOf("options", given), ANONYMOUS_OPTIONS);
  return opened(anonymousLocation(), "create", creationOf(given));
}

export function openHandle(handle: string, given: Pick<OpenOptions, "access"> | undefined): Opened {
  options("options", given, HANDLE_OPTIONS);
  return opened(handleLocation(handle, isReadOnly(given)), "open", undefined);
}
