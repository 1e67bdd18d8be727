/** A memory whose addresses another thread takes while it is mapped over, as can happen on Windows. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BUSY } from "../../../protocol/errors.js";
import { IsthmusError, Segment } from "../../../ts/index.js";
import { segmentName } from "../../lib/segments.js";
import { native } from "../../shims/objects.js";

/** The first `times` mappings fail with that status and call; gives the memories that were tried. */
function failing(times: number, status: number, syscall: string, run: () => void): Set<ArrayBufferLike> {
  const { map } = native;
  const tried = new Set<ArrayBufferLike>();
  native.map = (object, memory, readOnly) => {
    const view = typeof memory === "function" ? memory() : memory;
    tried.add(view.buffer);
    if (tried.size > times) return map.call(native, object, view, readOnly);
    throw Object.assign(new Error("taken"), { status, syscall, errno: syscall === "" ? 0 : 487 });
  };
  try {
    run();
  } finally {
    native.map = map;
  }
  return tried;
}

const create = (): void => {
  using segment = Segment.create(segmentName(), { bytes: 65536 });
  segment.unlink();
};

test("a memory that is lost is not used again: another one is tried, up to seven times", () => {
  assert.is(failing(7, BUSY, "VirtualAlloc2", create).size, 8);
});

test("after that the segment cannot be opened", () => {
  const refused = (error: Error) => error instanceof IsthmusError && error.code === "BUSY";
  const tried = failing(99, BUSY, "VirtualAlloc2", () => assert.throws(create, refused));
  assert.is(tried.size, 8);
});

test("an object that is mapped already is no reason to try again", () => {
  const tried = failing(99, BUSY, "", () => assert.throws(create, /BUSY/));
  assert.is(tried.size, 1);
});

test.run();
