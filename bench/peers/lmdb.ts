import { timeBlocks } from "../clock.js";
import type { Contestant, Plan } from "../contest.js";
import { loadPeer } from "./installed.js";

interface Store {
  putSync(key: string, value: Uint8Array): boolean;
  getBinaryFast(key: string): Uint8Array | undefined;
  close(): Promise<void>;
}

const FIELDS = 8;

/** One key whose value is eight numbers; what is written waits for no disk. */
function lmdbContestant(measure: (store: Store, plan: Plan) => number[]): Contestant {
  return {
    async left(plan) {
      const path = `${plan.socket}.lmdb`; // the harness removes what is called so
      const { open } = loadPeer<{ open(options: object): Store }>("lmdb");
      const store = open({ path, encoding: "binary", noSync: true, compression: false });
      try {
        return { latenciesNs: measure(store, plan) };
      } finally {
        await store.close();
      }
    },
  };
}

const numbers = new Float64Array(FIELDS);
const bytes = new Uint8Array(numbers.buffer);

function write(store: Store, first: number): void {
  for (let i = 0; i < FIELDS; i++) numbers[i] = first + i;
  store.putSync("value", bytes);
}

export const writes = {
  contestant: lmdbContestant((store, plan) => timeBlocks(plan, (n) => write(store, n))),
};

export const reads = {
  contestant: lmdbContestant((store, plan) => {
    write(store, 7);
    return timeBlocks(plan, () => {
      const found = store.getBinaryFast("value");
      if (!found) throw new Error("a value that was written is missing");
      const view = new DataView(found.buffer, found.byteOffset, bytes.length);
      let sum = 0;
      for (let i = 0; i < FIELDS; i++) sum += view.getFloat64(8 * i, true);
      if (sum !== FIELDS * 7 + (FIELDS * (FIELDS - 1)) / 2) throw new Error("a value that was read is wrong");
    });
  }),
};
