/** Bugs in ts/values. */
import { type Bug, inSource } from "../bug.js";

const text = inSource("ts/values/text.ts");
const integers = inSource("ts/values/integers.ts");
const access = inSource("ts/values/access.ts");
const shared = inSource("ts/values/shared.ts");
const reading = inSource("ts/values/reading.ts");
const sharing = inSource("ts/values/sharing.ts");
const containers = inSource("ts/values/containers.ts");
const ofSegment = inSource("ts/values/segment-values.ts");

const proxies = inSource("ts/values/proxy.ts");

export const BUGS: Bug[] = [
  proxies(
    "each look at a list or dictionary gives another proxy",
    "if (before && proxied.get(before)?.reference.generation === generation) return before;",
    "",
    "ts/values/proxy",
  ),
  proxies(
    "what a proxy has popped is lost",
    "popped.close();\n      return found;",
    "return undefined;",
    "ts/values/proxy",
  ),
  proxies(
    "deleting in the middle of a list removes the end",
    "if (index < list.length - 1)",
    "if (index > list.length)",
    "ts/values/proxy",
  ),
  text(
    "every string has one byte for each character",
    "if (text.charCodeAt(i) > 255) return true;",
    "if (text.charCodeAt(i) > 65535) return true;",
    "ts/values/values",
  ),
  integers(
    "an integer has no room for its sign",
    "const bytes = (hex.length + 2) >>> 1;",
    "const bytes = (hex.length + 1) >>> 1;",
    "ts/values/values",
  ),
  access(
    "values are changed inside of a transaction",
    "if (attachment.transaction) {",
    "if (attachment.transaction === null) {",
    "ts/values/values",
  ),
  shared(
    "close gives nothing back",
    "releaseHandle(this.#lease.attachment, handle);",
    "if (handle === 1) releaseHandle(this.#lease.attachment, handle);",
    "ts/values/values",
  ),
  reading(
    "a negative index leads nowhere",
    "const at = index < 0 ? length + index : index;",
    "const at = index;",
    "ts/values/values",
  ),
  sharing(
    "an object that occurs twice becomes two values",
    "this.#known.set(value, made);",
    "if (made.at === 1) this.#known.set(value, made);",
    "ts/values/values",
  ),
  sharing("a list contains itself", "if (value.at === target.at)", "if (value.at === 1)", "ts/values/values"),
  containers(
    "a string that was popped stays",
    "    releaseHandle(attachment, handle);\n",
    "    if (handle === 1) releaseHandle(attachment, handle);\n",
    "ts/values/values",
  ),
  ofSegment(
    "what is shared is given back at once",
    "work.end(kept);",
    "work.end(kept === 1 ? kept : 0);",
    "ts/values/values",
  ),
];
