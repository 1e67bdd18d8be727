/** Uses what belongs to a closed segment. */
import { MiB, Segment, struct } from "isthmus";
import { collect } from "../lib/garbage.js";
import { forget } from "../lib/segments.js";

const KiB64 = 65536;

export function viewsAfterClose(name: string): { record: number; claim: number; survived: number } {
  const other = Segment.create(name, { bytes: KiB64 });
  const segment = Segment.createAnonymous({ bytes: MiB });
  const ring = segment.ring("ring", { bytes: KiB64 });
  const producer = ring.producer();
  producer.trySend(new Uint8Array(100).fill(42));
  const record = ring.consumer().tryPeek()?.bytes as Uint8Array;
  const claim = producer.tryClaim(100)?.bytes as Uint8Array;
  claim.fill(43);
  const left = other.ring("ring", { bytes: 1024 });
  left.producer().trySend(new Uint8Array(1).fill(record[0]));
  segment.close();
  const seen = { record: record[0], claim: claim[50] };
  claim.fill(99);
  collect();
  const again = left.consumer().tryReceive() as Uint8Array;
  other.close();
  forget(name);
  return { ...seen, survived: again[0] };
}

function codeOf(call: () => unknown): string {
  try {
    call();
    return "none";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** The code that each call on a closed segment gives. */
export async function useAfterClose(name: string): Promise<Record<string, string>> {
  const segment = Segment.create(name, { bytes: MiB });
  const ring = segment.ring("ring", { bytes: KiB64 });
  const producer = ring.producer();
  const consumer = ring.consumer();
  const layout = struct({ x: "u32" });
  const latest = segment.latest("latest", layout);
  latest.write({ x: 1 });
  producer.trySend(new Uint8Array(1));
  const record = consumer.tryPeek();
  const claim = producer.tryClaim(1);
  Segment.unlink(name);
  segment.close();
  segment.close();
  producer.close();
  consumer.close();
  const bytes = new Uint8Array(1);
  const calls: Record<string, () => unknown> = {
    ring: () => segment.ring("ring", { bytes: KiB64 }),
    latest: () => segment.latest("latest", layout),
    header: () => segment.header,
    state: () => segment.state,
    stale: () => segment.stale,
    generation: () => segment.generation,
    participants: () => segment.participants(),
    objects: () => segment.objects(),
    flush: () => segment.flush(),
    unlink: () => segment.unlink(),
    producer: () => ring.producer(),
    consumer: () => ring.consumer(),
    stats: () => ring.stats,
    trySend: () => producer.trySend(bytes),
    sendSync: () => producer.sendSync(bytes),
    trySendMany: () => producer.trySendMany([bytes]),
    tryClaim: () => producer.tryClaim(1),
    commit: () => claim?.commit(),
    tryReceive: () => consumer.tryReceive(),
    receiveSync: () => consumer.receiveSync(),
    tryPeek: () => consumer.tryPeek(),
    tryDrain: () => consumer.tryDrain(() => {}),
    release: () => record?.release(),
    write: () => latest.write({ x: 2 }),
    read: () => latest.read(),
    version: () => latest.version,
    nextSync: () => latest.nextSync({ timeoutMs: 1000 }),
  };
  const codes: Record<string, string> = {};
  for (const [call, run] of Object.entries(calls)) codes[call] = codeOf(run);
  const later: Record<string, () => Promise<unknown>> = {
    send: () => producer.send(bytes),
    receive: () => consumer.receive(),
    next: () => latest.next(),
    waitForObject: () => segment.waitForObject("ring"),
  };
  for (const [call, run] of Object.entries(later)) {
    codes[call] = await run().then(
      () => "none",
      (error: { code?: string }) => error.code ?? String(error),
    );
  }
  return codes;
}

export async function closeWhileWaiting(name: string): Promise<string[]> {
  const segment = Segment.create(name, { bytes: MiB });
  const producer = segment.ring("full", { bytes: 64 }).producer();
  while (producer.trySend(new Uint8Array(8)));
  const waits = [
    segment.ring("empty", { bytes: 1024 }).consumer().receive(),
    producer.send(new Uint8Array(8)),
    segment.latest("latest", struct({ x: "u32" })).next(),
    segment.waitForObject("never"),
  ].map((wait) =>
    wait.then(
      () => "none",
      (error: { code?: string }) => error.code ?? String(error),
    ),
  );
  segment.unlink();
  segment.close();
  return Promise.all(waits);
}

/** Opens segments, lets go of them, collects; how many bytes of the segment that stays were changed by that. */
export function dropMany(name: string, count: number): number {
  const kept = Segment.create(name, { bytes: MiB });
  const ring = kept.ring("ring", { bytes: KiB64 });
  const producer = ring.producer();
  while (producer.trySend(new Uint8Array(100).fill(0x5a)));
  const sent = ring.stats.sent;
  for (let i = 0; i < count; i++) {
    const dropped = Segment.open(name);
    dropped.ring("ring", { bytes: KiB64 });
    Segment.createAnonymous({ bytes: MiB });
    new Uint8Array(MiB).fill(i);
    if (i % 8 === 0) collect();
  }
  collect();
  const consumer = ring.consumer();
  let wrong = sent;
  for (let bytes = consumer.tryReceive(); bytes; bytes = consumer.tryReceive()) {
    if (bytes.length === 100 && bytes.every((byte) => byte === 0x5a)) wrong--;
  }
  kept.unlink();
  kept.close();
  return wrong;
}

/** Opens both ends of two rings and an object of each kind, forgets all of it, and collects in many turns. */
export async function forgetEnds(name: string): Promise<void> {
  ((): void => {
    const segment = Segment.open(name);
    segment.ring("out", { bytes: 1024 }).producer().trySend(Uint8Array.of(1));
    segment.ring("in", { bytes: 1024 }).consumer().tryReceive();
    segment.lock("lock").acquireSync().release();
    segment.event("event").signal();
  })();
  for (let turn = 0; turn < 20; turn++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5)); // finalizers run between turns
  }
}

/** Keeps nothing of a segment but the bytes of a block; what they hold after collections in many turns. */
export async function keepBytesOnly(): Promise<number[]> {
  const bytes = ((): Uint8Array => {
    const block = Segment.createAnonymous({ bytes: MiB }).heap.allocate(3);
    (block as { bytes: Uint8Array }).bytes.fill(7);
    return block?.bytes as Uint8Array;
  })();
  for (let turn = 0; turn < 20; turn++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5)); // finalizers run between turns
  }
  return [...bytes];
}
