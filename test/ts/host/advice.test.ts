// only: linux, it is about error numbers of POSIX
/** The advice fits the call that was refused, and not only the number of the error. */
import { constants } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { adviceFor } from "../../../ts/host/advice.js";
import type { NativeError } from "../../../ts/host/native.js";

function adviceOn(syscall: string, name: "EAGAIN" | "ENOMEM" | "EACCES"): string {
  const error = { syscall, errno: constants.errno[name], status: 0 } as unknown as NativeError;
  return adviceFor(error, name === "EACCES" ? "NOT_SUPPORTED" : "SYSTEM") ?? "";
}

test("EAGAIN is a limit of threads, or of locked memory", () => {
  assert.match(adviceOn("pthread_create", "EAGAIN"), /ulimit -u/);
  assert.match(adviceOn("mmap", "EAGAIN"), /ulimit -l/);
});

test("ENOMEM speaks of mappings only where one was asked for", () => {
  assert.match(adviceOn("mmap", "ENOMEM"), /mappings/);
  assert.not.match(adviceOn("memfd_create", "ENOMEM"), /mappings/);
});

test("EACCES of a lock is a security module, and not the mode of a file", () => {
  assert.match(adviceOn("fcntl", "EACCES"), /AppArmor/);
  assert.not.match(adviceOn("fcntl", "EACCES"), /mode/);
});

test.run();
