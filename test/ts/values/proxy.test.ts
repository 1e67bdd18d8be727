/** Shared values that are used like plain objects and arrays. */
import { inspect } from "node:util";
import { type Dict, isShared, type List, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { refused } from "../../lib/refusals.js";
import { until } from "../../lib/watchdog.js";

type State = Record<string, unknown>;

function scene() {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const other = Segment.fromHandle(segment.handle);
  const close = (): void => {
    for (const one of [other, segment]) one.close();
  };
  return { segment, other, [Symbol.dispose]: close };
}

const EXAMPLE = { name: "a", n: -0, big: 2n ** 70n, none: null, list: [1, { deep: "down" }], empty: {} };

test("what is read through a proxy is what was shared, however it is read", () => {
  using given = scene();
  const dict = given.segment.share(EXAMPLE);
  const proxy = given.segment.proxy<typeof EXAMPLE>(dict);
  const { big, ...plain } = proxy;
  assert.is(big, 2n ** 70n);
  assert.equal(JSON.parse(JSON.stringify(plain)), JSON.parse(JSON.stringify({ ...EXAMPLE, big: undefined })));
  assert.equal(Object.keys(proxy), Object.keys(EXAMPLE));
  assert.equal(Object.entries(proxy).length, 6);
  const keys: string[] = [];
  for (const key in proxy) keys.push(key);
  assert.equal(keys, Object.keys(EXAMPLE));
  assert.ok("name" in proxy && !("names" in proxy) && Object.hasOwn(proxy, "list") && "toString" in proxy);
  assert.ok(!Object.hasOwn(proxy, "toString"));
  assert.is((proxy as State).missing, undefined);
  assert.is(String(proxy), "[object Object]");
  assert.is(isShared(proxy), false);
  assert.equal(structuredClone(dict.toJSON()), EXAMPLE);
});

test("an array is one: methods, length, spread, destructuring, for-of", () => {
  using given = scene();
  const list = given.segment.proxy<(number | string | State)[]>([3, 1, 2]);
  assert.ok(Array.isArray(list));
  assert.equal([...list], [3, 1, 2]);
  assert.equal(
    list.map((one) => Number(one) * 2),
    [6, 2, 4],
  );
  assert.is(list.push(5, 4), 5);
  assert.is(list.pop(), 4);
  list.sort();
  assert.equal(JSON.stringify(list), "[1,2,3,5]");
  assert.is(list.shift(), 1);
  list.unshift("first");
  assert.equal(list.splice(1, 2, { x: 1 }).length, 2);
  assert.equal(JSON.stringify(list), '["first",{"x":1},5]');
  const [first, second] = list;
  assert.equal(
    [first, (second as State).x, list.at(-1), list.length, list.includes(5)],
    ["first", 1, 5, 3, true],
  );
  list.length = 1;
  assert.equal([...list], ["first"]);
  list[1] = "more";
  assert.is(delete list[1], true);
  assert.equal(Object.keys(list), ["0"]);
  assert.equal(Object.getOwnPropertyNames(list), ["0", "length"]);
  assert.is((list as unknown as State).x, undefined);
});

test("what is written is there for all, and nested proxies are live", () => {
  using given = scene();
  const dict = given.segment.share({ list: [], deep: { er: { est: 1 } } });
  given.segment.root = dict;
  const here = given.segment.proxy<{ list: unknown[]; deep: { er: State }; more?: unknown }>(dict);
  const there = given.other.proxy<typeof here>(given.other.rootValue as Dict);
  here.deep.er.est = 2;
  here.list.push({ a: 1 });
  there.more = new Map([["key", [1]]]);
  assert.is(there.deep.er.est, 2);
  assert.equal(JSON.stringify(there.list), '[{"a":1}]');
  assert.equal(JSON.stringify(here.more), '{"key":[1]}');
  assert.is(delete here.more, true);
  assert.is("more" in there, false);
  Object.assign(here, { x: 1, y: "text" });
  assert.equal(dict.toJSON().y, "text");
  Object.defineProperty(here, "z", { value: 3, writable: true, enumerable: true, configurable: true });
  assert.is(dict.get("z"), 3);
  Reflect.set(here, "__proto__", { polluted: true });
  assert.equal((dict.get("__proto__") as Dict).toJSON(), { polluted: true });
  assert.is(Object.getPrototypeOf(here), Object.prototype);
});

test("one value is one object, and putting it elsewhere refers to it", () => {
  using given = scene();
  const dict = given.segment.share({ a: { n: 1 }, list: [] });
  const state = given.segment.proxy<{ a: State; b?: State; list: unknown[] }>(dict);
  assert.is(state.a, state.a);
  assert.is(given.segment.proxy(dict), state);
  state.b = state.a;
  state.list.push({ inner: state.a });
  state.a.n = 2;
  assert.is(state.b?.n, 2);
  assert.is((state.list[0] as { inner: unknown }).inner, state.a);
  assert.throws(() => {
    state.a.up = state;
  }, /must not contain what it is put into/);
  const inner = dict.get("a") as Dict;
  // Two cells and one in the list, the proxy, and this object.
  assert.is(inner.refCount, 5);
  const queue = given.segment.queue("q", { capacity: 2, slotBytes: 8 });
  assert.ok(queue.tryShare(state.a as never));
  assert.is(inner.refCount, 6);
});

test("the reference of a proxy is its own, and of one that was popped, too", () => {
  using given = scene();
  const dict = given.segment.share({ a: 1 });
  const proxy = given.segment.proxy<State>(dict);
  assert.is(dict.refCount, 2);
  dict.close();
  assert.is(proxy.a, 1);
  const list = given.segment.share([{ n: 1 }]);
  const popped = given.segment.proxy<State[]>(list).pop() as State;
  assert.is(popped.n, 1);
});

test("references of proxies that a program has dropped come back", async () => {
  using given = scene();
  const dict = given.segment.share({ a: 1 });
  (() => {
    given.segment.proxy(dict);
  })();
  const collect = (globalThis as { gc?: () => void }).gc;
  if (!collect) return;
  await until("its reference is back", () => {
    collect();
    return dict.refCount === 1;
  });
});

test("what cannot be shared is refused, and the text says where", () => {
  using given = scene();
  const state = given.segment.proxy<State>({ list: [1, 2] });
  const list = state.list as unknown[];
  const texts: [() => unknown, RegExp][] = [
    [() => Object.assign(state, { f: () => 1 }), /^value\.f must be .* to be shared, got a function/],
    [() => Object.assign(state, { a: { b: [undefined] } }), /^value\.a\.b\[0\] must be .*, got undefined/],
    [() => Object.assign(state, { "a b": Symbol("s") }), /^value\["a b"\] must be .*, got a symbol/],
    [() => Object.assign(state, { [Symbol("s")]: 1 }), /^Symbol\(s\) must be a string/],
    [() => list.push(new Set()), /^value\[2\] must be .*, got an instance of Set/],
    [() => Object.assign(list, { name: 1 }), /^value\.name must be an index/],
    [() => Object.assign(list, { 7: 1 }), /^index must be at most the length of the list, 2, got 7/],
    [() => Object.assign(list, { length: 7 }), /^length must be 0 to 2: lists have no holes, got 7/],
    [() => Reflect.deleteProperty(list, "0"), /^value\[0\] cannot be deleted: lists have no holes/],
    [() => Object.defineProperty(state, "g", { get: () => 1 }), /^value\.g must be a property with a value/],
    [() => Object.freeze(state), /preventExtensions/],
    [() => Object.setPrototypeOf(state, {}), /setPrototypeOf/],
    [() => given.segment.proxy("text" as never), /^value must be a Dict, a List, an array/],
    [() => given.segment.proxy(given.segment.share("text") as never), /got a SharedScalar/],
    [() => given.segment.share(state as never), /must be a value that is not shared yet/],
  ];
  for (const [call, text] of texts) assert.throws(call, text);
  assert.equal(JSON.stringify(state), '{"list":[1,2]}');
});

test("console.log shows the content, and why there is none", () => {
  const apart = Segment.createAnonymous({ bytes: MiB });
  const state = apart.proxy<State>({ a: [1, "x"], b: null });
  assert.is(inspect(state), "{ a: [ 1, 'x' ], b: null }");
  assert.is(inspect(state.a), "[ 1, 'x' ]");
  apart.close();
  assert.is(inspect(state), "[Proxy of a shared value: CLOSED]");
  refused("CLOSED", () => state.a);
});

test("a read-only opener reads, and is told that it cannot write", () => {
  using given = scene();
  given.segment.root = given.segment.share({ a: { b: 1 }, list: [1] });
  using looking = Segment.fromHandle(given.segment.handle, { access: "read-only" });
  const state = looking.proxy<{ a: State; list: unknown[] }>(looking.rootValue as Dict);
  assert.is(state.a.b, 1);
  refused("READ_ONLY", () => Object.assign(state.a, { b: 2 }));
  refused("READ_ONLY", () => state.list.push(2));
  assert.is((given.segment.rootValue as Dict).size, 2);
  assert.equal(((given.segment.rootValue as Dict).get("list") as List).toJSON(), [1]);
});

test.run();
