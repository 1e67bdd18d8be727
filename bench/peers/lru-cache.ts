import { alone, ENTRIES, type Store } from "../rows/cache-programme.js";
import { loadPeer } from "./installed.js";

interface Lru {
  get(key: string): Uint8Array | undefined;
  set(key: string, value: Uint8Array): unknown;
}

/** Values of this process alone, by reference: `get` copies nothing. */
function open(): Store {
  const { LRUCache } = loadPeer<{ LRUCache: new (options: { max: number }) => Lru }>("lru-cache");
  const cache = new LRUCache({ max: 2 * ENTRIES });
  return {
    get: (key) => cache.get(key),
    set: (key, value) => void cache.set(key, value.slice()),
    close: () => undefined,
  };
}

export const gets = { contestant: alone(open, false) };
export const sets = { contestant: alone(open, true) };
