/** unlink, and names that are odd, wrong, or another user's. */
import { rmSync, writeFileSync } from "node:fs";
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../lib/paths.js";
import { segmentExists, segmentName, segmentPath } from "../lib/segments.js";
import { isthmus, jsonOf } from "./command-line.js";

test("unlink removes a name, once", async () => {
  const name = segmentName("unlink");
  using segment = Segment.create(name, { bytes: MiB });
  const { code, stdout } = await isthmus(["unlink", name]);
  assert.is(code, 0);
  assert.is(stdout, `unlinked ${name}\n`);
  assert.not.ok(segmentExists(name));
  assert.ok(segment.stale);
  const again = await isthmus(["unlink", name]);
  assert.is(again.code, 1);
  assert.match(again.stderr, "NOT_FOUND");
});

test("unlink removes of several names what it can, and names what it cannot", async () => {
  const names = [segmentName("one"), segmentName("two")] as const;
  const given = ["unlink", names[0], "no-such-segment", "a/b", names[1]];
  const held = names.map((name) => Segment.create(name, { bytes: MiB }));
  const shown = await isthmus(given);
  assert.is(shown.code, 1);
  assert.is(shown.stdout, names.map((name) => `unlinked ${name}\n`).join(""));
  assert.match(shown.stderr, /NOT_FOUND.*"no-such-segment"[\s\S]*INVALID_NAME.*"a\/b".*remove the file/);
  held.push(...names.map((name) => Segment.create(name, { bytes: MiB })));
  const result = await isthmus([...given, "--json"]);
  assert.is(result.code, 1);
  const { unlinked, failed, error } = jsonOf<{
    unlinked: string[];
    failed: { name: string; code: string }[];
    error: { code: string };
  }>(result);
  assert.equal(unlinked, names);
  assert.equal(
    failed.map(({ name, code }) => [name, code]),
    [
      ["no-such-segment", "NOT_FOUND"],
      ["a/b", "INVALID_NAME"],
    ],
  );
  assert.is(error.code, "NOT_FOUND");
  held.push(Segment.create(names[0], { bytes: MiB }));
  assert.equal(jsonOf(await isthmus(["unlink", names[0], "--json"])), { unlinked: [names[0]], failed: [] });
  for (const segment of held) segment.close();
});

test("a name that begins with a dash stands behind two dashes, and who forgets them is told so", async () => {
  const name = `-${segmentName("dash")}`;
  const segment = Segment.create(name, { bytes: MiB });
  try {
    const forgotten = await isthmus(["inspect", name]);
    assert.is(forgotten.code, 2);
    assert.match(forgotten.stderr, `isthmus inspect -- ${name}`);
    assert.is((await isthmus(["inspect", "--", name])).code, 0);
    assert.is((await isthmus(["unlink", "--", name])).code, 0);
    assert.ok(segment.stale);
  } finally {
    if (segmentExists(name)) segment.unlink();
    segment.close();
  }
});

test("who means a file of this folder is told how to write it", async () => {
  const { code, stderr } = await isthmus(["inspect", "package.json"], { cwd: root });
  assert.is(code, 1);
  assert.match(stderr, /NOT_FOUND.*write \.\/package\.json/);
  const file = await isthmus(["inspect", "./package.json", "--json"], { cwd: root });
  assert.is(jsonOf<{ error: { code: string } }>(file).error.code, "BAD_MAGIC");
  for (const path of ["/dev/zero", root])
    assert.match((await isthmus(["inspect", path])).stderr, "ACCESS_DENIED");
});

test("what a command that lists cannot remove has another maker, and unlink says so", async () => {
  const name = `${segmentName("odd")} name`;
  writeFileSync(segmentPath(name), "not a segment");
  try {
    const { code, stderr } = await isthmus(["unlink", name]);
    assert.is(code, 1);
    assert.match(stderr, "Isthmus did not make it");
    assert.ok(segmentExists(name));
  } finally {
    rmSync(segmentPath(name));
  }
});

const nobody = { uid: 65534, gid: 65534 };
const asNobody = process.getuid?.() === 0 && (await isthmus(["--version"], nobody)).code === 0;
(asNobody ? test : test.skip)("another user's segment is listed, and refused with the reason", async () => {
  const name = segmentName("other");
  const segment = Segment.create(name, { bytes: MiB });
  assert.match(
    (await isthmus(["ls"], nobody)).stdout,
    new RegExp(`^${name} +0 B +-  ACCESS_DENIED +\\?$`, "m"),
  );
  for (const command of ["inspect", "unlink"]) {
    const { code, stdout } = await isthmus([command, name, "--json"], nobody);
    assert.is(code, 1);
    assert.is(JSON.parse(stdout).error.code, "ACCESS_DENIED", command);
  }
  const { skipped } = jsonOf<{ skipped: { name: string; reason: string }[] }>(
    await isthmus(["prune", "--json"], nobody),
  );
  assert.is(skipped.find((one) => one.name === name)?.reason, "ACCESS_DENIED");
  assert.ok(segmentExists(name));
  segment.close();
});

test("names that cannot be segments are refused by inspect and unlink", async () => {
  for (const name of ["", "a/b", "../etc/passwd", "ü", "x".repeat(300), "a b", ".hidden"]) {
    for (const command of ["inspect", "unlink"]) {
      const { code, stderr } = await isthmus([command, name]);
      assert.is(code, 1, `${command} ${JSON.stringify(name)}`);
      // To inspect, what has a slash is a path.
      const refusal = command === "inspect" && name.includes("/") ? /NOT_FOUND|CORRUPT/ : "INVALID_NAME";
      assert.match(stderr, refusal);
    }
  }
});

test.run();
