/**
 * Finds and loads the shim of this platform at the first use. It is CommonJS in every build, because `__dirname` and `require`
 * work there in Node, Bun and Deno. It looks in these places, in this order:
 *
 * 1. the folder that the environment variable ISTHMUS_PREBUILDS names, and then nowhere else
 * 2. `prebuilds` of the package, by a literal path for each platform: tools that copy the files of a program see those
 * 3. a shim that was built from its source, if `node-gyp-build` finds one
 * 4. the copy in the JavaScript, written to a private folder for as long as it takes to load it. There is none for Windows,
 *    where a process cannot remove a file that it has loaded, so that each would stay in the profile of the user
 *
 * A shim of another release has another contract number. It is ignored, like one that cannot be loaded.
 */
import type { NOT_SUPPORTED, SYSTEM } from "../../protocol/errors.js" with { "resolution-mode": "import" };
import type { SHIM_CONTRACT } from "../../protocol/shim.js" with { "resolution-mode": "import" };
import { builtin } from "./builtin.cjs";
import type { Native, NativeError } from "./native.js" with { "resolution-mode": "import" };

/** The compiler checks them against the table; a CommonJS file cannot import the table itself. */
const STATUS: typeof NOT_SUPPORTED = 39;
const SYSTEM_STATUS: typeof SYSTEM = 40;
const CONTRACT: typeof SHIM_CONTRACT = 2;

const FOLDER_VARIABLE = "ISTHMUS_PREBUILDS";

interface DenoPermissions {
  permissions: { querySync(wanted: { name: "env"; variable: string }): { state: string } };
}

function notSupported(message: string, cause?: unknown): NativeError {
  return Object.assign(new Error(message, { cause }), { status: STATUS, syscall: "dlopen", errno: 0 });
}

const messageOf = (cause: unknown): string => String((cause as Error)?.message ?? cause);

function platform(): string {
  const { platform, arch } = builtin("node:process");
  return `${platform}-${arch}`;
}

/** The files of the package. Platforms without a file are listed as well, because tools read this list and not the folder. */
function packagedFiles(): Record<string, string | undefined> {
  if (typeof __dirname !== "string") return {}; // this code is in an ES module that a bundler made
  return {
    "linux-x64": `${__dirname}/../../../prebuilds/linux-x64/isthmus.node`,
    "linux-arm64": `${__dirname}/../../../prebuilds/linux-arm64/isthmus.node`,
    "darwin-x64": `${__dirname}/../../../prebuilds/darwin-x64/isthmus.node`,
    "darwin-arm64": `${__dirname}/../../../prebuilds/darwin-arm64/isthmus.node`,
    "win32-x64": `${__dirname}/../../../prebuilds/win32-x64/isthmus.node`,
    "win32-arm64": `${__dirname}/../../../prebuilds/win32-arm64/isthmus.node`,
  };
}

/** What has a file in the package, and no copy in the JavaScript. */
const WITHOUT_COPY = ["win32-arm64", "win32-x64"];

type Embedded = { compressed: string; sha256: string };

function embeddedShims(): Record<string, Embedded | undefined> {
  return (require("./embedded-shims.cjs") as typeof import("./embedded-shims.cjs")).shims;
}

/** If the check is denied, the file counts as absent. The following steps report the reason. */
function exists(file: string): boolean {
  try {
    return builtin("node:fs").existsSync(file);
  } catch {
    return false;
  }
}

/**
 * Says what the runtime is not allowed to load, and what to do; undefined for other failures. In such a case, the other places
 * would fail as well.
 */
function denial(cause: unknown): string | undefined {
  const { code, name } = cause as NodeJS.ErrnoException;
  const process = builtin("node:process") as NodeJS.Process & { permission?: object };
  if (code === "ERR_DLOPEN_DISABLED" && process.permission) {
    return "Node's permission model (--permission) denies native addons: add --allow-addons";
  }
  if (code === "ERR_DLOPEN_DISABLED") {
    return "the option --no-addons forbids native addons: leave out --no-addons, also in NODE_OPTIONS and execArgv";
  }
  if (name === "NotCapable" || name === "PermissionDenied") {
    return `Deno denies native code: add --allow-ffi (${messageOf(cause)})`;
  }
  return undefined;
}

/**
 * Loads a file like `require`, which bundlers replace. The module is an object of the runtime's own realm, because what all
 * copies of the package share must keep none of them alive.
 */
function load(file: string): Native {
  const { Module } = builtin("node:module");
  const module = new Module(file);
  builtin("node:process").dlopen(module, file);
  if (typeof module.exports?.openNamed !== "function") throw new Error("it is not the shim of Isthmus");
  return module.exports as Native;
}

