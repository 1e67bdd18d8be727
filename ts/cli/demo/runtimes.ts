/** Finds the runtimes for the stages of the demo, and proves that each can run one. */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { isWindows } from "../../host/system.js";
import { type Probed, runtimeText } from "./stage.js";

export interface Runtime {
  /** Its name and version, such as "Bun 1.4.5". */
  name: string;
  command: string;
  arguments: string[];
  /** Why another runtime takes the place of the wanted one; undefined when the wanted one runs. */
  substitute?: string;
}

const PROBE_MS_MAX = 20_000;

export function stageFile(name: string): string {
  return fileURLToPath(new URL(`./${name}.js`, import.meta.url));
}

/** Folders with programs: node_modules/.bin here and in every folder above, then PATH. */
function programFolders(): string[] {
  const folders: string[] = [];
  for (const begin of [path.dirname(stageFile("probe")), process.cwd()]) {
    for (let at = begin; ; at = path.dirname(at)) {
      folders.push(path.join(at, "node_modules", ".bin"));
      if (at === path.dirname(at)) break;
    }
  }
  return [...folders, ...(process.env.PATH ?? "").split(path.delimiter)];
}

/** On Windows, npm puts scripts into .bin that only a shell can start: the programs themselves are looked for beside it. */
const ENDING = isWindows ? ".exe" : "";
const PACKAGED: Partial<Record<RuntimeName, string[]>> = isWindows
  ? { bun: ["../bun/bin/bun.exe"], deno: ["../@deno/win32-x64/deno.exe", "../deno/deno.exe"] }
  : {};

function findProgram(name: RuntimeName): string | undefined {
  const names = [`${name}${ENDING}`, ...(PACKAGED[name] ?? [])];
  for (const file of programFolders().flatMap((folder) => names.map((one) => path.join(folder, one)))) {
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Runs the probe. Returns its report, or why the runtime cannot take part. */
function probe(command: string, given: string[]): (Probed & { direct: boolean }) | { reason: string } {
  const { pid, stdout, stderr, status, error } = spawnSync(command, [...given, stageFile("probe")], {
    encoding: "utf8",
    timeout: PROBE_MS_MAX,
    killSignal: "SIGKILL",
  });
  const last = stdout?.trim().split("\n").pop() ?? "";
  if (status !== 0 || !last.startsWith("{"))
    return { reason: error?.message ?? (stderr.trim().split("\n")[0] || `exit code ${status}`) };
  const probed = JSON.parse(last) as Probed;
  return { ...probed, direct: probed.pid === pid };
}

/**
 * The program to start. A file in a folder of programs may be a launcher that starts the runtime as its own child, and a signal
 * to the launcher would not reach that child. In that case the probe reports the path of the runtime itself.
 */
function programOf(found: string, given: string[]): { name: string; command: string } | { reason: string } {
  const first = probe(found, given);
  if ("reason" in first) return first;
  if (first.direct) return { name: first.name, command: found };
  const second = probe(first.program, given);
  if ("reason" in second) return second;
  if (second.direct) return { name: second.name, command: first.program };
  return { reason: "it can only be started through a launcher, which does not pass on signals" };
}

const wanted = {
  node: [],
  bun: [],
  deno: ["run", "--no-prompt", "--allow-all"],
};

type RuntimeName = keyof typeof wanted;

/** The runtime of this process. It takes the place of a runtime that is missing. */
function ownRuntime(): Runtime & { kind: RuntimeName } {
  const { versions, execPath } = process;
  const kind = versions.bun ? "bun" : versions.deno ? "deno" : "node";
  return { kind, name: runtimeText(), command: execPath, arguments: wanted[kind] };
}

/** The runtime of that name; or that of this process, with the reason. */
export function runtimeFor(name: RuntimeName): Runtime {
  const { kind, ...own } = ownRuntime();
  if (name === kind) return own;
  const command = findProgram(name);
  if (command === undefined) return { ...own, substitute: `${name} is not installed` };
  const program = programOf(command, wanted[name]);
  if ("reason" in program) return { ...own, substitute: `${command} cannot take part: ${program.reason}` };
  return { ...program, arguments: wanted[name] };
}
