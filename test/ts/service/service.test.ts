import { runInNewContext } from "node:vm";
import { IsthmusError, MiB, Segment, type Service } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { refused, rejected } from "../../lib/refusals.js";
import { segmentName } from "../../lib/segments.js";
import { until, within } from "../../lib/watchdog.js";

const SIZES = { requestBytes: 16, responseBytes: 32, capacity: 4 };

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const plusOne = (request: Uint8Array): Uint8Array => request.map((byte) => byte + 1);

function make(options = {}): { segment: Segment; service: Service } {
  const segment = Segment.createAnonymous({ bytes: MiB });
  return { segment, service: segment.service("s", { ...SIZES, ...options }) };
}

/** All slots are free again: as many calls as there is capacity begin, and no more. */
async function isWhole(service: Service): Promise<void> {
  const ending = new AbortController();
  const calls = Array.from({ length: service.capacity }, () => service.tryCall(bytes(1), ending));
  assert.ok(calls.every(Boolean), "slots are lost");
  assert.is(service.tryCall(bytes(1)), undefined, "more slots than there were");
  ending.abort();
  await Promise.allSettled(calls);
}

test("a call gets the response of a server", async () => {
  const { segment, service } = make();
  using _ = segment;
  using server = service.serve(plusOne);
  assert.equal([...(await service.call(bytes(1, 2, 3)))], [2, 3, 4]);
  assert.equal([...(await service.call(new Uint8Array(0)))], []);
  assert.is((await service.call(new Uint8Array(16))).length, 16);
  assert.is(server.handled, 3);
  server.close();
  await server.finished;
  await isWhole(service);
});

test("requests come in order, and each response goes to its caller", async () => {
  const { segment, service } = make();
  using _ = segment;
  const order: number[] = [];
  using _server = service.serve(async (request) => {
    order.push(request[0] as number);
    await Promise.resolve();
    return plusOne(request);
  });
  const answers = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8, 9].map((value) => service.call(bytes(value))));
  assert.equal(
    answers.map(([value]) => value),
    [2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  assert.equal(order, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a server handles as many at a time as it was told", async () => {
  const { segment, service } = make();
  using _ = segment;
  let most = 0;
  let release = (): void => {};
  const blocked = new Promise<void>((resolve) => {
    release = resolve;
  });
  using server = service.serve(
    async (request) => {
      most = Math.max(most, server.handling);
      await blocked;
      return request;
    },
    { concurrency: 2 },
  );
  const calls = [1, 2, 3].map((value) => service.call(bytes(value)));
  await until("two are handled", () => server.handling === 2);
  await until("one waits", () => service.stats.waiting === 1);
  assert.equal([service.stats.serving, service.stats.called], [2, 3]);
  release();
  await Promise.all(calls);
  assert.is(most, 2);
});

test("two servers of one process share the requests", async () => {
  const { segment, service } = make();
  using _ = segment;
  using one = service.serve(async (request) => plusOne(request));
  using other = service.serve(async (request) => plusOne(request));
  const answers = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((value) => service.call(bytes(value))));
  assert.equal(
    answers.map(([value]) => value),
    [2, 3, 4, 5, 6, 7, 8, 9],
  );
  assert.is(one.handled + other.handled, 8);
});

test("calls wait while there is no room, and tryCall does not begin", async () => {
  const { segment, service } = make();
  using _ = segment;
  const calls = Array.from({ length: 6 }, (_, value) => service.call(bytes(value)));
  await until("the service is full", () => service.stats.waiting === 4);
  assert.is(service.tryCall(bytes(9)), undefined);
  await rejected("TIMED_OUT", service.call(bytes(9), { timeoutMs: 20 }));
  using _server = service.serve(plusOne);
  const answers = await within("all calls", Promise.all(calls));
  assert.equal(
    answers.map(([value]) => value),
    [1, 2, 3, 4, 5, 6],
  );
  assert.equal([...((await service.tryCall(bytes(1))) ?? [])], [2]);
});

