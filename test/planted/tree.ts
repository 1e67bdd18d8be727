/** A copy of the whole tree in which bugs are planted, built and tested, while the original stays as it is. */
import { execFile, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { WATCHDOG_FACTOR } from "../../scripts/machine.js";
import { root } from "../lib/paths.js";
import { WATCHDOG_MS } from "../lib/watchdog.js";
import type { Bug } from "./bug.js";

const run = promisify(execFile);
const BUILD_MS = 120_000;
/** What several copies share, and what none of them needs. */
const LINKED = ["node_modules", "test/runtimes/node_modules", "scripts/tools/node_modules"];
const LEFT_OUT = [...LINKED, ".git", "build/planted"];

const C = ["-std=c11", "-D_GNU_SOURCE"];
const CC = [
  ...["-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"],
  ...["-DNAPI_VERSION=8", "-DNAPI_DISABLE_CPP_EXCEPTIONS", "-DNODE_ADDON_API_DISABLE_DEPRECATED"],
  ...["-isystem", "../node_modules/node-api-headers/include", "-isystem", "../node_modules/node-addon-api"],
];
const SHIM = ["-Os", "-fPIC", "-fvisibility=hidden"];

/** How a part of the tree is built from its sources. */
type Part = "library" | "cli" | "core" | "shims";

export function partOf(file: string): Part {
  if (file.startsWith("shims/")) return "shims";
  if (file.startsWith("assembly/")) return "core";
  return file.startsWith("ts/cli/") ? "cli" : "library";
}

/** The sources as modules of build/, which some tests look into. */
const INTERNALS = "tsconfig.internals.json";

/** How often a text occurs in another one. */
export function occurrences(text: string, part: string): number {
  return text.split(part).length - 1;
}

export interface Tested {
  failed: boolean;
  output: string;
  milliseconds: number;
}

export class Tree {
  readonly directory = mkdtempSync(join(tmpdir(), "isthmus-planted-"));
  /** Parts whose outputs have a bug that is not in the sources any more. */
  readonly #stale = new Set<Part>();

  constructor() {
    chmodSync(this.directory, 0o755); // some tests run as another user
    cpSync(root, this.directory, {
      recursive: true,
      filter: (from) => !LEFT_OUT.includes(relative(root, from)),
    });
    // A bug may leave a name without a use.
    const options = join(this.directory, "tsconfig.base.json");
    writeFileSync(options, readFileSync(options, "utf8").replace(/("noUnused\w+"): true/g, "$1: false"));
    const internals = {
      extends: "./tsconfig.json",
      compilerOptions: { noCheck: true },
      include: ["protocol", "ts"],
    };
    writeFileSync(join(this.directory, INTERNALS), JSON.stringify(internals));
    for (const link of LINKED.filter((each) => existsSync(join(root, each))))
      symlinkSync(join(root, link), join(this.directory, link));
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Builds with the bug and runs the function; the sources are whole again afterwards. */
  async with<T>(bug: Bug, act: () => Promise<T>): Promise<T> {
    const path = join(this.directory, bug.file);
    const source = readFileSync(path, "utf8");
    const part = partOf(bug.file);
    const others = [...this.#stale].filter((each) => each !== part);
    writeFileSync(
      path,
      source.replace(bug.find, () => bug.replace),
    );
    try {
      for (const each of [...others, part]) await this.build(each, part === each ? bug.file : undefined);
      return await act();
    } finally {
      writeFileSync(path, source);
      this.#stale.add(part);
    }
  }

  /** Builds a part; only what depends on the changed file where that is known. Throws with the output of the compiler. */
  async build(part: Part, changed?: string): Promise<void> {
    try {
      if (part === "shims") await this.#buildShims(changed);
      else await this.#buildDist(part);
    } catch (error) {
      const { message, stdout = "" } = error as Error & { stdout?: string };
      throw new Error(`${message}\n${stdout}`);
    }
    this.#stale.delete(part);
  }

  /**
   * What the tests run of a part: no types, which bugs leave as they are, and not the tests themselves. The types of the changed
   * sources are checked: a bug that is no program would be noticed by any test.
   */
  async #buildDist(part: Exclude<Part, "shims">): Promise<void> {
    const options = { cwd: this.directory, timeout: BUILD_MS };
    const tool = (name: string, ...given: string[]) => run(join("node_modules/.bin", name), given, options);
    if (part === "core") {
      for (const target of ["release", "plain"])
        await tool("asc", "--config", "asconfig.json", "--target", target);
    } else {
      await tool("tsc", "-p", part === "cli" ? "tsconfig.cli.json" : "tsconfig.cjs.json");
      await tool("tsc", "-p", INTERNALS);
    }
    await run(process.execPath, ["scripts/complete-dist.mjs"], options);
  }

  /** With the compiler of this system, for this system. */
  async #buildShims(changed?: string): Promise<void> {
    const options = { cwd: join(this.directory, "shims"), timeout: BUILD_MS };
    const all = readdirSync(options.cwd).filter((name) => /^linux_.*\.c$|^binding.*\.cc$/.test(name));
    for (const name of all) {
      const built = existsSync(join(options.cwd, `${name}.o`));
      if (
        built &&
        !this.#stale.has("shims") &&
        changed?.endsWith(".h") === false &&
        changed !== `shims/${name}`
      )
        continue;
      const [compiler, flags] = name.endsWith(".c") ? ["cc", C] : ["c++", CC];
      await run(compiler, [...SHIM, ...flags, "-c", name, "-o", `${name}.o`], options);
    }
    const link = ["-shared", "-Wl,--version-script=linux_exports.map"];
    await run("c++", [...link, ...all.map((name) => `${name}.o`), "-o", "isthmus.node"], options);
    const target = `../prebuilds/${process.platform}-${process.arch}/isthmus.node`;
    renameSync(join(options.cwd, "isthmus.node"), join(options.cwd, target));
  }

  /**
   * Runs test files of the copy until one fails; a run that takes longer than the limit has failed, too. With `watchdogMs` the
   * tests wait no longer than that for anything.
   */
  test(tests: string[], limitMs: number, watchdogMs?: number): Promise<Tested> {
    const begin = performance.now();
    const factor = watchdogMs === undefined ? {} : { [WATCHDOG_FACTOR]: String(watchdogMs / WATCHDOG_MS) };
    const child = spawn(process.execPath, ["build/scripts/run-tests.js", ...tests], {
      cwd: this.directory,
      env: { ...process.env, ...factor },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk;
        if (/^✘ /m.test(output)) child.kill("SIGTERM");
      });
    const watchdog = setTimeout(() => child.kill("SIGTERM"), limitMs);
    return new Promise((resolve) => {
      child.on("close", (code) => {
        clearTimeout(watchdog);
        resolve({ failed: code !== 0, output, milliseconds: performance.now() - begin });
      });
    });
  }
}

/** Why shims cannot be built here, or undefined. */
export async function noCompiler(): Promise<string | undefined> {
  if (process.platform !== "linux") return "the shims are compiled for Linux";
  try {
    for (const compiler of ["cc", "c++"]) await run(compiler, ["--version"]);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
