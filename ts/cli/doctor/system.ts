/**
 * Checks the system by its files. Every function takes its data as arguments, so that tests can pass those of any system;
 * `systemFindings` reads the real files.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { textOf } from "../../host/limits.js";
import { isWindows } from "../../host/system.js";
import { type Finding, ok, problem, warning } from "./finding.js";

const WINDOWS_BUILD_MIN = 17134;

/** Whether the settings, the most important last, make systemd delete the shared memory of users who log out. */
export function removesIpc(settings: string[]): boolean {
  let value = "yes";
  for (const text of settings) {
    for (const [, given] of text.matchAll(/^[ \t]*RemoveIPC[ \t]*=[ \t]*(\S+)/gm)) value = given;
  }
  return /^(1|yes|true|on|y|t)$/i.test(value);
}

function logindSettings(): string[] {
  const main = ["/usr/lib/systemd/logind.conf", "/etc/systemd/logind.conf"];
  const extra = ["/usr/lib/systemd", "/run/systemd", "/etc/systemd"].flatMap((folder) => {
    const inside = path.join(folder, "logind.conf.d");
    return existsSync(inside)
      ? readdirSync(inside)
          .sort()
          .map((name) => path.join(inside, name))
      : [];
  });
  return [...main, ...extra].flatMap((file) => textOf(file) ?? []);
}

/** Judges systemd's RemoveIPC for a user. If the user lingers, systemd never regards the last session as ended. */
export function removeIpcFinding(
  systemd: boolean,
  user: number,
  settings: string[],
  lingers = false,
): Finding {
  const check = "RemoveIPC";
  if (!systemd) return ok(check, "systemd does not run here, so nothing is removed at logout");
  if (!removesIpc(settings)) return ok(check, "systemd does not remove shared memory at logout");
  if (user < 1000)
    return ok(check, `systemd removes shared memory at logout, but not that of the system user ${user}`);
  if (lingers) return ok(check, `user ${user} lingers, so systemd removes nothing of theirs at logout`);
  return warning(
    check,
    `systemd removes the segments of user ${user} when the last session ends`,
    "run the program as a service, set RemoveIPC=no in /etc/systemd/logind.conf, or run: loginctl enable-linger",
  );
}

/** Whether "loginctl enable-linger" was done for this user. */
function lingers(): boolean {
  try {
    return existsSync(`/var/lib/systemd/linger/${os.userInfo().username}`);
  } catch {
    return false; // a user without an entry in the list of users
  }
}

/** Judges the release of the kernel. Of the system calls without a substitute, memfd_create is the newest; it needs 3.17. */
export function kernelFinding(type: string, release: string, arch: string): Finding {
  const found = `${type} ${release}, ${arch}`;
  const [major = 0, minor = 0] = release.split(".").map((part) => Number.parseInt(part, 10));
  if (type !== "Linux" || major > 3 || (major === 3 && minor >= 17)) return ok("system", found);
  return problem("system", found, "use Linux 3.17 or newer; 5.16 or newer needs fewer threads");
}

/** Judges the file system that holds named segments, by the text of /proc/mounts. */
export function mountFinding(mounts: string | undefined): Finding {
  const check = "mount";
  const lines = (mounts ?? "").split("\n").map((text) => text.split(" "));
  const [, , type, settings = ""] = lines.filter(([, place]) => place === "/dev/shm").pop() ?? [];
  if (mounts === undefined) return ok(check, "the mounts of this system are not known");
  const cure = "mount -t tmpfs tmpfs /dev/shm";
  if (type === undefined)
    return warning(check, "nothing is mounted at /dev/shm, so segments are on a disk", cure);
  if (settings.split(",").includes("ro")) return problem(check, `/dev/shm is read-only (${type})`, cure);
  if (type !== "tmpfs") return warning(check, `/dev/shm is ${type}, not tmpfs, and may be slow`, cure);
  return ok(check, `/dev/shm is tmpfs (${settings})`);
}

