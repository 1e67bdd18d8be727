// watchdog: 240 s
/** The tarball as users get it: small, complete, without install scripts, for both module systems, with types. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../lib/paths.js";
import { type Ended, finished, start } from "../lib/processes.js";
import { deno, presentRuntimes } from "../lib/runtimes.js";
import { segmentName, temporaryDirectory } from "../lib/segments.js";

const KB = 1000;
const place = temporaryDirectory();
const packed = join(place, "packed");
const empty = join(place, "empty");
const installed = join(empty, "node_modules/isthmus");

interface Manifest {
  name: string;
  version: string;
  os: string[];
  cpu: string[];
  keywords: string[];
  repository?: { url: string };
  scripts?: Record<string, string>;
  dependencies: Record<string, string>;
}

const manifestOf = (directory: string): Manifest =>
  JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));

async function run(command: string, args: string[], cwd = empty): Promise<string> {
  const what = `${command} ${args.join(" ")}`;
  const { code, stdout, stderr } = await finished(start(command, args, { cwd }), what, 120_000);
  assert.is(code, 0, `${what}\n${stdout}${stderr}`);
  return stdout;
}

/** Packs each package that is needed at run time from what `npm ci` installed, so that no registry is asked. */
async function packDependencies(
  from: string,
  done = new Map<string, string>(),
): Promise<Map<string, string>> {
  for (const name of Object.keys(manifestOf(from).dependencies ?? {})) {
    if (done.has(name)) continue;
    const directory = [join(from, "node_modules", name), join(root, "node_modules", name)].find(
      existsSync,
    ) as string;
    const [{ filename }] = JSON.parse(
      await run("npm", ["pack", directory, "--json", "--ignore-scripts"], packed),
    );
    done.set(name, join(packed, filename));
    await packDependencies(directory, done);
  }
  return done;
}

test.before(async () => {
  mkdirSync(packed);
  mkdirSync(empty);
});

let tarball = "";

test("the tarball is small and has what it needs and no more", async () => {
  const [report] = JSON.parse(await run("npm", ["pack", root, "--json", "--ignore-scripts"], packed));
  tarball = join(packed, report.filename);
  const bytes = statSync(tarball).size;
  console.log(`the tarball has ${bytes} bytes`);
  // Documents are a quarter of it, the compiled shims and the copies of two of them in the JavaScript a fifth.
  assert.ok(bytes < 530 * KB, `${bytes} bytes`);
  const files = (report.files as { path: string }[]).map(({ path }) => path);
  for (const needed of [
    /^README\.md$/,
    /^LICENSE$/,
    /^CHANGELOG\.md$/,
    /^docs\/pitfalls\.md$/,
    /^docs\/bundling\.md$/,
    /^dist\/core\.wasm$/,
    /^dist\/core-hosted\.wasm$/,
    /^dist\/index\.mjs$/,
    /^dist\/index\.d\.mts$/,
    /^prebuilds\/linux-x64\/.*\.node$/,
    /^prebuilds\/linux-arm64\/.*\.node$/,
    /^prebuilds\/win32-x64\/.*\.node$/,
    /^prebuilds\/win32-arm64\/.*\.node$/,
  ]) {
    assert.ok(
      files.some((file) => needed.test(file)),
      `nothing matches ${needed}`,
    );
  }
  const allowed =
    /^(dist|prebuilds)\/|^docs\/[\w-]+\.(md|h)$|^(README|CHANGELOG)\.md$|^protocol\/vectors\.json$|^LICENSE$|^package\.json$/;
  assert.equal(
    files.filter((file) => !allowed.test(file)),
    [],
  );
  assert.equal(
    files.filter((file) => /\.test\.|tsbuildinfo|\.gyp$/.test(file)),
    [],
  );
});

test("it installs into an empty folder without scripts and without compiling", async () => {
  const dependencies = await packDependencies(root);
  writeFileSync(join(empty, "package.json"), JSON.stringify({ private: true }));
  // Offline: the tarballs above are all there is.
  await run("npm", [
    "install",
    "--ignore-scripts",
    "--offline",
    "--no-audit",
    "--no-fund",
    tarball,
    ...dependencies.values(),
  ]);
  assert.is(manifestOf(installed).version, manifestOf(root).version);
  for (const hook of ["preinstall", "install", "postinstall", "prepare"])
    assert.is(manifestOf(installed).scripts?.[hook], undefined);
  assert.not(existsSync(join(installed, "binding.gyp")));
  assert.not(readdirSync(installed).includes("build"));
});

