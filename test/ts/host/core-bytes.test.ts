/** The two cores that lie in the JavaScript. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../../lib/paths.js";

interface CoreBytes {
  coreBytes(plain: boolean): Uint8Array;
}

test("readers of memory that cannot be written get the core that never writes, all others the usual one", () => {
  const { coreBytes } = createRequire(import.meta.url)(
    join(root, "dist/ts/host/core-bytes.cjs"),
  ) as CoreBytes;
  for (const [plain, file] of [
    [false, "core.wasm"],
    [true, "core-plain.wasm"],
  ] as const) {
    assert.is(Buffer.compare(coreBytes(plain), readFileSync(join(root, "dist", file))), 0, file);
  }
});

test.run();
