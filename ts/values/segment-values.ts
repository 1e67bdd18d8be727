/** The functions of a segment for shared values. */

import { NOT_FOUND } from "../../protocol/errors.js";
import {
  BLOCK_HEADER_BYTES,
  BLOCK_LAYOUT_OFFSET,
  VALUE_DICT,
  VALUE_KIND_MASK,
  VALUE_LATIN1,
  VALUE_MARK,
} from "../../protocol/layout.js";
import { generationAt } from "../memory/generation.js";
import type { Attachment, Lease } from "../segment/attachment.js";
import { acquireValue, changeValue, gone, Reference } from "./access.js";
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
  const { core, u32, readOnly } = attachment;
  attachment.check(false);
  for (;;) {
    const at = core.heapRoot() >>> 0;
    if (at < BLOCK_HEADER_BYTES || at % 8 !== 0 || at > attachment.bytes - 8) return undefined;
    const layout = u32[(at - BLOCK_HEADER_BYTES + BLOCK_LAYOUT_OFFSET) >>> 2] as number;
    const kind = layout & VALUE_KIND_MASK;
    if (layout >>> 8 !== VALUE_MARK >>> 8 || kind < VALUE_LATIN1 || kind > VALUE_DICT) return undefined;
    const reference = new Reference(kind, at, generationAt(attachment, at));
    const handle = readOnly ? { handle: 0, reference } : acquireValue(attachment, reference);
    if (handle) return wrap(lease, handle);
    if (core.heapRoot() >>> 0 === at) return undefined;
  }
}

/** @internal */
export function setRootValue(attachment: Attachment, value: SharedValue): void {
  const from = value.use(false);
  if (from !== attachment && !attachment.liesUnder(from.u8.buffer))
    throw new TypeError(`root must be a value of segment "${attachment.name}", got one of another segment`);
  const { at, generation } = value.reference;
  const { core } = attachment;
  const result = changeValue(attachment, "setting the root", () => core.valueSetRoot(at, generation));
  if (result === NOT_FOUND) throw gone("the value");
}
