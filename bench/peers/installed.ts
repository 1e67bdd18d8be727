/**
 * The npm packages that are measured beside Isthmus. They have a package.json of their own in bench/peers, and only
 * `npm run bench:peers` installs them: some are compiled, and any of them may fail to.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { benchSources } from "../place.js";

export const PEERS_FOLDER = join(benchSources(), "peers");

export type Peer = "ems" | "lmdb" | "lru-cache" | "shared-memory-disruptor" | "zeromq";

/** Loads an installed package. Its types are what the caller says. */
export function loadPeer<T>(name: Peer): T {
  return createRequire(join(PEERS_FOLDER, "package.json"))(name) as T;
}

/** Why a package cannot be measured, if it cannot. */
export function missingPeer(name: Peer): () => string | undefined {
  return () => {
    if (!existsSync(join(PEERS_FOLDER, "node_modules", name)))
      return `${name} is not installed; see npm run bench:peers`;
    try {
      loadPeer(name);
      return undefined;
    } catch (problem) {
      return `${name} cannot be loaded: ${(problem as Error).message.split("\n")[0]}`;
    }
  };
}
