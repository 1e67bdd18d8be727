/** doctor: what it finds here, and what it says of systems that are not here. */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { MemoryLimit } from "../../ts/host/limits.js";
import { compiled, root } from "../lib/paths.js";
import { finished, start } from "../lib/processes.js";
import { temporaryDirectory } from "../lib/segments.js";
import { canHaveOwnSharedMemory, isthmus, jsonOf, shell, withOwnSharedMemory } from "./command-line.js";

interface Finding {
  check: string;
  status: "ok" | "warning" | "problem";
  found: string;
  advice?: string;
}

interface Report {
  healthy: boolean;
  findings: Finding[];
}

interface System {
  removesIpc(settings: string[]): boolean;
  removeIpcFinding(systemd: boolean, user: number, settings: string[], lingers?: boolean): Finding;
  kernelFinding(type: string, release: string, arch: string): Finding;
  mountFinding(mounts: string | undefined): Finding;
  layersFinding(folder: string, mounts: string | undefined): Finding;
  handlesFinding(user: number, owner: number | undefined, status?: string): Finding;
  engineFinding(webAssembly: boolean): Finding;
  containerKind(signs: {
    files: string[];
    environment: Record<string, string>;
    cgroup: string;
  }): string | undefined;
}

interface Limits {
  addressSpaceFinding(limits: string | undefined): Finding;
  openFilesFinding(limits: string | undefined): Finding;
  fileSizeFinding(limits: string | undefined): Finding;
  lockedMemoryFinding(limits: string | undefined): Finding;
  dataFinding(limits: string | undefined): Finding;
  memoryLimitFinding(limits: MemoryLimit[], sharedBytes: number): Finding;
}

const part = (name: string) => import(pathToFileURL(join(root, `dist/ts/cli/doctor/${name}.js`)).href);
interface Memory {
  sizeFinding(limits: object, writable: boolean): Finding;
}

const memory = (await part("memory")) as Memory;
const system = (await part("system")) as System;
const limits = (await part("limits")) as Limits;

function finding({ findings }: Report, check: string): Finding {
  const found = findings.find((each) => each.check === check);
  if (!found) throw new Error(`no finding about ${check}: ${findings.map((each) => each.check)}`);
  return found;
}

test("a place for segments without inodes is a problem, however many bytes are free", () => {
  const bytes = { totalBytes: 2 ** 34, freeBytes: 2 ** 33 };
  const limits = { place: "/dev/shm", readOnly: false, ...bytes, totalFiles: 100, freeFiles: 50 };
  assert.is(memory.sizeFinding(limits, true).status, "ok");
  const full = memory.sizeFinding({ ...limits, freeFiles: 0 }, true);
  assert.is(full.status, "problem");
  assert.match(full.found, /all 100 inodes/);
  assert.is(memory.sizeFinding({ ...limits, totalFiles: 0, freeFiles: 0 }, true).status, "ok"); // it does not count them
});

test("doctor finds a system that works healthy, and says of each check what it saw", async () => {
  const result = await isthmus(["doctor", "--json"]);
  const report = jsonOf<Report>(result);
  assert.is(result.code, 0);
  assert.is(report.healthy, true);
  const checks = [
    "package",
    "runtime",
    "native part",
    "system",
    "container",
    "RemoveIPC",
    "mount",
    "layers",
    "handles",
    "WebAssembly",
    "address space",
    "data size",
    "open files",
    "file size",
    "locked memory",
    "shared memory",
    "memory limit",
    "futex_waitv",
    "leftovers",
    "create and map",
    "protocol",
    "send and wait",
  ];
  assert.equal(
    report.findings.map(({ check }) => check),
    checks,
  );
  for (const { check, status, found, advice } of report.findings) {
    assert.ok(found.length > 3, check);
    assert.is(advice === undefined, status === "ok", check);
  }
  assert.match(finding(report, "runtime").found, `Node ${process.versions.node}`);
  assert.match(finding(report, "shared memory").found, /\d [KMGT]?i?B free of \d/);
});

test("doctor on a terminal has a line per check", async () => {
  const { code, stdout } = await isthmus(["doctor"]);
  assert.is(code, 0);
  assert.match(stdout, /^ok {7}create and map +a segment of 1 MiB/m);
  assert.match(stdout, /^ok {7}send and wait /m);
});

