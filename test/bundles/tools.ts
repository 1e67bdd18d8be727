/** How each tool makes a bundle of a program. A tool gets a folder of its own with the program and its node_modules. */
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as assert from "uvu/assert";
import { root } from "../lib/paths.js";
import { type Ended, finished, start } from "../lib/processes.js";
import { bun, deno, node } from "../lib/runtimes.js";

const TOOLS = join(root, "test/bundles/node_modules");
const TOOL_MS_MAX = 300_000;

/** A command that runs what was made; paths are within the folder that it is moved to. */
type Command = (folder: string) => string[];

export interface Made {
  /** The folder that has all that is to be moved. */
  output: string;
  commands: Record<string, Command>;
}

export interface Tool {
  name: string;
  /** Bundles all of the program, the package with it. */
  whole(app: string): Promise<Made>;
  /** Leaves the package where it was installed; not there where the tool has no such form. */
  external?(app: string): Promise<Made>;
}

export async function succeeds(command: string, args: string[], cwd: string): Promise<Ended> {
  const what = `${command} ${args.join(" ")}`;
  const child = start(command, args, { cwd, env: { ...process.env, NO_COLOR: "1" } });
  child.stdin?.end();
  const ended = await finished(child, what, TOOL_MS_MAX);
  assert.is(ended.code, 0, `${what}\n${ended.stdout}${ended.stderr}`);
  return ended;
}

/** A tool of the private package, run by this Node. */
const tool = (app: string, file: string, ...args: string[]): Promise<Ended> =>
  succeeds(process.execPath, [join(TOOLS, file), ...args], app);

const node18 = join(TOOLS, "node18/bin/node");
const node22 = join(TOOLS, "node22/bin/node");

const byNode =
  (file: string): Command =>
  (folder) => [node.command, join(folder, file)];

/** In this Node, in one without and one with `process.getBuiltinModule`, in Bun, and in Deno with as few rights as it takes. */
function everywhere(file: string): Record<string, Command> {
  const DENO = ["run", "--no-prompt", "--quiet", "--no-lock"];
  const rights = ["--allow-ffi", "--allow-env", "--allow-run", "--allow-read", "--allow-write"];
  return {
    "this Node": byNode(file),
    "Node 18": (folder) => [node18, join(folder, file)],
    "Node 22": (folder) => [node22, join(folder, file)],
    Bun: (folder) => [bun.command, join(folder, file)],
    Deno: (folder) => [deno.command, ...DENO, ...rights, join(folder, file)],
  };
}

const made = (app: string, commands: Record<string, Command>): Made => ({
  output: join(app, "out"),
  commands,
});

/** A file that ends in .js is an ES module where a package.json says so. */
function asModule(app: string): Record<string, Command> {
  writeFileSync(join(app, "out/package.json"), '{ "type": "module" }');
  return everywhere("app.js");
}

function esbuild(format: "esm" | "cjs"): Tool {
  const file = format === "esm" ? "app.mjs" : "app.cjs";
  const build = async (app: string, ...more: string[]): Promise<Made> => {
    const flags = ["--bundle", "--platform=node", `--format=${format}`, `--outfile=out/${file}`, ...more];
    // Its installation may have replaced the script in .bin by the program itself.
    const command = join(TOOLS, ".bin/esbuild");
    const { stderr } = await succeeds(command, ["app.mjs", ...flags, "--log-level=warning"], app);
    assert.is(stderr, "");
    return made(app, everywhere(file));
  };
  return {
    name: `esbuild, ${format}`,
    whole: (app) => build(app),
    external: (app) => build(app, "--external:isthmus"),
  };
}

/** A program that requires the package although it becomes an ES module: Node 18 has no way to its own modules there. */
const esbuildRequire: Tool = {
  name: "esbuild, esm, of a program that requires it",
  async whole(app) {
    const file = join(app, "app.mjs");
    const text = readFileSync(file, "utf8");
    const required = text.replace(/^import (\{.*\}) from "isthmus";$/m, 'const $1 = require("isthmus");');
    assert.is.not(required, text);
    writeFileSync(file, required);
    const { output, commands } = await esbuild("esm").whole(app);
    const { "Node 18": _, ...others } = commands;
    return { output, commands: others };
  },
};

