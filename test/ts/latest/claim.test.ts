/** Values of a latest that are put together in place, and values that are read without making an object. */
import { type IsthmusError, type Latest, type LatestClaim, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as layout from "../../../protocol/layout.js";
import { LATEST_LARGE_SLOTS } from "../../../protocol/limits.js";
import { objectOffset, peek32, peek64, poke64 } from "../../lib/poke.js";
import { Agent } from "../../lib/processes.js";
import { presentRuntimes, type Runtime } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";

const Small = struct({
  id: "u32",
  at: ["f64", 3],
  label: "utf8:8",
  blob: "bytes:8",
  inner: struct({ on: "bool" }),
});
const Large = struct({ id: "u32", points: ["f32", 3000], big: "u64" });

function code(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as IsthmusError).code ?? (error as Error).name;
  }
  return "nothing was thrown";
}

const small = (id: number) => ({
  id,
  at: [id, id, id],
  label: `${id}`,
  blob: Uint8Array.of(id),
  inner: { on: true },
});
const large = (id: number) => ({ id, points: new Array(3000).fill(id), big: BigInt(id) });

/** The same for a value that the core copies, and for one that lies in slots of its own. */
function both(
  use: (latest: Latest<never>, other: Latest<never>, value: (id: number) => never) => void,
): void {
  for (const [of, value] of [
    [Small, small],
    [Large, large],
  ] as const) {
    using segment = Segment.createAnonymous({ bytes: MiB });
    using other = Segment.fromHandle(segment.handle);
    use(
      segment.latest("latest", of as never),
      other.latest("latest", of as never),
      value as unknown as (id: number) => never,
    );
  }
}

test("a claimed value is seen when it is committed, and not before", () => {
  both((latest, other, value) => {
    latest.write(value(1));
    const claim = latest.claim();
    claim.view.write(value(2));
    claim.view.set("id" as never, 3 as never);
    assert.equal(other.read(), value(1));
    assert.is(claim.bytes.length, latest.layout.bytes);
    claim.commit();
    assert.equal(other.read(), { ...(value(2) as object), id: 3 });
    assert.is(latest.version, 2);
    for (const use of [
      () => claim.commit(),
      () => claim.bytes,
      () => claim.view.read(),
      () => claim.view.set("id" as never, 1 as never),
      () => claim.view.write(value(1)),
    ])
      assert.is(code(use), "CLOSED");
    claim.abort();
    claim.close();
  });
});

test("a claim that is aborted, or left, was never there", () => {
  both((latest, other, value) => {
    latest.write(value(1));
    const aborted = latest.claim();
    aborted.view.write(value(2));
    aborted.abort();
    assert.is(
      code(() => aborted.commit()),
      "CLOSED",
    );
    {
      using left = latest.claim();
      left.view.write(value(3));
    }
    assert.equal(other.read(), value(1));
    other.write(value(4));
    assert.equal(latest.read(), value(4));
    assert.is(latest.version, 2);
  });
});

test("a claim writes in place: typed arrays of its fields, and its bytes", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const latest = segment.latest("latest", Large);
  const claim = latest.claim();
  claim.view.array("points").fill(0.5);
  claim.view.set("big", 7n);
  new DataView(claim.bytes.buffer, claim.bytes.byteOffset).setUint32(0, 9, true);
  assert.is(Segment.containing(claim.view), segment);
  assert.is(Segment.containing(claim.bytes), segment);
  claim.commit();
  const value = latest.read();
  assert.is(value?.id, 9);
  assert.ok(value?.points.every((point) => point === 0.5));
});

test("while the claim of a large value is open other writers get BUSY, of this opener at once, and readers go on", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  using other = Segment.fromHandle(segment.handle);
  const latest = segment.latest("latest", Large);
  latest.write(large(1));
  const claim = latest.claim();
  const busy = (call: () => unknown, text: RegExp) =>
    assert.throws(call, (e: IsthmusError) => e.code === "BUSY" && text.test(e.message));
  busy(() => latest.write(large(2)), /claim of this opener/);
  busy(() => segment.latest("latest", Large).claim(), /claim of this opener/);
  // A writer that lives and has stopped in the middle is no damage.
  busy(
    () => other.latest("latest", Large).write(large(2)),
    new RegExp(`process ${process.pid} .*in the middle`),
  );
  busy(() => other.latest("latest", Large).claim(), /in the middle/);
  assert.equal(other.latest("latest", Large).read(), large(1));
  segment.latest("another", Large).write(large(5));
  claim.abort();
  other.latest("latest", Large).write(large(2));
  assert.equal(latest.read(), large(2));
});

test("closing the segment ends a claim, for others at once", () => {
  const segment = Segment.createAnonymous({ bytes: MiB });
  using other = Segment.fromHandle(segment.handle);
  const claim: LatestClaim<typeof Large.fields> = segment.latest("latest", Large).claim();
  segment.close();
  assert.is(
    code(() => claim.commit()),
    "CLOSED",
  );
  assert.is(
    code(() => claim.view.set("id", 1)),
    "CLOSED",
  );
  claim.abort();
  const latest = other.latest("latest", Large);
  latest.write(large(1));
  assert.equal(latest.read(), large(1));
});

test("a process that is killed with a claim open has written nothing, and the next writer goes on", async () => {
  const name = segmentName("killed");
  using segment = Segment.create(name, { bytes: MiB });
  const latest = segment.latest("latest", Large);
  latest.write(large(1));
  const [node] = presentRuntimes();
  const agent = await Agent.start(node as Runtime, "ts/latest/claim-actions.ts");
  await agent.call("claim", name);
  assert.is(
    code(() => latest.write(large(2))),
    "BUSY",
  );
  await agent.kill();
  latest.write(large(3));
  assert.equal(latest.read(), large(3));
  assert.is(latest.version, 2);
  segment.unlink();
});