test("doctor warns of a limited address space, and says how to lift it", async () => {
  const report = jsonOf<Report>(await shell('ulimit -v 80000000 && exec "$0" "$1" doctor --json'));
  const { status, found, advice } = finding(report, "address space");
  assert.is(status, "warning");
  assert.match(found, /76\.\d GiB: about 7 open segments/);
  assert.match(advice ?? "", "ulimit -v unlimited");
});

test("doctor warns of limits on files and descriptors that are too low", async () => {
  const report = jsonOf<Report>(
    await shell('ulimit -n 200 && ulimit -f 20480 && exec "$0" "$1" doctor --json'),
  );
  assert.is(finding(report, "open files").status, "warning");
  assert.match(finding(report, "file size").found, /limited to (10|20) MiB/);
});

const confined = (await canHaveOwnSharedMemory()) ? test : test.skip;

confined("doctor warns of a small /dev/shm, and names --shm-size", async () => {
  const script = withOwnSharedMemory(64, 'exec "$0" "$1" doctor --json');
  const report = jsonOf<Report>(await shell(script));
  assert.is(report.healthy, true);
  const { status, found, advice } = finding(report, "shared memory");
  assert.is(status, "warning");
  assert.match(found, "64 MiB");
  assert.match(advice ?? "", "--shm-size");
});

confined("doctor finds a full /dev/shm to be a problem and exits with 1", async () => {
  const fill = "head -c 8388608 /dev/zero > /dev/shm/full 2> /dev/null;";
  const result = await shell(withOwnSharedMemory(8, `${fill} exec "$0" "$1" doctor --json`));
  assert.is(result.code, 1);
  const report = jsonOf<Report>(result);
  assert.is(report.healthy, false);
  assert.is(finding(report, "shared memory").status, "problem");
  const trial = finding(report, "create and map");
  assert.is(trial.status, "problem");
  assert.match(trial.found, "OUT_OF_SHARED_MEMORY");
});

const asNobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";
const other =
  (await canHaveOwnSharedMemory()) && (await shell(`${asNobody} "$0" "$1" --version`)).code === 0
    ? test
    : test.skip;

other("doctor finds a /dev/shm that others keep for themselves, and how to open it", async () => {
  const script = `chmod 755 /dev/shm && exec ${asNobody} "$0" "$1" doctor --json`;
  const result = await shell(withOwnSharedMemory(64, script));
  assert.is(result.code, 1);
  const { status, advice } = finding(jsonOf<Report>(result), "shared memory");
  assert.equal([status, advice], ["problem", "chmod 1777 /dev/shm"]);
});

confined("doctor counts segments that nobody has open", async () => {
  const scene = compiled("cli/left.ts");
  const script = withOwnSharedMemory(256, `"$0" ${scene} left && exec "$0" "$1" doctor --json`);
  const report = jsonOf<Report>(await shell(script));
  const { status, found, advice } = finding(report, "leftovers");
  assert.equal([status, found], ["warning", "1 segment, 1 MiB, that no live process has open"]);
  assert.match(advice ?? "", /^isthmus prune/);
});

test("RemoveIPC is on unless the last setting turns it off; comments do not count", () => {
  assert.is(system.removesIpc([]), true);
  assert.is(system.removesIpc(["[Login]\n#RemoveIPC=no\n"]), true);
  assert.is(system.removesIpc(["[Login]\nRemoveIPC=no\n"]), false);
  assert.is(system.removesIpc(["RemoveIPC=no\n", "RemoveIPC = yes\n"]), true);
  assert.is(system.removesIpc(["  RemoveIPC=false"]), false);
});

test("RemoveIPC matters to ordinary users under systemd only", () => {
  assert.is(system.removeIpcFinding(false, 1000, []).status, "ok");
  assert.is(system.removeIpcFinding(true, 0, []).status, "ok");
  assert.is(system.removeIpcFinding(true, 1000, ["RemoveIPC=no"]).status, "ok");
  const { status, advice } = system.removeIpcFinding(true, 1000, []);
  assert.is(status, "warning");
  assert.match(advice ?? "", "enable-linger");
});

test("an address space without limit is fine, and so is one that cannot be known", () => {
  const line = (value: string) =>
    `Max address space         ${value}            unlimited            bytes\n`;
  assert.is(limits.addressSpaceFinding(line("unlimited")).status, "ok");
  assert.is(limits.addressSpaceFinding(undefined).status, "ok");
  assert.is(limits.addressSpaceFinding(line("20480000000")).status, "warning");
});

