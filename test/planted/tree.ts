/** A copy of the whole tree in which bugs are planted and tested, while the original stays as it is. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { WATCHDOG_FACTOR } from "../../scripts/machine.js";
import { root, VANISHING } from "../lib/paths.js";
import { WATCHDOG_MS } from "../lib/watchdog.js";
import { packageOf, TITLE } from "./first-failure.js";

/** What several copies share, and what none of them needs. */
const LINKED = [
  "test/runtimes/node_modules",
  "scripts/tools/node_modules",
  "test/lanes/windows/node_modules",
];
const LEFT_OUT = [...LINKED, "node_modules", ".git", ...VANISHING];

/** Files that compilers have written, by their paths from the root. */
export type Outputs = Map<string, Buffer>;

/** Test files, and the part of a title that their tests must have. */
export interface Selection {
  files: string[];
  title: string | undefined;
}

export interface Tested {
  failed: boolean;
  /** It has taken longer than the limit. */
  late: boolean;
  output: string;
  milliseconds: number;
}

export class Tree {
  readonly directory = mkdtempSync(join(tmpdir(), "isthmus-planted-"));
  /** The tests that run in it now. */
  #running: ChildProcess | undefined;

  constructor() {
    chmodSync(this.directory, 0o755); // some tests run as another user
    cpSync(root, this.directory, {
      recursive: true,
      filter: (from) => !LEFT_OUT.includes(relative(root, from)),
    });
    for (const link of LINKED.filter((each) => existsSync(join(root, each))))
      symlinkSync(join(root, link), join(this.directory, link));
    this.#linkPackages();
  }

  /** All packages of the original, but for uvu. */
  #linkPackages(): void {
    const [from, to] = [join(root, "node_modules"), join(this.directory, "node_modules")];
    mkdirSync(to);
    for (const name of readdirSync(from).filter((each) => each !== "uvu"))
      symlinkSync(join(from, name), join(to, name));
    const wrapper = join(this.directory, "build/test/planted/first-failure.js");
    const uvu = packageOf(pathToFileURL(join(from, "uvu")).href, pathToFileURL(wrapper).href);
    mkdirSync(join(to, "uvu"));
    for (const [name, text] of Object.entries(uvu)) writeFileSync(join(to, "uvu", name), text);
  }

  remove(): void {
    this.#running?.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Puts files in the place of those that are there, and returns those; a file that is not there yet stays. */
  install(outputs: Outputs): Outputs {
    const before: Outputs = new Map();
    for (const [path, bytes] of outputs) {
      const full = join(this.directory, path);
      if (existsSync(full)) before.set(path, readFileSync(full));
      else mkdirSync(dirname(full), { recursive: true });
      writeFileSync(full, bytes);
    }
    return before;
  }

  /**
   * Runs test files of the copy; a run that takes longer than the limit has failed, too. With `watchdogMs` the
   * tests wait no longer than that for anything.
   */
  test({ files, title }: Selection, limitMs: number, watchdogMs?: number): Promise<Tested> {
    const begin = performance.now();
    const env: NodeJS.ProcessEnv = { ...process.env, ISTHMUS_DEEP: "1" }; // else what notices a bug might not be tried
    if (title !== undefined) env[TITLE] = title;
    if (watchdogMs !== undefined) env[WATCHDOG_FACTOR] = String(watchdogMs / WATCHDOG_MS);
    const child = spawn(process.execPath, ["build/scripts/run-tests.js", ...files], {
      cwd: this.directory,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#running = child;
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk;
      });
    let late = false;
    const watchdog = setTimeout(() => {
      late = true;
      child.kill("SIGTERM");
    }, limitMs);
    return new Promise((resolve) => {
      child.on("close", (code) => {
        clearTimeout(watchdog);
        this.#running = undefined;
        resolve({ failed: code !== 0, late, output, milliseconds: performance.now() - begin });
      });
    });
  }
}
