/**
 * Makes dist/ from what the compilers wrote, before the tests are compiled against it. There is one build of the library,
 * CommonJS, for those who require it and for those who import it:
 *
 * - the files of the library get the ending .cjs, which every runtime and tool takes at its word; their types get .d.cts
 * - `index.mjs` and `index.d.mts` give the same classes, by name, to those who import
 * - the command line: ES modules on top of the same build
 * - the core and the shims as JavaScript, so that no file must be found for them when a bundler has moved the code
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { tabled } from "./core-table.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");

/** The runtime's modules that the library uses: Node 18 has no other way to them inside of an ES module. */
const BUILTINS = [
  ...readFileSync(join(root, "ts/host/builtin.cts"), "utf8").matchAll(/"node:(\w+)": \(\) => require/g),
].map(([, name]) => name);

function write(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** The text with its relative imports of .js files leading to .cjs files, of those files that `isRenamed` takes. */
function redirected(text, isRenamed = () => true) {
  return text.replace(/(["'])(\.{1,2}\/[^"']+)\.js\1/g, (whole, quote, path) =>
    isRenamed(path) ? `${quote}${path}.cjs${quote}` : whole,
  );
}

function filesOf(directory, ending) {
  return readdirSync(directory, { recursive: true }).filter((file) => file.endsWith(ending));
}

function copyLibrary() {
  const from = join(root, "build/library");
  for (const file of [...filesOf(from, ".js"), ...filesOf(from, ".cjs")]) {
    write(join(dist, file.replace(/\.c?js$/, ".cjs")), redirected(readFileSync(join(from, file), "utf8")));
  }
}

/** Only the types that the public face leads to. */
function copyTypes(file = "ts/index.d.ts", done = new Set()) {
  if (done.has(file)) return;
  done.add(file);
  const text = readFileSync(join(root, "build/types", file), "utf8");
  write(join(dist, file.replace(/\.ts$/, ".cts")), redirected(text));
  for (const [, path] of text.matchAll(/["'](\.{1,2}\/[^"']+)\.js["']/g)) {
    copyTypes(normalize(join(dirname(file), `${path}.d.ts`)), done);
  }
}

function copyCommandLine() {
  const from = join(root, "build/cli/ts/cli");
  for (const file of filesOf(from, ".js")) {
    const isOutside = (path) => normalize(join(dirname(file), path)).startsWith("..");
    write(join(dist, "ts/cli", file), redirected(readFileSync(join(from, file), "utf8"), isOutside));
  }
}

/**
 * Both builds of ts/ need it: the one that ships, and the one that the tests look into. Deno keeps compiled code for the next run,
 * and takes it for another text of the same length: so the length depends on the text.
 */
function embed(name, text) {
  const spaces = createHash("sha256").update(text).digest().readUInt16LE(0) % 4096;
  for (const build of ["dist", "build"]) write(join(root, build, "ts/host", name), text + " ".repeat(spaces));
}

/** With Brotli, which makes a sixth less of it than deflate, and of two files that are nearly the same hardly more than of one. */
function compressed(bytes) {
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return brotliCompressSync(bytes, { params }).toString("base64");
}

function embedCore() {
  const { CoreFunctions } = createRequire(import.meta.url)(join(dist, "ts/core-functions.cjs"));
  const exported = Object.keys(new CoreFunctions({}));
  const [core, plain] = ["core.wasm", "core-plain.wasm"].map((name) =>
    tabled(readFileSync(join(dist, name)), (one) => exported.includes(one)),
  );
  const names = core.names.join(" ");
  if (plain.names.join(" ") !== names) throw new Error("the two cores export other functions");
  const cores = compressed(Buffer.concat([core.bytes, plain.bytes]));
  embed(
    "embedded-core.cjs",
    `exports.cores = "${cores}";\nexports.coreBytes = ${core.bytes.length};\nexports.names = "${names}";\n`,
  );
}

/** Not those for Windows: see ts/host/native.cts. Those for macOS are not in the package yet. */
function embedShims() {
  const platforms = readdirSync(join(root, "prebuilds")).filter((one) => one.startsWith("linux"));
  const shims = platforms.map((platform) => {
    const bytes = readFileSync(join(root, "prebuilds", platform, "isthmus.node"));
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return `  "${platform}": { compressed: "${compressed(bytes)}", sha256: "${sha256}" },\n`;
  });
  embed("embedded-shims.cjs", `exports.shims = {\n${shims.join("")}};\n`);
}

function writeEntry() {
  const exported = Object.keys(createRequire(import.meta.url)(join(dist, "ts/index.cjs"))).sort();
  const builtins = [
    "// Hands the runtime's modules to the CommonJS build: inside of an ES module that a bundler made, Node 18 has no other way.",
    ...BUILTINS.map((name) => `import ${name} from "node:${name}";`),
    'import { provide } from "./ts/host/builtin.cjs";',
    "",
    "provide({",
    ...BUILTINS.map((name) => `  "node:${name}": ${name},`),
    "});",
    "",
  ];
  const entry = [
    "// Those who import get the classes of the CommonJS build, so that there is one of each in a process.",
    'import "./builtins.mjs";',
    "",
    `export { ${exported.join(", ")} } from "./ts/index.cjs";`,
    "",
  ];
  write(join(dist, "builtins.mjs"), builtins.join("\n"));
  write(join(dist, "index.mjs"), entry.join("\n"));
  write(join(dist, "index.d.mts"), 'export * from "./ts/index.cjs";\n');
}

for (const stale of readdirSync(dist)) {
  if (!stale.endsWith(".wasm")) rmSync(join(dist, stale), { recursive: true });
}
copyLibrary();
copyTypes();
copyCommandLine();
embedCore();
embedShims();
writeEntry();
