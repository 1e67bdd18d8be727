import { BLOCK_GENERATION_OFFSET, BLOCK_HEADER_BYTES } from "../../protocol/layout.js";
import type { Attachment } from "../segment/attachment.js";

/** The word of a block in use that tells it from every other that was or will be at its offset. Even where there is none. */
export function generationAt(attachment: Attachment, offset: number): number {
  return attachment.u32[(offset - BLOCK_HEADER_BYTES + BLOCK_GENERATION_OFFSET) >>> 2];
}
