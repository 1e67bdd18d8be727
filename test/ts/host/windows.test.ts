/** What Windows reports is told by its own names, with what to do about it. The table is the same on every system. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { windowsFinding } from "../../../ts/cli/doctor/system.js";
import { WINDOWS_DISK_FULL, windowsAdvice, windowsErrorName } from "../../../ts/host/windows.js";

test("a number of Windows has its name there, and not that of the same number elsewhere", () => {
  assert.is(windowsErrorName(5), "ERROR_ACCESS_DENIED");
  assert.is(windowsErrorName(1455), "ERROR_COMMITMENT_LIMIT");
  assert.is(windowsErrorName(4711), undefined);
});

test("the advice fits the number, and else the code", () => {
  assert.match(windowsAdvice("ERROR_COMMITMENT_LIMIT", "OUT_OF_SHARED_MEMORY") ?? "", /paging file/);
  assert.match(windowsAdvice("ERROR_PRIVILEGE_NOT_HELD", "ACCESS_DENIED") ?? "", /SeCreateGlobalPrivilege/);
  assert.match(windowsAdvice("ERROR_ACCESS_DENIED", "ACCESS_DENIED") ?? "", /only the user who made/);
  assert.is(windowsAdvice("ERROR_FILE_NOT_FOUND", "NOT_FOUND"), undefined);
});

test("a full disk is known by either of its names", () => {
  assert.equal([39, 112].map(windowsErrorName).sort(), [...WINDOWS_DISK_FULL].sort());
});

test("doctor knows from which build on Windows has what is needed", () => {
  assert.is(windowsFinding("10.0.17134", "x64").status, "ok");
  assert.is(windowsFinding("11.0.1", "x64").status, "ok");
  assert.is(windowsFinding("10.0.16299", "x64").status, "problem");
  assert.is(windowsFinding("6.3.9600", "x64").status, "problem");
});

test.run();
