/**
 * Puts into dist/ what no compiler writes, before the tests are compiled against it. There is one build of the library, CommonJS; what is added makes it one for
 * everybody:
 *
 * - the kind of modules of each folder: the nearest package.json decides
 * - the command line, ES modules on top of the same build
 * - `index.mjs` and `index.d.mts`: the classes of that build, by name, for those who import
 * - the core and the shims as JavaScript, so that no file must be found for them when a bundler has moved the code
 */
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateRawSync } from "node:zlib";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");

/** The runtime's modules that the library uses: Node 18 has no other way to them inside of an ES module. */
const BUILTINS = ["buffer", "events", "fs", "module", "os", "path", "process", "timers", "zlib"];

function markKinds() {
  rmSync(join(dist, "ts/cli"), { recursive: true, force: true });
  cpSync(join(root, "build/cli/ts/cli"), join(dist, "ts/cli"), { recursive: true });
  writeFileSync(join(dist, "package.json"), '{ "type": "commonjs" }\n');
  writeFileSync(join(dist, "ts/cli/package.json"), '{ "type": "module" }\n');
}

/** Both builds of ts/ need it: the one that ships, and the one that the tests look into. */
function embed(name, text) {
  for (const build of ["dist", "build"]) {
    mkdirSync(join(root, build, "ts/host"), { recursive: true });
    writeFileSync(join(root, build, "ts/host", name), text);
  }
}

function embedCore() {
  const core = (name) => readFileSync(join(dist, name)).toString("base64");
  embed(
    "embedded-core.cjs",
    `exports.core = "${core("core.wasm")}";\nexports.plain = "${core("core-plain.wasm")}";\n`,
  );
}

function embedShims() {
  const shims = readdirSync(join(root, "prebuilds")).map((platform) => {
    const bytes = readFileSync(join(root, "prebuilds", platform, "isthmus.node"));
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const deflated = deflateRawSync(bytes, { level: 9 }).toString("base64");
    return `  "${platform}": { deflated: "${deflated}", sha256: "${sha256}" },\n`;
  });
  embed("embedded-shims.cjs", `exports.shims = {\n${shims.join("")}};\n`);
}

function writeEntry() {
  const exported = Object.keys(createRequire(import.meta.url)(join(dist, "ts/index.js"))).sort();
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
    `export { ${exported.join(", ")} } from "./ts/index.js";`,
    "",
  ];
  writeFileSync(join(dist, "builtins.mjs"), builtins.join("\n"));
  writeFileSync(join(dist, "index.mjs"), entry.join("\n"));
  writeFileSync(join(dist, "index.d.mts"), 'export * from "./ts/index.js";\n');
}

markKinds();
embedCore();
embedShims();
writeEntry();
