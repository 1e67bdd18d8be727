/** Bugs in the files at the root of ts/, and in ts/host. */
import { type Bug, inSource } from "../bug.js";

const args = inSource("ts/arguments.ts");
const brand = inSource("ts/brand.ts");
const bytes = inSource("ts/bytes.ts");
const disposal = inSource("ts/disposal.ts");
const errors = inSource("ts/errors.ts");
const index = inSource("ts/index.ts");
const advice = inSource("ts/host/advice.ts");
const builtin = inSource("ts/host/builtin.cts");
const copy = inSource("ts/host/copy.ts");
const coreBytes = inSource("ts/host/core-bytes.cts");
const coreFunctions = inSource("ts/core-functions.ts");
const describe = inSource("ts/host/describe.ts");
const errno = inSource("ts/host/errno.ts");
const fileSystem = inSource("ts/host/file-system.ts");
const limits = inSource("ts/host/limits.ts");
const native = inSource("ts/host/native.cts");
const timers = inSource("ts/host/timers.ts");
const process = inSource("ts/host/process.ts");
const region = inSource("ts/host/region.ts");
const runtime = inSource("ts/host/runtime.ts");
const system = inSource("ts/host/system.ts");
const underWay = inSource("ts/host/under-way.ts");
const windows = inSource("ts/host/windows.ts");

