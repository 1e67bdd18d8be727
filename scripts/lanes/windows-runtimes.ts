/** The runtimes for Windows that `npm run test:windows` installs: paths in the tree, and the arguments before the file. */
import { join } from "node:path";
import { lanePackages } from "./places.js";

export interface WindowsRuntime {
  name: string;
  /** Its file, by a path below the lane's packages. */
  file: string;
  flags: string[];
}

const RELEASES = [18, 20, 22, 24, 26];

const nodes = RELEASES.map((major) => ({
  name: `node${major}`,
  file: `node_modules/node${major}/bin/node.exe`,
  flags: ["--expose-gc"],
}));

export const WINDOWS_RUNTIMES: WindowsRuntime[] = [
  ...nodes,
  { name: "bun", file: "node_modules/@oven/bun-windows-x64-baseline/bin/bun.exe", flags: ["run"] },
  {
    name: "deno",
    file: "node_modules/@deno/win32-x64/deno.exe",
    flags: ["run", "--allow-all", "--no-lock", "--quiet", "--v8-flags=--expose-gc"],
  },
];

export function programOf({ file }: WindowsRuntime): string {
  return join(lanePackages("windows"), file);
}