function rollup(format: "es" | "cjs"): Tool {
  const file = format === "es" ? "app.mjs" : "app.cjs";
  const build = async (app: string, external: string): Promise<Made> => {
    writeFileSync(
      join(app, "rollup.config.mjs"),
      `import commonjs from ${JSON.stringify(join(TOOLS, "@rollup/plugin-commonjs/dist/es/index.js"))};
       import resolve from ${JSON.stringify(join(TOOLS, "@rollup/plugin-node-resolve/dist/es/index.js"))};
       export default { input: "app.mjs", external: [${external}], output: { file: "out/${file}", format: "${format}" },
         plugins: [resolve({ preferBuiltins: true }), commonjs()] };`,
    );
    await tool(app, "rollup/dist/bin/rollup", "-c");
    return made(app, everywhere(file));
  };
  return {
    name: `rollup, ${format === "es" ? "esm" : "cjs"}`,
    whole: (app) => build(app, "/^node:/"),
    external: (app) => build(app, '/^node:/, "isthmus"'),
  };
}

const rolldown: Tool = {
  name: "rolldown",
  async whole(app) {
    await tool(app, "rolldown/bin/cli.mjs", "app.mjs", "--platform", "node", "--file", "out/app.mjs");
    return made(app, everywhere("app.mjs"));
  },
  async external(app) {
    const flags = ["--platform", "node", "--external", "isthmus", "--file", "out/app.mjs"];
    await tool(app, "rolldown/bin/cli.mjs", "app.mjs", ...flags);
    return made(app, everywhere("app.mjs"));
  },
};

/** Bundles for the server; by itself Vite leaves packages outside. */
const vite: Tool = {
  name: "vite, SSR",
  async whole(app) {
    writeFileSync(join(app, "vite.config.mjs"), "export default { ssr: { noExternal: true } };");
    await tool(app, "vite/bin/vite.js", "build", "--ssr", "app.mjs", "--outDir", "out");
    return made(app, asModule(app));
  },
  async external(app) {
    await tool(app, "vite/bin/vite.js", "build", "--ssr", "app.mjs", "--outDir", "out");
    return made(app, asModule(app));
  },
};

const webpack: Tool = {
  name: "webpack",
  whole: (app) => buildWithWebpack(app, "{}"),
  external: (app) => buildWithWebpack(app, '{ isthmus: "commonjs isthmus" }'),
};

/** With its programming interface, which says more than the command that has a package of its own. */
async function buildWithWebpack(app: string, externals: string): Promise<Made> {
  const config = `{ mode: "production", target: "node18", context: ${JSON.stringify(app)}, entry: "./app.mjs",
    externals: ${externals}, output: { path: ${JSON.stringify(join(app, "out"))}, filename: "app.cjs" } }`;
  const script = `require(${JSON.stringify(join(TOOLS, "webpack"))})(${config}, (error, stats) => {
    if (error) throw error;
    const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
    if (errors.length + warnings.length) throw new Error(JSON.stringify([errors, warnings]));
  })`;
  await succeeds(process.execPath, ["-e", script], app);
  return made(app, everywhere("app.cjs"));
}

const ncc: Tool = {
  name: "@vercel/ncc",
  async whole(app) {
    await tool(app, "@vercel/ncc/dist/ncc/cli.js", "build", "app.mjs", "--out", "out");
    return made(app, everywhere("index.mjs"));
  },
  async external(app) {
    await tool(
      app,
      "@vercel/ncc/dist/ncc/cli.js",
      "build",
      "app.mjs",
      "--out",
      "out",
      "--external",
      "isthmus",
    );
    return made(app, everywhere("index.mjs"));
  },
};

