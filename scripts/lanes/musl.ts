/** `npm run test:musl`: Bun's build for musl, with itself and with this Node, which has glibc, on the same segment. */
import { installPackages, runLane, unpackDebian } from "./lane.js";
import { buildLibstdcxx } from "./musl-libstdcxx.js";

runLane("musl", "Bun's build for musl with Debian's musl; the other side is this Node with glibc.", () => {
  installPackages("musl");
  unpackDebian("musl", ["musl", "libstdc++-12-pic"]);
  buildLibstdcxx();
});
