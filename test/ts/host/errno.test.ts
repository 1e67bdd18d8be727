/** The names of the operating system for its refusals. */
import { constants } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { errnoName } from "../../../ts/host/errno.js";

const onWindows = process.platform === "win32";

test("a number has its usual name, also where the system has two for it", () => {
  if (onWindows) return assert.is(errnoName(5), "ERROR_ACCESS_DENIED"); // not the numbers of C
  assert.is(errnoName(constants.errno.EACCES), "EACCES");
  assert.is(errnoName(constants.errno.EAGAIN), "EAGAIN");
  assert.is(constants.errno.EAGAIN, constants.errno.EWOULDBLOCK);
});

test("a number that has no name here is told as a number", () => {
  assert.is(errnoName(4711), "errno 4711");
});

test.run();
