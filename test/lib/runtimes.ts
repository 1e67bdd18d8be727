/** The runtimes that are there, and how each of them runs a file. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.js";

export interface Runtime {
  name: string;
  command: string;
  /** Arguments before the file. All let the program collect garbage by itself. */
  flags: string[];
}

const DENO_FLAGS = ["run", "--allow-all", "--no-lock", "--quiet", "--v8-flags=--expose-gc"];

export const node: Runtime = {
  name: `node ${process.versions.node.split(".")[0]}`,
  command: process.execPath,
  flags: ["--expose-gc"],
};

/**
 * The first of these files that is there. In `.bin` there may be a launcher that starts the runtime as a child of its own:
 * killing that one kills nothing, so the program itself is wanted.
 */
function installed(...files: string[]): string {
  const paths = files.map((file) => join(root, "node_modules", file));
  return paths.find((path) => existsSync(path)) ?? (paths[0] as string);
}

/** What `npm run test:windows` installs comes first: under Wine, the others are programs for Linux. */
const LANE = "../test/lanes/windows/node_modules";
const onWindows = (file: string): string[] => (process.platform === "win32" ? [`${LANE}/${file}`] : []);
const BUN = installed(
  ...onWindows("@oven/bun-windows-x64-baseline/bin/bun.exe"),
  "bun/bin/bun.exe",
  "bun/bin/bun",
);
const DENO = installed(
  ...onWindows("@deno/win32-x64/deno.exe"),
  "@deno/win32-x64/deno.exe",
  "deno/deno",
  "deno/deno.exe",
  "@deno/linux-x64-glibc/deno",
  "@deno/linux-arm64-glibc/deno",
);
export const bun: Runtime = { name: "bun", command: BUN, flags: ["run"] };
export const deno: Runtime = { name: "deno", command: DENO, flags: DENO_FLAGS };

/** The Node releases that `npm run test:runtimes` installs. */
const RELEASES = [18, 20, 22, 24, 26];

function release(major: number): Runtime {
  return {
    name: `node ${major}`,
    command: join(root, `test/runtimes/node_modules/node${major}/bin/node`),
    flags: ["--expose-gc"],
  };
}

/** The Node that runs this test, Bun and Deno. */
export function presentRuntimes(): Runtime[] {
  return [node, bun, deno].filter((runtime) => existsSync(runtime.command));
}

/** Every runtime that Isthmus promises to run in; fails when one is not installed. */
export function promisedRuntimes(): Runtime[] {
  const promised = [...RELEASES.map(release), bun, deno];
  for (const { name, command } of promised) {
    if (!existsSync(command))
      throw new Error(`${name} is not installed at ${command}: "npm ci --prefix test/runtimes"`);
  }
  return promised;
}
