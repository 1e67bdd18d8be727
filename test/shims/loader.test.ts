/** Finding the binary: where it is looked for, and what somebody is told who has none, a damaged one or may not load any. */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NOT_SUPPORTED, SYSTEM } from "../../protocol/errors.js";
import type { NativeError } from "../../ts/host/native.js";
import { compiled, root } from "../lib/paths.js";
import { finished, start } from "../lib/processes.js";
import { temporaryDirectory } from "../lib/segments.js";
import { native } from "./objects.js";

const here = `${process.platform}-${process.arch}`;
const prebuilt = join(root, "prebuilds", here, "isthmus.node");

interface Installed {
  directory: string;
  loader: string;
}

/** A package of its own with only the loader in it. */
function installed(): Installed {
  const directory = temporaryDirectory();
  const host = join(directory, "dist/ts/host");
  mkdirSync(host, { recursive: true });
  for (const file of ["native", "builtin", "embedded-shims"])
    cpSync(join(root, `dist/ts/host/${file}.cjs`), join(host, `${file}.cjs`));
  writeFileSync(join(directory, "package.json"), '{ "name": "isthmus", "type": "commonjs" }');
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  return { directory, loader: join(host, "native.cjs") };
}

function put(folder: string, content: string | undefined): void {
  mkdirSync(join(folder, here), { recursive: true });
  if (content !== undefined) writeFileSync(join(folder, here, "isthmus.node"), content);
  else cpSync(prebuilt, join(folder, here, "isthmus.node"));
}

/** The copy in the JavaScript says this instead. */
function replaceEmbedded({ loader }: Installed, shims: string): void {
  writeFileSync(join(loader, "../embedded-shims.cjs"), `exports.shims = ${shims};`);
}

interface Loaded {
  functions?: string;
  status?: number;
  message?: string;
  /** Files of ours that the process has mapped. */
  mapped: string[];
}

/** What a process gets that loads the shim in this way; `before` runs in it first. */
async function loaded(
  { loader }: Installed,
  {
    flags = [],
    env = {},
    before = "",
  }: { flags?: string[]; env?: Record<string, string>; before?: string } = {},
): Promise<Loaded> {
  const program = `
    ${before};
    const answer = {};
    try {
      answer.functions = typeof require(${JSON.stringify(loader)}).loadNative().openNamed;
    } catch ({ status, message }) {
      Object.assign(answer, { status, message });
    }
    const maps = require("node:fs").readFileSync("/proc/self/maps", "utf8");
    answer.mapped = [...new Set([...maps.matchAll(/\\S*isthmus\\.node/g)].map(([file]) => file))];
    console.log(JSON.stringify(answer));`;
  const child = start(process.execPath, [...flags, "-e", program], { env: { ...process.env, ...env } });
  const { code, stdout, stderr } = await finished(child, "loading the shim");
  assert.is(code, 0, stderr);
  return JSON.parse(stdout);
}

async function refused(
  place: Installed,
  expected: RegExp,
  options?: Parameters<typeof loaded>[1],
): Promise<string> {
  const { status, message = "" } = await loaded(place, options);
  assert.is(status, NOT_SUPPORTED, message);
  assert.match(message, expected);
  return message;
}

test("the file of the package comes first", async () => {
  const place = installed();
  put(join(place.directory, "prebuilds"), undefined);
  const { functions, mapped } = await loaded(place);
  assert.is(functions, "function");
  assert.equal(mapped, [join(place.directory, "prebuilds", here, "isthmus.node")]);
});

test("without a file the copy in the JavaScript is loaded, and nothing of it stays in the file system", async () => {
  const place = installed();
  const TMPDIR = temporaryDirectory();
  const { functions, mapped } = await loaded(place, { env: { TMPDIR } });
  assert.is(functions, "function");
  assert.is(mapped.length, 1);
  assert.ok((mapped[0] as string).startsWith(join(TMPDIR, "isthmus-")));
  assert.equal(readdirSync(TMPDIR), []);
});

test("a damaged file of the package does not matter as long as the copy can be loaded", async () => {
  const place = installed();
  put(join(place.directory, "prebuilds"), "not a program");
  assert.is((await loaded(place)).functions, "function");
});

test("a folder for temporary files that cannot be used is not the only one", async () => {
  const place = installed();
  const { functions, mapped } = await loaded(place, { env: { TMPDIR: "/no/such/folder" } });
  assert.is(functions, "function");
  assert.not.match(mapped.join(), "/no/such/folder");
});

test("what was built from its source is found, in the package and nowhere else", async () => {
  const place = installed();
  const release = join(place.directory, "build/Release");
  mkdirSync(release, { recursive: true });
  cpSync(prebuilt, join(release, "isthmus.node"));
  assert.equal((await loaded(place)).mapped, [join(release, "isthmus.node")]);
  writeFileSync(join(place.directory, "package.json"), '{ "name": "application" }');
  const { functions, mapped } = await loaded(place);
  assert.is(functions, "function");
  assert.not.match(mapped.join(), "Release");
});

