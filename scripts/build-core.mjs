/** Compiles the cores, side by side: each takes one CPU for many seconds. */
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const asc = join(root, "node_modules/assemblyscript/bin/asc.js");

/** The arguments of `asc` for each. */
const CORES = [
  ["--target", "release"],
  ["--target", "plain"],
  ["assembly/hosted/index.ts", "--target", "hosted"],
];

const ends = await Promise.all(
  CORES.map(
    (given) =>
      new Promise((resolve, reject) => {
        const child = spawn(process.execPath, [asc, ...given, "--config", "asconfig.json"], {
          cwd: root,
          stdio: "inherit",
        });
        child.on("error", reject);
        child.on("exit", resolve);
      }),
  ),
);
process.exitCode = ends.every((code) => code === 0) ? 0 : 1;
