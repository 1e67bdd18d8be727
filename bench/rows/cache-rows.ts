/** Rows about caches. Gets and sets in one process count nanoseconds, several processes count operations per second. */
import type { Entry, Plan, RowSpec } from "../contest.js";
import { missingPeer } from "../peers/installed.js";
import { missingRedis } from "../peers/redis-server.js";

/** Over a socket each operation takes that much longer. */
const REDIS_PLAN = { block: 10, warmup: 200, count: 500 };

const peers = (what: "gets" | "sets"): Record<string, Entry> => ({
  lmdb: {
    load: () => import("../peers/lmdb-cache.js").then((all) => all[what]),
    missing: missingPeer("lmdb"),
    ...(what === "sets" && { plan: { block: 10, warmup: 500, count: 1000 } }),
  },
  lruCache: {
    load: () => import("../peers/lru-cache.js").then((all) => all[what]),
    missing: missingPeer("lru-cache"),
  },
  redis: {
    load: () => import("../peers/redis.js").then((all) => all[what]),
    plan: REDIS_PLAN,
    missing: missingRedis,
  },
});

const getGoals = { lmdb: { atMost: 1 / 3 }, redis: { atMost: 1 / 50 } };
const setGoals = { lmdb: { atMost: 1 / 2 } };
const plan: Partial<Plan> = { block: 100, warmup: 2000, count: 2000 };

function row(name: string, what: "gets" | "sets", bytes: number): RowSpec {
  return {
    name,
    what: `${what === "gets" ? "get" : "set"} one of 10,000 entries of ${bytes} B by a text, in one process`,
    unit: "ns",
    plan: { ...plan, payloadBytes: bytes },
    isthmus: { load: () => import("./cache.js").then((all) => all[what]) },
    peers: peers(what),
    goals: what === "gets" ? getGoals : setGoals,
  };
}

export const cacheRows: RowSpec[] = [
  row("cache", "gets", 64),
  row("cache-set", "sets", 64),
  row("cache-1k", "gets", 1024),
  row("cache-1k-set", "sets", 1024),
  {
    name: "cache-4",
    what: "4 processes get and set entries of 64 B, nine gets for each set; operations of all together",
    unit: "messages/s",
    plan: { payloadBytes: 64, rights: 4, warmup: 50_000, count: 200_000 },
    isthmus: { load: () => import("./cache.js").then((all) => all.mixed) },
    peers: {
      lmdb: {
        load: () => import("../peers/lmdb-cache.js").then((all) => all.mixed),
        plan: { warmup: 5000, count: 20_000 },
        missing: missingPeer("lmdb"),
      },
      redis: {
        load: () => import("../peers/redis.js").then((all) => all.mixed),
        plan: { warmup: 500, count: 5000 },
        missing: missingRedis,
      },
    },
    goals: { lmdb: { atLeast: 3 }, redis: { atLeast: 50 } },
  },
];
