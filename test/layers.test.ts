/** The rules of STYLE.md that can be read off the sources. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "./lib/paths.js";

/** Lines of code: comments and empty lines do not count. */
const CODE_LINES_MAX = 400;
const COLUMNS_MAX = 110;
/** Tables and drawings in comments, and texts for users, are wider. */
const TEXT_COLUMNS_MAX = 130;
interface Source {
  path: string;
  text: string;
}

function sources(directory: string, endings: RegExp): Source[] {
  const found = readdirSync(join(root, directory), { recursive: true, encoding: "utf8" }) as string[];
  return found
    .filter((file) => endings.test(file) && !/node_modules|generated/.test(file))
    .map((file) => ({
      path: join(directory, file),
      text: readFileSync(join(root, directory, file), "utf8"),
    }));
}

const protocol = sources("protocol", /\.ts$/);
const assembly = sources("assembly", /\.ts$/);
const shims = sources("shims", /\.(c|cc|h)$/);
const api = sources("ts", /\.c?ts$/);
const product = [...protocol, ...assembly, ...shims, ...api];

/** Examples in doc comments are for readers of the documentation, who look at one at a time. */
function withoutExamples(text: string): string {
  return text.replace(/^ *\* @example\n *\* ```\w+\n[\s\S]*? *\* ```\n/gm, "");
}

