/**
 * Between two calls of the shim anything can happen: another process acts, or this one dies. The shim is one object per
 * thread, whichever build of the package uses it; here its functions are replaced for a while by some that say so before.
 */
import { KERNEL_LOCK_CREATION } from "../../protocol/layout.js";
import { loadNative } from "../../ts/host/native.cjs";
import type { Native } from "../../ts/host/native.js";
import { internal } from "./internals.js";

type Call = (...given: unknown[]) => unknown;
export type Flaws = Partial<Record<keyof Native, (genuine: Native) => Call>>;

const { underWay } = internal<typeof import("../../ts/host/under-way.js")>("host/under-way");
const shim = loadNative() as unknown as Record<string, Call>;
const genuine: Record<string, Call> = { ...shim };
const real: Native = { ...loadNative() };

/** So often in a row a lock is refused until it is clear that only another process can give it back. */
const REFUSALS_MAX = 5;

/** Thrown instead of waiting for a lock whose holder cannot go on before we return. */
export class Blocked extends Error {}

/** Puts other functions in the place of the shim's until the function returns. */
function replaced<T>(functions: Record<string, Call>, run: () => T): T {
  const before = { ...shim };
  Object.assign(shim, functions);
  try {
    return run();
  } finally {
    Object.assign(shim, before);
  }
}

/**
 * Runs with `before(step, call)` in front of every call of the shim, from step 1; `remove`, which compares and unlinks, counts
 * as two where the `name` of all objects is given. Gives the number of steps.
 */
export function stepped(
  before: (step: number, call: string) => void,
  run: () => void,
  name?: string,
): number {
  let step = 0;
  const functions = Object.entries(shim)
    .filter(([, value]) => typeof value === "function")
    .map(([call, perform]): [string, Call] => [
      call,
      (...given) => {
        before(++step, call);
        if (call !== "remove" || name === undefined || perform !== genuine.remove) return perform(...given);
        const { linked } = real.info(given[0] as number);
        before(++step, "unlink");
        if (linked) real.unlink(name, 0);
        return linked;
      },
    ]);
  replaced(Object.fromEntries(functions), run);
  return step;
}

/** Runs without any wait for locks: Blocked instead. */
export function impatient<T>(run: () => T): T {
  let refusals = 0;
  const { lock, held } = shim as { lock: Call; held: Call };
  const count = (refused: boolean): void => {
    refusals = refused ? refusals + 1 : 0;
    if (refusals >= REFUSALS_MAX) throw new Blocked("a lock is held");
  };
  const counting = {
    lock: (...given: unknown[]) => {
      const taken = lock(...given);
      count(!taken);
      return taken;
    },
    held: (...given: unknown[]) => {
      const found = held(...given);
      if (given[1] === KERNEL_LOCK_CREATION) count(found as boolean);
      return found;
    },
  };
  return replaced(counting, run);
}

/**
 * Runs with the functions of the shim as they are, whatever is around, and as another process would: what is under way around
 * belongs to somebody else.
 */
export function undisturbed<T>(run: () => T): T {
  const around = [...underWay];
  underWay.clear();
  try {
    return replaced(genuine, run);
  } finally {
    for (const [owner, settle] of around) underWay.set(owner, settle);
  }
}

/** Runs with bugs in the shim, to see that a lane notices. */
export function flawed<T>(flaws: Flaws, run: () => T): T {
  const functions = Object.entries(flaws).map(([name, make]): [string, Call] => [name, make(real)]);
  return replaced(Object.fromEntries(functions), run);
}
