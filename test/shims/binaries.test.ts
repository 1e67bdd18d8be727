/** The shape of what is shipped: loadable by any libc on any kernel page size, small, and nothing visible but the entry. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compiled, root } from "../lib/paths.js";
import { onlyLinux, unless } from "../lib/skips.js";
import { EXECUTABLE, MACHINE_ARM64, MACHINE_X64, PT_GNU_STACK, PT_LOAD, readElf } from "./elf.js";
import { DYLIB, LOOKED_UP_ANYWHERE, MACHO_ARM64, MACHO_X64, readMacho } from "./macho.js";
import { ANY_ADDRESS, PE_ARM64, PE_X64, readPe, SECTION_RUNS, SECTION_WRITES } from "./pe.js";

const BYTES_MAX = 30_000;
const MACHINES: Record<string, number> = { "linux-x64": MACHINE_X64, "linux-arm64": MACHINE_ARM64 };
const WINDOWS_BYTES_MAX = 60_000;
const WINDOWS_MACHINES: Record<string, number> = { "win32-x64": PE_X64, "win32-arm64": PE_ARM64 };
const DARWIN_BYTES_MAX = 90_000;
const DARWIN_MACHINES: Record<string, number> = { "darwin-x64": MACHO_X64, "darwin-arm64": MACHO_ARM64 };
const PLATFORMS = [MACHINES, DARWIN_MACHINES, WINDOWS_MACHINES].flatMap(Object.keys);
/** Addresses within the file, which each file has. */
const OF_THE_LINKER = ["__dso_handle", "_mh_dylib_header"];
/** Of libSystem. What only newer releases have is looked up when it is needed, and is not here. */
const LIBSYSTEM = [
  ...[
    "__bzero",
    "__error",
    "arc4random_buf",
    "bzero",
    "calloc",
    "clock_gettime",
    "close",
    "closedir",
    "dladdr",
    "dlopen",
    "dlsym",
  ],
  ...["fchmod", "fcntl", "free", "fstat", "fstatfs", "fsync", "ftruncate", "futimens", "getcwd"],
  ...["geteuid", "getpagesize", "getpid", "getrlimit", "lseek", "lstat", "malloc", "memcpy", "memmove"],
  ...["memset", "minherit", "mmap", "msync", "munmap", "open", "opendir", "pread", "pwrite", "readdir"],
  ...["realloc", "rename", "renamex_np", "sched_yield", "shm_open", "shm_unlink", "snprintf", "statfs"],
  ...["strcmp", "strcpy", "strdup", "strlen", "strncmp", "strspn", "umask", "unlink"],
  ...["pthread_atfork", "pthread_attr_destroy", "pthread_attr_init", "pthread_attr_setstacksize"],
  ...["pthread_create", "pthread_join", "pthread_once", "pthread_setname_np", "pthread_sigmask"],
  "dyld_stub_binder",
];
const ENTRIES = ["napi_register_module_v1", "node_api_module_get_api_version_v1"];
/** Plain functions of every libc since glibc 2.17 and musl 1.1, none of which has a struct that differs. */
const LIBC = [
  ...["__register_atfork", "madvise", "pthread_atfork"], // weak: glibc has the first, musl the last
  ...[
    "__errno_location",
    "calloc",
    "clock_gettime",
    "close",
    "fchmod",
    "fcntl",
    "free",
    "ftruncate",
    "getcwd",
    "geteuid",
    "getpagesize",
    "lseek",
  ],
  ...["getpid", "malloc", "memcpy", "memmove", "memset", "mmap", "msync", "open", "pthread_attr_destroy"],
  ...["pthread_attr_init", "pthread_attr_setstacksize", "pthread_create", "pthread_join", "pthread_sigmask"],
  ...[
    "pread",
    "pwrite",
    "realloc",
    "rename",
    "sigfillset",
    "snprintf",
    "strcpy",
    "strdup",
    "strlen",
    "strncmp",
    "syscall",
    "unlink",
  ],
];

const nodeApi = createRequire(import.meta.url)("node-api-headers") as {
  symbols: Record<string, { js_native_api_symbols: string[]; node_api_symbols: string[] }>;
};

const binary = (platform: string): Buffer => readFileSync(join(root, "prebuilds", platform, "isthmus.node"));

test("there is one file for each platform", () => {
  assert.equal(readdirSync(join(root, "prebuilds")).sort(), PLATFORMS.sort());
  for (const platform of PLATFORMS) {
    assert.equal(readdirSync(join(root, "prebuilds", platform)), ["isthmus.node"]);
  }
});

for (const [platform, machine] of Object.entries(MACHINES)) {
  test(`${platform}: needs no library, no symbol version, no C++`, () => {
    const file = binary(platform);
    const elf = readElf(file);
    assert.ok(file.length < BYTES_MAX, `${file.length} bytes`);
    assert.is(elf.machine, machine);
    assert.equal(elf.needed, []);
    assert.not(elf.versioned);
    assert.not(elf.textRelocations);
    assert.not(elf.symbols.some(({ name }) => name.startsWith("_Z")));
  });

  test(`${platform}: shows only its entry points, uses only libc and Node-API 8`, () => {
    const { symbols } = readElf(binary(platform));
    const defined = symbols.filter((symbol) => symbol.defined).map(({ name }) => name);
    assert.equal(defined.sort(), ENTRIES);
    const v8 = nodeApi.symbols.v8 as { js_native_api_symbols: string[]; node_api_symbols: string[] };
    const allowed = new Set([...LIBC, ...v8.js_native_api_symbols, ...v8.node_api_symbols]);
    const undefinedNames = symbols.filter((symbol) => !symbol.defined).map(({ name }) => name);
    assert.ok(undefinedNames.includes("napi_get_cb_info") && undefinedNames.includes("syscall"));
    assert.equal(
      undefinedNames.filter((name) => !allowed.has(name)),
      [],
    );
  });

  test(`${platform}: fits pages of 64 KiB and has no executable stack`, () => {
    const { segments } = readElf(binary(platform));
    const loaded = segments.filter(({ type }) => type === PT_LOAD);
    assert.ok(loaded.length > 0);
    for (const { alignment } of loaded) assert.is(alignment, 65536);
    const stack = segments.filter(({ type }) => type === PT_GNU_STACK);
    assert.is(stack.length, 1);
    assert.not((stack[0]?.flags as number) & EXECUTABLE);
  });
}