/** Sends one record to itself. The same text is a module and, with another first line, a script. */
function program(head: string, name: string): string {
  return `${head}
const segment = Segment.create(${JSON.stringify(name)}, { bytes: 131072 });
const ring = segment.ring("ring", { bytes: 1024 });
ring.producer().trySend(new Uint8Array([4, 2]));
console.log(String(ring.consumer().tryReceive()), String(MiB), new IsthmusError("BUSY", "text").code);
segment.unlink();
segment.close();
`;
}

test("it works as ESM and as CommonJS in every runtime", async () => {
  const heads = {
    "program.mjs": 'import { IsthmusError, MiB, Segment } from "isthmus";',
    "program.cjs": 'const { IsthmusError, MiB, Segment } = require("isthmus");',
  };
  for (const [file, head] of Object.entries(heads)) {
    for (const runtime of presentRuntimes()) {
      writeFileSync(join(empty, file), program(head, segmentName("packed")));
      const output = await run(runtime.command, [...runtime.flags, join(empty, file)]);
      assert.is(output.trim(), "4,2 1048576 BUSY", `${runtime.name} ${file}`);
    }
  }
});

test("the manifest says what is true: platforms that have a shim, no placeholder, no script that would run", () => {
  const { os, cpu, keywords, repository, scripts = {} } = manifestOf(installed);
  const platforms = readdirSync(join(installed, "prebuilds"));
  assert.equal(platforms.sort(), os.flatMap((system) => cpu.map((kind) => `${system}-${kind}`)).sort());
  assert.ok(keywords.includes("shared-memory"));
  if (repository) assert.not.match(repository.url, /example|OWNER|placeholder/i);
  for (const hook of ["prepublish", "preprepare", "prepare", "postprepare"])
    assert.is(scripts[hook], undefined);
});

