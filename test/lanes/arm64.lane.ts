// watchdog: 480 s
/** A Node for arm64 under qemu, with itself and with this Node: "npm run test:arm64". */
import { node } from "../lib/runtimes.js";
import { pairSuite } from "../runtimes/pair.js";
import { arm64Node } from "./runtimes.js";
import { strangerSuite } from "./stranger.js";

const arm64 = arm64Node();
strangerSuite(
  arm64,
  node,
  ({ arch, code }) =>
    arch === "arm64" && code.some((file) => file.endsWith("prebuilds/linux-arm64/isthmus.node")),
).run();
pairSuite(arm64, node).run();
pairSuite(node, arm64).run();
pairSuite(arm64, arm64).run();
