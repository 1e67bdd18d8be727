/** The runtimes of other platforms, started through an emulator or a loader: to a test they are command lines. */
import { existsSync } from "node:fs";
import { ARM64_NODE, ARM64_ROOT, MUSL, MUSL_BUN, MUSL_LIBRARIES, QEMU } from "../../scripts/lanes/places.js";
import type { Runtime } from "../lib/runtimes.js";

function ready(lane: string, needed: string[], runtime: Runtime): Runtime {
  for (const file of needed) {
    if (!existsSync(file)) throw new Error(`${file} is missing: "npm run test:${lane}" puts it there`);
  }
  return runtime;
}

export function arm64Node(): Runtime {
  return ready("arm64", [QEMU, ARM64_ROOT, ARM64_NODE], {
    name: "node 20 arm64",
    command: QEMU,
    flags: ["-L", ARM64_ROOT, ARM64_NODE, "--expose-gc"],
  });
}

export function muslBun(): Runtime {
  return ready("musl", [MUSL, MUSL_LIBRARIES, MUSL_BUN], {
    name: "bun musl",
    command: MUSL,
    flags: ["--library-path", MUSL_LIBRARIES, MUSL_BUN, "run"],
  });
}