export const BUGS: Bug[] = [
  args(
    "an unknown option is taken",
    "if (!known.includes(name)) throw",
    'if (name === "") throw',
    "arguments/unknown",
  ),
  args(
    "a timeout of NaN is taken",
    "if (!(timeoutMs >= 0 && timeoutMs <= TIMEOUT_MS_MAX)) {",
    "if (timeoutMs < 0 || timeoutMs > TIMEOUT_MS_MAX) {",
    "arguments/arguments > the same holds for what gives a promise",
  ),
  args(
    "made-up objects are taken by constructors",
    "if (by !== OURS) throw",
    "if (by === undefined) throw",
    "ts/made",
  ),
  brand(
    "any object passes for one of ours",
    "Reflect.get(value, symbolOf(kind)) === true",
    "symbolOf(kind) !== undefined",
    "arguments/arguments",
  ),
  brand(
    "a revoked Proxy is taken",
    "    Array.isArray(value);\n    return false;",
    "    return false;",
    "arguments/bad-values > segment.transaction",
  ),
  bytes(
    "any view passes for bytes",
    'return kind.call(value) === "Uint8Array";',
    "return ArrayBuffer.isView(value);",
    "arguments/arguments > a value that cannot be right",
  ),
  underWay(
    "what was cut off stays when nobody opens anything any more",
    "      settleAll();\n    });",
    "    });",
    "processes/cut-off-steps > in front of any step: name, create",
  ),
  system(
    "every other system is taken for Windows",
    'platform === "win32"',
    'platform !== "win32"',
    "ts/host/errno > a number has its usual name",
  ),
  windows(
    "the number of Windows makes no difference",
    "return MEANINGS[name] ?? GENERAL[code];",
    "return GENERAL[code];",
    "ts/host/windows > the advice fits the number",
  ),
  disposal(
    "objects of realms without the symbol are not ended",
    "if (Symbol.dispose === undefined && end)",
    "if (Symbol.dispose === null && end)",
    "ts/disposal",
  ),
  errors(
    "the cause is dropped",
    "isCause ? { cause: system } : undefined",
    "isCause ? {} : undefined",
    "arguments/files > what the system refused is the cause of",
  ),
  errors(
    "an error of another copy is none",
    "&& MARK in value",
    "&& value.constructor === IsthmusError",
    "ts/host/realms",
  ),
  index(
    "a mebibyte is a million bytes",
    "export const MiB = 1024 * KiB;",
    "export const MiB = 1000 * KiB;",
    "ts/segment/segment",
  ),
  advice(
    "a full disk is said to be none",
    "if (totalFiles > 0 && freeFiles === 0) {",
    "if (totalFiles < 0 && freeFiles === 0) {",
    "failures/system-limits > a place without inodes",
  ),
  builtin(
    "a module that was used is asked for again",
    "if (before) return before as Builtins[Name];",
    "void before;",
    "ts/host/builtin > a module that was used",
  ),
  builtin(
    "modules that were provided are not used",
    "provided[name] ?? literal[name]()",
    "literal[name]() ?? provided[name]",
    "ts/host/builtin",
  ),
  copy(
    "a large copy begins at the start of the segment",
    "else buffer.fill(source, at, at + source.length);",
    "else buffer.fill(source, 0, source.length);",
    "ts/memory/blocks > a write into a block is undone",
    "ts/ring/wraps",
  ),
  coreFunctions(
    "the functions of the table have the names of their neighbours",
    "this.exports.functions.get(index)",
    "this.exports.functions.get(index ^ 1)",
    "ts/host/core-bytes > each export of the core is there under its name",
  ),
  coreFunctions(
    "a function is taken from the table although it is called whenever a segment is opened",
    "  readonly slotToTry = this.exports.slotToTry;\n",
    "",
    "ts/host/core-bytes > what a segment calls when it is opened",
  ),
  coreBytes(
    "readers get the core of writers",
    "plain ? cores.subarray(embedded.coreBytes) :",
    "plain ? cores.subarray(0, embedded.coreBytes) :",
    "ts/host/core-bytes",
  ),
  describe(
    "what is closed throws when it is shown",
    'return name === "TypeError" ? {} :',
    'if (code) throw error;\n    return name === "TypeError" ? {} :',
    "ts/host/describe",
  ),
  describe(
    "JSON contains what an object refers to",
    'if (Object.hasOwn(prototype, "toJSON")) return;',
    'if (name !== "") return;',
    "ts/host/describe",
  ),
  errno("a number has the wrong name", ".reverse());", ");", "ts/host/errno"),
  fileSystem(
    "a folder that is gone is a failure of ours",
    '"NOT_FOUND",',
    '"SYSTEM",',
    "ts/segment/file-failures > a path from a folder that is gone",
  ),
  limits(
    "what can be given back counts as used",
    'const reclaimable = ["active_file", "inactive_file", "slab_reclaimable"];',
    "const reclaimable: string[] = [];",
    "ts/host/limits",
  ),
  native(
    "what the runtime denies is tried elsewhere",
    "if (denied) throw notSupported(denied, cause);\n      const exhausted",
    "const exhausted",
    "ts/host/loading > import succeeds with",
  ),
  native(
    "a shim of another release is taken",
    "if (contract === CONTRACT) return undefined;",
    "if (contract !== null) return undefined;",
    "shims/loader",
  ),
  native(
    "doctor does not say that the native part was built from its source",
    "if (built) origin = `${file}, which was built from its source`;",
    "",
    "cli/doctor",
  ),
  native(
    "doctor does not say why the copy in the JavaScript is used",
    ', because ${attempts.failures.join("; ") || "no file goes with it"}`',
    "`",
    "cli/doctor",
  ),
  native(
    "only the copy that loads a shim looks at its number",
    "const shim = shared(file, () => load(file));\n      const other = otherRelease(shim);",
    "const shim = shared(file, () => load(file));\n      const other = undefined;",
    "shims/loader",
  ),
  process(
    "the bell keeps what the code that waits first has in an AsyncLocalStorage",
    'if (typeof properties[key] === "object") properties[key] = undefined;',
    "void properties[key];",
    "ts/host/realms > what the code that waits first",
  ),
  process(
    "the listener at the exit stays",
    'if (callbacks.listenerCount("exit") === 0) builtin("node:process").off("exit", callbacks.listener);',
    "",
    "ts/host/realms",
  ),
  region(
    "a closed memory is kept",
    "mapped.delete(this.memory);\n    this.memory = undefined;\n    if (mapped",
    "void this.memory;\n    if (mapped",
    "ts/segment/open-close",
  ),
  region(
    "memory that a cgroup forbids is taken",
    "inMemory && more > 0 ? memoryShortage(more) : undefined",
    "inMemory && more < 0 ? memoryShortage(more) : undefined",
    "failures/system-limits > memory that the cgroup does not",
  ),
  runtime(
    "the clock of JavaScript is used",
    "return native.now();",
    "return Date.now();",
    "ts/wait/fake-time > node ",
  ),
  timers(
    "a timer of Sinon is taken for one of the runtime",
    "if (words === undefined || made.constructor.name === name) return made;",
    "if (made !== undefined) return made;",
    "ts/wait/fake-time > node ",
  ),
  timers(
    "timers of the engine keep no process alive",
    "    need();\n    this.#sleep(",
    "    needs++;\n    this.#sleep(",
    "ts/wait/fake-time > node ",
  ),
];
