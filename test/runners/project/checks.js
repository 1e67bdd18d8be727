// The first hour of a user, as one function that every test runner calls with the package as it sees it. The lane puts this
// text in front of a test file, so that the arrays made here belong to the realm that the runner gives its tests.
/** Throws when the package does not behave here as it does in a plain program. */
// biome-ignore lint/correctness/noUnusedVariables: the text that follows calls it.
async function checks({ IsthmusError, MiB, Segment, struct }, name) {
  const same = (what, found, expected) => {
    const [a, b] = [found, expected].map((value) => JSON.stringify(value));
    if (a !== b) throw new Error(`${what}: expected ${b}, got ${a}`);
  };
  const codeOf = (call) => {
    try {
      call();
    } catch (error) {
      return [error.code, error instanceof IsthmusError, error instanceof Error];
    }
    return "nothing was thrown";
  };
  same(
    "open what is absent",
    codeOf(() => Segment.open(`${name}-absent`)),
    ["NOT_FOUND", true, true],
  );
  same(
    "a wrong name",
    codeOf(() => Segment.open("a/b")),
    ["INVALID_NAME", true, true],
  );

  const waiting = Segment.waitFor(name, { timeoutMs: 30_000 });
  const segment = Segment.create(name, { bytes: 1 * MiB, replace: true });
  const awaited = await waiting;
  same("waitFor", awaited.name, name);
  same(
    "exists",
    codeOf(() => Segment.create(name, { bytes: 1 * MiB })),
    ["ALREADY_EXISTS", true, true],
  );

  const ring = segment.ring("ring", { bytes: 4096 });
  const producer = ring.producer();
  const consumer = awaited.ring("ring", { bytes: 4096 }).consumer();
  same("trySend", producer.trySend(new Uint8Array([1, 2, 3])), true);
  same("tryReceive", [...consumer.tryReceive()], [1, 2, 3]);
  const arriving = consumer.receive({ timeoutMs: 30_000 });
  await producer.send(new Uint8Array([4]));
  same("receive", [...(await arriving)], [4]);
  const target = new Uint8Array(8);
  producer.trySend(new Uint8Array([5, 6]));
  same("tryReceiveInto", [consumer.tryReceiveInto(target), target[0], target[1]], [2, 5, 6]);
  same(
    "a timeout",
    codeOf(() => consumer.receiveSync({ timeoutMs: 20 })),
    ["TIMED_OUT", true, true],
  );
  const controller = new AbortController();
  const aborted = consumer.receive({ signal: controller.signal });
  controller.abort(new Error("enough"));
  same("abort", await aborted.catch((error) => error.message), "enough");
  same(
    "misuse",
    codeOf(() => producer.trySend("text")),
    [null, false, true],
  );

  const Pose = struct({ id: "u32", position: ["f64", 3], raw: "bytes:8", label: "utf8:16" });
  const latest = segment.latest("pose", Pose);
  latest.write({ id: 7, position: [1, 2, 3], raw: new Uint8Array([8, 9]), label: "left" });
  const { id, position, raw, label } = awaited.latest("pose", Pose).read();
  same("latest", [id, position, [...raw], label], [7, [1, 2, 3], [8, 9], "left"]);

  const held = await segment.lock("lock").acquire("exclusive", { timeoutMs: 30_000 });
  same("lock", awaited.lock("lock").tryAcquire() === undefined, true);
  held.release();

  const block = segment.heap.allocate(64);
  block.write(new Uint8Array([42]));
  segment.root = block;
  same("root", awaited.root.copy()[0], 42);

  awaited.close();
  segment.unlink();
  segment.close();
  same(
    "closed",
    codeOf(() => segment.counter("c")),
    ["CLOSED", true, true],
  );
}