/** Loads it once for all copies of the package in this thread: `key` names the binary. */
function shared(key: string, make: () => Native): Native {
  const known = builtin("node:process") as unknown as Record<symbol, Native | undefined>;
  const symbol = Symbol.for(`isthmus.shim ${key}`);
  const found = known[symbol];
  if (found) return found;
  const made = make();
  Object.defineProperty(known, symbol, { value: made });
  return made;
}

/** What is wrong with a shim of another release; undefined for one that goes with this package. */
function otherRelease({ contract }: Partial<Native>): string | undefined {
  if (contract === CONTRACT) return undefined;
  const found = contract === undefined ? "no contract number" : `contract number ${contract}`;
  return `belongs to another release of Isthmus: it has ${found}, and this package needs ${CONTRACT}`;
}

/** When this process has too many files open, the loader of the system says so only in its message. */
function outOfDescriptors(cause: unknown): NativeError | undefined {
  const message = messageOf(cause);
  if (!/too many open files/i.test(message)) return undefined;
  const { EMFILE } = builtin("node:os").constants.errno;
  const status = SYSTEM_STATUS;
  return Object.assign(new Error(message, { cause }), { status, syscall: "dlopen", errno: EMFILE });
}

/** Explains the message of the system's loader, for people. */
function meaning(message: string): string {
  if (/failed to map segment|not permitted/i.test(message)) {
    return "its file system forbids programs (noexec)";
  }
  if (/ELF|too short|mach-o|incompatible|Win32/i.test(message)) return "it is damaged, or for another system";
  return "";
}

function failureText(what: string, cause: unknown): string {
  const message = messageOf(cause);
  const meant = meaning(message);
  return meant ? `${what} cannot be loaded: ${meant} (${message})` : `${what} cannot be loaded: ${message}`;
}

/** The origin of the shim that `loadNative` returned last, for people. */
let origin = "no shim was loaded";

export function shimOrigin(): string {
  return origin;
}

/** One line per place, for the error that lists where no shim was found. */
class Attempts {
  readonly failures: string[] = [];

  /**
   * Loads the shim in this file; undefined if that fails. Throws at once if the runtime is not allowed to load any.
   *
   * @param cure what to do about a shim of another release
   */
  file(given: string, cure: string): Native | undefined {
    const file = builtin("node:path").resolve(given);
    try {
      const shim = shared(file, () => load(file));
      const other = otherRelease(shim); // another release than this copy of the package; other copies may share the shim
      if (other === undefined) return shim;
      this.failures.push(`${file} ${other}: ${cure}`);
      return undefined;
    } catch (cause) {
      const denied = denial(cause);
      if (denied) throw notSupported(denied, cause);
      const exhausted = outOfDescriptors(cause);
      if (exhausted) throw exhausted;
      this.failures.push(exists(file) ? failureText(file, cause) : `there is no file ${file}`);
      return undefined;
    }
  }

  /**
   * The shim that was built from its source. It is looked for only if this file is in the package, because elsewhere other
   * addons would be found.
   */
  built(): Native | undefined {
    if (typeof __dirname !== "string") return undefined;
    const path = builtin("node:path");
    const root = path.resolve(__dirname, "../../..");
    try {
      const manifest = builtin("node:fs").readFileSync(path.join(root, "package.json"), "utf8");
      if (JSON.parse(manifest).name !== "isthmus") return undefined;
      const { path: find } = require("node-gyp-build") as { path(root: string): string };
      const file = find(root);
      const built = this.file(file, "build it again from the sources of this package, or remove it");
      if (built) origin = `${file}, which was built from its source`;
      return built;
    } catch (cause) {
      if ((cause as Partial<NativeError>)?.status === STATUS) throw cause;
      return undefined; // no shim was built, or it cannot be read
    }
  }

  /** The copy in the JavaScript. */
  embedded(embedded: Embedded): Native {
    const shim = shared(embedded.sha256, () => this.#unpacked(embedded));
    const other = otherRelease(shim);
    if (other === undefined) return shim;
    throw notSupported(`the copy in the JavaScript ${other}: reinstall the package`);
  }

  #unpacked({ compressed }: Embedded): Native {
    const packed = builtin("node:buffer").Buffer.from(compressed, "base64");
    const bytes = builtin("node:zlib").brotliDecompressSync(packed);
    for (const folder of privateFolders()) {
      const shim = this.#loadFrom(folder, bytes);
      if (shim) return shim;
    }
    throw notSupported(`the native part for ${platform()} cannot be loaded: ${this.failures.join("; ")}`);
  }

