/** UTF-8, also in a realm that has these classes not among its globals. */
import { builtin } from "./builtin.cjs";

export const { TextEncoder, TextDecoder } = builtin("node:util");
