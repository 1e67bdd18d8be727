// watchdog: 400 s
/** Whoever dies in front of any call of the shim keeps nobody waiting, takes nothing from anybody and leaves files whole. */
import { appendFileSync, existsSync, readdirSync, rmSync } from "node:fs";
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { KERNEL_LOCK_CREATION } from "../../../protocol/layout.js";
import { loadNative } from "../../../ts/host/native.cjs";
import { isTried, someOf } from "../../lib/depth.js";
import { compiled } from "../../lib/paths.js";
import { finished, start, wasKilled } from "../../lib/processes.js";
import { node } from "../../lib/runtimes.js";
import { segmentExists, segmentName } from "../../lib/segments.js";
import { Blocked, impatient } from "../../lib/steps.js";
import { found, isWhole, newFile, problemsOfClosed } from "../file-kills/file-steps.js";
import { starts } from "../host-steps/host-steps.js";
import { fileScenes, namedScenes } from "./death-steps.js";

const native = loadNative();

/** More steps than anything has. */
const STEPS_MAX = 100;

/** Whether it died there; it ends in good order when it has fewer steps. */
async function dies(
  kind: string,
  scene: string,
  what: string,
  at: number,
): Promise<{ died: boolean; pid: number }> {
  const child = start(node.command, [
    ...node.flags,
    compiled("processes/death-steps/death-steps.ts"),
    kind,
    scene,
    what,
    String(at),
  ]);
  const { code, signal, stderr } = await finished(child, `${scene} with a death at ${at}`);
  const died = wasKilled({ code, signal });
  assert.ok(died || code === 0, `${scene} at ${at} ended with ${signal ?? code}\n${stderr}`);
  return { died, pid: child.pid as number };
}

async function dieEverywhere(series: number, one: (at: number) => Promise<boolean>): Promise<void> {
  let deaths = 0;
  for (let at = 1; ; at++) {
    assert.ok(at < STEPS_MAX);
    if (at > 1 && !isTried(at, series, 6)) continue;
    if (!(await one(at))) break;
    deaths++;
  }
  assert.ok(deaths > 0, "nobody died");
}

for (const [index, [scene, [start, act]]] of someOf(Object.entries(namedScenes), 2).entries()) {
  test(`${act} where the segment is ${start}`, () =>
    dieEverywhere(index, async (at) => {
      const name = segmentName("death");
      const holder = starts[start](name);
      const { died, pid } = await dies("name", scene, name, at);
      if (holder && act !== "replace" && act !== "unlink") assert.not(holder.stale);
      const next = impatient(() => Segment.openOrCreate(name, { bytes: 64 * KiB }));
      assert.is(next.state, "READY");
      assert.ok(next.heap.check().ok);
      assert.ok(next.ring("ring", { bytes: KiB }).producer().trySend(new Uint8Array(1)));
      const live = next.participants().filter(({ state }) => state === "live");
      assert.is(live.length, holder && !holder.stale ? 2 : 1, `${scene} at ${at}`);
      Segment.list();
      assert.equal(
        readdirSync("/dev/shm").filter((file) => file.startsWith(`.isthmus.${pid}.`)),
        [],
      );
      next.unlink();
      next.close();
      holder?.close();
      assert.not(segmentExists(name));
      return died;
    }));
}

for (const [index, scene] of fileScenes.entries()) {
  test(`a file: ${scene}`, () =>
    dieEverywhere(index, async (at) => {
      const path = newFile();
      found(path);
      const { died } = await dies("file", scene, path, at);
      if (scene === "unlinkHeld" && !existsSync(path)) return died;
      const next = impatient(() => Segment.openFile(path, at % 2 === 0 ? { bytes: MiB } : {}));
      assert.ok(isWhole(next), `${scene} at ${at}`);
      assert.is(next.participants().length, 1);
      next.close();
      assert.equal(problemsOfClosed(path), []);
      rmSync(path);
      return died;
    }));
}

test("the lane notices a lock that outlives its owner, and a file that has another size than its header says", () => {
  const name = segmentName("death");
  Segment.create(name, { bytes: 64 * KiB }).close();
  const owner = native.openNamed(name, 0, false, false, 0);
  native.lock(owner, KERNEL_LOCK_CREATION, false);
  assert.throws(
    () => impatient(() => Segment.openOrCreate(name, { bytes: 64 * KiB })),
    (error: unknown) => error instanceof Blocked,
  );
  native.close(owner);
  Segment.unlink(name);
  const path = newFile();
  found(path);
  appendFileSync(path, new Uint8Array(64 * KiB));
  assert.not.equal(problemsOfClosed(path), []);
});

test.run();
