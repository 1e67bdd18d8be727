/**
 * `npm run bench:redis`: unpacks Debian's redis-server below build/, for the rows that compare with it. The system stays as it is. Without
 * it, the benchmark takes the redis-server of the system, or leaves Redis out and says so.
 */
import { execFileSync } from "node:child_process";
import { unpackDebian } from "../scripts/lanes/lane.js";
import { redisEnvironment, redisProgram } from "./peers/redis-server.js";

try {
  unpackDebian("redis", ["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1"]);
  const program = redisProgram() ?? "redis-server";
  console.log(
    `${program}: ${execFileSync(program, ["--version"], { encoding: "utf8", env: redisEnvironment() }).trim()}`,
  );
} catch (problem) {
  console.error(`redis-server could not be unpacked: ${(problem as Error).message}`);
  process.exitCode = 1;
}
