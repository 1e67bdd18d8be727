/** A process whose calls are cut off, by a script that is stopped or by a stack that is full, and that lives on. */
import vm from "node:vm";
import { MiB, Segment, struct } from "isthmus";
import { SEGMENT_LOCK_OFFSET } from "../../../protocol/layout.js";

const VALUE = struct({ a: "u32", b: "u32" });
const LARGE = struct({ number: "u32", bytes: "bytes:4000" });
const TURNS_MAX = 400;

const segment = Segment.createAnonymous({ bytes: 8 * MiB });
const root = segment.heap.allocate(VALUE.bytes);
const view = root.view(VALUE);
view.write({ a: 1, b: 1 });
segment.root = root;
const lock = segment.lock("lock");
const small = segment.latest("small", VALUE);
const large = segment.latest("large", LARGE);
const ring = segment.ring("ring", { bytes: 4096 });
const value = { number: 1, bytes: new Uint8Array(4000) };
/** Another participant, of this very process: it sees what stands in the way of others. */
const other = Segment.fromHandle(segment.handle);

const word = new DataView((segment.heap.allocate(8) as { bytes: Uint8Array }).bytes.buffer);
const isLocked = (): boolean => word.getBigUint64(SEGMENT_LOCK_OFFSET, true) !== 0n;

export function handle(): string {
  return segment.handle;
}

interface Kind {
  /** What the script that is stopped does for ever. */
  script: string;
  /** Whether something has been left. */
  left(): boolean;
  /** The next call of the same kind, which must work at once. */
  next(): void;
}

function isBusy(call: () => unknown): boolean {
  try {
    return call() === undefined;
  } catch {
    return true;
  }
}

/**
 * Calls whose hold on something lies in the core alone while they run. A script that is stopped between two of its own calls, with a
 * lock or an end of a ring in its hands, has lost these: they are no left-over of the core.
 */
const KINDS: Record<string, Kind> = {
  heap: {
    script: "heap.allocate(64).free()",
    left: isLocked,
    next: () => segment.heap.allocate(64).free(),
  },
  small: {
    script: "small.write(pair)",
    left: () => isBusy(() => other.latest("small", VALUE).claim().commit() ?? true),
    next: () => small.write({ a: 2, b: 2 }),
  },
  large: {
    script: "large.write(value)",
    left: () => isBusy(() => other.latest("large", LARGE).write(value) ?? true),
    next: () => large.write(value),
  },
};

const context = vm.createContext({
  heap: segment.heap,
  small,
  large,
  lock,
  ring,
  value,
  pair: { a: 1, b: 2 },
});

/** Stops scripts until one of them leaves something; how many that took, 0 when none did. */
export function stopScripts(kind: string, next: boolean): number {
  const { script, left, next: call } = KINDS[kind] as Kind;
  for (let turn = 1; turn <= TURNS_MAX; turn++) {
    try {
      vm.runInContext(`for (;;) ${script};`, context, { timeout: 3 });
    } catch (error) {
      if ((error as { code?: string }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    }
    if (!left()) continue;
    if (next) {
      call();
      if (left()) throw new Error("still left after the next call");
    }
    return turn;
  }
  return 0;
}

/** Calls a function wherever the stack is nearly full, in code that was not optimised yet, and catches what is thrown. */
function onFullStack(locals: number, tries: number, call: () => void): void {
  const names = Array.from({ length: locals }, (_, index) => `v${index}`);
  const fill = new Function(
    "call",
    `let left = ${tries};
    const deeper = (n) => {
      ${names.map((name, index) => `const ${name} = n + ${index};`).join("")}
      try { deeper(n + 1); } catch {}
      if (--left < 0) return 0;
      try { call(); } catch {}
      return 0 ${names.map((name) => `+ ${name}`).join("")};
    };
    try { deeper(0); } catch {}`,
  );
  fill(call);
}

/** Stops a script in the body of a transaction. */
export async function stopTransaction(): Promise<void> {
  // On a busy machine the time may be over before the body runs.
  for (let timeout = 20; !stoppedInBody(timeout); timeout *= 2)
    await new Promise((resolve) => setImmediate(resolve));
}

/** Whether the body had begun when the script was stopped. */
function stoppedInBody(timeout: number): boolean {
  let begun = false;
  const begin = (): void => {
    begun = true;
  };
  const inside = vm.createContext({ segment, lock, view, begin });
  const script = `segment.transactionSync(lock, () => {
    view.set("a", 99);
    segment.heap.allocate(100);
    begin();
    for (;;);
  })`;
  try {
    vm.runInContext(script, inside, { timeout });
  } catch (error) {
    if ((error as { code?: string }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
  }
  return begun;
}

/** Whether the transaction was ended when the stack was empty, without waiting for a timer. */
export async function stopTransactionThenGoOn(): Promise<{ a: number; works: number }> {
  await stopTransaction();
  return { a: view.get("a"), works: segment.transactionSync(lock, () => 1) };
}

/** A stack that is full when a transaction ends, in many depths; the fields never differ, and what ends stays or is undone. */
export function fillStacksInTransactions(): number {
  let ends = 0;
  let number = 100;
  const body = (): void => {
    number++;
    view.set("a", number);
    view.set("b", number);
  };
  const one = (): void => {
    segment.transactionSync(lock, body);
    ends++;
  };
  for (let warm = 0; warm < 20; warm++) one();
  for (let locals = 1; locals <= 64; locals++) {
    onFullStack(locals, 40, one);
    const held = other.lock("lock").tryAcquire("shared");
    if (held && view.get("a") !== view.get("b"))
      throw new Error("half of a transaction is seen with its lock");
    held?.release();
    one();
    if (view.get("a") !== number || view.get("b") !== number)
      throw new Error("a transaction that ended is undone");
  }
  return ends;
}
