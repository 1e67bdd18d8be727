/**
 * Writes what follows from `protocol/` and must not be typed by hand: the layout fingerprint, and the parts of the documents
 * that repeat the layout. With --check it writes nothing and fails when a generated file is out of date.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import * as layout from "../protocol/layout.js";
import * as limits from "../protocol/limits.js";
import { documents } from "./documents.js";
import { fingerprint } from "./fingerprint.js";
import { vectors } from "./vectors.js";

const current = fingerprint({ ...layout }, { ...limits });
const files: Record<string, string> = {
  "protocol/fingerprint.ts": [
    "/** Generated from protocol/layout.ts and protocol/limits.ts by scripts/generate.ts. Do not edit. */",
    `export const LAYOUT_FINGERPRINT = 0x${current.toString(16).padStart(8, "0")};`,
    "",
  ].join("\n"),
  "protocol/vectors.json": vectors(current),
  ...documents(current),
};

const check = process.argv.includes("--check");
let stale = 0;
for (const [path, text] of Object.entries(files)) {
  if (existsSync(path) && readFileSync(path, "utf8") === text) continue;
  if (check) {
    console.error(`${path} is out of date: run "npm run generate"`);
    stale++;
  } else {
    writeFileSync(path, text);
    console.log(`wrote ${path}`);
  }
}
process.exitCode = stale ? 1 : 0;
