/** The functions of a segment for shared values. */

import { NOT_FOUND } from "../../protocol/errors.js";
import type { Attachment, Lease } from "../segment/attachment.js";
import { acquireValue, changeValue, gone, referenceAt } from "./access.js";
import { type Dict, type List, type SharedScalar, wrap } from "./containers.js";
import type { SharedValue } from "./shared.js";
import { type Shareable, Sharing } from "./sharing.js";

/** What `segment.share` makes of a value. */
export type SharedOf<T> = T extends string | number | boolean | bigint | null | Date | Uint8Array
  ? SharedScalar
  : T extends readonly unknown[]
    ? List
    : Dict;

/** @internal */
export function share<T extends Shareable>(lease: Lease, value: T): SharedOf<T> {
  const { attachment } = lease;
  attachment.check(true);
  const work = new Sharing(attachment, "value");
  let kept = 0;
  try {
    const handle = work.handleOf(value);
    const made = wrap(lease, handle);
    kept = handle.handle;
    return made as SharedOf<T>;
  } finally {
    work.end(kept);
  }
}

/** @internal The value that is the root; undefined when there is none, or a block. */
export function rootValueOf(lease: Lease): Dict | List | SharedScalar | undefined {
  const { attachment } = lease;
  const { core, readOnly } = attachment;
  attachment.check(false);
  for (;;) {
    const at = core.heapRoot() >>> 0;
    const reference = referenceAt(attachment, at);
    if (!reference) return undefined;
    const handle = readOnly ? { handle: 0, reference } : acquireValue(attachment, reference);
    if (handle) return wrap(lease, handle);
    if (core.heapRoot() >>> 0 === at) return undefined;
  }
}

/** @internal */
export function setRootValue(attachment: Attachment, value: SharedValue): void {
  const { at, generation } = value.referenceIn(attachment, "root");
  const { core } = attachment;
  const result = changeValue(attachment, "setting the root", () => core.valueSetRoot(at, generation));
  if (result === NOT_FOUND) throw gone("the value");
}
