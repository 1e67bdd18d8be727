/** Layouts that differ: the error names the first field that does. */
import { MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { peekBytes, pokeBytes } from "../../lib/poke.js";
import { refused } from "../../lib/refusals.js";
import { segmentName } from "../../lib/segments.js";

const Pose = struct({ id: "u32", position: ["f64", 3], label: "utf8:32" });

/** Another layout, and what is said of it. */
const others: [Parameters<typeof struct>[0], RegExp][] = [
  [
    { id: "i32", position: ["f64", 3], label: "utf8:32" },
    /field 1 is "id", "u32" at 0, there, and "id", "i32" at 0, here/,
  ],
  [
    { id: "u32", position: ["f64", 4], label: "utf8:32" },
    /field 2 is "position", 3 of "f64" at 8.* 4 of "f64" at 8, here/,
  ],
  [{ id: "u32", position: ["f64", 3], label: "utf8:16" }, /field 3 is "label", "utf8:32" at 32, there/],
  [{ id: "u32", position: ["f64", 3] }, /field 3 is "label".*there, and nothing, here/],
  [
    { id: "u32", position: ["f64", 3], label: "utf8:32", more: "u8" },
    /field 4 is nothing, there, and "more", "u8" at \d+, here/,
  ],
  [{ number: "u32", position: ["f64", 3], label: "utf8:32" }, /field 1 is "id".*there, and "number"/],
  [{ position: ["f64", 3], id: "u32", label: "utf8:32" }, /field 1 is "id".*there, and "position"/],
];

test("a latest value with another layout says in which field", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  segment.latest("pose", Pose);
  for (const [fields, said] of others) {
    refused("OBJECT_MISMATCH", () => segment.latest("pose", struct(fields)), said);
  }
  segment.latest("pose", struct({ ...Pose.fields }));
});

test("a block with another layout says in which field, to read-only openers too", () => {
  using segment = Segment.create(segmentName(), { bytes: MiB });
  const block = segment.heap.allocate(Pose.bytes + 64);
  block.view(Pose);
  using reader = Segment.open(segment.name, { access: "read-only" });
  for (const each of [block, reader.heap.blockAt(block.offset)]) {
    for (const [fields, said] of others) {
      refused("LAYOUT_MISMATCH", () => each?.view(struct(fields)), said);
    }
  }
  segment.unlink();
});

test("fields of structs inside of structs are named, also in arrays", () => {
  const outer = (type: "u8" | "u16") => {
    const Inner = struct({ a: "u64", b: type });
    return struct({ first: "u8", list: [struct({ x: "u8", inner: Inner }), 4] });
  };
  using segment = Segment.createAnonymous({ bytes: MiB });
  segment.latest("nested", outer("u8"));
  refused(
    "OBJECT_MISMATCH",
    () => segment.latest("nested", outer("u16")),
    /field 2 in "list\.inner" is "b", "u8" at 8, there/,
  );
});

test("descriptions are no objects of the user, and leave room for those", () => {
  using segment = Segment.createAnonymous({ bytes: 65536 });
  const { directoryEntries } = segment.header;
  for (let i = 0; i < directoryEntries; i++) {
    const field = `field${i}`;
    segment.heap.allocate(8).view(struct({ [field]: "u32" }));
  }
  assert.equal(segment.objects(), []);
  for (let i = 0; i < directoryEntries / 2; i++) segment.lock(`lock ${i}`);
  assert.is(segment.objects().length, directoryEntries / 2);
  assert.ok(segment.heap.check().ok);
});

test("where there is no description, the sizes are told, and what compares them", () => {
  using segment = Segment.createAnonymous({ bytes: 65536 });
  for (let i = 0; i < segment.header.directoryEntries / 2; i++) segment.lock(`lock ${i}`);
  segment.latest("pose", Pose);
  const said = new RegExp(`it has ${Pose.bytes} bytes there and 8 here: compare both with "isthmus layout"`);
  refused("OBJECT_MISMATCH", () => segment.latest("pose", struct({ id: "u32" })), said);
});

test("a description that does not fit its hash counts as none", () => {
  const name = segmentName("changed");
  using segment = Segment.create(name, { bytes: 65536 });
  segment.latest("pose", Pose);
  const at = peekBytes(name, 0, segment.bytes).indexOf("{id@0:u32,position");
  assert.ok(at > 0, "the description is in the segment");
  const differs = () => segment.latest("pose", struct({ id: "i32" }));
  refused("OBJECT_MISMATCH", differs, /field 1 is "id", "u32" at 0, there/);
  pokeBytes(name, at + 1, Buffer.from("j"));
  refused("OBJECT_MISMATCH", differs, /no description of the other layout/);
  segment.unlink();
});

test.run();
