/** The file that ships, and what the lanes run: instrumented copies of that very file. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CrashLane } from "./crash.js";
import { World } from "./explore.js";
import { type Instrumented, instrument } from "./instrument.js";
import type { PlayedSystem } from "./played-system.js";

/** One Wasm page: the smallest segment there is. */
export const SEGMENT_BYTES = 65536;

/** The bytes of dist/core.wasm, or of another file beside it. */
export function shippedCore(name = "core.wasm"): Uint8Array {
  return readFileSync(fileURLToPath(new URL(`../../../dist/${name}`, import.meta.url)));
}

export function crashLane(bytes = SEGMENT_BYTES): CrashLane {
  return new CrashLane(instrument(shippedCore(), { hooks: true }), bytes);
}

/** The lane over the core for hosts that block. */
export function hostedCrashLane(system: PlayedSystem): CrashLane {
  return new CrashLane(instrument(shippedCore("core-hosted.wasm"), { hooks: true }), SEGMENT_BYTES, system);
}

export function world(participants: number): World {
  return new World(explorable("core.wasm"), SEGMENT_BYTES, participants);
}

/** Participants that block; `plain`: the last ones have the core for hosts with an event loop. */
export function hostedWorld(participants: number, plain = 0): World {
  const hosted = explorable("core-hosted.wasm");
  const core = plain > 0 ? explorable("core.wasm") : hosted;
  const cores = Array.from({ length: participants }, (_, id) => (id < participants - plain ? hosted : core));
  return new World(cores, SEGMENT_BYTES, participants);
}

function explorable(name: string): Instrumented {
  return instrument(shippedCore(name), { hooks: true, asyncify: true });
}
