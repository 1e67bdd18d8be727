/**
 * Opening and closing in one job of the event loop goes on for ever. Each mapping reserves some 10 GiB of addresses until the
 * collector has taken its memory, and the collector cannot take what is referenced until the job ends. The children have
 * addresses for a few segments only, so what is kept shows after a few rounds.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isTried } from "../../lib/depth.js";
import { compiled } from "../../lib/paths.js";
import { finished, start } from "../../lib/processes.js";
import { presentRuntimes } from "../../lib/runtimes.js";

/** More segments than there are addresses for, three times over. */
const ROUNDS = 60;
const ADDRESSES_KIB = 60_000_000;

/** Windows has no such limit. There, it takes the addresses of the whole process until something fails. */
const isLimited = process.platform !== "win32";
const LIMITED: [string, ...string[]] = ["sh", "-c", `ulimit -v ${ADDRESSES_KIB}; exec "$@"`, "sh"];

const kinds = [
  ...[
    "open",
    "open for reading",
    "openOrCreate",
    "create and unlink",
    "replace",
    "createAnonymous",
    "fromHandle",
  ],
  ...["openFile", "what fails", "list and prune", "raw bytes", "ends of a ring", "locks and signals"],
];

for (const [index, { name, command, flags }] of presentRuntimes().entries()) {
  for (const kind of kinds.filter((_, number) => isTried(number, index, 2))) {
    test(`${name}: ${kind} in a loop without a turn of the event loop`, async () => {
      const file = compiled("ts/segment/open-close-actions.ts");
      const program = [command, ...flags, file, kind, String(ROUNDS)] as [string, ...string[]];
      const [first, ...args]: [string, ...string[]] = isLimited ? [...LIMITED, ...program] : program;
      const child = start(first, args);
      const { code, stdout, stderr } = await finished(child, kind);
      assert.equal([code, stdout.trim()], [0, String(ROUNDS)], stderr);
    });
  }
}

test.run();
