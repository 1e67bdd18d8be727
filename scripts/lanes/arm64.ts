/** `npm run test:arm64`: a Node for arm64 under qemu, with itself and with this Node on the same segment. */
import { installPackages, runLane, unpackDebian } from "./lane.js";

const SAYS =
  "Node for arm64 under user-mode emulation (qemu): this proves the logic of the arm64 binary and of mixed CPUs, " +
  "but not ARM's memory order, because the emulator runs on x86-64.";

runLane("arm64", SAYS, () => {
  installPackages("arm64");
  unpackDebian("arm64", [
    "qemu-user-static",
    "libc6-arm64-cross",
    "libgcc-s1-arm64-cross",
    "libstdc++6-arm64-cross",
  ]);
});
