/** The fingerprint of the layout: what all participants of a segment must agree on. */
import { agreed } from "./layout-groups.js";

/** FNV-1a over "NAME=value;" of the constants on which all must agree, in the order of their names. */
export function fingerprint(layout: Record<string, number>, limits: Record<string, number>): number {
  const constants = agreed(layout, limits);
  let hash = 0x811c9dc5;
  for (const name of Object.keys(constants).sort()) {
    for (const character of `${name}=${constants[name]};`) {
      hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
    }
  }
  // A positive 31-bit number means the same to asc (i32) and to tsc.
  return hash & 0x7fffffff;
}
