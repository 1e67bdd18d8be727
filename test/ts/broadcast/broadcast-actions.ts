/** What children of the tests of broadcasts do. */
import process from "node:process";
import { type Access, type Broadcast, IsthmusError, type Publisher, Segment, type Subscriber } from "isthmus";

let segment: Segment;
let topic: Broadcast;
let publisher: Publisher | undefined;
let subscriber: Subscriber;

/** Opens the segment and its broadcast, or creates them. */
export function open(name: string, access: Access | "create", bytes = 4096): void {
  segment = access === "create" ? Segment.create(name, { bytes: 2 ** 20 }) : Segment.open(name, { access });
  topic = segment.broadcast("t", access === "read-only" ? undefined : { bytes });
}

/** A record that says its number, in each of its bytes. */
function recordOf(number: number): Uint8Array {
  const bytes = new Uint8Array(4 + ((number * 61) % 300)).fill(number);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

/** Throws unless the bytes are one whole record. Its number. */
function numberOf(bytes: Uint8Array): number {
  const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const expected = recordOf(number);
  if (bytes.length !== expected.length || bytes.some((byte, at) => byte !== expected[at]))
    throw new Error(`record ${number} is not whole: ${bytes}`);
  return number;
}

export function takeEnd(): void {
  publisher = topic.publisher();
}

export function closeEnd(): void {
  publisher?.close();
}

function publishSome(count: number): void {
  const next = topic.stats.published + 1;
  for (let number = next; number < next + count; number++) {
    if (number % 3 === 0) {
      const record = recordOf(number);
      const claim = (publisher as Publisher).claim(record.length + (number % 8));
      claim.bytes.set(record);
      claim.commit(record.length);
    } else if (number % 3 === 1 && number + 1 < next + count) {
      publisher?.publishMany([recordOf(number), recordOf(number + 1)]);
      number++;
    } else publisher?.publish(recordOf(number));
  }
}

/** Publishes so many records without a pause. */
export function publish(count: number): void {
  publishSome(count);
}

/** Publishes until the process is killed. */
export function publishForEver(): void {
  setInterval(() => publishSome(200), 0);
}

/** Ends the process without closing anything. */
export function exit(): void {
  setTimeout(() => process.exit(0));
}

export function subscribe(from?: "now" | "oldest"): void {
  subscriber = topic.subscriber({ from: from ?? "now" });
}

export interface Count {
  received: number;
  lost: number;
  /** Numbers of the first and of the last record that came. */
  first: number;
  last: number;
  /** "closed", or the code of an error. */
  end: string;
}

/** Checks what comes, one after the other. */
class Counter {
  received = 0;
  first = 0;
  last = 0;

  take(number: number): void {
    if (number <= this.last) throw new Error(`record ${number} came after ${this.last}`);
    if (this.first === 0) this.first = number;
    this.last = number;
    this.received++;
  }
}

type Way = (counter: Counter) => Promise<unknown>;

const ways: Record<string, Way> = {
  async loop(counter) {
    for await (const bytes of subscriber) counter.take(numberOf(bytes));
  },
  async receive(counter) {
    for (let one = await subscriber.receive(); one; one = await subscriber.receive())
      counter.take(numberOf(one));
  },
  async receiveSync(counter) {
    for (let one = subscriber.receiveSync(); one; one = subscriber.receiveSync()) counter.take(numberOf(one));
  },
  async peek(counter) {
    for (let one = await subscriber.peek(); one; one = await subscriber.peek()) {
      const bytes = Uint8Array.from(one.bytes);
      if (one.isWhole()) counter.take(numberOf(bytes));
      one.release();
    }
  },
  async drain(counter) {
    let some = 1;
    while (some > 0) {
      some = await subscriber.drain((record) => {
        const bytes = record.copy();
        if (bytes) counter.take(numberOf(bytes));
      });
    }
  },
};

/** Reads in one way until the end. */
export async function readToEnd(way: string): Promise<Count> {
  const counter = new Counter();
  let end = "closed";
  try {
    await (ways[way] as Way)(counter);
  } catch (error) {
    if (!(error instanceof IsthmusError)) throw error;
    end = error.code;
  }
  const { received, first, last } = counter;
  return { received, lost: subscriber.lost, first, last, end };
}

export function published(): number {
  return topic.stats.published;
}
