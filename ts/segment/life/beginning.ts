/**
 * The first look at an object that may be a segment. It reads, it does not map: the owner of what is no segment has
 * promised nothing and may truncate it at any time. Touching mapped bytes that were truncated raises SIGBUS, which ends
 * the process.
 *
 * The core says what the bytes mean (`assembly/opening.ts`): the one over a page of its own, into which they are put. A look ends
 * before the next one begins.
 */
import { HEADER_BYTES } from "../../../protocol/layout.js";
import { type Core, instantiate } from "../../core.js";
import { native, newMemory, type Region } from "../../host/region.js";

let page: { bytes: Uint8Array; core: Core } | undefined;

/** The bytes where a header would be; fewer when the object is too short for one. */
export function firstBytes(region: Region): Uint8Array {
  return region.read(0, HEADER_BYTES);
}

/** Fails, where the core cannot be had, before anything was opened or made. */
export function prepareToLook(): void {
  native.now(); // loads the shim, which knows best what the runtime lacks
  coreOver(new Uint8Array(0));
}

/** The core over a page that begins with these bytes. */
export function coreOver(first: Uint8Array): Core {
  if (!page) {
    const memory = newMemory(1);
    page = { bytes: new Uint8Array(memory.buffer), core: instantiate(memory, false) };
  }
  page.bytes.set(first);
  return page.core;
}

/** The bytes of the header; undefined when the object is too short for one. */
export function beginningOf(region: Region): DataView | undefined {
  const { buffer, length } = firstBytes(region);
  return length === HEADER_BYTES ? new DataView(buffer) : undefined;
}