test("ISTHMUS_PREBUILDS names the folder, and then no other place counts", async () => {
  const place = installed();
  put(join(place.directory, "prebuilds"), undefined);
  const chosen = temporaryDirectory();
  put(chosen, undefined);
  const env = { ISTHMUS_PREBUILDS: chosen };
  assert.equal((await loaded(place, { env })).mapped, [join(chosen, here, "isthmus.node")]);
  rmSync(join(chosen, here), { recursive: true });
  const message = await refused(place, /^ISTHMUS_PREBUILDS names /, { env });
  assert.match(message, `there is no file ${join(chosen, here, "isthmus.node")}`);
});

test("a binary that is none, or one for another system, is told apart from one that is not there", async () => {
  const place = installed();
  const chosen = temporaryDirectory();
  const env = { ISTHMUS_PREBUILDS: chosen };
  put(chosen, "not a program");
  await refused(place, /isthmus\.node cannot be loaded: it is damaged, or for another system/, { env });
  const other = here === "linux-x64" ? "linux-arm64" : "linux-x64";
  cpSync(join(root, "prebuilds", other, "isthmus.node"), join(chosen, here, "isthmus.node"));
  await refused(place, /isthmus\.node cannot be loaded: /, { env });
});

test("another addon in the place of the shim is not taken for it", async () => {
  const chosen = temporaryDirectory();
  const before = `
    const dlopen = process.dlopen;
    process.dlopen = (module, file) => { dlopen(module, file); delete module.exports.openNamed; };`;
  put(chosen, undefined);
  await refused(installed(), /it is not the shim of Isthmus/, { env: { ISTHMUS_PREBUILDS: chosen }, before });
});

test("a platform without a binary is told which have one, and what to do", async () => {
  const before = 'Object.defineProperty(process, "arch", { value: "mips" })';
  const message = await refused(
    installed(),
    /no native part for linux-mips; it has one for linux-arm64, linux-x64/,
    {
      before,
    },
  );
  assert.match(message, "linux-mips/isthmus.node can be named by ISTHMUS_PREBUILDS");
});

test("where no folder takes programs, the error names those that were tried, and each reason", async () => {
  const before = `
    const dlopen = process.dlopen;
    process.dlopen = (module, file) => {
      throw new Error(file + ": failed to map segment from shared object");
    };`;
  const TMPDIR = temporaryDirectory();
  const message = await refused(installed(), /^the native part for \S+ cannot be loaded: /, {
    before,
    env: { TMPDIR },
  });
  assert.match(message, "there is no file ");
  assert.match(message, `the copy in ${TMPDIR}/isthmus-`);
  assert.ok(message.split("the copy in ").length > 2, "no other folder was tried");
  assert.match(message, "forbids programs (noexec)");
  assert.equal(readdirSync(TMPDIR), []);
});

test("a damaged copy as the only one is an error, not a crash", async () => {
  const place = installed();
  const bytes = "require('node:zlib').deflateRawSync('not a program').toString('base64')";
  replaceEmbedded(place, `{ "${here}": { deflated: ${bytes}, sha256: "x" } }`);
  await refused(place, /the copy in .* cannot be loaded: it is damaged/);
});

test("too many open files are the system's failure, not a lack of support", async () => {
  const before = 'process.dlopen = () => { throw new Error("libx: cannot open: Too many open files"); };';
  const { status, message } = await loaded(installed(), { before });
  assert.is(status, SYSTEM, message);
});

test("Node without addons says how it was told so", async () => {
  const place = installed();
  put(join(place.directory, "prebuilds"), undefined);
  await refused(place, /leave out --no-addons/, { flags: ["--no-addons"] });
  await refused(place, /leave out --no-addons/, { env: { NODE_OPTIONS: "--no-addons" } });
  rmSync(join(place.directory, "prebuilds"), { recursive: true });
  await refused(place, /leave out --no-addons/, { flags: ["--no-addons"] });
});

test("a runtime without WebAssembly says which flag it is", async () => {
  await refused(installed(), /leave out --jitless/, { flags: ["--jitless"] });
});

test("frozen intrinsics are no obstacle", async () => {
  assert.is((await loaded(installed(), { flags: ["--frozen-intrinsics"] })).functions, "function");
});

test("the same thread gets the same shim, also from another copy of the package", () => {
  const require = createRequire(import.meta.url);
  const { loadNative } = require(compiled("../ts/host/native.cts").replace(/\.cts$/, ".cjs"));
  assert.is(loadNative(), native);
  const other = temporaryDirectory();
  for (const place of [join(other, "a"), join(other, "b")]) {
    cpSync(join(root, "dist/ts/host"), place, { recursive: true });
    assert.not(existsSync(join(place, "../../../prebuilds")));
  }
  const load = (place: string) => require(join(other, place, "native.cjs")).loadNative();
  assert.is(load("a"), load("b"));
});

test("a failure has the form of the shim's own", async () => {
  const { loadNative } = createRequire(import.meta.url)(installed().loader);
  process.env.ISTHMUS_PREBUILDS = "/no/such/folder";
  try {
    loadNative();
    assert.unreachable("it was loaded");
  } catch (error) {
    const { status, syscall, errno } = error as NativeError;
    assert.equal([status, syscall, errno], [NOT_SUPPORTED, "dlopen", 0]);
  } finally {
    delete process.env.ISTHMUS_PREBUILDS;
  }
});

test.run();