/** What windows_<library>.def lists. */
function listed(library: string): string[] {
  const lines = readFileSync(join(root, "shims", `windows_${library}.def`), "utf8")
    .trim()
    .split("\n");
  return lines.slice(lines.indexOf("EXPORTS") + 1).map((line) => line.trim());
}

for (const [platform, machine] of Object.entries(WINDOWS_MACHINES)) {
  test(`${platform}: needs KERNEL32 and ADVAPI32 only, and of them what is listed`, () => {
    const file = binary(platform);
    const pe = readPe(file);
    assert.ok(file.length < WINDOWS_BYTES_MAX, `${file.length} bytes`);
    assert.is(pe.machine, machine);
    const libraries = pe.imports.map(({ library }) => library);
    assert.equal(libraries.sort(), ["ADVAPI32.dll", "KERNEL32.dll"]);
    for (const { library, names } of pe.imports)
      assert.equal([...names].sort(), listed(library.replace(/32\.dll$/, "32").toLowerCase()).sort());
    assert.equal(pe.exports.sort(), ENTRIES);
  });

  test(`${platform}: loads at any address, and writes nowhere where it runs`, () => {
    const { characteristics, sections } = readPe(binary(platform));
    assert.is(characteristics & ANY_ADDRESS, ANY_ADDRESS);
    assert.ok(sections.some(({ flags }) => flags & SECTION_RUNS));
    assert.not(sections.some(({ flags }) => flags & SECTION_RUNS && flags & SECTION_WRITES));
  });
}

for (const [platform, machine] of Object.entries(DARWIN_MACHINES)) {
  test(`${platform}: needs libSystem of macOS 11 only, and of it what every release has`, () => {
    const file = binary(platform);
    const macho = readMacho(file);
    assert.ok(file.length < DARWIN_BYTES_MAX, `${file.length} bytes`);
    assert.is(macho.machine, machine);
    assert.is(macho.type, DYLIB);
    assert.is(macho.minimum, "11.0");
    assert.equal(macho.libraries, ["/usr/lib/libSystem.B.dylib"]);
    assert.is(macho.installName, "@rpath/isthmus.node");
    // Of other machines, macOS runs code without a signature.
    assert.is(macho.signed, machine === MACHO_ARM64);
  });

  test(`${platform}: shows only its entry points, uses only libSystem and Node-API 8`, () => {
    const { symbols } = readMacho(binary(platform));
    const defined = symbols.filter((symbol) => symbol.defined).map(({ name }) => name);
    assert.equal(defined.filter((name) => !OF_THE_LINKER.includes(name)).sort(), ENTRIES);
    const v8 = nodeApi.symbols.v8 as { js_native_api_symbols: string[]; node_api_symbols: string[] };
    const allowed = new Set([...v8.js_native_api_symbols, ...v8.node_api_symbols]);
    const asked = symbols.filter((symbol) => !symbol.defined);
    assert.ok(asked.some(({ name }) => name === "napi_get_cb_info"));
    for (const { name, library } of asked) {
      const plain = name.replace(/\$INODE64$/, "");
      assert.ok(allowed.has(name) || LIBSYSTEM.includes(plain), name);
      // Node-API is in the program, wherever that is, or in a library of it.
      assert.is(library, allowed.has(name) ? LOOKED_UP_ANYWHERE : 1, name);
    }
  });

  test(`${platform}: writes nowhere where it runs`, () => {
    const { segments } = readMacho(binary(platform));
    assert.ok(segments.some(({ executable }) => executable));
    assert.not(segments.some(({ writable, executable }) => writable && executable));
  });
}

test("both Windows files look up the functions of Node-API that the binding uses, of version 8 only", () => {
  const v8 = nodeApi.symbols.v8 as { js_native_api_symbols: string[]; node_api_symbols: string[] };
  const allowed = new Set([...v8.js_native_api_symbols, ...v8.node_api_symbols]);
  for (const platform of Object.keys(WINDOWS_MACHINES)) {
    const texts =
      binary(platform)
        .toString("latin1")
        .match(/\bnapi_[a-z0-9_]+/g) ?? [];
    const names = [...new Set(texts)].filter((name) => name !== "napi_register_module_v1");
    assert.ok(names.includes("napi_get_cb_info"));
    assert.equal(
      names.filter((name) => !allowed.has(name)),
      [],
    );
  }
});

unless(onlyLinux("a program of Linux"), test)(
  "the reader sees libraries, versions and C++ where they are",
  () => {
    const elf = readElf(readFileSync(process.execPath));
    assert.ok(elf.needed.some((library) => /^libc\./.test(library)));
    assert.ok(elf.versioned);
    assert.ok(elf.symbols.some(({ name }) => name.startsWith("_Z")));
  },
);

test("errors.h is what protocol/errors.ts says", () => {
  const script = compiled("../scripts/build-shims.ts");
  execFileSync(process.execPath, [script, "--check"], { cwd: root, stdio: "pipe", timeout: 60_000 });
});

test.run();
