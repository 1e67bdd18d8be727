// only: linux, the copy in the JavaScript is for Linux, and /proc says what is loaded; see windows.test.ts
/** Finding the binary: where it is looked for, and what somebody is told who has none, a damaged one or may not load any. */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NOT_SUPPORTED, SYSTEM } from "../../protocol/errors.js";
import { SHIM_CONTRACT } from "../../protocol/shim.js";
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
  origin?: string;
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
      const { loadNative, shimOrigin } = require(${JSON.stringify(loader)});
      answer.functions = typeof loadNative().openNamed;
      answer.origin = shimOrigin();
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

/** The shims that a process loads next are of another release. */
const ofOtherRelease = (change: string) => `
  const dlopen = process.dlopen;
  process.dlopen = (module, file) => {
    dlopen(module, file);
    if (file.includes(process.env.OLD_SHIM)) { ${change}; }
  };`;
const WITHOUT_NUMBER = ofOtherRelease("delete module.exports.contract");
const OTHER_NUMBER = ofOtherRelease("module.exports.contract = 7");

test("a shim of another release in ISTHMUS_PREBUILDS: the error says which file, both numbers and what to do", async () => {
  const chosen = temporaryDirectory();
  put(chosen, undefined);
  const env = { ISTHMUS_PREBUILDS: chosen, OLD_SHIM: chosen };
  const file = join(chosen, here, "isthmus.node");
  const cure = "let ISTHMUS_PREBUILDS name the prebuilds folder of this release, or unset it";
  for (const [before, found] of [
    [WITHOUT_NUMBER, "no contract number"],
    [OTHER_NUMBER, "contract number 7"],
  ] as const) {
    const { status, message } = await loaded(installed(), { env, before });
    assert.is(status, NOT_SUPPORTED);
    const what = `belongs to another release of Isthmus: it has ${found}, and this package needs ${SHIM_CONTRACT}`;
    assert.is(message, `ISTHMUS_PREBUILDS names ${chosen}, but ${file} ${what}: ${cure}`);
  }
});

test("a shim of another release in the package, or built from source, is passed over for the copy in the JavaScript", async () => {
  for (const folder of ["prebuilds", "build/Release"]) {
    const place = installed();
    const target = join(place.directory, folder);
    mkdirSync(target, { recursive: true });
    if (folder === "prebuilds") put(target, undefined);
    else cpSync(prebuilt, join(target, "isthmus.node"));
    const env = { OLD_SHIM: target };
    const { functions, mapped, origin } = await loaded(place, { env, before: OTHER_NUMBER });
    assert.is(functions, "function");
    assert.is(mapped.length, 2, "the other one was not even tried");
    assert.match(origin as string, /^the copy in the JavaScript for .* because /);
    const cure = folder === "prebuilds" ? "reinstall the package" : "build it again from the sources";
    assert.match(
      origin as string,
      `it has contract number 7, and this package needs ${SHIM_CONTRACT}: ${cure}`,
    );
  }
});

test("where every shim is of another release the error names each", async () => {
  const place = installed();
  put(join(place.directory, "prebuilds"), undefined);
  await refused(place, /^the copy in the JavaScript belongs to another release of Isthmus/, {
    env: { OLD_SHIM: "isthmus.node" },
    before: OTHER_NUMBER,
  });
});

test("a copy of the package looks at the number also where another copy has loaded the shim", async () => {
  const chosen = temporaryDirectory();
  put(chosen, undefined);
  const before = `
    process.env.ISTHMUS_PREBUILDS = ${JSON.stringify(chosen)};
    require(${JSON.stringify(installed().loader)}).loadNative().contract = 7;`;
  await refused(installed(), /it has contract number 7/, { before });
});

test("the prebuilt shims keep the contract of this package", () => {
  assert.is(native.contract, SHIM_CONTRACT);
});

/** What the contract consists of: what the two declarations say, without their comments, and the numbers that both use. */
function contractText(): string {
  const code = (file: string) =>
    readFileSync(join(root, file), "utf8")
      .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "")
      .replace(/\s+/g, " ");
  return [
    code("ts/host/native.ts"),
    code("shims/generated/errors.h"),
    code("shims/generated/locks.h"),
  ].join();
}

/** Of the contract with the number SHIM_CONTRACT. */
const CONTRACT_SHA256 = "4493183333539b8deefc38bf597917be516da7e23c947992dd339093ad4cb447";

test("a change of the contract raises its number", () => {
  const found = createHash("sha256").update(contractText()).digest("hex");
  assert.is(
    found,
    CONTRACT_SHA256,
    `raise SHIM_CONTRACT (${SHIM_CONTRACT}) in protocol/shim.ts, and write ${found} into this test`,
  );
});

test("a platform without a binary is told which have one, and what to do", async () => {
  const before = 'Object.defineProperty(process, "arch", { value: "mips" })';
  const message = await refused(
    installed(),
    /no native part for linux-mips; it has one for linux-arm64, linux-x64, win32-arm64, win32-x64/,
    {
      before,
    },
  );
  assert.match(message, "linux-mips/isthmus.node can be named by ISTHMUS_PREBUILDS");
});

test("on Windows, where the JavaScript has no copy, the error says what a bundle must take along", async () => {
  const before = 'Object.defineProperty(process, "platform", { value: "win32" })';
  const file = `prebuilds/win32-${process.arch}/isthmus.node`;
  const message = await refused(
    installed(),
    /^the native part for win32-\S+ was not found: there is no file /,
    {
      before,
    },
  );
  assert.match(message, `copy ${file} of the package`);
  assert.match(message, "let ISTHMUS_PREBUILDS name the folder");
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
  const bytes = "require('node:zlib').brotliCompressSync('not a program').toString('base64')";
  replaceEmbedded(place, `{ "${here}": { compressed: ${bytes}, sha256: "x" } }`);
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