/** Makes no bundle: it finds the files that a program needs, and those are copied. */
const nft: Tool = {
  name: "@vercel/nft",
  async whole(app) {
    const script = `require(${JSON.stringify(join(TOOLS, "@vercel/nft"))}).nodeFileTrace(["app.mjs"], { base: "." })
      .then(({ fileList }) => console.log(JSON.stringify([...fileList])))`;
    const { stdout } = await succeeds(process.execPath, ["-e", script], app);
    const files = JSON.parse(stdout) as string[];
    const shim = `node_modules/isthmus/prebuilds/${process.platform}-${process.arch}/isthmus.node`;
    assert.ok(files.includes(shim), `${shim} is not in ${files.join(" ")}`);
    for (const file of ["package.json", ...files]) {
      mkdirSync(dirname(join(app, "out", file)), { recursive: true });
      copyFileSync(join(app, file), join(app, "out", file));
    }
    return made(app, everywhere("app.mjs"));
  },
};

function builder(name: "tsup" | "tsdown", format: "esm" | "cjs"): Tool {
  const cli = name === "tsup" ? "tsup/dist/cli-default.js" : "tsdown/dist/run.mjs";
  const build = async (app: string, config: string): Promise<Made> => {
    cpSync(join(app, "app.mjs"), join(app, "app.ts")); // plain JavaScript is TypeScript, too
    writeFileSync(
      join(app, `${name}.config.mjs`),
      `export default { entry: { app: "app.mjs" }, format: "${format}", outDir: "out", dts: false, platform: "node",
         ${name === "tsup" ? 'outExtension: ({ format }) => ({ js: format === "esm" ? ".mjs" : ".cjs" }),' : ""} ${config} };`,
    );
    await tool(app, cli, "--config", `${name}.config.mjs`);
    return made(app, everywhere(format === "esm" ? "app.mjs" : "app.cjs"));
  };
  return {
    name: `${name}, ${format}`,
    whole: (app) => build(app, "noExternal: [/.*/]"),
    external: (app) => build(app, ""), // both leave dependencies outside by themselves
  };
}

function bunBuild(target: "bun" | "node"): Tool {
  const build = async (app: string, ...more: string[]): Promise<Made> => {
    await succeeds(bun.command, ["build", "app.mjs", `--target=${target}`, "--outdir=out", ...more], app);
    const commands = asModule(app);
    if (target === "bun") return made(app, { Bun: commands.Bun as Command });
    return made(app, commands);
  };
  return {
    name: `bun build, ${target}`,
    whole: (app) => build(app),
    external: (app) => build(app, "--external", "isthmus"),
  };
}

const bunCompile: Tool = {
  name: "bun build --compile",
  async whole(app) {
    await succeeds(bun.command, ["build", "app.mjs", "--compile", "--outfile=out/app"], app);
    return made(app, { "the program": (folder) => [join(folder, "app")] });
  },
};

/** Deno needs a program of its own for this, which it downloads. */
export const denoCompile: Tool = {
  name: "deno compile",
  async whole(app) {
    await succeeds(
      deno.command,
      ["compile", "--no-check", "--allow-all", "--output", "out/app", "app.mjs"],
      app,
    );
    return made(app, { "the program": (folder) => [join(folder, "app")] });
  },
};

/** A program that is Node with a script in it: made from a bundle, because it has no other files. */
const singleExecutable: Tool = {
  name: "Node's single executable",
  async whole(app) {
    await esbuild("cjs").whole(app);
    writeFileSync(
      join(app, "sea.json"),
      JSON.stringify({ main: "out/app.cjs", output: "sea.blob", disableExperimentalSEAWarning: true }),
    );
    await succeeds(node.command, ["--experimental-sea-config", "sea.json"], app);
    mkdirSync(join(app, "program"));
    const program = join(app, "program/app");
    copyFileSync(node.command, program);
    chmodSync(program, 0o755);
    const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
    await tool(app, "postject/dist/cli.js", program, "NODE_SEA_BLOB", "sea.blob", "--sentinel-fuse", fuse);
    return { output: join(app, "program"), commands: { "the program": (folder) => [join(folder, "app")] } };
  },
};

export const tools: Tool[] = [
  esbuild("esm"),
  esbuild("cjs"),
  esbuildRequire,
  rollup("es"),
  rollup("cjs"),
  rolldown,
  vite,
  webpack,
  ncc,
  nft,
  builder("tsup", "esm"),
  builder("tsup", "cjs"),
  builder("tsdown", "esm"),
  builder("tsdown", "cjs"),
  bunBuild("node"),
  bunBuild("bun"),
  bunCompile,
  singleExecutable,
];
