/** The shipped core as a host sees it that has nothing around it: one participant, in a segment of its own memory. */

import { HEADER_GENERATION_OFFSET, RUNTIME_OTHER } from "../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../protocol/limits.js";
import { type Core, instantiate } from "../../ts/core.js";

export interface Direct {
  core: Core;
  segment: Uint8Array;
  view: DataView;
}

/** Creates a segment and, if wanted, joins it at slot 0. The clock stands at `nowNs`. */
export function directCore(bytes: number, pid = 1, nowNs = 1e18, joined = true): Direct {
  const pages = bytes / 65536;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const core = instantiate(memory, false);
  const status = core.create(bytes, 1, PARTICIPANTS_MIN, pid, nowNs, 0);
  if (status !== 0) throw new Error(`create gave ${status}`);
  if (joined) core.join(0, pid, RUNTIME_OTHER, nowNs);
  const view = new DataView(memory.buffer);
  if (view.getUint32(HEADER_GENERATION_OFFSET, true) !== 1) throw new Error("not created");
  return { core, segment: new Uint8Array(memory.buffer), view };
}
