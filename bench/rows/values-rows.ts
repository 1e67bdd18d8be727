/** Rows about shared values: a live dictionary. */
import type { Entry, RowSpec } from "../contest.js";
import { missingPeer } from "../peers/installed.js";

const peers = (what: "gets" | "sets"): Record<string, Entry> => ({
  lmdb: {
    load: () => import("../peers/lmdb-cache.js").then((all) => all[what]),
    missing: missingPeer("lmdb"),
    ...(what === "sets" && { plan: { block: 10, warmup: 500, count: 1000 } }),
  },
  map: { load: () => import("../peers/map.js").then((all) => all[what]) },
});

function row(name: string, what: "gets" | "sets", lmdb: number): RowSpec {
  return {
    name,
    what: `${what === "gets" ? "get" : "set"} one of 10,000 values of 64 B of a shared dictionary, in one process`,
    unit: "ns",
    plan: { block: 100, warmup: 2000, count: 2000, payloadBytes: 64 },
    isthmus: { load: () => import("./values.js").then((all) => all[what]) },
    peers: peers(what),
    goals: { lmdb: { atMost: lmdb } },
  };
}

export const valuesRows: RowSpec[] = [row("values", "gets", 1 / 3), row("values-set", "sets", 1 / 2)];
