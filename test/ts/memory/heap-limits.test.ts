/** Sizes near 4 GiB: no sum of the core leaves 32 bits. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SEGMENT_FULL } from "../../../protocol/errors.js";
import { PAGE_BYTES, SEGMENT_PAGES_MAX } from "../../../protocol/limits.js";
import { shippedCore } from "../../lib/shipped.js";

const BYTES = PAGE_BYTES * SEGMENT_PAGES_MAX;

/**
 * The core over 4 GiB of address space of which it touches little: a segment that was made with `bytesAtFirst`, so that its tables
 * are small, and has grown.
 */
function grown(bytesAtFirst: number): Record<string, (...given: number[]) => number> {
  const pages = { initial: SEGMENT_PAGES_MAX, maximum: SEGMENT_PAGES_MAX, shared: true };
  const memory = new WebAssembly.Memory(pages);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(shippedCore())), {
    env: { memory },
  });
  const core = exports as Record<string, (...given: number[]) => number>;
  const call = (name: string, ...given: number[]): number => (core[name] as () => number)(...(given as []));
  assert.is(call("create", bytesAtFirst, 1, 64, 1, 1, 0), 0);
  assert.is(call("validate", bytesAtFirst, 0), 0);
  call("adopt", BYTES);
  assert.is(call("validate", BYTES, 0), 0);
  call("join", 0, 1, 0, 1);
  return core;
}

test("a request that would leave 32 bits is refused, and the heap stays whole", () => {
  const core = grown(PAGE_BYTES) as {
    heapAllocate(...given: number[]): number;
    heapCheck(): number;
    heapFree(offset: number): number;
  };
  for (let shift = 3; shift <= 16; shift++) {
    const alignment = 1 << shift;
    const sizes = [0xffff8000, 0xffffffff];
    for (let bytes = BYTES - 2 * PAGE_BYTES; bytes < BYTES; bytes += 4099) sizes.push(bytes);
    for (const bytes of sizes) {
      const result = core.heapAllocate(bytes, alignment, 0) >>> 0;
      if (result === SEGMENT_FULL) continue;
      assert.is(result % alignment, 0, `${bytes} at ${alignment} gave ${result}`);
      assert.ok(result + bytes <= BYTES, `${bytes} at ${alignment} end behind the segment`);
      assert.is(core.heapCheck(), 0, `${bytes} at ${alignment}`);
      assert.is(core.heapFree(result), 0);
    }
  }
});

test.run();
