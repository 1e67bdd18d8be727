/**
 * The open segments, by the buffers that lie over them. The references are soft, so that a segment that the program has dropped
 * can be closed.
 */
import { wrongType } from "../arguments.js";
import { isBranded } from "../brand.js";
import { type Attachment, Lease } from "./attachment.js";
import type { Location } from "./life/open.js";
import { SoftReference } from "./soft-reference.js";

interface Known<S extends object> {
  readonly attachment: Attachment;
  readonly location: Location;
  readonly lease: SoftReference<Lease>;
  readonly segment: SoftReference<S>;
}

export class KnownSegments<S extends object> {
  readonly #all = new WeakMap<ArrayBufferLike, Known<S>>();

  add(lease: Lease, location: Location, segment: S): void {
    const { attachment } = lease;
    const found = {
      attachment,
      location,
      lease: new SoftReference(lease),
      segment: new SoftReference(segment),
    };
    this.#all.set(attachment.u8.buffer, found);
    attachment.onClosed = () => {
      found.lease.clear();
      found.segment.clear();
    };
  }

  /**
   * The open segment that contains a block, a view or an array; undefined when there is none.
   *
   * @param make makes its object anew, when the program has dropped it
   */
  containing(viewOrBlock: unknown, make: (lease: Lease, location: Location) => S): S | undefined {
    const found = this.#all.get(bufferOf(viewOrBlock));
    if (!found || found.attachment.closed) return undefined;
    const { attachment, location, lease, segment } = found;
    return segment.deref() ?? make(lease.deref() ?? new Lease(attachment), location);
  }
}

function bufferOf(viewOrBlock: unknown): ArrayBufferLike {
  const shared =
    isBranded(viewOrBlock, "Block") ||
    isBranded(viewOrBlock, "StructView") ||
    ArrayBuffer.isView(viewOrBlock);
  if (!shared) throw wrongType("viewOrBlock", "a block, a view of one, or a typed array", viewOrBlock);
  return (viewOrBlock as ArrayBufferView).buffer;
}
