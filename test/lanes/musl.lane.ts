// watchdog: 240 s
/** Bun's build for musl, with itself and with this Node, which has glibc: "npm run test:musl". */
import { node } from "../lib/runtimes.js";
import { pairSuite } from "../runtimes/pair.js";
import { muslBun } from "./runtimes.js";
import { strangerSuite } from "./stranger.js";

const bun = muslBun();
strangerSuite(
  bun,
  node,
  ({ code }) =>
    code.some((file) => file.endsWith("x86_64-linux-musl/libc.so")) &&
    code.some((file) => file.endsWith("prebuilds/linux-x64/isthmus.node")) &&
    !code.some((file) => file.endsWith("libc.so.6")),
).run();
pairSuite(bun, node).run();
pairSuite(node, bun).run();
pairSuite(bun, bun).run();
