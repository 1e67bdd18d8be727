/** The hosted core over a system that is played: two hosts in one memory, with kernel locks as a table. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BUSY, OBJECT_MISMATCH, TOO_MANY_PARTICIPANTS } from "../../protocol/errors.js";
import {
  DIRECTORY_WAITERS_OFFSET,
  HEADER_CLEAN_OFFSET,
  HEADER_RECOVERIES_OFFSET,
  KERNEL_LOCK_CREATION,
  KERNEL_LOCK_PARTICIPANTS,
  OBJECT_LOCK,
  PARTICIPANT_DOORBELL_OFFSET,
  PARTICIPANTS_OFFSET,
  RESULT_OFFSETS,
  RUNTIME_C,
} from "../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../protocol/limits.js";
import { HostedWorld, hostedModule } from "../lib/hosted.js";
import { shippedCore } from "../lib/shipped.js";

test("it imports the memory and seven functions, and has all of the plain core", () => {
  const module = hostedModule();
  const names = WebAssembly.Module.imports(module).map((one) => `${one.module}.${one.name}`);
  const allowed = [
    "env.memory",
    ...["lock", "held", "wake", "wait", "sleep", "now", "wall"].map((name) => `sys.${name}`),
  ];
  assert.equal(names.sort(), allowed.sort());
  const own = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  const plain = WebAssembly.Module.exports(new WebAssembly.Module(shippedCore() as BufferSource));
  assert.equal(
    plain.filter(({ name }) => !own.has(name)),
    [],
  );
});

test("hosts take the first free slot, the slot of a dead one last, and none when all live", () => {
  const world = new HostedWorld();
  const locked = (): number[] =>
    [...world.holders.keys()].map((index) => index - KERNEL_LOCK_PARTICIPANTS).sort((a, b) => a - b);
  for (let id = 1; id <= PARTICIPANTS_MIN - 1; id++) world.enter(id);
  world.kill(3);
  const last = world.enter(100);
  assert.ok(locked().includes(PARTICIPANTS_MIN - 1), "the slot that was never used comes first");
  assert.not(locked().includes(2));
  world.enter(101);
  assert.ok(locked().includes(2), "then that of the dead one");
  assert.is(world.view.getUint32(HEADER_RECOVERIES_OFFSET, true), 1);
  assert.is(world.host(102).hostedEnter(1 << 20, 102, RUNTIME_C), TOO_MANY_PARTICIPANTS);
  last.hostedLeave();
  assert.not(locked().includes(PARTICIPANTS_MIN - 1));
});

test("the last one that leaves calls the segment clean, but not while another process keeps the lock", () => {
  for (const stopped of [false, true]) {
    const world = new HostedWorld();
    const [one, other] = [world.enter(1), world.enter(2)];
    one.hostedLeave();
    assert.is(world.view.getUint32(HEADER_CLEAN_OFFSET, true), 0);
    if (stopped) world.holders.set(KERNEL_LOCK_CREATION, 9);
    other.hostedLeave();
    assert.is(world.view.getUint32(HEADER_CLEAN_OFFSET, true), stopped ? 0 : 1);
    assert.equal([...world.holders.values()], stopped ? [9] : []);
  }
});

test("an object is made past a dead holder of the write lock, and not past a live one", () => {
  const world = new HostedWorld();
  const [one, other] = [world.enter(1), world.enter(2)];
  assert.is(one.transactionBegin(), 0);
  assert.is(world.open(other, "counter"), BUSY);
  world.kill(1);
  assert.ok(world.open(other, "counter") >= RESULT_OFFSETS);
  assert.is(world.open(other, "counter", OBJECT_LOCK), OBJECT_MISMATCH);
});

test("an object is made when the live holder gives the write lock back meanwhile", () => {
  const world = new HostedWorld();
  const [one, other] = [world.enter(1), world.enter(2)];
  assert.is(one.transactionBegin(), 0);
  let sleeps = 0;
  world.asleep = () => {
    if (++sleeps === 3) one.transactionEnd(1);
  };
  assert.ok(world.open(other, "counter") >= RESULT_OFFSETS);
  assert.is(sleeps, 3);
});

test("whoever waits for objects is woken, once, and the flag does not come through", () => {
  const world = new HostedWorld();
  const [one, other] = [world.enter(1), world.enter(2)];
  other.waitersArm(DIRECTORY_WAITERS_OFFSET);
  const offset = world.open(one, "counter");
  assert.is(offset % 8, 0);
  assert.equal(world.woken, [other.doorbell(1) >>> 0]);
  assert.ok((world.woken[0] as number) > PARTICIPANTS_OFFSET + PARTICIPANT_DOORBELL_OFFSET);
  assert.is(world.open(other, "counter"), offset);
  assert.equal(world.woken.length, 1);
});

test.run();
