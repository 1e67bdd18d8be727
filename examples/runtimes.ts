/** The runtimes that are there, and how each of them runs a program. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export interface Runtime {
  name: string;
  /** The program itself: what lies in the path may be a launcher, and a signal to that would not reach the runtime. */
  command: string;
  /** Arguments before the file to run. */
  flags: string[];
}

const PRINT_PROGRAM = ["-e", "console.log(process.execPath)"];
const known: Record<string, { flags: string[]; ask: string[] }> = {
  node: { flags: [], ask: PRINT_PROGRAM },
  bun: { flags: ["run"], ask: PRINT_PROGRAM },
  deno: { flags: ["run", "--allow-all"], ask: ["eval", "console.log(Deno.execPath())"] },
};

/**
 * The runtime of that name, from the path or from where npm installs it for this package.
 * @returns undefined when it is not there
 */
export function runtime(name: string): Runtime | undefined {
  const one = known[name];
  if (!one) throw new RangeError(`there is no runtime ${name}: use ${Object.keys(known).join(", ")}`);
  const { versions, execPath } = process;
  const own = versions.bun ? "bun" : versions.deno ? "deno" : "node";
  if (name === own) return { name, command: execPath, flags: one.flags };
  const installed = fileURLToPath(new URL("../../node_modules/.bin", import.meta.url));
  const { stdout, status } = spawnSync(name, one.ask, {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", PATH: `${process.env.PATH}${path.delimiter}${installed}` },
  });
  return status === 0 ? { name, command: stdout.trim(), flags: one.flags } : undefined;
}