test("a handler that throws fails its call with its message, and the server goes on", async () => {
  const { segment, service } = make();
  using _ = segment;
  using server = service.serve((request) => {
    if (request[0] === 1) throw new Error("no such picture, and much more to say about that");
    if (request[0] === 2) return new Uint8Array(33);
    return request[0] === 3 ? ("text" as unknown as Uint8Array) : request;
  });
  const failure = async (value: number): Promise<Error> => {
    try {
      await service.call(bytes(value));
    } catch (error) {
      return error as Error;
    }
    throw new Error("it has not failed");
  };
  const thrown = await failure(1);
  assert.is(thrown.message, "no such picture, and much mor…");
  assert.is(thrown.name, "HandlerError");
  assert.not(thrown instanceof IsthmusError);
  assert.is((await failure(2)).message, "response must have at most 32…");
  assert.is((await failure(3)).message, "response must be a Uint8Array…");
  assert.equal([...(await service.call(bytes(4)))], [4]);
  assert.is(server.handled, 4);
});

test("the message of an error of any realm reaches the caller, as much of it as there is room for, in whole characters", async () => {
  for (const [responseBytes, thrown, expected] of [
    [32, runInNewContext('new TypeError("theirs")'), "theirs"],
    [32, "a text", "a text"],
    [32, { message: 5 }, "[object Object]"],
    [32, runInNewContext("({ get message() { throw 1; } })"), "the handler has failed"],
    [6, new Error("whole!"), "whole!"],
    [6, new Error("longer than that"), "lon…"],
    [6, new Error("ééééé"), "é…"],
    [3, new Error("long"), "…"],
    [2, new Error("éé"), "é"],
    [1, new Error("éé"), ""],
  ] as const) {
    const { segment, service } = make({ responseBytes });
    using _ = segment;
    using _server = service.serve(() => {
      throw thrown;
    });
    const failure: Error = await service.call(bytes(1)).then(
      () => assert.unreachable(),
      (error) => error,
    );
    assert.is(failure.message, expected);
  }
});

test("cancelling reaches the signal of the server, and the slot is free when it lets go", async () => {
  const { segment, service } = make();
  using _ = segment;
  let reason: unknown;
  using server = service.serve(async (request, { signal }) => {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    reason = signal.reason;
    return request;
  });
  const cancelling = new AbortController();
  const call = service.call(bytes(1), { signal: cancelling.signal });
  await until("the server has begun", () => server.handling === 1);
  cancelling.abort(new Error("enough"));
  assert.is((await call.catch((error) => error)).message, "enough");
  await until("the server has ended", () => server.handling === 0);
  assert.ok(reason instanceof IsthmusError && reason.code === "PEER_DIED");
  server.close();
  await server.finished;
  await isWhole(service);
});

test("the time of a call includes the wait for room, and its end cancels it", async () => {
  const { segment, service } = make({ capacity: 1 });
  using _ = segment;
  let aborted = 0;
  using server = service.serve(async (request, { signal }) => {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    aborted++;
    return request;
  });
  const error = await service.call(bytes(1), { timeoutMs: 30 }).catch((error) => error);
  assert.is(error.code, "TIMED_OUT");
  assert.match(error.message, /service "s" has not answered within 30 ms; the call is cancelled/);
  await until("the server knows", () => aborted === 1);
  server.close();
  await server.finished;
  await isWhole(service);
});

test("a call that is withdrawn before a server has begun never reaches one", async () => {
  const { segment, service } = make();
  using _ = segment;
  await rejected("TIMED_OUT", service.call(bytes(7), { timeoutMs: 5 }));
  const got: number[] = [];
  using _server = service.serve((request) => {
    got.push(request[0] as number);
    return request;
  });
  await service.call(bytes(8));
  assert.equal(got, [8]);
});

test("calls that are withdrawn again and again do not fill the list", async () => {
  const { segment, service } = make({ capacity: 1 });
  using _ = segment;
  for (let turn = 0; turn < 300; turn++) {
    const call = service.tryCall(bytes(1), { timeoutMs: 0 });
    assert.ok(call, `no room in turn ${turn}`);
    await call.catch(() => {});
  }
  using _server = service.serve(plusOne);
  assert.equal([...(await service.call(bytes(1)))], [2]);
});

test("closing a server lets it answer what it has begun; the next request waits for another", async () => {
  const { segment, service } = make();
  using _ = segment;
  let release = (): void => {};
  const blocked = new Promise<void>((resolve) => {
    release = resolve;
  });
  const server = service.serve(async (request) => {
    await blocked;
    return plusOne(request);
  });
  const first = service.call(bytes(1));
  await until("it has begun", () => server.handling === 1);
  server.close();
  const second = service.call(bytes(2));
  release();
  assert.equal([...(await first)], [2]);
  await server.finished;
  assert.equal([server.open, server.handled, service.stats.waiting], [false, 1, 1]);
  using _other = service.serve(plusOne);
  assert.equal([...(await second)], [3]);
});

