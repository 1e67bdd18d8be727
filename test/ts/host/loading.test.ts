/**
 * Importing the package loads nothing and never throws, whatever the runtime was told; the first use does what is needed, or says
 * why it cannot. Each case is a process of its own.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import vm from "node:vm";
import { KiB, type Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../../lib/paths.js";
import { finished, start } from "../../lib/processes.js";
import { loadCopy } from "../../lib/realm.js";
import { bun, presentRuntimes, type Runtime } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";

/** Says what the first use gives; the import itself must be over by then. */
const USE = `
  console.log("imported");
  const answers = [
    () => Segment.createAnonymous({ bytes: ${128 * KiB} }).close(),
    () => Segment.open(process.env.LOADING_SEGMENT),
    () => Segment.list(),
  ].map((call) => {
    try {
      call();
      return "works";
    } catch (error) {
      return error instanceof IsthmusError ? error.message : "no IsthmusError: " + error.stack;
    }
  });
  console.log(JSON.stringify(answers));`;
const FORMS = {
  import: `import { IsthmusError, Segment } from "isthmus"; ${USE}`,
  require: `const { IsthmusError, Segment } = require("isthmus"); ${USE}`,
};

async function answers(
  form: keyof typeof FORMS,
  flags: string[],
  env: Record<string, string> = {},
): Promise<string[]> {
  const type = form === "import" ? "module" : "commonjs";
  const child = start(
    process.execPath,
    ["--no-warnings", ...flags, `--input-type=${type}`, "-e", FORMS[form]],
    {
      cwd: root, // from here the package finds itself by its name
      env: { ...process.env, LOADING_SEGMENT: segmentName("absent"), ...env },
    },
  );
  const { code, stdout, stderr } = await finished(child, `${form} with ${flags.join(" ")}`);
  assert.is(code, 0, stderr);
  const [first, second] = stdout.trim().split("\n");
  assert.is(first, "imported");
  return JSON.parse(second as string);
}

const permission = process.allowedNodeEnvironmentFlags.has("--permission")
  ? "--permission"
  : "--experimental-permission";

const refusals: { what: string; flags: string[]; env?: Record<string, string>; says: RegExp }[] = [
  { what: "--no-addons", flags: ["--no-addons"], says: /leave out --no-addons/ },
  {
    what: "--no-addons in NODE_OPTIONS",
    flags: [],
    env: { NODE_OPTIONS: "--no-addons" },
    says: /--no-addons/,
  },
  { what: "--permission", flags: [permission, "--allow-fs-read=*"], says: /add --allow-addons/ },
  { what: "--jitless", flags: ["--jitless"], says: /leave out --jitless/ },
  { what: "--no-expose-wasm", flags: ["--no-expose-wasm"], says: /--no-expose-wasm/ },
  {
    what: "a folder without the shim",
    flags: [],
    env: { ISTHMUS_PREBUILDS: "/no/such/folder" },
    says: /ISTHMUS_PREBUILDS names \/no\/such\/folder, but there is no file .*isthmus\.node/,
  },
];
for (const { what, flags, env, says } of refusals) {
  for (const form of ["import", "require"] as const) {
    test(`${form} succeeds with ${what}; each first use is NOT_SUPPORTED and says what it was`, async () => {
      for (const message of await answers(form, flags, env)) {
        assert.match(message, /^NOT_SUPPORTED: loading the shim failed: /);
        assert.match(message, says);
      }
    });
  }
}

test("a global scope without some classes of the language is no obstacle", async () => {
  for (const name of ["SharedArrayBuffer", "FinalizationRegistry", "WeakRef", "Atomics"]) {
    const [created, opened] = await answers("import", [
      "--import",
      `data:text/javascript,delete globalThis.${name}`,
    ]);
    assert.is(created, "works", name);
    assert.match(opened, /^NOT_FOUND/, name);
  }
});

test("frozen intrinsics and forbidden strings of code are no obstacle", async () => {
  for (const flag of ["--frozen-intrinsics", "--disallow-code-generation-from-strings"]) {
    const [created, opened] = await answers("import", [flag]);
    assert.is(created, "works", flag);
    assert.match(opened, /^NOT_FOUND/, flag);
  }
});

test("what could not be loaded is tried again with the next use", async () => {
  const program = `
    import { Segment } from "isthmus";
    process.env.ISTHMUS_PREBUILDS = "/no/such/folder";
    try { Segment.list(); } catch ({ code }) { console.log(code); }
    delete process.env.ISTHMUS_PREBUILDS;
    Segment.createAnonymous({ bytes: ${128 * KiB} }).close();
    console.log("works");`;
  const child = start(process.execPath, ["--input-type=module", "-e", program], { cwd: root });
  const { stdout, stderr } = await finished(child, "the second use");
  assert.is(stdout, "NOT_SUPPORTED\nworks\n", stderr);
});

/** What a process has loaded and compiled after importing, and after the first use. */
const WATCHED = `
  import process from "node:process";
  let [loaded, compiled] = [0, 0];
  const { dlopen } = process;
  process.dlopen = (...given) => { loaded++; return dlopen.apply(process, given); };
  const { Module } = WebAssembly;
  WebAssembly.Module = function (bytes) { compiled++; return new Module(bytes); };
  const { Segment } = await import("isthmus");
  console.log(loaded, compiled);
  Segment.createAnonymous({ bytes: ${128 * KiB} }).close();
  console.log(loaded, compiled);`;

async function watched({ command, flags, name }: Runtime): Promise<string> {
  const evaluate =
    name === "deno"
      ? ["eval", "--no-lock", WATCHED]
      : name === "bun"
        ? ["-e", WATCHED]
        : [...flags, "--input-type=module", "-e", WATCHED];
  const { stdout, stderr } = await finished(start(command, evaluate, { cwd: root }), `importing in ${name}`);
  if (process.platform !== "win32") assert.is(stderr, "", name); // under Wine, Bun says something about folders
  return stdout;
}

for (const runtime of presentRuntimes()) {
  test(`importing in ${runtime.name} loads no shim and compiles no Wasm, the first use does`, async () => {
    assert.is(await watched(runtime), "0 0\n1 1\n");
  });
}

test("a realm that may not compile Wasm is told so", () => {
  const context = vm.createContext({}, { codeGeneration: { wasm: false, strings: false } });
  const { Segment: Copy, IsthmusError } = loadCopy(context);
  let segment: Segment | undefined;
  assert.throws(
    () => (segment = Copy.createAnonymous({ bytes: 128 * KiB })),
    (error: Error) => error instanceof IsthmusError && /^NOT_SUPPORTED: .* Wasm/.test(error.message),
  );
  assert.is(segment, undefined);
});

test("both builds contain the same core", () => {
  const [dist, build] = ["dist", "build"].map((one) =>
    readFileSync(join(root, one, "ts/host/embedded-core.cjs"), "utf8"),
  );
  assert.is(dist, build);
});

test("Bun reads what it may not write with the plain core", async () => {
  if (!presentRuntimes().includes(bun)) return;
  const program = `
    import { Segment } from "isthmus";
    const name = process.env.LOADING_SEGMENT;
    const segment = Segment.create(name, { bytes: ${128 * KiB} });
    segment.counter("hits").add(3);
    console.log(String(Segment.open(name, { access: "read-only" }).counter("hits").value));
    segment.unlink();`;
  const env = { ...process.env, LOADING_SEGMENT: segmentName("plain") };
  const { stdout, stderr } = await finished(
    start(bun.command, ["-e", program], { cwd: root, env }),
    "reading in Bun",
  );
  assert.is(stdout.trim(), "3", stderr);
});

test.run();
