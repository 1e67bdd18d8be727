import { BLOCK_GENERATION_OFFSET, BLOCK_HEADER_BYTES } from "../../protocol/layout.js";
import type { Attachment } from "../segment/attachment.js";

/**
 * The word that distinguishes a block in use from every other block that was or will be at its offset. It is even if there is
 * no such block.
 */
export function generationAt(attachment: Attachment, offset: number): number {
  return attachment.u32[(offset - BLOCK_HEADER_BYTES + BLOCK_GENERATION_OFFSET) >>> 2];
}
