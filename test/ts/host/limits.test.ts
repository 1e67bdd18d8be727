// only: linux, it is about /proc and cgroups
/** Limits on memory, as the files of other systems would show them. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  bytesText,
  type MemoryLimit,
  memoryLimits,
  memoryShortage,
  processLimit,
  textOf,
} from "../../../ts/host/limits.js";

const MiB = 2 ** 20;

/** 8000 MiB of which 3000 are free or can be given back, and 500 of swap. */
const MEMINFO = [
  "MemTotal:        8192000 kB",
  "MemFree:         1024000 kB",
  "MemAvailable:    2800000 kB",
  "Active(file):    1024000 kB",
  "Inactive(file):   512000 kB",
  "SReclaimable:     512000 kB",
  "SwapTotal:       1024000 kB",
  "SwapFree:         512000 kB",
  "Shmem:            100000 kB",
  "",
].join("\n");

const V2_MOUNT = "41 31 0:38 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const V1_MOUNTS =
  "31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs rw,mode=755\n" +
  "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n" +
  "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

function limitsOf(files: Record<string, string>): MemoryLimit[] {
  const all: Record<string, string> = { "/proc/meminfo": MEMINFO, ...files };
  return memoryLimits((file) => all[file]);
}

/** Who, how much, and what still fits, in MiB. */
function brief(limits: MemoryLimit[]): [string, number, number][] {
  return limits.map(({ who, limitBytes, roomBytes }) => [who, limitBytes / MiB, roomBytes / MiB]);
}

const MACHINE: [string, number, number] = ["this machine", 8000, 3500];

test("without groups there is the machine; without any file there is no limit", () => {
  assert.equal(brief(limitsOf({})), [MACHINE]);
  const [unknown] = memoryLimits(() => undefined);
  assert.equal([unknown?.limitBytes, unknown?.roomBytes], [Infinity, Infinity]);
  assert.is(
    memoryShortage(
      2 ** 60,
      memoryLimits(() => undefined),
    ),
    undefined,
  );
});

test("a unified group: pages of files and caches of the kernel can be given back, swap is room", () => {
  const at = "/sys/fs/cgroup/app/web";
  const files = {
    "/proc/self/mountinfo": V2_MOUNT,
    "/proc/self/cgroup": "0::/app/web\n",
    [`${at}/memory.max`]: `${200 * MiB}\n`,
    [`${at}/memory.high`]: `${150 * MiB}\n`,
    [`${at}/memory.current`]: `${120 * MiB}\n`,
    [`${at}/memory.stat`]:
      `anon ${50 * MiB}\nfile ${65 * MiB}\nshmem ${10 * MiB}\ninactive_file ${20 * MiB}\nactive_file ${30 * MiB}\n` +
      `slab_reclaimable ${5 * MiB}\nslab ${9 * MiB}\n`,
    [`${at}/memory.swap.max`]: "0\n",
    [`${at}/memory.swap.current`]: "0\n",
    "/sys/fs/cgroup/app/memory.max": "max\n",
  };
  const found = limitsOf(files);
  assert.equal(brief(found), [["cgroup /app/web", 200, 135], ["cgroup /app", Infinity, Infinity], MACHINE]);
  assert.is(found[0]?.slowBytes, 150 * MiB);
  const swapping = {
    ...files,
    [`${at}/memory.swap.max`]: `${64 * MiB}\n`,
    [`${at}/memory.swap.current`]: `${4 * MiB}\n`,
  };
  assert.equal(brief(limitsOf(swapping))[0], ["cgroup /app/web", 200, 195]);
  const free = { ...files, [`${at}/memory.swap.max`]: "max\n" };
  assert.equal(brief(limitsOf(free))[0], ["cgroup /app/web", 200, 635], "as much swap as the machine has");
});

test("a group of the older kind, and the groups above it", () => {
  const at = "/sys/fs/cgroup/memory/docker/x";
  const files = {
    "/proc/self/mountinfo": V1_MOUNTS,
    "/proc/self/cgroup": "5:cpu,memory:/docker/x\n4:memory2:/a\n0::/\n",
    [`${at}/memory.limit_in_bytes`]: "9223372036854771712\n",
    [`${at}/memory.usage_in_bytes`]: `${100 * MiB}\n`,
    "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes": `${300 * MiB}\n`,
    "/sys/fs/cgroup/memory/docker/memory.usage_in_bytes": `${180 * MiB}\n`,
    "/sys/fs/cgroup/memory/docker/memory.kmem.usage_in_bytes": `${10 * MiB}\n`,
    "/sys/fs/cgroup/memory/docker/memory.stat": `cache ${1 * MiB}\nactive_file 5\ntotal_inactive_file ${30 * MiB}\ntotal_active_file ${40 * MiB}\n`,
  };
  assert.equal(brief(limitsOf(files)), [
    ["cgroup /docker/x", Infinity, Infinity],
    ["cgroup /docker", 300, 700],
    MACHINE,
  ]);
  const both = {
    ...files,
    "/sys/fs/cgroup/memory/docker/memory.memsw.limit_in_bytes": `${300 * MiB}\n`,
    "/sys/fs/cgroup/memory/docker/memory.memsw.usage_in_bytes": `${180 * MiB}\n`,
  };
  assert.equal(
    brief(limitsOf(both))[1],
    ["cgroup /docker", 300, 200],
    "swap does not help where both are limited",
  );
});

