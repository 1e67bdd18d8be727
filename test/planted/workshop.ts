/**
 * A copy of the tree that compiles bugs: for each it gives the files that are other than without it. Compiling takes longer than
 * most tests, so bugs of different sources of TypeScript are compiled in one go.
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Bug, named } from "./bug.js";
import { CoreCompiler } from "./core-compiler.js";
import { type Outputs, Tree } from "./tree.js";

const run = promisify(execFile);
const BUILD_MS = 240_000;

const C = ["-std=c11", "-D_GNU_SOURCE"];
const CC = [
  ...["-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"],
  ...["-DNAPI_VERSION=8", "-DNAPI_DISABLE_CPP_EXCEPTIONS", "-DNODE_ADDON_API_DISABLE_DEPRECATED"],
  ...["-isystem", "../node_modules/node-api-headers/include", "-isystem", "../node_modules/node-addon-api"],
];
const SHIM = ["-Os", "-fPIC", "-fvisibility=hidden"];

/** How a part of the tree is built from its sources. */
export type Part = "library" | "cli" | "core" | "shims";

export function partOf(file: string): Part {
  if (file.startsWith("shims/")) return "shims";
  if (file.startsWith("assembly/")) return "core";
  return file.startsWith("ts/cli/") ? "cli" : "library";
}

/** The sources as modules of build/, which some tests look into. */
const INTERNALS = "tsconfig.internals.json";
/** The core is compiled with fewer passes over its code than the one that ships: a bug is the same bug in it. */
const CORE = "asconfig.planted.json";

const EMBEDDED_CORE = ["dist/ts/host/embedded-core.cjs", "build/ts/host/embedded-core.cjs"];
/** It says which functions of the embedded core are in its table. */
const DIVIDES_CORE = "ts/core-functions.ts";
const EMBEDDED_SHIMS = ["dist/ts/host/embedded-shims.cjs", "build/ts/host/embedded-shims.cjs"];
const SHIM_FILE = `prebuilds/${process.platform}-${process.arch}/isthmus.node`;

type CoreTarget = "release" | "plain" | "hosted";
const CORE_FILES: Record<CoreTarget, string> = {
  release: "dist/core.wasm",
  plain: "dist/core-plain.wasm",
  hosted: "dist/core-hosted.wasm",
};

/** The cores that the tests of a bug run. */
export function coresOf({ tests }: Bug): CoreTarget[] {
  const hosted = tests.map((test) => named(test).part.includes("hosted"));
  return [
    ...(hosted.includes(false) ? (["release", "plain"] as const) : []),
    ...(hosted.includes(true) ? (["hosted"] as const) : []),
  ];
}

/** The compiled files of a source of the library or of the command line. */
function outputsOf(file: string): string[] {
  const path = file.replace(/\.c?ts$/, "");
  const ending = file.endsWith(".cts") ? ".cjs" : ".js";
  const own = [`build/${path}${ending}`, `dist/${path}${partOf(file) === "cli" ? ".js" : ".cjs"}`];
  return file === DIVIDES_CORE ? [...own, ...EMBEDDED_CORE] : own;
}

export class Workshop {
  readonly #tree = new Tree();
  /** Begins with the first core, and ends when all bugs are compiled. */
  #coreCompiler: CoreCompiler | undefined;
  /** How many files were compiled so far: Deno takes files of one length for the same file. */
  #variants = 0;