test("a user who lingers loses nothing at logout", () => {
  assert.is(system.removeIpcFinding(true, 1000, [], true).status, "ok");
});

test("few descriptors and small files are warned of; locked memory never is", () => {
  const text = (files: string, bytes: string) =>
    `Max file size             ${bytes}            unlimited            bytes     \n` +
    `Max open files            ${files}            1048576              files     \n` +
    "Max locked memory         65536                65536                bytes     \n";
  const wide = text("1024", "unlimited");
  const narrow = text("100", "1048576");
  assert.equal(
    [limits.openFilesFinding(wide).status, limits.openFilesFinding(narrow).status],
    ["ok", "warning"],
  );
  assert.match(limits.openFilesFinding(narrow).advice ?? "", "ulimit -n");
  assert.equal(
    [limits.fileSizeFinding(wide).status, limits.fileSizeFinding(narrow).status],
    ["ok", "warning"],
  );
  assert.match(limits.fileSizeFinding(narrow).found, "limited to 1 MiB");
  assert.is(limits.lockedMemoryFinding(narrow).status, "ok");
  assert.match(limits.lockedMemoryFinding(narrow).found, "64 KiB allowed");
  for (const finding of [limits.openFilesFinding, limits.fileSizeFinding, limits.lockedMemoryFinding])
    assert.is(finding(undefined).status, "ok");
});

test("the memory limit is that with the least room", () => {
  const limit = (given: Partial<MemoryLimit>): MemoryLimit => ({
    who: "cgroup /a",
    limitBytes: Infinity,
    slowBytes: Infinity,
    roomBytes: Infinity,
    ...given,
  });
  const machine = limit({ who: "this machine", limitBytes: 2 ** 34, roomBytes: 2 ** 33 });
  const judged = (given: Partial<MemoryLimit>) => limits.memoryLimitFinding([limit(given), machine], 2 ** 30);
  assert.is(limits.memoryLimitFinding([], 2 ** 30).status, "ok");
  assert.is(judged({}).status, "ok");
  assert.is(judged({ limitBytes: 2 ** 31, roomBytes: 2 ** 31 }).status, "ok");
  assert.match(
    judged({ limitBytes: 2 ** 31, roomBytes: 2 ** 30 }).found,
    /cgroup \/a may have 2 GiB.* 1 GiB/,
  );
  assert.is(judged({ limitBytes: 2 ** 29, roomBytes: 2 ** 28 }).status, "warning");
  assert.is(judged({ limitBytes: 2 ** 29, roomBytes: 2 ** 19 }).status, "problem");
  assert.match(judged({ slowBytes: 2 ** 28 }).found, "memory.high");
});

test("a limit on data, layers, capabilities and an engine without WebAssembly are told", () => {
  const line = (value: string) =>
    `Max data size             ${value}            unlimited            bytes\n`;
  assert.is(limits.dataFinding(line("unlimited")).status, "ok");
  assert.is(limits.dataFinding(line("204800000")).status, "warning");
  const mounts = "overlay / overlay rw 0 0\ntmpfs /data tmpfs rw 0 0\noverlay /data/in overlay rw 0 0\n";
  const status = (folder: string) => system.layersFinding(folder, mounts).status;
  assert.equal(["/home", "/data", "/data/x", "/data/in/y", "/database"].map(status), [
    "warning",
    "ok",
    "ok",
    "warning",
    "warning",
  ]);
  assert.is(system.layersFinding("/home", undefined).status, "ok");
  assert.equal([system.handlesFinding(5, 5).status, system.handlesFinding(5, 0).status], ["ok", "warning"]);
  const capable = "CapInh:\t0000000000000000\nCapPrm:\t0000000000000400\nCapEff:\t0000000000000400\n";
  assert.is(system.handlesFinding(5, 5, capable).status, "warning");
  assert.is(system.handlesFinding(5, 5, capable.replaceAll("4", "0")).status, "ok");
  assert.is(system.handlesFinding(0, 0, capable).status, "ok");
  assert.equal([system.engineFinding(true).status, system.engineFinding(false).status], ["ok", "problem"]);
});