/** What a file imports: paths from the root for its own kind, names of packages as they are. */
function imports({ path, text }: Source): string[] {
  const found = withoutExamples(text).matchAll(
    /(?:^|;)\s*(?:import|export)\b[^"';]*?\bfrom\s*"([^"]+)"|\b(?:import|require)\(?\s*"([^"]+)"/gm,
  );
  return [...found].map((match) => {
    const name = (match[1] ?? match[2]) as string;
    return name.startsWith(".") ? normalize(join(dirname(path), name)) : name;
  });
}

/** Imports that exist when the program runs: types have no order. */
function linked(file: Source): string[] {
  return imports({ ...file, text: file.text.replace(/^(import|export) type\b[^;]*;/gm, "") });
}

function includes({ text }: Source): string[] {
  return [...text.matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm)].map((match) => match[1] as string);
}

/** Fails with every place that breaks a rule. */
function none(rule: string, broken: string[]): void {
  assert.equal(broken, [], rule);
}

function breaking(files: Source[], allowed: (imported: string, path: string) => boolean): string[] {
  return files.flatMap((file) =>
    imports(file)
      .filter((imported) => !allowed(imported, file.path))
      .map((imported) => `${file.path} imports ${imported}`),
  );
}

test("there is something to look at in every layer", () => {
  for (const layer of [protocol, assembly, shims, api]) assert.ok(layer.length > 2);
  assert.ok(imports({ path: "ts/a.ts", text: 'import {\n  b,\n} from "./c.js";' }).includes("ts/c.js"));
  assert.ok(imports({ path: "ts/a.ts", text: 'export { b } from "node:fs";' }).includes("node:fs"));
  assert.ok(imports({ path: "ts/a.ts", text: 'const b = require("d");' }).includes("d"));
});

test("protocol imports nothing", () => {
  none(
    "protocol",
    breaking(protocol, () => false),
  );
});

test("assembly imports protocol and itself", () => {
  none(
    "assembly",
    breaking(assembly, (imported) => /^(protocol|assembly)\//.test(imported)),
  );
});

test("the API imports runtimes and packages only through ts/host", () => {
  const files = api.filter(({ path }) => !/^ts\/(host|cli)\//.test(path));
  none(
    "ts",
    breaking(files, (imported) => /^(protocol|ts)\//.test(imported) && !imported.startsWith("ts/cli/")),
  );
});

test("ts/host imports no part of the API but errors", () => {
  const files = api.filter(({ path }) => path.startsWith("ts/host/"));
  const allowed = /^(protocol|ts\/host)\/|^ts\/errors\.js$/;
  none(
    "ts/host",
    breaking(files, (imported) => allowed.test(imported) || !/^ts\//.test(imported)),
  );
});

test("modules of the runtime come from one file, which knows the ways to them in a bundle", () => {
  const files = api.filter(({ path }) => !/^ts\/(cli\/|host\/builtin\.cts)/.test(path));
  none(
    "node:",
    files.flatMap((file) =>
      linked(file)
        .filter((imported) => imported.startsWith("node:"))
        .map((imported) => `${file.path} imports ${imported}`),
    ),
  );
});

test("what some realms do not have among their globals comes from ts/host", () => {
  const files = api.filter(({ path }) => !/^ts\/(host|cli)\//.test(path));
  const missing = files.filter(
    ({ path, text }) =>
      (/\bnew Text(En|De)coder\b/.test(withoutExamples(text)) &&
        !imports({ path, text }).includes("ts/host/text.js")) ||
      /\b(queueMicrotask|structuredClone)\(/.test(withoutExamples(text)),
  );
  none(
    "globals",
    missing.map(({ path }) => path),
  );
});

test("the API asks for no runtime", () => {
  const files = api.filter(({ path }) => !/^ts\/(host|cli)\//.test(path));
  const asking = /\bglobalThis\.(Deno|Bun)\b|\bDeno\.|\bBun\.|\bprocess\.(versions|platform|arch)\b/;
  none(
    "runtime",
    files.filter(({ text }) => asking.test(text)).map(({ path }) => path),
  );
});

test("imports have no cycles", () => {
  for (const files of [[...protocol, ...assembly], api]) {
    const graph = new Map(files.map((file) => [file.path.replace(/\.c?ts$/, ""), linked(file)]));
    const state = new Map<string, "open" | "done">();
    const visit = (file: string, way: string[]): void => {
      if (state.get(file) === "done") return;
      if (state.get(file) === "open") assert.unreachable(`cycle: ${[...way, file].join(" → ")}`);
      state.set(file, "open");
      for (const next of graph.get(file) ?? []) {
        const target = next.replace(/\.c?js$/, "");
        if (graph.has(target) && target !== file) visit(target, [...way, file]);
      }
      state.set(file, "done");
    };
    for (const file of graph.keys()) visit(file, []);
  }
});

test("the shims do not know the layout, and the binding not the system", () => {
  for (const file of shims) {
    const allowed =
      /^(isthmus_shim\.h|generated\/(contract|errors|locks)\.h|linux\.h|binding_state\.h|binding[a-z_]*\.h|[a-z_]+\.h|sys\/[a-z_]+\.h|mach\/[a-z_]+\.h|linux\/[a-z_]+\.h|napi\.h)$/;
    for (const included of includes(file)) {
      assert.match(included, allowed, `${file.path} includes ${included}`);
      assert.not.match(included, /^(layout|limits|segment|ring)/, `${file.path} includes ${included}`);
      if (/binding/.test(file.path))
        assert.not.match(
          included,
          /^(sys\/|mach\/|linux|darwin|posix|fcntl|unistd|windows)/,
          `${file.path} includes ${included}`,
        );
    }
    assert.not.match(
      file.text,
      /\b(HEADER|PARTICIPANT|RING|LATEST|ENTRY|DIRECTORY)_[A-Z_]*OFFSET\b/,
      file.path,
    );
  }
});

test("no file is named after nothing", () => {
  const all = [
    ...product,
    ...sources("scripts", /\.m?ts$/),
    ...sources("test", /\.ts$/),
    ...sources("bench", /\.ts$/),
  ];
  none(
    "names",
    all.map(({ path }) => path).filter((path) => /\b(utils?|helpers?|common|misc)\b/.test(basename(path))),
  );
});

/** Lines that are neither empty nor part of a comment. */
function codeLines(text: string): number {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  return code.split("\n").filter((line) => line.trim() !== "").length;
}

test("files and lines fit in the head", () => {
  assert.is(codeLines("/**\n * Does it.\n */\nit();\n\n// why\nthat(); // so\n"), 2);
  for (const { path, text } of product) {
    const lines = text.trimEnd().split("\n");
    assert.ok(codeLines(text) <= CODE_LINES_MAX, `${path} has ${codeLines(text)} lines of code`);
    for (const [number, line] of lines.entries()) {
      const max = /^\s*(\/?\*|\/\/)|\/\/ |(["`]).{40,}\2/.test(line) ? TEXT_COLUMNS_MAX : COLUMNS_MAX;
      assert.ok([...line].length <= max, `${path}:${number + 1} is longer than ${max} characters`);
    }
  }
});

/** Names that a "pairs with" comment mentions: "the loads in latestPeek and latestValidate" gives two. */
function pairs(comment: string): string[] {
  const places = /\bloads? in (.+)$/.exec(comment)?.[1] ?? "";
  return places.split(/,| and |\s/).filter((name) => /^[a-z]\w*$/.test(name));
}

test("a publishing store names the load that it pairs with, and that function exists", () => {
  const functions = new Set(
    assembly.flatMap(({ text }) => [...text.matchAll(/\bfunction (\w+)/g)].map((match) => match[1])),
  );
  let checked = 0;
  for (const { path, text } of assembly) {
    if (path.endsWith("word.ts")) continue;
    for (const [number, line] of text.split("\n").entries()) {
      const comment = /\/\/ pairs with (.*)$/.exec(line)?.[1];
      if (/\bstore(32|64)\(/.test(line) && !/function/.test(line)) {
        const exempt = /\/\/|STATE_INITIALIZING|CLEAN|HEARTBEAT/.test(line);
        assert.ok(comment || exempt, `${path}:${number + 1} does not say which load it pairs with`);
      }
      if (!comment) continue;
      checked++;
      for (const name of pairs(comment))
        assert.ok(functions.has(name), `${path}:${number + 1} names ${name}`);
    }
  }
  assert.ok(checked > 10);
  assert.equal(pairs("the loads in latestPeek and latestValidate"), ["latestPeek", "latestValidate"]);
});

test("sources do not speak of their own past, nor of where they were written", () => {
  const places = [...product, ...sources("scripts", /\.m?ts$/), ...sources("test", /\.ts$/)];
  const forbidden = [
    /\bTODO\b/,
    /\bFIXME\b/,
    /\bXXX\b/,

    /\bused to be\b/,
    /\/work\b/,
    /\/shared\/(?!memory)/,
  ];
  for (const { path, text } of places) {
    if (path === "test/layers.test.ts") continue;
    for (const words of forbidden) assert.not.match(text, words, `${path} says ${words}`);
  }
});

test("no test asserts how long something took", () => {
  const asserting = /assert\.\w+\([^\n]*(Date\.now|performance\.now|elapsed|duration)/;
  const files = sources("test", /\.test\.ts$/).filter(({ path }) => path !== "test/layers.test.ts");
  none(
    "durations",
    files.filter(({ text }) => asserting.test(text)).map(({ path }) => path),
  );
});

test.run();
