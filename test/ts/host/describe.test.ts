/** `console.log` shows what an object is and holds; what cannot be cloned or posted says so. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compiled } from "../../lib/paths.js";
import { finished, start } from "../../lib/processes.js";
import { presentRuntimes } from "../../lib/runtimes.js";

/** What each line must show, in whatever form a runtime prints objects. */
const shown: Record<string, RegExp> = {
  segment:
    /^segment: Segment \{.*name: "?'?.*bytes: 1048576.*"read-write".*"READY".*generation: 1.*participants: 1/,
  ring: /^ring: Ring \{.*"frames".*sent: 1.*received: 0/,
  producer: /^producer: Producer \{.*"frames"/,
  consumer: /^consumer: Consumer \{.*"frames".*state: "open"/,
  record: /^record: RingRecord \{ ?byteLength: 5/,
  claim: /^claim: Claim \{ ?byteLength: 12/,
  lock: /^lock: Lock \{.*"state".*"exclusive"/,
  held: /^held: Held \{.*"state".*"exclusive"/,
  queue: /^queue: Queue \{.*"jobs".*capacity: 4.*slotBytes: 8.*queued: 1.*taken: 1/,
  job: /^job: Job \{.*byteLength: 3.*deliveries: 1/,
  topic: /^topic: Broadcast \{.*"ticks".*capacity: 1024.*published: 1/,
  publisher: /^publisher: Publisher \{.*"ticks".*state: "open"/,
  subscriber: /^subscriber: Subscriber \{.*"ticks".*state: "open".*lost: 0/,
  published: /^published: BroadcastRecord \{.*number: 1.*byteLength: 5/,
  semaphore: /^semaphore: Semaphore \{.*"slots".*value: 3/,
  event: /^event: SharedEvent \{.*"go".*isSignaled: false/,
  counter: /^counter: Counter \{.*"hits".*value: 41/,
  latest: /^latest: Latest \{.*"pose".*version: 1/,
  block: /^block: Block \{.*offset: \d+.*byteLength: 16/,
  view: /^view: StructView \{.*id: 9.*"y"/,
  heap: /^heap: Heap \{.*used: \d+.*blocks: \d+/,
  struct: /^struct: Struct \{.*bytes: 16.*id: "u32"/,
};

for (const { name, command, flags } of presentRuntimes()) {
  test(`${name}: each object shows what it is and holds, also after close, and none can be cloned or posted`, async () => {
    const child = start(command, [...flags, compiled("ts/host/describe-actions.ts")], {
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
    });
    const { code, stdout, stderr } = await finished(child, "the child");
    assert.is(code, 0, stderr);
    const text = stdout.replaceAll("'", '"').replace(/,?\n\s+|\n(?=\})/g, " ");
    const lines = text.split("\n");
    for (const [object, pattern] of Object.entries(shown)) {
      const line = lines.find((each) => each.startsWith(`${object}: `)) ?? `no line for ${object}`;
      assert.match(line, pattern);
      assert.not.match(line, /cannotBeCloned|function/i);
      assert.match(text, new RegExp(`^closed ${object}: \\w+ \\{`, "m"));
    }
    assert.match(lines.find((each) => each.startsWith("closed segment")) ?? "", /state: "closed"/);
    assert.match(lines.find((each) => each.startsWith("closed counter")) ?? "", /"hits".*"CLOSED"/);
    for (const end of ["producer", "consumer", "publisher", "subscriber"])
      assert.match(lines.find((each) => each.startsWith(`closed ${end}:`)) ?? "", /"closed"/i, end);
    assert.match(text, /^nested: /m);
    assert.match(
      text,
      /^json: \{"counter":\{"name":"hits","value":41\},"ring":\{"name":"frames".*"list":\{"list":\[1,"x"\]\}\}$/m,
    );
  });
}

test.run();