/** Judges a folder that may hold segments in files, by the text of /proc/mounts. */
export function layersFinding(folder: string, mounts: string | undefined): Finding {
  const check = "layers";
  const over = (mounts ?? "")
    .split("\n")
    .map((text) => text.split(" "))
    .filter(([, place = ""]) => folder === place || folder.startsWith(place === "/" ? "/" : `${place}/`))
    .sort(([, one = ""], [, other = ""]) => one.length - other.length)
    .pop();
  if (over?.[2] !== "overlay") return ok(check, `${folder} is not on overlayfs`);
  return warning(
    check,
    `${folder} is on overlayfs (${over[1]}): a read-only opener of a file from the image goes on reading the image's ` +
      "copy after another process has written to the file",
    "keep segment files on a volume, or touch the file before the first reader opens it",
  );
}

/**
 * Judges whether the kernel protects this process from others of its user: it does so when the process has capabilities that
 * the others do not have, or may not be dumped.
 *
 * @param owner of /proc/self/fd: the superuser when the process may not be dumped
 * @param status text of /proc/self/status
 */
export function handlesFinding(user: number, owner: number | undefined, status: string | undefined): Finding {
  const check = "handles";
  const capable = user !== 0 && /^CapPrm:\s*0*[1-9a-f]/m.test(status ?? "");
  if (!capable && (owner === undefined || owner === user))
    return ok(check, "other processes can open anonymous segments by their handles");
  return warning(
    check,
    "the program has capabilities (setcap) or is setuid, so other processes cannot open its anonymous segments by their handles",
    "use named segments, or give the capability to the service (AmbientCapabilities=, net.ipv4.ip_unprivileged_port_start)",
  );
}

function ownerOf(file: string): number | undefined {
  try {
    return statSync(file).uid;
  } catch {
    return undefined;
  }
}

/** Judges whether the engine can run the core. */
export function engineFinding(webAssembly: boolean): Finding {
  const check = "WebAssembly";
  if (webAssembly) return ok(check, "available");
  return problem(
    check,
    "this engine runs without WebAssembly",
    "start without --jitless and --no-expose-wasm (also in NODE_OPTIONS)",
  );
}

export interface ContainerSigns {
  files: string[];
  environment: Record<string, string | undefined>;
  cgroup: string;
}

/** Which kind of container this is; undefined when none is seen. */
export function containerKind({ files, environment, cgroup }: ContainerSigns): string | undefined {
  if (environment.KUBERNETES_SERVICE_HOST || cgroup.includes("kubepods")) return "Kubernetes";
  if (files.includes("/.dockerenv") || /\bdocker\b/.test(cgroup)) return "Docker";
  if (files.includes("/run/.containerenv") || cgroup.includes("libpod")) return "Podman";
  if (environment.container) return environment.container;
  return cgroup.includes("/lxc") ? "LXC" : undefined;
}

function containerFinding(): Finding {
  const kind = containerKind({
    files: ["/.dockerenv", "/run/.containerenv"].filter((file) => existsSync(file)),
    environment: process.env,
    cgroup: textOf("/proc/1/cgroup") ?? "",
  });
  if (!kind) return ok("container", "none seen");
  return ok("container", `${kind}: segments are shared with containers that share this /dev/shm`);
}

/** Judges the build of Windows. Memory can be exchanged for a segment in one step since build 17134 (1803). */
export function windowsFinding(release: string, arch: string): Finding {
  const found = `Windows ${release}, ${arch}`;
  const [major = 0, , build = 0] = release.split(".").map((part) => Number.parseInt(part, 10));
  if (major > 10 || (major === 10 && build >= WINDOWS_BUILD_MIN)) return ok("system", found);
  return problem("system", found, "use Windows 10 1803, Server 2019, or newer");
}

export function systemFindings(): Finding[] {
  const engine = engineFinding(typeof WebAssembly !== "undefined");
  if (isWindows) return [windowsFinding(os.release(), process.arch), engine];
  const user = process.getuid?.() ?? 0;
  return [
    kernelFinding(os.type(), os.release(), process.arch),
    containerFinding(),
    removeIpcFinding(existsSync("/run/systemd/system"), user, logindSettings(), lingers()),
    mountFinding(textOf("/proc/mounts")),
    layersFinding(process.cwd(), textOf("/proc/mounts")),
    handlesFinding(process.geteuid?.() ?? 0, ownerOf("/proc/self/fd"), textOf("/proc/self/status")),
    engine,
  ];
}
