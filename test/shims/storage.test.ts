// only: linux, it mounts file systems
/** Storage for every byte: on full file systems, on such without fallocate(), and in files with holes. */
import { constants } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as errors from "../../protocol/errors.js";
import type { NativeInfo, NativeStorage } from "../../ts/host/native.js";
import { Agent } from "../lib/processes.js";
import { node } from "../lib/runtimes.js";
import { noSeccomp, type Rule, refusing } from "../lib/seccomp.js";
import { temporaryDirectory } from "../lib/segments.js";
import { isDarwin, noNamespaces, unless } from "../lib/skips.js";

const { EINVAL, ENOSPC, EOPNOTSUPP } = constants.errno;
const KiB = 1024;
const DISK_BYTES = 1024 * KiB;

interface Failure {
  status: number;
  syscall: string;
  errno: number;
}

/** A process that has a disk of 1 MiB for itself, and what it can do there. */
class Disk {
  readonly #agent: Agent;
  readonly #folder: string;

  private constructor(agent: Agent, folder: string) {
    this.#agent = agent;
    this.#folder = folder;
  }

  static async with(...rules: Rule[]): Promise<Disk> {
    const folder = temporaryDirectory();
    const script = `mount -t tmpfs -o size=${DISK_BYTES} tmpfs "$DISK" && exec "$@"`;
    const through = [
      "unshare",
      "--mount",
      "sh",
      "-c",
      script,
      "sh",
      ...(rules.length ? [refusing(...rules)] : []),
    ];
    const env = { ...process.env, DISK: folder };
    return new Disk(await Agent.start(node, "shims/actions.ts", { through, env }), folder);
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  open(name: string): Promise<number> {
    return this.#agent.call("invoke", "openFile", this.path(name), true, false, 0o600);
  }

  /** Makes a file of `bytes` that has storage only for the page at `at`, where it holds `content`. */
  makeSparse(name: string, bytes: number, at: number, content: string): Promise<void> {
    return this.#agent.call("makeSparse", this.path(name), bytes, at, content);
  }

  /** What the file holds there, and whether all else is zero. */
  look(name: string, at: number, length: number): Promise<{ content: string; zeros: boolean }> {
    return this.#agent.call("lookAt", this.path(name), at, length);
  }

  allocate(object: number, bytes: number): Promise<void> {
    return this.#agent.call("invoke", "allocate", object, bytes);
  }

  refused(object: number, bytes: number): Promise<Failure | undefined> {
    return this.#agent.call("failure", "allocate", object, bytes);
  }

  async bytes(object: number): Promise<number> {
    return (await this.#agent.call<NativeInfo>("invoke", "info", object)).bytes;
  }

  storage(object: number): Promise<NativeStorage> {
    return this.#agent.call("invoke", "storage", object);
  }

  end(): Promise<void> {
    return this.#agent.end();
  }
}

/** Systems that set storage aside in different ways; each with the call that refuses when there is no room. */
const systems: [string, string, Rule[]][] = [
  ["with fallocate", isDarwin ? "fcntl" : "fallocate", []],
  ["without fallocate", "pwrite", [{ call: "fallocate", errno: EOPNOTSUPP }]],
  [
    "without fallocate and SEEK_HOLE",
    "pwrite",
    [
      { call: "fallocate", errno: EOPNOTSUPP },
      { call: "lseek", errno: EINVAL },
    ],
  ],
];

for (const [system, call, rules] of systems) {
  const scene = unless(noNamespaces("--mount") ?? (rules.length ? noSeccomp : undefined), test);

  scene(`${system}: growth that fails is taken back, and its storage with it`, async () => {
    const disk = await Disk.with(...rules);
    const object = await disk.open("growing");
    for (const bytes of [0, 128 * KiB]) {
      if (bytes > 0) await disk.allocate(object, bytes);
      const failure = await disk.refused(object, 4 * DISK_BYTES);
      assert.equal(
        [failure?.status, failure?.errno, failure?.syscall],
        [errors.OUT_OF_SHARED_MEMORY, ENOSPC, call],
      );
      assert.is(await disk.bytes(object), bytes);
      assert.is((await disk.storage(object)).freeBytes, DISK_BYTES - bytes);
    }
    await disk.end();
  });

  scene(`${system}: holes get storage, and what is there stays`, async () => {
    const disk = await Disk.with(...rules);
    const bytes = 512 * KiB;
    for (const at of [0, 96 * KiB, bytes - 4 * KiB]) {
      const name = `sparse${at}`;
      await disk.makeSparse(name, bytes, at, "kept");
      const object = await disk.open(name);
      assert.ok((await disk.storage(object)).storedBytes < bytes);
      await disk.allocate(object, bytes);
      assert.is((await disk.storage(object)).storedBytes, bytes);
      assert.equal(await disk.look(name, at, 4), { content: "kept", zeros: true });
      assert.is(await disk.bytes(object), bytes);
      await disk.makeSparse(name, 0, 0, "");
    }
    await disk.end();
  });

  scene(`${system}: holes that get no storage are an error`, async () => {
    const disk = await Disk.with(...rules);
    await disk.makeSparse("sparse", 768 * KiB, 0, "kept");
    const object = await disk.open("sparse");
    await disk.allocate(await disk.open("filler"), 512 * KiB);
    const failure = await disk.refused(object, 768 * KiB);
    assert.equal([failure?.status, failure?.errno], [errors.OUT_OF_SHARED_MEMORY, ENOSPC]);
    assert.is(await disk.bytes(object), 768 * KiB);
    assert.equal(await disk.look("sparse", 0, 4), { content: "kept", zeros: true });
    await disk.end();
  });
}

test.run();