test("in a container only a part of the tree is mounted, wherever the names begin", () => {
  const limit = { "/sys/fs/cgroup/memory.max": `${64 * MiB}\n`, "/sys/fs/cgroup/memory.current": "0\n" };
  const swapless = { "/proc/meminfo": MEMINFO.replace("512000 kB\nShmem", "0 kB\nShmem") };
  const first = (mounts: string, cgroup: string, files: Record<string, string>) =>
    brief(
      limitsOf({ "/proc/self/mountinfo": mounts, "/proc/self/cgroup": cgroup, ...files, ...swapless }),
    )[0];
  assert.equal(first(V2_MOUNT, "0::/\n", limit), ["cgroup /", 64, 64]);
  const inner = V2_MOUNT.replace(" / ", " /docker/x ");
  assert.equal(first(inner, "0::/docker/x\n", limit), ["cgroup /docker/x", 64, 64]);
  const below = { "/sys/fs/cgroup/job/memory.max": `${32 * MiB}\n` };
  assert.equal(first(inner, "0::/docker/x/job\n", below), ["cgroup /docker/x/job", 32, 32]);
  assert.equal(first(inner, "0::/elsewhere\n", limit), ["cgroup /docker/x", 64, 64]);
  assert.equal(first(V2_MOUNT, "0::/../..\n", limit), ["cgroup /", 64, 64]);
  const spaced = V2_MOUNT.replace("/sys/fs/cgroup", "/mnt/c\\040g");
  assert.equal(first(spaced, "0::/\n", { "/mnt/c g/memory.max": `${16 * MiB}\n` }), ["cgroup /", 16, 16]);
});

test("what does not fit is refused by the limit with the least room, and what fits is not", () => {
  const limit = (who: string, room: number): MemoryLimit => ({
    who,
    limitBytes: 1000 * MiB,
    slowBytes: 1,
    roomBytes: room * MiB,
  });
  const limits = [limit("a", 500), limit("b", 100), limit("c", 50)];
  assert.is(memoryShortage(500 * MiB, limits)?.who, "c");
  assert.is(memoryShortage(51 * MiB, limits)?.who, "c");
  assert.is(memoryShortage(41 * MiB, limits), undefined);
  assert.is(memoryShortage(45 * MiB, limits)?.who, "c", "the programs need some, too");
  assert.is(memoryShortage(65536, [limit("a", 8.1)]), undefined);
  assert.is(memoryShortage(65536, [limit("a", 7.9)])?.who, "a");
  assert.is(memoryShortage(65536, [{ ...limit("a", 1.1), limitBytes: 16 * MiB }]), undefined);
  assert.is(memoryShortage(65536, [limit("a", -3)])?.who, "a");
});

test("limits of the process are numbers, or none", () => {
  const text =
    "Max file size             10485760             unlimited            bytes     \n" +
    "Max data size             unlimited            unlimited            bytes     \n";
  assert.is(processLimit("fileSize", text), 10 * MiB);
  assert.is(processLimit("data", text), Infinity);
  assert.is(processLimit("openFiles", text), undefined);
  assert.ok((processLimit("openFiles") as number) > 0);
});

test("a file is not read where the runtime would ask its user first", () => {
  const world = globalThis as { Deno?: unknown };
  const file = "/proc/self/limits";
  for (const [state, known] of [
    ["granted", true],
    ["prompt", false],
    ["denied", false],
  ] as const) {
    world.Deno = {
      permissions: { querySync: ({ path }: { path: string }) => ({ state: path === file ? state : "" }) },
    };
    try {
      assert.is(textOf(file) !== undefined, known, state);
    } finally {
      delete world.Deno;
    }
  }
  assert.ok(textOf(file));
});

test("sizes are told in the largest unit that fits", () => {
  assert.equal([0, 850, 1536, 10 * MiB, 123.4 * MiB, Infinity].map(bytesText), [
    "0 B",
    "850 B",
    "1.5 KiB",
    "10 MiB",
    "123 MiB",
    "unlimited",
  ]);
});

test.run();
