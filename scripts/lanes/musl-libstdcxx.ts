/**
 * Builds the libstdc++ that Bun's musl build wants. Debian has musl, but no C++ library for it; it has libstdc++ as an
 * archive made for glibc (libstdc++-12-pic). What Bun takes from it needs nothing of glibc but three names, so a library
 * of exactly these symbols is linked against musl: the linker says so, should anything else be missing.
 */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { step } from "./lane.js";
import { LIBSTDCXX_ARCHIVE, laneFiles, MUSL, MUSL_BUN, MUSL_LIBRARIES } from "./places.js";

/** What the archives expect of glibc and its start files. */
const MISSING_IN_MUSL = `
__attribute__((visibility("hidden"))) void *__dso_handle = &__dso_handle;
/* Locks are always taken. */
char __libc_single_threaded = 0;
/* "Not found": the unwinder then looks with dl_iterate_phdr, which musl has. */
int _dl_find_object(void *address, void *result) { (void)address; (void)result; return -1; }
`;

function symbols(args: string[], file: string, isWanted: (type: string) => boolean): Set<string> {
  const lines = step("nm", ["-D", ...args, file], ".").matchAll(/(\S) (\S+)$/gm);
  return new Set([...lines].filter(([, type]) => isWanted(type)).map(([, , name]) => name));
}

/** What Bun takes from any library, musl excepted: what it leaves undefined, and variables it copies at its start. */
function wantedSymbols(): string[] {
  const wanted = symbols(["--undefined-only"], MUSL_BUN, (type) => type !== "w");
  for (const [, name] of step("readelf", ["-Wr", MUSL_BUN], ".").matchAll(/R_X86_64_COPY\s+\S+\s+(\S+)/g))
    wanted.add(name);
  const have = symbols(["--defined-only"], MUSL, () => true);
  return [...wanted].filter((name) => !have.has(name)).sort();
}

function gccFile(name: string): string {
  return step("gcc", [`-print-file-name=${name}`], ".").trim();
}

/** All but the wanted symbols stay inside, so that code nobody wants is dropped with what it needs. */
function link(work: string, wanted: string[]): void {
  writeFileSync(join(work, "missing.c"), MISSING_IN_MUSL);
  const exported = wanted.map((name) => `${name};`).join(" ");
  writeFileSync(join(work, "exports.map"), `{ global: ${exported} local: *; };\n`);
  symlinkSync(MUSL, join(work, "libc.so"));
  step(
    "gcc",
    [
      ...["-shared", "-fPIC", "-nostdlib", "-Os", "missing.c", "-o", "libstdc++.so.6"],
      ...[
        "-Wl,-soname,libstdc++.so.6",
        "-Wl,--version-script,exports.map",
        "-Wl,--gc-sections",
        "-Wl,-z,defs",
      ],
      ...wanted.map((name) => `-Wl,-u,${name}`),
      ...[LIBSTDCXX_ARCHIVE, gccFile("libgcc_eh.a"), gccFile("libgcc.a"), "-L.", "-lc"],
    ],
    work,
  );
}

export function buildLibstdcxx(): void {
  console.log("linking a libstdc++ for musl (needs gcc and binutils)");
  const work = join(laneFiles("musl"), `linking.${process.pid}`);
  mkdirSync(work);
  try {
    link(work, wantedSymbols());
    rmSync(MUSL_LIBRARIES, { recursive: true, force: true });
    renameSync(work, MUSL_LIBRARIES);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
