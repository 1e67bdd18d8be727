/** Loops of awaiting calls that always find something, and what else the thread gets done meanwhile. See `turn.test.ts`. */
import { once } from "node:events";
import { stat } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { KiB, MiB, Segment, struct } from "isthmus";

/** Takes one to two seconds where nothing else runs, and is never reached where the event loop has its turns. */
const ROUNDS_MAX = 2_000_000;

type Round = (signal: AbortSignal | undefined) => Promise<unknown>;

const byte = new Uint8Array(1);

function ringForms(segment: Segment): Record<string, Round> {
  const ring = segment.ring("ring", { bytes: 4 * KiB });
  const producer = ring.producer();
  const consumer = ring.consumer();
  return {
    receive: (signal) => {
      producer.trySend(byte);
      return consumer.receive({ signal });
    },
    send: async (signal) => {
      await producer.send(byte, { signal });
      consumer.tryReceive();
    },
    iteration: async () => {
      producer.trySend(byte);
      for await (const _ of consumer) break;
    },
    "drain of nothing": () => consumer.drain(() => {}, { limit: 0 }),
    ...endsOfRings(segment),
    ...streams(segment),
  };
}

/** Calls that wait for nothing, since what they ask for is done already, or refused. */
function endsOfRings(segment: Segment): Record<string, Round> {
  const ring = segment.ring("ended", { bytes: 4 * KiB });
  const ended = ring.producer();
  ended.close();
  const producer = ring.producer();
  producer.trySend(byte);
  const consumer = ring.consumer();
  const loop = consumer.records();
  const left = loop.return?.();
  consumer.tryPeek();
  producer.tryClaim(1);
  return {
    "end of a closed producer": () => ended.end(),
    "a loop that was left": async () => {
      await left;
      await loop.next();
    },
    "receive beside a peek": () => consumer.receive().catch(() => {}),
    "send beside a claim": () => producer.send(byte).catch(() => {}),
    "claim beside a claim": () => producer.claim(1).catch(() => {}),
  };
}

function streams(segment: Segment): Record<string, Round> {
  const ring = segment.ring("written", { bytes: 4 * KiB });
  const consumer = ring.consumer();
  const writer = ring.writable().getWriter();
  return {
    writable: async () => {
      await writer.write(byte);
      consumer.tryReceive();
    },
  };
}

function exchangeForms(segment: Segment): Record<string, Round> {
  const queue = segment.queue("queue", { capacity: 4, slotBytes: 8 });
  const topic = segment.broadcast("topic", { bytes: 4 * KiB });
  const subscriber = topic.subscriber();
  const publisher = topic.publisher();
  const cache = segment.cache("cache", { bytes: 64 * KiB });
  cache.set("there", byte);
  return {
    "receive from a queue": (signal) => {
      queue.trySend(byte);
      return queue.receive({ signal });
    },
    "send to a queue": async (signal) => {
      await queue.send(byte, { signal });
      queue.tryReceive();
    },
    "take from a queue": async (signal) => {
      queue.trySend(byte);
      (await queue.take({ signal })).done();
    },
    "receive from a broadcast": (signal) => {
      publisher.publish(byte);
      return subscriber.receive({ signal });
    },
    "what was aborted before, of a cache": () =>
      cache.getOrSet("there", () => byte, { signal: AbortSignal.abort() }).catch(() => {}),
    "value of a cache": (signal) => cache.getOrSet("there", () => byte, { signal }),
  };
}

/** Holds that are nested in holds, which nobody else can be in the way of. */
function nestedForms(segment: Segment): Record<string, Round> {
  const held = segment.lock("nested").acquireSync();
  const transactions = segment.lock("transactions").acquireSync();
  return {
    "nested shared hold": async (signal) => (await held.acquire("shared", { signal })).release(),
    "nested exclusive hold": async (signal) => (await held.acquire("exclusive", { signal })).release(),
    "upgrade of an exclusive hold": (signal) => held.upgrade({ signal }),
    "transaction under a hold": (signal) => segment.transaction(transactions, () => {}, { signal }),
  };
}

function forms(segment: Segment): Record<string, Round> {
  const lock = segment.lock("lock");
  const semaphore = segment.semaphore("semaphore", { initial: 1 });
  const signaled = segment.event("signaled", { signaled: true });
  const never = segment.event("never");
  const latest = segment.latest("latest", struct({ n: "u32" }));
  return {
    ...ringForms(segment),
    ...nestedForms(segment),
    ...exchangeForms(segment),
    lock: async (signal) => (await lock.acquire("exclusive", { signal })).release(),
    "shared lock": async (signal) => (await lock.acquire("shared", { signal })).release(),
    semaphore: async (signal) => {
      await semaphore.acquire({ signal });
      semaphore.release();
    },
    event: (signal) => signaled.wait({ signal }),
    next: (signal) => {
      latest.write({ n: 1 });
      return latest.next({ signal });
    },
    object: (signal) => segment.waitForObject("lock", { signal }),
    "what times out at once": () => never.wait({ timeoutMs: 0 }).catch(() => {}),
    "what was aborted before": () => never.wait({ signal: AbortSignal.abort() }).catch(() => {}),
  };
}

export function formNames(): string[] {
  using segment = Segment.createAnonymous({ bytes: MiB });
  return Object.keys(forms(segment));
}

/** What has not happened before the last round: nothing, where the event loop goes on. */
export async function starved(form: string): Promise<string[]> {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const round = forms(segment)[form] as Round;
  const missing = new Set(["a timer", "a file"]);
  let ticks = 0;
  const timer = setInterval(() => {
    if (++ticks === 3) missing.delete("a timer");
  }, 1);
  stat(".", () => missing.delete("a file"));
  for (let rounds = 0; rounds < ROUNDS_MAX && missing.size > 0; rounds++) await round(undefined);
  clearInterval(timer);
  return [...missing];
}

/** How often a peer behind a socket answered during a loop in which a timer of 1 ms fired so often. */
export async function socketAnswers(ticksMax: number): Promise<number> {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const round = forms(segment).receive as Round;
  const server = createServer((peer) => peer.pipe(peer)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  let answers = 0;
  socket.on("data", () => {
    answers++;
    socket.write(byte);
  });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  socket.write(byte);
  for (let rounds = 0; rounds < ROUNDS_MAX && ticks < ticksMax; rounds++) await round(undefined);
  clearInterval(timer);
  socket.destroy();
  server.close();
  return answers;
}

/** By what a loop over something that is always there ends that has a signal. */
export async function endedBy(form: string): Promise<string> {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const round = forms(segment)[form] as Round;
  const signal = AbortSignal.timeout(20);
  try {
    for (let rounds = 0; rounds < ROUNDS_MAX; rounds++) await round(signal);
  } catch (error) {
    return (error as Error).name;
  }
  return "its last round";
}

/** The same for a segment that is there. */
export async function starvedByWaitFor(name: string): Promise<boolean> {
  let ticked = false;
  setTimeout(() => {
    ticked = true;
  }, 1);
  for (let rounds = 0; rounds < 5000 && !ticked; rounds++) (await Segment.waitFor(name)).close();
  return !ticked;
}

/** Whether a signal of the system is handled during a loop. */
export async function handlesSignal(): Promise<boolean> {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const round = forms(segment).receive as Round;
  let handled = false;
  process.once("SIGUSR2", () => {
    handled = true;
  });
  process.kill(process.pid, "SIGUSR2");
  for (let rounds = 0; rounds < ROUNDS_MAX && !handled; rounds++) await round(undefined);
  return handled;
}
