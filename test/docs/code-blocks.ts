/** Finds the examples in documents and doc comments, and runs them as a user of the package would. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { root, scratchFolder } from "../lib/paths.js";
import { type Ended, finished, start } from "../lib/processes.js";

export interface Example {
  /** "README.md:31": where it stands. */
  place: string;
  code: string;
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** Blocks of a document that say they can be run: ```ts runnable. */
export function runnableBlocks(path: string, text: string): Example[] {
  return [...text.matchAll(/^```(?:ts|js) runnable\n([\s\S]*?)^```$/gm)].map((match) => ({
    place: `${path}:${lineOf(text, match.index)}`,
    code: match[1] as string,
  }));
}

/** Every @example of doc comments; its code is in a ```ts block. */
export function docCommentExamples(path: string, text: string): Example[] {
  const found: Example[] = [];
  for (const comment of text.matchAll(/\/\*\*[\s\S]*?\*\//g)) {
    const plain = comment[0].replace(/^\s*\* ?/gm, "");
    for (const part of plain.split("@example").slice(1)) {
      const place = `${path}:${lineOf(text, comment.index)}`;
      const code = /```(?:ts|js)\n([\s\S]*?)```/.exec(part)?.[1];
      if (code === undefined) throw new Error(`${place}: an @example without a block of code`);
      found.push({ place, code });
    }
  }
  return found;
}

/** Files below a folder with that ending, as paths from the root. */
export function filesOf(folder: string, ending: string): string[] {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(ending)).map((name) => join(folder, name));
}

export function textOf(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/**
 * Compiles examples together, against the types that the package ships, into a folder inside the package, where its own
 * name leads to it. `work` gets the compiled files, in the order of the examples; the folder is removed afterwards.
 */
export async function withCompiled(
  examples: Example[],
  work: (files: string[]) => Promise<void>,
): Promise<void> {
  const folder = scratchFolder("examples");
  try {
    const sources = examples.map(({ code }, index) => {
      const file = join(folder, `example${index}.ts`);
      writeFileSync(file, `${code}\nexport {};\n`);
      return file;
    });
    const config = {
      extends: relative(folder, join(root, "tsconfig.base.json")),
      compilerOptions: { noUnusedLocals: false, outDir: "out", rootDir: "." },
      include: ["*.ts"],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const tsc = join(root, "node_modules/.bin/tsc");
    const { code, stdout } = await finished(start(tsc, ["-p", folder]), "compiling the examples");
    if (code !== 0)
      throw new Error(`${stdout}\n${examples.map(({ place }, i) => `${i}: ${place}`).join("\n")}`);
    await work(sources.map((file) => file.replace(folder, join(folder, "out")).replace(/\.ts$/, ".js")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs it where the installed runtimes are found by their names. */
export function runExample(file: string, place: string, args: string[] = []): Promise<Ended> {
  const env = { ...process.env, PATH: `${process.env.PATH}:${join(root, "node_modules/.bin")}` };
  return finished(start(process.execPath, [file, ...args], { env }), `the example at ${place}`);
}
