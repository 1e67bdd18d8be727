/** Where the lanes for other platforms put what they need. Nothing of it is committed, nothing goes into the system. */
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");

/** Where a lane's packages from npm are installed. */
export const lanePackages = (lane: string): string => join(root, "test/lanes", lane);
/** Where Debian packages of a lane are unpacked. */
export const laneFiles = (lane: string): string => join(root, "build/lanes", lane);
export const testRunner = join(root, "build/scripts/run-tests.js");

export const ARM64_NODE = join(lanePackages("arm64"), "node_modules/node20/bin/node");
export const QEMU = join(laneFiles("arm64"), "usr/bin/qemu-aarch64-static");
/** What a program for arm64 finds below "/": its loader and libraries. */
export const ARM64_ROOT = join(laneFiles("arm64"), "usr/aarch64-linux-gnu");

export const MUSL_BUN = join(lanePackages("musl"), "node_modules/@oven/bun-linux-x64-musl/bin/bun");
/** musl's C library is its loader too. */
export const MUSL = join(laneFiles("musl"), "lib/x86_64-linux-musl/libc.so");
/** The only directory in which musl's loader looks for libraries. */
export const MUSL_LIBRARIES = join(laneFiles("musl"), "libraries");
export const LIBSTDCXX_ARCHIVE = join(laneFiles("musl"), "usr/lib/gcc/x86_64-linux-gnu/12/libstdc++_pic.a");

/** The packed package, installed for Windows. */
export const WINDOWS_PACKAGE = join(laneFiles("windows"), "package");

/** Outside of the tree, because it takes 2 GB, and is of use to every copy of the tree. */
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "isthmus");
/** A Debian with Wine, in which a lane runs programs for Windows. */
export const WINE_ROOT = join(cache, "wine-root");
/** What Wine has on its drive C: before a run. */
export const WINE_DRIVE = join(cache, "wine-drive");
export const MMDEBSTRAP = join(laneFiles("windows"), "usr/bin/mmdebstrap");
/** The tree, as programs for Windows see it. On a drive of its own: drive Z: would have a folder \proc. */
export const WINDOWS_TREE = "W:\\isthmus";
export { root as tree };