test("links in the documents of the package lead to files of the package", () => {
  const documents = [
    "README.md",
    "CHANGELOG.md",
    ...readdirSync(join(installed, "docs")).map((file) => `docs/${file}`),
  ];
  const broken: string[] = [];
  let followed = 0;
  for (const document of documents.filter((file) => file.endsWith(".md"))) {
    const prose = readFileSync(join(installed, document), "utf8").replace(/^```[\s\S]*?^```$/gm, "");
    for (const [, target = ""] of prose.matchAll(/\]\(([^)\s#]+)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      followed++;
      if (!existsSync(join(installed, document, "..", target))) broken.push(`${document} → ${target}`);
    }
  }
  assert.equal(broken, []);
  assert.ok(followed > 20);
});

/** What the documentation says that Deno needs: the table of the README has it in brackets. */
function denoFlags(): string[] {
  const readme = readFileSync(join(installed, "README.md"), "utf8");
  const [, flags = ""] = /^\| Deno [\d.]+ \(`([^`]+)`\)/m.exec(readme) ?? [];
  assert.ok(flags, "the README does not say what Deno needs");
  return flags.split(" ");
}

/** The examples of the README, each with the flags that the text behind it states for Deno, or those of every program. */
function readmeExamples(): { code: string; flags: string[] }[] {
  const readme = readFileSync(join(installed, "README.md"), "utf8");
  const blocks = readme.matchAll(/^```(?:ts|js) runnable\n([\s\S]*?)^```$([^`]*(?:`[^`]+`[^`]*)*)/gm);
  return [...blocks].map(([, code = "", behind = ""]) => {
    const own = /`deno run ((?:--\S+ )+)/.exec(behind)?.[1];
    return { code, flags: own?.trim().split(" ") ?? denoFlags() };
  });
}

/** Runs a program of the README, whose segment has the name of its process, and stays when the program is stopped. */
async function runInDeno(file: string, flags: string[]): Promise<Ended> {
  const args = ["run", "--no-prompt", "--no-lock", "--quiet", ...flags, file];
  const child = start(deno.command, args, { cwd: empty });
  const ended = await finished(child, file);
  for (const { name } of Segment.list({ prefix: `readme-hello-${child.pid}` })) Segment.unlink(name);
  return ended;
}

test("the examples of the README run in Deno with the flags that they state, and with no fewer", async () => {
  if (!presentRuntimes().includes(deno)) return;
  const all = readmeExamples();
  assert.ok(all.length > 3);
  for (const [index, { code, flags }] of all.entries()) {
    const file = join(empty, `readme-${index}.${code.includes("using ") ? "mts" : "mjs"}`);
    writeFileSync(file, code);
    const { code: ended, stderr } = await runInDeno(file, flags);
    assert.is(ended, 0, `${code}\n${stderr}`);
    for (const left of flags) {
      const allowed = flags.filter((flag) => flag !== left);
      const without = await runInDeno(file, allowed);
      assert.is.not(without.code, 0, `${left} is not needed for\n${code}`);
    }
  }
});

const DENO_PROGRAM = `
import { Segment } from "isthmus";
const name = Deno.args[0];
const segment = Segment.create(name, { bytes: 1048576 });
const ring = segment.ring("ring", { bytes: 1024 });
const consumer = ring.consumer();
const received = consumer.receive({ timeoutMs: 60000 });
ring.producer().sendSync(new Uint8Array([4, 2]));
const lock = segment.lock("lock");
(await lock.acquire("exclusive")).release();
segment.root = segment.heap.allocate(64);
const waiting = Segment.waitFor(name, { timeoutMs: 60000 });
const file = Segment.openFile(Deno.args[1], { bytes: 65536 });
console.log(String(await received), (await waiting).participants().length, Segment.list().length > 0, file.bytes);
file.close();
segment.unlink();
`;

test("Deno needs the permissions that the README states, and no more", async () => {
  if (!presentRuntimes().includes(deno)) return;
  const flags = denoFlags();
  writeFileSync(join(empty, "permissions.mjs"), DENO_PROGRAM);
  const given = (allowed: string[]): string[] => [
    ...["run", "--no-prompt", "--no-lock", "--quiet", ...allowed, join(empty, "permissions.mjs")],
    ...[segmentName("deno"), join(place, "deno.isthmus")],
  ];
  assert.is((await run(deno.command, given(flags))).trim(), "4,2 2 true 65536");
  for (const left of flags) {
    const allowed = flags.filter((flag) => flag !== left);
    const { code, stderr } = await finished(
      start(deno.command, given(allowed), { cwd: empty }),
      `without ${left}`,
    );
    assert.is.not(code, 0, left);
    assert.match(stderr, `add ${left}`);
  }
});

test("imported and required, it is one set of classes in every runtime", async () => {
  const text = `import { createRequire } from "node:module";
import * as imported from "isthmus";
const required = createRequire(import.meta.url)("isthmus");
const names = Object.keys(imported).sort().join();
console.log(names === Object.keys(required).sort().join());
console.log(Object.keys(required).every((name) => imported[name] === required[name]));
`;
  writeFileSync(join(empty, "one.mjs"), text);
  for (const runtime of presentRuntimes()) {
    const output = await run(runtime.command, [...runtime.flags, join(empty, "one.mjs")]);
    assert.is(output.trim(), "true\ntrue", runtime.name);
  }
});

test("both entries in one process are one core on one segment", async () => {
  const text = `import { createRequire } from "node:module";
import { Segment } from "isthmus";
const other = createRequire(import.meta.url)("isthmus");
const a = Segment.create(${JSON.stringify(segmentName("both"))}, { bytes: 131072 });
const b = other.Segment.open(a.name);
a.ring("ring", { bytes: 1024 }).producer().trySend(new Uint8Array([1]));
console.log(String(b.ring("ring", { bytes: 1024 }).consumer().tryReceive()));
const waits = Promise.all([a.event("from b").wait(), b.event("from a").wait()]);
setTimeout(() => {
  b.event("from b").signal();
  a.event("from a").signal();
}, 150);
await waits;
console.log("woken");
a.unlink();
`;
  writeFileSync(join(empty, "both.mjs"), text);
  for (const runtime of presentRuntimes()) {
    const output = await run(runtime.command, [...runtime.flags, join(empty, "both.mjs")]);
    assert.is(output.trim(), "1\nwoken", runtime.name);
  }
});

test("its types serve strict users of both module systems, and catch mistakes", async () => {
  const good = `import { type Consumer, IsthmusError, Segment, struct } from "isthmus";
const segment: Segment = Segment.openOrCreate("types", { bytes: 65536, mode: 0o600 });
const consumer: Consumer = segment.ring("ring", { bytes: 1024 }).consumer();
const bytes: Uint8Array | undefined = consumer.tryReceive();
const pose = segment.latest("pose", struct({ id: "u32", position: ["f64", 3], label: "utf8:32", big: "u64" }));
const id: number | undefined = pose.read()?.id;
const label: string | undefined = pose.read()?.label;
const positions: number[] | undefined = pose.read()?.position;
const big: bigint | undefined = pose.read()?.big;
export { bytes, id, label, positions, big, IsthmusError };
`;
  const bad = good.replace("const id: number", "const id: string");
  const types = join(empty, "types");
  mkdirSync(types);
  cpSync(join(root, "node_modules/@types/node"), join(empty, "node_modules/@types/node"), {
    recursive: true,
  });
  cpSync(join(root, "node_modules/undici-types"), join(empty, "node_modules/undici-types"), {
    recursive: true,
  });
  const tsc = join(root, "node_modules/.bin/tsc");
  const flags = ["--noEmit", "--strict", "--target", "es2022", "--types", "node", "--module", "nodenext"];
  for (const ending of ["mts", "cts"]) {
    writeFileSync(join(types, `good.${ending}`), good);
    writeFileSync(join(types, `bad.${ending}`), bad);
    await run(tsc, [...flags, join(types, `good.${ending}`)]);
    const { status, stdout } = spawnSync(tsc, [...flags, join(types, `bad.${ending}`)], {
      cwd: empty,
      encoding: "utf8",
      timeout: 120_000,
    });
    assert.is.not(status, 0);
    assert.match(stdout, /TS2322/);
  }
});

test("its types need no DOM, no types of a runtime and nothing newer than ES2022, and undefined stands for a default", async () => {
  const strict = join(place, "strict", "node_modules"); // where no @types/node can be found
  mkdirSync(strict, { recursive: true });
  cpSync(installed, join(strict, "isthmus"), { recursive: true });
  const program = `import { type FileOptions, Segment, type WaitOptions } from "isthmus";
const nothing = undefined;
const wait: WaitOptions = { timeoutMs: nothing, signal: nothing };
const file: FileOptions = { bytes: 65536, access: nothing, mode: nothing, participants: nothing };
export async function use(): Promise<number | undefined> {
  const a = Segment.create("a", { bytes: 65536, mode: nothing, replace: nothing, participants: nothing, namespace: nothing });
  const b = await Segment.waitFor("a", { access: nothing, namespace: nothing, ...wait });
  const { value } = a.semaphore("free", { initial: 1 });
  b.event("go", { signaled: nothing }).waitSync({ timeoutMs: nothing });
  a.ring("ring", { bytes: 1024 }).consumer().tryDrain((record) => record.byteLength, { limit: nothing });
  const block = Segment.openFile("b", file).heap.allocate(8, { zero: nothing, alignment: nothing });
  a[Symbol.dispose]();
  return block?.bytes.length ?? value;
}
`;
  const flags = ["--noEmit", "--strict", "--skipLibCheck", "false", "--exactOptionalPropertyTypes"];
  const tsc = join(root, "node_modules/.bin/tsc");
  for (const ending of ["mts", "cts"]) {
    const file = join(place, "strict", `program.${ending}`);
    writeFileSync(file, program);
    await run(
      tsc,
      [...flags, "--lib", "es2022", "--types", "", "--module", "nodenext", file],
      join(file, ".."),
    );
  }
});

test("publint and attw have nothing to say", async () => {
  await run(join(root, "node_modules/.bin/publint"), ["run", tarball, "--strict"], packed);
  const output = await run(
    join(root, "node_modules/.bin/attw"),
    [tarball, "--format", "ascii", "--no-color", "--config-path", join(root, ".attw.json")],
    packed,
  );
  assert.match(output, /No problems found/);
});

test("the command is installed and runs", async () => {
  const output = await run(join(empty, "node_modules/.bin/isthmus"), ["ls", "--json"]);
  assert.ok(JSON.parse(output));
});

test.run();
