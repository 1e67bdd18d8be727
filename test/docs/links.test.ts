/** Every link in the documents that stays in this repository leads somewhere. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../lib/paths.js";
import { filesOf, textOf } from "./code-blocks.js";

const documents = ["README.md", "ARCHITECTURE.md", "STYLE.md", "CHANGELOG.md", ...filesOf("docs", ".md")];

/** The anchor that a heading gets. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number} _-]/gu, "")
    .replaceAll(" ", "-");
}

function anchorsOf(text: string): Set<string> {
  return new Set([...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => anchorOf(heading as string)));
}

/** What is wrong with the links of a document. */
function brokenLinks(path: string, text: string): string[] {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, "");
  const broken: string[] = [];
  for (const [, target] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target as string)) continue;
    const [file, anchor] = (target as string).split("#");
    const to = file ? join(dirname(path), file) : path;
    if (!existsSync(join(root, to))) broken.push(`${path} → ${target}`);
    else if (anchor && !anchorsOf(textOf(to)).has(anchor)) broken.push(`${path} → ${target}`);
  }
  return broken;
}

/** Paths of this repository that a document mentions as code. */
function missingPaths(path: string, text: string): string[] {
  const mentioned = [
    ...text.matchAll(/`((?:protocol|assembly|shims|ts|scripts|test|docs|bench)\/[\w./-]+\.\w+)`/g),
  ];
  return mentioned
    .filter(([, file]) => !existsSync(join(root, file as string)))
    .map(([, file]) => `${path}: ${file}`);
}

/** Functions that a document says are in a file: "`ts/segment/life/file.ts`, `name`". */
function missingNames(path: string, text: string): string[] {
  const said = [...text.matchAll(/`((?:assembly|ts)\/[\w./-]+\.ts)`, `(\w+)`/g)];
  return said
    .filter(([, file, name]) => !new RegExp(`\\b${name}\\(`).test(textOf(file as string)))
    .map(([said]) => `${path}: ${said}`);
}

test("links lead to files and headings that exist", () => {
  assert.equal(
    documents.flatMap((path) => brokenLinks(path, textOf(path))),
    [],
  );
});

test("paths that documents mention exist", () => {
  assert.equal(
    documents.flatMap((path) => missingPaths(path, textOf(path))),
    [],
  );
});

test("functions are where documents say that they are", () => {
  assert.equal(
    documents.flatMap((path) => missingNames(path, textOf(path))),
    [],
  );
  const text = "`ts/ring/producer.ts`, `trySend`, and `ts/ring/producer.ts`, `tryReceive`";
  assert.equal(missingNames("STYLE.md", text), ["STYLE.md: `ts/ring/producer.ts`, `tryReceive`"]);
});

test("a broken link is noticed", () => {
  const text =
    "[a](docs/nothing.md) [b](STYLE.md#no-such-heading) [c](#layers) [d](https://example.com)\n# Layers\n";
  assert.equal(brokenLinks("STYLE.md", text), [
    "STYLE.md → docs/nothing.md",
    "STYLE.md → STYLE.md#no-such-heading",
  ]);
  assert.equal(missingPaths("STYLE.md", "`ts/nothing.ts` and `ts/index.ts`"), ["STYLE.md: ts/nothing.ts"]);
});

test.run();