  constructor() {
    // A bug may leave a name without a use.
    this.#rewrite("tsconfig.base.json", (text) => text.replace(/("noUnused\w+"): true/g, "$1: false"));
    const internals = {
      extends: "./tsconfig.json",
      compilerOptions: { noCheck: true },
      include: ["protocol", "ts"],
    };
    writeFileSync(join(this.#tree.directory, INTERNALS), JSON.stringify(internals));
    const core = readFileSync(join(this.#tree.directory, "asconfig.json"), "utf8")
      .replace(/"optimizeLevel": 3/g, '"optimizeLevel": 1')
      .replace(/"converge": true/g, '"converge": false');
    writeFileSync(join(this.#tree.directory, CORE), core);
  }

  remove(): void {
    this.#coreCompiler?.end();
    this.#tree.remove();
  }

  /** What the compilers of the workshop make of sources without a bug, of parts where others have made what is there. */
  async sound(bugs: Bug[]): Promise<Outputs> {
    const cores = new Set(bugs.filter(({ file }) => partOf(file) === "core").flatMap(coresOf));
    const core = cores.size > 0 ? await this.#buildCore([...cores]) : [];
    const shims = bugs.some(({ file }) => partOf(file) === "shims") ? await this.#buildShims() : [];
    return new Map([...core, ...shims]);
  }

  /** Compiles all bugs, and calls the function with each as soon as it is compiled, or with the reason why it cannot be. */
  async compile(bugs: Bug[], done: (bug: Bug, outputs: Outputs | Error) => void): Promise<void> {
    const isScript = ({ file }: Bug) => ["library", "cli"].includes(partOf(file));
    let rest = bugs.filter(isScript);
    while (rest.length > 0) {
      const round = rest.filter(({ file }, at) => rest.findIndex((other) => other.file === file) === at);
      rest = rest.filter((bug) => !round.includes(bug));
      await this.#compileRound(round, done);
    }
    for (const bug of bugs.filter((each) => !isScript(each))) {
      const build = () =>
        partOf(bug.file) === "core" ? this.#buildCore(coresOf(bug)) : this.#buildShims(bug.file);
      done(bug, await this.#with([bug], build).catch((error: Error) => error));
    }
    this.#coreCompiler?.end();
  }

  /** Bugs of different sources. Where they do not compile, each is compiled alone. */
  async #compileRound(round: Bug[], done: (bug: Bug, outputs: Outputs | Error) => void): Promise<void> {
    try {
      await this.#with(round, () => this.#buildScripts(new Set(round.map(({ file }) => partOf(file)))));
    } catch (error) {
      if (round.length === 1) return done(round[0], error as Error);
      for (const bug of round) await this.#compileRound([bug], done);
      return;
    }
    for (const bug of round) {
      const padding = " ".repeat(++this.#variants);
      const outputs = this.#read(outputsOf(bug.file));
      done(bug, new Map([...outputs].map(([path, bytes]) => [path, Buffer.from(`${bytes}${padding}`)])));
    }
  }

  #rewrite(path: string, change: (text: string) => string): string {
    const full = join(this.#tree.directory, path);
    const text = readFileSync(full, "utf8");
    writeFileSync(full, change(text));
    return text;
  }

  /** Calls the function while the bugs are in the sources. An error has the output of the compiler. */
  async #with<T>(bugs: Bug[], build: () => Promise<T>): Promise<T> {
    const sources = bugs.map(({ file, find, replace }) =>
      this.#rewrite(file, (text) => text.replace(find, () => replace)),
    );
    try {
      return await build();
    } catch (error) {
      const { message, stdout = "" } = error as Error & { stdout?: string };
      throw new Error(`${message}\n${stdout}`);
    } finally {
      for (const [at, { file }] of bugs.entries()) this.#rewrite(file, () => sources[at]);
    }
  }

  #read(paths: string[]): Outputs {
    const { directory } = this.#tree;
    return new Map(paths.map((path) => [path, readFileSync(join(directory, path))]));
  }

  #tool(name: string, ...given: string[]): Promise<unknown> {
    return run(join("node_modules/.bin", name), given, { cwd: this.#tree.directory, timeout: BUILD_MS });
  }

  #completeDist(): Promise<unknown> {
    return run(process.execPath, ["scripts/complete-dist.mjs"], {
      cwd: this.#tree.directory,
      timeout: BUILD_MS,
    });
  }

  /**
   * No declarations, which bugs leave as they are, and not the tests. The types of the changed sources are checked: a bug that is
   * no program would be noticed by any test.
   */
  async #buildScripts(parts: Set<Part>): Promise<void> {
    if (parts.has("library")) await this.#tool("tsc", "-p", "tsconfig.cjs.json");
    if (parts.has("cli")) await this.#tool("tsc", "-p", "tsconfig.cli.json");
    await this.#tool("tsc", "-p", INTERNALS);
    await this.#completeDist();
  }

  async #buildCore(targets: CoreTarget[]): Promise<Outputs> {
    this.#coreCompiler ??= new CoreCompiler(this.#tree.directory);
    for (const target of targets) {
      const entry = target === "hosted" ? ["assembly/hosted/index.ts"] : [];
      await this.#coreCompiler.compile([...entry, "--config", CORE, "--target", target]);
    }
    const files = targets.map((target) => CORE_FILES[target]);
    if (!targets.includes("release")) return this.#read(files);
    await this.#completeDist();
    return this.#read([...files, ...EMBEDDED_CORE]);
  }

  /** With the compiler of this system, for this system; only what a change of that file makes necessary. */
  async #buildShims(changed?: string): Promise<Outputs> {
    const options = { cwd: join(this.#tree.directory, "shims"), timeout: BUILD_MS };
    const all = readdirSync(options.cwd).filter((name) => /^(linux|posix)_.*\.c$|^binding.*\.cc$/.test(name));
    const isHeader = changed?.endsWith(".h") ?? false;
    const objects = new Map(all.map((name) => [name, `${name}.o`]));
    for (const name of all) {
      const isChanged = isHeader || changed === `shims/${name}`;
      if (!isChanged && existsSync(join(options.cwd, `${name}.o`))) continue;
      if (isChanged) objects.set(name, `${name}.bug.o`);
      const [compiler, flags] = name.endsWith(".c") ? ["cc", C] : ["c++", CC];
      await run(compiler, [...SHIM, ...flags, "-c", name, "-o", objects.get(name) as string], options);
    }
    const link = ["-shared", "-Wl,--version-script=linux_exports.map"];
    await run("c++", [...link, ...objects.values(), "-o", "isthmus.node"], options);
    renameSync(join(options.cwd, "isthmus.node"), join(this.#tree.directory, SHIM_FILE));
    await this.#completeDist();
    return this.#read([SHIM_FILE, ...EMBEDDED_SHIMS]);
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
