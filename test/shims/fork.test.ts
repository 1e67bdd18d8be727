// only: linux, it calls fork
/** A child of fork() that does not exec is no participant: it keeps no lock of its parent, and no memory. */
import { existsSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../lib/processes.js";
import { bun } from "../lib/runtimes.js";
import { segmentName, segmentPath } from "../lib/segments.js";
import { until } from "../lib/watchdog.js";
import { native, open } from "./objects.js";

const LOCK = 7;
/** Without a lock around opening, every tenth child or so has a descriptor. */
const FORKS = 200;

/** No other runtime that is here can call fork() and keep the child from returning into the engine. */
const canFork = existsSync(bun.command);

if (!canFork) console.log("SKIPPED: needs Bun");
else {
  test("what a killed parent had locked is free while its forked child lives on", async () => {
    const name = segmentName();
    const object = open(name);
    const agent = await Agent.start(bun, "shims/actions.ts");
    const theirs = await agent.call<number>("attach", name);
    assert.ok(await agent.call("invoke", "lock", theirs, LOCK, false));
    const child = await agent.call<number>("forkAndSleep");
    try {
      assert.not(isZombie(child), "the child has ended");
      assert.ok(native.held(object, LOCK, false), "the parent lives");
      assert.not(
        readFileSync(`/proc/${child}/maps`, "utf8").includes(segmentPath(name)),
        "mapped in the child",
      );
      process.kill(agent.pid, "SIGKILL");
      await until("the lock of the parent to be dropped", () => !native.held(object, LOCK, false));
      assert.not(isZombie(child), "the child has ended");
    } finally {
      process.kill(child, "SIGKILL");
      await agent.kill();
      native.close(object);
    }
  });

  test("a child has nothing of an object that another thread was just opening, mapping or closing", async () => {
    const name = segmentName();
    const object = open(name);
    const agent = await Agent.start(bun, "shims/actions.ts");
    assert.equal(await agent.call("forkBesideOpener", name, FORKS), []);
    await agent.end();
    native.close(object);
  });

  test("a child that forks and ends takes nothing from its parent", async () => {
    const name = segmentName();
    const object = open(name);
    const agent = await Agent.start(bun, "shims/actions.ts");
    const theirs = await agent.call<number>("attach", name);
    assert.ok(await agent.call("invoke", "lock", theirs, LOCK, false));
    await agent.call("store", theirs, 3, 77);
    const child = await agent.call<number>("forkAndSleep");
    process.kill(child, "SIGKILL");
    await until("the end of the child", () => !existsSync(`/proc/${child}`) || isZombie(child));
    assert.ok(native.held(object, LOCK, false));
    assert.is(await agent.call("load", theirs, 3), 77);
    await agent.end();
    native.close(object);
  });
}

function isZombie(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat[stat.lastIndexOf(")") + 2] === "Z";
}

test.run();
