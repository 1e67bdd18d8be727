/** Runs where /dev/shm is empty: leaves segments in three ways, prunes by the command line given, prints what happened. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { MiB, Segment } from "isthmus";
import { compiled } from "../lib/paths.js";
import { finished, start } from "../lib/processes.js";
import { until } from "../lib/watchdog.js";

const prune = (...args: string[]): string =>
  spawnSync(process.execPath, [process.argv[2] as string, "prune", ...args], { encoding: "utf8" }).stdout;

const held = Segment.create("held", { bytes: MiB });
Segment.create("left-closed", { bytes: MiB }).close();
const child = start(process.execPath, [compiled("cli/holder.ts"), "left-by-killed"]);
const ended = finished(child, "the holder");
await until("the child has it open", () =>
  Segment.list().some(({ name, inUse, state }) => name === "left-by-killed" && inUse && state === "READY"),
);
child.kill("SIGKILL");
await ended;
writeFileSync("/dev/shm/isthmus.notes", "not a segment");
writeFileSync("/dev/shm/isthmus.pages", Buffer.alloc(65536, "not a segment"));
writeFileSync("/dev/shm/isthmus.left-empty", "");
const { removed, skipped } = JSON.parse(prune("--json"));
const human = prune();
const stays = Segment.list().map(({ name }) => name);
held.close();
console.log(JSON.stringify({ removed, skipped, human, stays }));
