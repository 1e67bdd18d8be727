/**
 * What can be learned about the system from its files. Every function takes the text that it judges, so that tests can
 * show it any system; `systemFindings` reads the real ones.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { bytesText } from "../print.js";
import { type Finding, ok, warning } from "./finding.js";

/** Engines reserve up to this much address space per open segment. */
const ADDRESSES_PER_SEGMENT = 10 * 1024 ** 3;
const ADDRESSES_WANTED = 8 * ADDRESSES_PER_SEGMENT;

export function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

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

/** Judges systemd's RemoveIPC for a user. */
export function removeIpcFinding(systemd: boolean, user: number, settings: string[]): Finding {
  const check = "RemoveIPC";
  if (!systemd) return ok(check, "systemd does not run here: nothing is removed at logout");
  if (!removesIpc(settings)) return ok(check, "systemd leaves shared memory alone at logout");
  if (user < 1000)
    return ok(check, `systemd removes shared memory at logout, but not that of system user ${user}`);
  return warning(
    check,
    `systemd removes the segments of user ${user} when the last session ends`,
    "run as a service, or set RemoveIPC=no in /etc/systemd/logind.conf, or: loginctl enable-linger",
  );
}

/** Judges "Max address space" of /proc/self/limits. */
export function addressSpaceFinding(limits: string | undefined): Finding {
  const check = "address space";
  const [, text] = /^Max address space\s+(\S+)/m.exec(limits ?? "") ?? [];
  if (text === undefined) return ok(check, "no limit is known");
  if (text === "unlimited") return ok(check, "unlimited");
  const bytes = Number(text);
  const segments = Math.floor(bytes / ADDRESSES_PER_SEGMENT);
  if (bytes >= ADDRESSES_WANTED) return ok(check, `${bytesText(bytes)}: about ${segments} open segments`);
  return warning(
    check,
    `limited to ${bytesText(bytes)}: about ${segments} open segments, because engines reserve 10 GiB of addresses for each`,
    "ulimit -v unlimited; limit memory with cgroups instead",
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
  return ok("container", `${kind}: segments are shared with those who share this container's /dev/shm`);
}

export function systemFindings(): Finding[] {
  const user = process.getuid?.() ?? 0;
  return [
    ok("system", `${os.type()} ${os.release()}, ${process.arch}`),
    containerFinding(),
    removeIpcFinding(existsSync("/run/systemd/system"), user, logindSettings()),
    addressSpaceFinding(textOf("/proc/self/limits")),
  ];
}