test("a read-only opener cannot claim", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  segment.latest("latest", Large);
  using looking = Segment.fromHandle(segment.handle, { access: "read-only" });
  assert.is(
    code(() => looking.latest("latest", Large).claim()),
    "READ_ONLY",
  );
});

test("readInto fills an object that is kept: its arrays and structs stay the same ones", () => {
  both((latest, other, value) => {
    const target = {} as Record<string, unknown>;
    assert.is(latest.readInto(target as never), false);
    assert.equal(target, {});
    latest.write(value(1));
    assert.is(other.readInto(target as never), true);
    assert.equal(target, value(1));
    const parts = Object.values(target).filter(
      (part) => Array.isArray(part) || (part as object)?.constructor === Object,
    );
    assert.ok(parts.length > 0);
    latest.write(value(2));
    assert.is(other.readInto(target as never), true);
    assert.equal(target, value(2));
    for (const part of parts) assert.ok(Object.values(target).includes(part));
    target.points = [1];
    target.at = "text";
    target.inner = null;
    other.readInto(target as never);
    delete (target as { points?: unknown }).points;
    delete (target as { at?: unknown; inner?: unknown }).at;
    delete (target as { inner?: unknown }).inner;
    other.readInto(target as never);
    assert.equal(target, value(2));
    for (const wrong of [undefined, null, 1, "text"])
      assert.throws(
        () => other.readInto(wrong as never),
        (e: Error) => e instanceof TypeError && /target/.test(e.message),
      );
  });
});

test("setters of a target may use Isthmus: what is read is one value", () => {
  both((latest, other, value) => {
    latest.write(value(1));
    let depth = 0;
    const kept = new Map<string, unknown>();
    const target = Object.defineProperty({} as Record<string, unknown>, "id", {
      enumerable: true,
      get: () => kept.get("id"),
      set(id: unknown) {
        kept.set("id", id);
        if (depth++ > 0) return;
        latest.write(value(7));
        latest.read();
        other.read();
      },
    });
    assert.ok(latest.readInto(target as never));
    const { id } = target;
    assert.equal({ ...target }, value(id as number));
  });
});

test("a reader that gives up takes its pin back", () => {
  const name = segmentName("pin");
  using segment = Segment.create(name, { bytes: MiB });
  const latest = segment.latest("latest", Large);
  latest.write(large(1));
  const object = objectOffset(name, "latest");
  const slot = Number(peek64(name, object + layout.LATEST_CURRENT_OFFSET) & 0xffn);
  const version = object + layout.LATEST_VERSIONS_OFFSET + 8 * slot;
  const before = peek64(name, version);
  const waiters = layout.WAITERS_WORDS_OFFSET + segment.header.participants / 8;
  const pins = object + layout.LATEST_WAITERS_OFFSET + Math.ceil(waiters / 128) * 128;
  const pinned = () =>
    Array.from({ length: segment.header.participants }, (_, i) => peek32(name, pins + 4 * i));
  poke64(name, version, before + 1n);
  assert.throws(
    () => latest.read(),
    (e: IsthmusError) => e.code === "BUSY" && /during each of 10000 reads/.test(e.message),
  );
  assert.ok(pinned().every((pin) => pin === 0));
  poke64(name, version, before);
  assert.equal(latest.read(), large(1));
  segment.unlink();
});

test("each slot serves, also the one that ends where the object ends", () => {
  const Whole = struct({ points: ["f64", (4 * layout.OBJECT_ALIGNMENT) / 8] });
  using segment = Segment.createAnonymous({ bytes: MiB });
  using looking = Segment.fromHandle(segment.handle, { access: "read-only" });
  const latest = segment.latest("latest", Whole);
  const seen = looking.latest("latest", Whole);
  for (let id = 1; id <= 2 * LATEST_LARGE_SLOTS; id++) {
    const points = new Array(Whole.bytes / 8).fill(id);
    latest.write({ points });
    assert.equal(latest.read(), { points });
    assert.equal(seen.read(), { points });
  }
});

test("readInto fills typed arrays in place where they can hold the elements", () => {
  using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const inner = struct({ flags: ["bool", 2], big: ["i64", 2] });
  const latest = segment.latest("arrays", struct({ far: ["f64", 3], ids: ["u8", 2], many: [inner, 2] }));
  const part = (n: bigint) => ({ flags: [true, false], big: [n, -n] });
  latest.write({ far: [0.1, 2, 3], ids: [7, 255], many: [part(1n), part(2n)] });
  const far = new Float64Array(3);
  const ids = Buffer.alloc(2);
  const big = new BigInt64Array(2);
  const flags = new Uint8Array(2);
  const many = [{ flags, big }, {}];
  const target = { far, ids, many };
  assert.ok(latest.readInto(target as never));
  assert.ok(target.far === far && target.ids === ids && target.many === many);
  assert.ok(many[0].flags === flags && many[0].big === big);
  assert.equal([...far, ...ids, ...flags], [0.1, 2, 3, 7, 255, 1, 0]);
  assert.equal([...big], [1n, -1n]);
  assert.equal(many[1], part(2n));
  const floats = new Float32Array(3);
  const rounded = { far: floats };
  latest.readInto(rounded as never);
  assert.ok(rounded.far === floats);
  assert.is(floats[0], Math.fround(0.1));
  const cannot = [
    new Float64Array(2),
    new Uint8Array(3),
    new BigInt64Array(3),
    new DataView(new ArrayBuffer(3)),
  ];
  for (const given of cannot) {
    const other = { far: given };
    latest.readInto(other as never);
    assert.equal(other.far, [0.1, 2, 3] as never);
  }
});

test.run();
