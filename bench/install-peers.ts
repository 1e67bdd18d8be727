/**
 * `npm run bench:peers`: installs the npm packages that the benchmark compares with, from their own lock file, and says which of them
 * did not install, and why. Some are compiled here. Never fails: a peer that is missing is an empty place in the table.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { missingPeer, PEERS_FOLDER, type Peer } from "./peers/installed.js";

/** Longest installation. Milliseconds. */
const INSTALL_MS = 540_000;
/** Lines of what npm says that are shown of a peer. */
const LINES = 3;

function npm(args: string[], folder: string): string {
  const root = dirname(dirname(process.execPath));
  // The headers of this very Node, where they came with it: else node-gyp downloads them.
  const headers = existsSync(join(root, "include/node/node_api.h")) ? [`--nodedir=${root}`] : [];
  const all = [...args, "--prefix", folder, "--no-audit", "--no-fund", ...headers];
  const { stdout, stderr, error } = spawnSync("npm", all, { encoding: "utf8", timeout: INSTALL_MS });
  return `${stdout ?? ""}\n${stderr ?? ""}\n${error?.message ?? ""}`;
}

/** What npm says about one package that the whole installation left out: it is tried alone, in a folder of its own. */
function reason(peer: Peer, version: string): string {
  const folder = mkdtempSync(join(tmpdir(), "isthmus-peer-"));
  try {
    const said = npm(["install", `${peer}@${version}`, "--foreground-scripts"], folder);
    const errors = said.split("\n").filter((line) => /err|not found|fatal/i.test(line));
    return errors.slice(0, LINES).join("; ") || "npm left it out without a word";
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function main(): void {
  const { optionalDependencies } = JSON.parse(readFileSync(join(PEERS_FOLDER, "package.json"), "utf8")) as {
    optionalDependencies: Record<Peer, string>;
  };
  npm(["ci"], PEERS_FOLDER);
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const peer = name as Peer;
    let missing = missingPeer(peer)();
    if (missing !== undefined && !existsSync(join(PEERS_FOLDER, "node_modules", peer)))
      missing = reason(peer, version);
    console.log(
      missing === undefined ? `${peer} ${version}: installed` : `${peer} ${version}: MISSING: ${missing}`,
    );
  }
}

main();
