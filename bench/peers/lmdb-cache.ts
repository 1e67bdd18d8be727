import type { Plan } from "../contest.js";
import { alone, type Store, together } from "../rows/cache-programme.js";
import { loadPeer } from "./installed.js";

interface Database {
  putSync(key: string, value: Uint8Array): boolean;
  getBinaryFast(key: string): Uint8Array | undefined;
  close(): Promise<void>;
}

/** The database of the row. What is written waits for no disk; what `get` gives counts until the next call. */
function open(plan: Plan): Store {
  const path = `${plan.socket}.lmdb`; // the harness removes what is called so
  const lmdb = loadPeer<{ open(options: object): Database }>("lmdb");
  const database = lmdb.open({ path, encoding: "binary", noSync: true, compression: false });
  return {
    get: (key) => database.getBinaryFast(key),
    set: (key, value) => void database.putSync(key, value),
    close: () => database.close(),
  };
}

export const gets = { contestant: alone(open, false) };
export const sets = { contestant: alone(open, true) };
export const mixed = { contestant: together(open) };
