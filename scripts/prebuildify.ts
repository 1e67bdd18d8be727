/**
 * Builds the shim for this machine with its own compiler and puts it where `build-shims` puts its own: for platforms
 * that the cross build does not serve, and to try a change. Start it with `npm run prebuildify`, which brings node-gyp.
 */
import { execFileSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const prefix = dirname(dirname(process.execPath));
const hasHeaders = existsSync(join(prefix, "include/node/node_api.h"));

try {
  execFileSync(
    "prebuildify",
    ["--napi", "--strip", "--name", "isthmus", "--cwd", "shims", "--out", process.cwd()],
    {
      stdio: "inherit",
      // node-gyp downloads Node's headers unless it is told that they are here.
      env: hasHeaders ? { ...process.env, npm_config_nodedir: prefix } : process.env,
    },
  );
} finally {
  rmSync("shims/build", { recursive: true, force: true });
}