test("a signal closes a server", async () => {
  const { segment, service } = make();
  using _ = segment;
  const closing = new AbortController();
  const server = service.serve(plusOne, { signal: closing.signal });
  closing.abort();
  await server.finished;
  assert.not(server.open);
  await rejected("TIMED_OUT", service.call(bytes(1), { timeoutMs: 5 }));
});

test("closing the segment ends servers and calls, and others learn it at once", async () => {
  const name = segmentName("service");
  using segment = Segment.create(name, { bytes: MiB });
  const service = segment.service("s", SIZES);
  const other = Segment.open(name);
  const server = other.service("s").serve(() => new Promise<Uint8Array>(() => {}));
  const call = service.call(bytes(1));
  await until("it has begun", () => service.stats.serving === 1);
  const waiting = rejected("CLOSED", other.service("s").call(bytes(2)));
  other.close();
  await rejected("PEER_DIED", call);
  await waiting;
  await server.finished;
  await isWhole(service);
  segment.unlink();
});

test("a call that blocks the thread that serves is refused at once, and does not reach a server", async () => {
  using segment = Segment.create(segmentName("deadlock"), { bytes: MiB });
  using again = Segment.open(segment.name);
  const service = segment.service("s", SIZES);
  const other = again.service("s");
  const calls = (): void => {
    for (const one of [service, other]) {
      refused("DEADLOCK", () => one.callSync(bytes(1)), /serves "s".*use call\(\)/);
      refused("DEADLOCK", () => one.callSync(bytes(1), { timeoutMs: 10_000 }));
    }
  };
  const ended = (): unknown => refused("TIMED_OUT", () => service.callSync(bytes(1), { timeoutMs: 0 }));
  const first = service.serve((request) => {
    calls();
    return plusOne(request);
  });
  calls();
  assert.is(service.stats.called, 0);
  assert.equal([...(await service.call(bytes(1)))], [2], "a handler is in the same thread");
  const second = other.serve(plusOne);
  first.close();
  calls();
  second.close();
  second.close();
  ended();
  const third = service.serve(plusOne);
  calls();
  again.close();
  third.close();
  await third.finished;
  ended();
  segment.unlink();
});

test("a segment that is closed serves no longer: its other openers may block", async () => {
  using segment = Segment.create(segmentName("closed"), { bytes: MiB });
  const again = Segment.open(segment.name);
  const service = segment.service("s", SIZES);
  const server = again.service("s").serve(plusOne);
  refused("DEADLOCK", () => service.callSync(bytes(1)));
  again.close();
  refused("TIMED_OUT", () => service.callSync(bytes(1), { timeoutMs: 0 }));
  await server.finished;
  segment.unlink();
});

test("it opens by its name alone, and what differs is refused", () => {
  const { segment, service } = make({ onServerDeath: "retry" });
  using _ = segment;
  const same = segment.service("s");
  assert.equal(
    [same.requestBytes, same.responseBytes, same.capacity, same.onServerDeath],
    [16, 32, 4, service.onServerDeath],
  );
  assert.throws(() => segment.service("s", SIZES), /onServerDeath "retry", opened with onServerDeath "fail"/);
  assert.throws(() => segment.service("none"), /no object "none"; give \{ requestBytes/);
  assert.throws(() => service.tryCall(new Uint8Array(17)), /a request of 17 bytes can never fit/);
  assert.throws(() => service.serve(plusOne, { concurency: 1 } as object), /concurrency/);
});

test("a read-only opener sees it, and neither calls nor serves", async () => {
  const name = segmentName("service");
  using segment = Segment.create(name, { bytes: MiB });
  segment.service("s", SIZES);
  using onlooker = Segment.open(name, { access: "read-only" });
  const service = onlooker.service("s");
  assert.equal([service.capacity, service.stats.waiting], [4, 0]);
  await rejected("READ_ONLY", service.call(bytes(1)));
  assert.throws(() => service.tryCall(bytes(1)), /read-only/);
  assert.throws(() => service.serve(plusOne), /read-only/);
  const [info] = onlooker.objects();
  assert.equal([info?.type, info?.parameters], ["service", { ...SIZES, onServerDeath: 0 }]);
  assert.equal(info?.service, { called: 0, waiting: 0, serving: 0, lost: 0, capacity: 4, servers: [] });
  segment.unlink();
});

test.run();
