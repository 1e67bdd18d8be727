/**
 * Finds and loads the shim of this platform. CommonJS in both builds, because `__dirname` and `require` work there in
 * Node, Bun and Deno alike.
 */
import type { NOT_SUPPORTED } from "../../protocol/errors.js" with { "resolution-mode": "import" };
import type { Native, NativeError } from "./native.js" with { "resolution-mode": "import" };

import fs = require("node:fs");
import path = require("node:path");

interface Loader {
  (root: string): unknown;
  path(root: string): string;
}

/** The compiler checks it against the table; a CommonJS file cannot import the table itself. */
const STATUS: typeof NOT_SUPPORTED = 24;

/** The package's root: where `prebuilds` is, however deep the build put this file. */
function packageRoot(): string {
  for (let at = __dirname; at !== path.dirname(at); at = path.dirname(at)) {
    if (fs.existsSync(path.join(at, "prebuilds"))) return at;
  }
  throw notSupported(`Isthmus is not completely installed: no folder 'prebuilds' above ${__dirname}`);
}

function notSupported(message: string, cause?: unknown): NativeError {
  return Object.assign(new Error(message, { cause }), { status: STATUS, syscall: "dlopen", errno: 0 });
}

/**
 * Loads the shim; a second call in the same thread gives the same one.
 * @throws NativeError with status NOT_SUPPORTED when there is no binary for this platform or it cannot be loaded.
 */
export function loadNative(): Native {
  const root = packageRoot();
  const wanted = `${process.platform}-${process.arch}`;
  const load = require("node-gyp-build") as Loader;
  let file: string;
  try {
    file = load.path(root);
  } catch (cause) {
    const there = fs.readdirSync(path.join(root, "prebuilds")).sort().join(", ");
    throw notSupported(`Isthmus has no native part for ${wanted}; it supports ${there}`, cause);
  }
  try {
    return require(file) as Native;
  } catch (cause) {
    throw notSupported(`${file} for ${wanted} cannot be loaded: ${(cause as Error).message}`, cause);
  }
}
