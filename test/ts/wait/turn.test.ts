/** A loop of awaits over something that is always ready leaves the event loop its turns, in every runtime. */
import { KiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../../lib/processes.js";
import { presentRuntimes } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { onlyLinux, unless } from "../../lib/skips.js";

const ACTIONS = "ts/wait/turn-actions.ts";
/** Those of the forms that take a signal and always find something. */
const WITH_SIGNAL = [
  ...["receive", "send", "lock", "shared lock", "semaphore", "event", "next", "object"],
  ...["receive from a queue", "send to a queue", "take from a queue"],
  ...["receive from a broadcast", "value of a cache"],
  ...[
    "nested shared hold",
    "nested exclusive hold",
    "upgrade of an exclusive hold",
    "transaction under a hold",
  ],
];

for (const runtime of presentRuntimes()) {
  test(`${runtime.name}: timers and files go on during every kind of loop`, async () => {
    const child = await Agent.start(runtime, ACTIONS);
    for (const form of await child.call<string[]>("formNames")) {
      assert.equal(
        await child.call("starved", form),
        [],
        `${form}: these had to wait for the end of the loop`,
      );
    }
    await child.end();
  });

  test(`${runtime.name}: AbortSignal.timeout ends a loop that always finds something`, async () => {
    const child = await Agent.start(runtime, ACTIONS);
    for (const form of WITH_SIGNAL) assert.is(await child.call("endedBy", form), "TimeoutError", form);
    await child.end();
  });

  unless(onlyLinux("signals that a program handles"), test)(
    `${runtime.name}: a signal of the system is handled meanwhile`,
    async () => {
      const child = await Agent.start(runtime, ACTIONS);
      assert.ok(await child.call("handlesSignal"));
      await child.end();
    },
  );

  test(`${runtime.name}: sockets go on as well as timers do`, async () => {
    const child = await Agent.start(runtime, ACTIONS);
    const answers = await child.call<number>("socketAnswers", 60);
    assert.ok(answers >= 5, `${answers} answers while a timer fired 60 times`);
    await child.end();
  });

  test(`${runtime.name}: a loop of waitFor leaves the event loop its turns`, async () => {
    using segment = Segment.create(segmentName("turns"), { bytes: 64 * KiB });
    const child = await Agent.start(runtime, ACTIONS);
    assert.not(await child.call("starvedByWaitFor", segment.name));
    await child.end();
    segment.unlink();
  });
}

test.run();
