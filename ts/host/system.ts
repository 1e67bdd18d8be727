/** Which operating system this is, for the few places outside of the shim where it matters. */
import { builtin } from "./builtin.cjs";

export const isWindows = builtin("node:process").platform === "win32";
