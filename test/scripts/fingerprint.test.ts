/** What changes the fingerprint, by which builds refuse each other's segments, and what does not. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LAYOUT_FINGERPRINT } from "../../protocol/fingerprint.js";
import * as layout from "../../protocol/layout.js";
import * as limits from "../../protocol/limits.js";
import { fingerprint } from "../../scripts/fingerprint.js";

function changed(inLayout: Record<string, number>, inLimits: Record<string, number> = {}): boolean {
  return fingerprint({ ...layout, ...inLayout }, { ...limits, ...inLimits }) !== LAYOUT_FINGERPRINT;
}

test("the fingerprint in the core is that of the layout", () => {
  assert.not(changed({}));
});

for (const [name, value] of [
  ["HEADER_STATE_OFFSET", 12],
  ["PARTICIPANT_BYTES", 256],
  ["BLOCK_HEADER_BYTES", 32],
  ["JOURNAL_ENTRY_BYTES", 16],
  ["ENTRY_NAME_OFFSET", 64],
  ["SLOT_DEAD", 5],
  ["TOKEN_SLOT_SHIFT", 12],
  ["WAITERS_WORDS_OFFSET", 12],
  ["KERNEL_LOCK_HOLDERS", 2],
  ["OBJECT_ALIGNMENT", 64],
] as const) {
  test(`${name} is agreed on`, () => {
    assert.ok(name in layout);
    assert.ok(changed({ [name]: value }));
  });
}

test("a new kind of object, a new runtime and another version of a kind let old segments open", () => {
  assert.not(changed({ OBJECT_QUEUE: 8, OBJECT_VERSION_QUEUE: 1 }));
  assert.not(changed({ RUNTIME_RUBY: 10, CHECK_LOOP: 9, SUSPECT_MANY: 3 }));
  assert.not(changed({ OBJECT_VERSION_RING: 2, RING_TAIL_OFFSET: 256, RECORD_ALIGNMENT: 16 }));
});

test("tuned times, and limits that bind only one side, let old segments open", () => {
  assert.not(changed({}, { RECHECK_MS: 50, HEARTBEAT_MS: 500, STALLED_MS: 1000 }));
  assert.not(changed({}, { RING_HELD_RECORDS_MAX: 32, LAYOUT_TEXT_BYTES_MAX: 8192, SEGMENT_NAME_MAX: 100 }));
});

test("limits that place the parts of a segment are agreed on", () => {
  for (const name of ["JOURNAL_BYTES_PER_ENTRY", "DIRECTORY_ENTRIES_MIN", "HEAP_BYTES_MIN"])
    assert.ok(changed({}, { [name]: 1 }), name);
});

test("a constant that is in no group is noticed", () => {
  assert.throws(() => changed({ NOBODY_KNOWS_OFFSET: 0 }), /belongs to no group/);
});

test.run();
