// only: win32, it is about kernel objects of Windows
/** What the shim makes of the kernel objects of Windows: names, locks, doorbells, files. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test as everywhere } from "uvu";
import * as assert from "uvu/assert";
import * as errors from "../../protocol/errors.js";
import { root } from "../lib/paths.js";
import { Agent, finished, start } from "../lib/processes.js";
import { node } from "../lib/runtimes.js";
import { segmentName, temporaryDirectory } from "../lib/segments.js";
import { unless } from "../lib/skips.js";
import { until } from "../lib/watchdog.js";
import { LOCAL, mapped, native, open, PAGE_BYTES, refuses } from "./objects.js";

const test = unless(process.platform === "win32" ? undefined : "only on Windows", everywhere);
const GLOBAL = 1;
const closeAll = (...objects: number[]): void => {
  for (const object of objects) native.close(object);
};

test("a name is there as long as somebody has it open, and no longer", () => {
  const name = segmentName();
  const [first, second] = [open(name), open(name)];
  assert.ok(native.info(first).created);
  assert.not(native.info(second).created);
  native.close(first);
  assert.ok(native.list(LOCAL).includes(name));
  native.close(second);
  assert.not(native.list(LOCAL).includes(name));
  refuses(errors.NOT_FOUND, () => native.openNamed(name, LOCAL, false, false, 0));
  refuses(errors.NOT_FOUND, () => native.unlink(name, LOCAL));
});

test("names differ by case, by every character, and by what comes after the first hundred bytes", () => {
  const base = segmentName("x".repeat(100));
  const names = [
    base,
    `${base}A`,
    `${base}a`,
    `${base}%41`,
    `${base} `,
    `${base}ü`,
    `${base}.name`,
    `${base}.turn`,
  ];
  const objects = names.map(open);
  for (const object of objects) assert.ok(native.info(object).created);
  assert.equal(
    native
      .list(LOCAL)
      .filter((name) => name.startsWith(base))
      .sort(),
    [...names].sort(),
  );
  closeAll(...objects);
});

test("the two namespaces do not see each other", () => {
  const name = segmentName();
  const local = open(name);
  const other = native.openNamed(name, GLOBAL, true, false, 0o666);
  assert.ok(native.info(other).created);
  assert.equal([native.info(other).mode, native.info(local).mode], [0o666, 0o600]);
  closeAll(local, other);
});

test("publishing and removing a name is seen by whoever has the object open", () => {
  const name = segmentName();
  const [old, reader] = [open(name), native.openNamed(name, LOCAL, false, true, 0)];
  const fresh = native.openStaged(name, LOCAL, 0o600);
  native.allocate(fresh, PAGE_BYTES);
  assert.equal(
    [old, reader, fresh].map((object) => native.info(object).linked),
    [true, true, false],
  );
  refuses(errors.ALREADY_EXISTS, () => native.publish(fresh, false));
  native.publish(fresh, true);
  assert.equal(
    [old, reader, fresh].map((object) => native.info(object).linked),
    [false, false, true],
  );
  assert.not(native.remove(old), "the name is not its own any more");
  const found = native.openNamed(name, LOCAL, false, false, 0);
  assert.is(native.info(found).bytes, PAGE_BYTES);
  assert.ok(native.remove(found));
  assert.not(native.info(fresh).linked);
  assert.not(native.list(LOCAL).includes(name));
  closeAll(old, reader, fresh, found);
});

test("a size that one gives, the others see, and the bytes stay when it leaves", () => {
  const name = segmentName();
  const [early, maker] = [open(name), mapped(open(name))];
  maker.bytes[7] = 9;
  assert.is(native.info(early).bytes, PAGE_BYTES);
  native.close(maker.object);
  assert.is(mapped(early).bytes[7], 9);
  native.close(early);
});

test("a memory is restored, and can be mapped over again, a hundred times", () => {
  const object = open(segmentName());
  native.allocate(object, 2 * PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  const bytes = new Uint8Array(memory.buffer);
  for (let turn = 1; turn <= 100; turn++) {
    native.map(object, bytes, false);
    assert.is(bytes[PAGE_BYTES], turn - 1);
    bytes[PAGE_BYTES] = turn;
    native.unmap(object);
    assert.is(bytes[PAGE_BYTES], 0);
    bytes[PAGE_BYTES] = 200; // as private memory
  }
  native.close(object);
});

for (const place of ["named", "file"])
  test(`${place}: locks of a killed process are free as soon as it has ended`, async () => {
    const name = place === "named" ? segmentName() : join(temporaryDirectory(), "segment");
    const given = place === "named" ? [name, LOCAL, true, false, 0o600] : [name, true, false, 0o600];
    const method = place === "named" ? "openNamed" : "openFile";
    const object = (native[method] as (...all: unknown[]) => number)(...given);
    for (let turn = 0; turn < 3; turn++) {
      const agent = await Agent.start(node, "shims/actions.ts");
      const theirs = await agent.call<number>("invoke", method, ...given);
      assert.ok(await agent.call("invoke", "lock", theirs, 1, false));
      assert.ok(await agent.call("invoke", "lock", theirs, 2, true));
      assert.not(native.lock(object, 1, true));
      assert.ok(native.lock(object, 2, true), "shared by both");
      assert.not(native.lock(object, 2, false));
      await agent.kill();
      await until(
        "its locks to be free",
        () => !native.held(object, 1, false) && !native.held(object, 2, false),
      );
      assert.ok(native.lock(object, 1, false) && native.lock(object, 2, false));
      native.unlock(object, 1);
      native.unlock(object, 2);
    }
    native.close(object);
  });

test("a file that is mapped loses its name at once, and is gone when it is closed", () => {
  const folder = temporaryDirectory();
  const path = join(folder, "segment");
  const { object } = mapped(native.openFile(path, true, false, 0o600));
  assert.ok(native.remove(object));
  assert.not(existsSync(path));
  assert.not(native.info(object).linked);
  const next = native.openFile(path, true, false, 0o600);
  assert.ok(native.info(next).created);
  closeAll(object, next);
  assert.equal(readdirSync(folder), ["segment"]);
});

test("a file that somebody has mapped is not truncated, but BUSY", () => {
  const path = join(temporaryDirectory(), "segment");
  const { object } = mapped(native.openFile(path, true, false, 0o600));
  const other = native.openFile(path, false, false, 0);
  refuses(errors.BUSY, () => native.shrink(other, 1));
  native.close(object);
  native.shrink(other, 100);
  assert.is(native.info(other).bytes, 100);
  native.close(other);
});

test("the loader takes the file of the package, or of ISTHMUS_PREBUILDS, and says why it cannot", async () => {
  const program = `
    try {
      const { loadNative, shimOrigin } = require(${JSON.stringify(join(root, "dist/ts/host/native.cjs"))});
      console.log(typeof loadNative().openNamed, shimOrigin());
    } catch ({ message }) {
      console.log(message);
    }`;
  const said = async (env: Record<string, string>, ...flags: string[]): Promise<string> => {
    const child = start(process.execPath, [...flags, "-e", program], { env: { ...process.env, ...env } });
    return (await finished(child, "loading the shim")).stdout;
  };
  assert.match(await said({}), /^function .*prebuilds.win32-\w+.isthmus\.node/);
  assert.match(await said({}, "--no-addons"), "leave out --no-addons");
  const ISTHMUS_PREBUILDS = temporaryDirectory();
  const platform = `win32-${process.arch}`;
  const file = join(ISTHMUS_PREBUILDS, platform, "isthmus.node");
  assert.match(await said({ ISTHMUS_PREBUILDS }), "there is no file");
  mkdirSync(join(ISTHMUS_PREBUILDS, platform));
  writeFileSync(file, "not a program");
  assert.match(await said({ ISTHMUS_PREBUILDS }), `${file} cannot be loaded`);
  copyFileSync(join(root, "prebuilds", platform, "isthmus.node"), file);
  assert.match(await said({ ISTHMUS_PREBUILDS }), /^function .*ISTHMUS_PREBUILDS names/);
});

test("a name that no file system of Windows takes is refused as one", () => {
  const folder = temporaryDirectory();
  refuses(errors.INVALID_NAME, () => native.openFile(join(folder, "x".repeat(256)), true, false, 0o600));
  refuses(errors.INVALID_NAME, () => native.openFile(join(folder, "x".repeat(300), "y"), false, true, 0));
  const deep = join(folder, ...Array.from({ length: 5 }, () => "x".repeat(200)));
  mkdirSync(dirname(deep), { recursive: true });
  const object = native.openFile(deep, true, false, 0o600);
  assert.ok(native.info(object).created);
  native.close(object);
});

everywhere.run();