  #loadFrom(parent: string, bytes: Uint8Array): Native | undefined {
    const fs = builtin("node:fs");
    let folder: string | undefined;
    try {
      folder = fs.mkdtempSync(`${parent}/isthmus-`); // nobody else can enter it: mode 0700
      const file = `${folder}/isthmus.node`;
      fs.writeFileSync(file, bytes, { flag: "wx", mode: 0o500 });
      return load(file);
    } catch (cause) {
      const denied = denial(cause);
      if (denied && folder) throw notSupported(denied, cause);
      this.failures.push(failureText(`the copy in ${folder ?? parent}`, cause));
      return undefined;
    } finally {
      if (folder) remove(folder);
    }
  }
}

/** Folders for the file to load. Some systems forbid programs in the folder for temporary files. */
function privateFolders(): string[] {
  const { env } = builtin("node:process");
  const { tmpdir } = builtin("node:os");
  const asked = [
    tmpdir,
    () => "/tmp",
    () => "/var/tmp",
    () => env.XDG_RUNTIME_DIR,
    () => env.XDG_CACHE_HOME,
    () => env.HOME,
    () => "/dev/shm",
  ];
  const folders = asked.map((ask) => {
    try {
      return ask();
    } catch {
      return undefined; // Deno without --allow-env
    }
  });
  const { isAbsolute } = builtin("node:path");
  return [...new Set(folders)].filter((folder) => folder !== undefined && isAbsolute(folder)) as string[];
}

/** A loaded file stays mapped after its name is removed. */
function remove(folder: string): void {
  try {
    builtin("node:fs").rmSync(folder, { recursive: true, force: true });
  } catch {
    // There is nothing to do about it.
  }
}

function chosenFolder(): string | undefined {
  const { Deno } = globalThis as { Deno?: DenoPermissions };
  try {
    // Without --allow-env, Deno would ask its user, and the program would wait meanwhile.
    const wanted = { name: "env", variable: FOLDER_VARIABLE } as const;
    if (Deno && Deno.permissions.querySync(wanted).state !== "granted") return undefined;
    return builtin("node:process").env[FOLDER_VARIABLE] || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Loads the shim; a second call in the same thread gives the same one.
 * @throws NativeError with status NOT_SUPPORTED when there is no binary for this platform or it cannot be loaded.
 */
export function loadNative(): Native {
  if (typeof WebAssembly !== "object") {
    throw notSupported(
      "this engine runs without WebAssembly: leave out --jitless and other options that disable it (--no-expose-wasm), also in " +
        "NODE_OPTIONS and execArgv",
    );
  }
  const wanted = platform();
  const attempts = new Attempts();
  const folder = chosenFolder();
  const file = folder
    ? builtin("node:path").resolve(folder, wanted, "isthmus.node")
    : packagedFiles()[wanted];
  const cure = folder
    ? `let ${FOLDER_VARIABLE} name the prebuilds folder of this release, or unset it`
    : "reinstall the package";
  const found = file === undefined ? undefined : attempts.file(file, cure);
  if (found) {
    const resolved = builtin("node:path").resolve(file as string);
    origin = folder ? `${resolved}, in the folder that ${FOLDER_VARIABLE} names` : resolved;
    return found;
  }
  if (folder) throw notSupported(`${FOLDER_VARIABLE} names ${folder}, but ${attempts.failures.join("; ")}`);
  const built = attempts.built();
  if (built) return built;
  const shims = embeddedShims();
  const shim = shims[wanted];
  if (shim) {
    const loaded = attempts.embedded(shim);
    origin = `the copy in the JavaScript for ${wanted}, because ${attempts.failures.join("; ") || "no file goes with it"}`;
    return loaded;
  }
  throw notSupported(nothingFor(wanted, Object.keys(shims), attempts.failures));
}

function nothingFor(wanted: string, copies: string[], failures: string[]): string {
  if (WITHOUT_COPY.includes(wanted)) {
    const why = failures.length > 0 ? `: ${failures.join("; ")}` : "";
    return (
      `the native part for ${wanted} was not found${why}. A bundle for Windows must take it along: copy ` +
      `prebuilds/${wanted}/isthmus.node of the package, and let ${FOLDER_VARIABLE} name the folder that has ` +
      `${wanted}/isthmus.node`
    );
  }
  return (
    `Isthmus has no native part for ${wanted}; it has one for ${[...copies, ...WITHOUT_COPY].sort().join(", ")}. ` +
    `A folder with ${wanted}/isthmus.node can be named by ${FOLDER_VARIABLE}`
  );
}