test("what /dev/shm is, and a kernel that is too old, are told", () => {
  const line = (type: string, settings: string) =>
    `proc /proc proc rw 0 0\nx /dev/shm ${type} ${settings} 0 0\n`;
  assert.is(system.mountFinding(line("tmpfs", "rw,size=64k")).status, "ok");
  assert.is(system.mountFinding(line("tmpfs", "ro,nosuid")).status, "problem");
  assert.is(system.mountFinding(line("ext4", "rw")).status, "warning");
  assert.is(system.mountFinding("proc /proc proc rw 0 0\n").status, "warning");
  assert.is(system.mountFinding(undefined).status, "ok");
  assert.is(system.kernelFinding("Linux", "6.1.0-13-amd64", "x64").status, "ok");
  assert.is(system.kernelFinding("Linux", "3.17.0", "x64").status, "ok");
  assert.is(system.kernelFinding("Linux", "3.10.0-1160.el7", "x64").status, "problem");
});

test("containers are told apart", () => {
  const signs = { files: [] as string[], environment: {}, cgroup: "0::/\n" };
  assert.is(system.containerKind(signs), undefined);
  assert.is(system.containerKind({ ...signs, files: ["/.dockerenv"] }), "Docker");
  assert.is(system.containerKind({ ...signs, files: ["/run/.containerenv"] }), "Podman");
  assert.is(
    system.containerKind({ ...signs, environment: { KUBERNETES_SERVICE_HOST: "10.0.0.1" } }),
    "Kubernetes",
  );
  assert.is(
    system.containerKind({ ...signs, environment: { container: "systemd-nspawn" } }),
    "systemd-nspawn",
  );
});

test("doctor says which native part is used, and from where", async () => {
  const used = finding(jsonOf<Report>(await isthmus(["doctor", "--json"])), "native part").found;
  assert.match(used, /prebuilds.linux-\w+.isthmus\.node$/);
  const folder = used.replace(/.linux-\w+.isthmus\.node$/, "");
  const named = await shell(`ISTHMUS_PREBUILDS='${folder}' exec "$0" "$1" doctor --json`);
  const found = finding(jsonOf<Report>(named), "native part").found;
  assert.match(found, /isthmus\.node, in the folder that ISTHMUS_PREBUILDS names$/);
  const wrong = jsonOf<Report>(await shell(`ISTHMUS_PREBUILDS=/nowhere exec "$0" "$1" doctor --json`));
  assert.is(finding(wrong, "native part").status, "problem");
  assert.match(
    finding(wrong, "native part").found,
    /ISTHMUS_PREBUILDS names \/nowhere, but there is no file/,
  );
});

/** What doctor of a package that lies elsewhere says about the native part; `arrange` puts files into that package. */
async function nativePartOf(arrange: (shim: (folder: string) => string) => void): Promise<Finding> {
  const place = temporaryDirectory();
  cpSync(join(root, "dist"), join(place, "dist"), { recursive: true });
  cpSync(join(root, "package.json"), join(place, "package.json"));
  symlinkSync(join(root, "node_modules"), join(place, "node_modules"));
  const here = `${process.platform}-${process.arch}`;
  arrange((folder) => {
    const file = join(place, folder.replace("HERE", here), "isthmus.node");
    mkdirSync(dirname(file), { recursive: true });
    cpSync(join(root, "prebuilds", here, "isthmus.node"), file);
    return file;
  });
  const main = join(place, "dist/ts/cli/main.js");
  const report = jsonOf<Report>(
    await finished(start(process.execPath, [main, "doctor", "--json"]), "doctor"),
  );
  assert.is(report.healthy, true); // it works, wherever the native part comes from
  return finding(report, "native part");
}

test("doctor says that the native part is the copy in the JavaScript, and why", async () => {
  const missing = await nativePartOf(() => {});
  assert.is(missing.status, "ok");
  assert.match(
    missing.found,
    /^the copy in the JavaScript for linux-\w+, because there is no file \S+\/prebuilds\/linux-\w+\/isthmus\.node$/,
  );
  const damaged = await nativePartOf((shim) => writeFileSync(shim("prebuilds/HERE"), "not a program"));
  assert.match(
    damaged.found,
    /^the copy in the JavaScript for linux-\w+, because \S+isthmus\.node cannot be loaded: it is damaged, or for another system/,
  );
});

test("doctor says that the native part was built from its source", async () => {
  let file = "";
  const built = await nativePartOf((shim) => {
    file = shim("build/Release");
  });
  assert.equal([built.status, built.found], ["ok", `${file}, which was built from its source`]);
});

test.run();
