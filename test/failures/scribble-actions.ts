/** Uses a segment whose bytes somebody changes at will. Anything but a result or an IsthmusError is a failure. */
import {
  type Consumer,
  IsthmusError,
  KiB,
  type Latest,
  type Producer,
  type Ring,
  Segment,
  struct,
} from "isthmus";

const smallFields = { number: "u32", text: "utf8:16" } as const;
const largeFields = { bytes: "bytes:5000" } as const;
const smallLayout = struct(smallFields);
const largeLayout = struct(largeFields);

interface Scene {
  segment: Segment;
  onlooker: Segment;
  ring: Ring;
  producer: Producer;
  consumer: Consumer;
  small: Latest<typeof smallFields>;
  large: Latest<typeof largeFields>;
}

let scene: Scene | undefined;

export function begin(name: string): void {
  const segment = Segment.open(name);
  const ring = segment.ring("ring", { bytes: 4 * KiB });
  const onlooker = Segment.open(name, { access: "read-only" });
  const small = segment.latest("small", smallLayout);
  const large = segment.latest("large", largeLayout);
  scene = { segment, onlooker, ring, producer: ring.producer(), consumer: ring.consumer(), small, large };
}

const bytes = new Uint8Array(100).fill(1);

/** Every operation there is; each is one attempt. */
function operations(all: Scene, name: string): (() => unknown)[] {
  const { segment, onlooker, ring, producer, consumer, small, large } = all;
  return [
    () => producer.trySend(bytes),
    () => producer.sendSync(bytes, { timeoutMs: 5 }),
    () => producer.sendMany([bytes, bytes]),
    () => producer.send(bytes, { timeoutMs: 5 }),
    () => producer.tryClaim(50)?.commit(20),
    () => consumer.tryReceive()?.fill(0),
    () => consumer.receiveSync({ timeoutMs: 5 }),
    () => consumer.receive({ timeoutMs: 5 }),
    () => consumer.drain((record) => record.bytes.fill(0), { limit: 100 }),
    () => {
      const record = consumer.tryPeek();
      record?.bytes.fill(0);
      record?.release();
    },
    () => ring.stats,
    () => ring.producer(),
    () => segment.ring(`new${Math.floor(Math.random() * 20)}`, { bytes: 64 }),
    () => segment.ring("ring", { bytes: 4 * KiB }),
    () => small.write({ number: 1, text: "text" }),
    () => small.read(),
    () => small.next({ timeoutMs: 5 }),
    () => large.write({ bytes }),
    () => large.read(),
    () => large.nextSync({ timeoutMs: 5 }),
    () => onlooker.latest("small", smallLayout).read(),
    () => onlooker.latest("large", largeLayout).read(),
    () => onlooker.objects(),
    () => onlooker.participants(),
    () => segment.objects(),
    () => segment.participants(),
    () => [segment.header, segment.state, segment.stale, segment.generation],
    () => segment.waitForObject("never", { timeoutMs: 5 }),
    () => Segment.open(name).close(),
    () => Segment.open(name, { access: "read-only" }).close(),
    () => Segment.list(),
  ];
}

/** How often each outcome came. */
export async function operate(name: string, milliseconds: number): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = { fine: 0 };
  const calls = operations(scene as Scene, name);
  const end = performance.now() + milliseconds;
  while (performance.now() < end) {
    const call = calls[Math.floor(Math.random() * calls.length)];
    try {
      await call();
      outcomes.fine++;
    } catch (error) {
      if (!(error instanceof IsthmusError)) throw new Error(`${call}: ${(error as Error).stack}`);
      outcomes[error.code] = (outcomes[error.code] ?? 0) + 1;
    }
  }
  return outcomes;
}

/** Closing must work on any bytes, too. */
export function finish(): void {
  scene?.onlooker.close();
  scene?.segment.close();
  scene = undefined;
}
