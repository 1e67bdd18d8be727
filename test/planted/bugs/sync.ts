/** Bugs in ts/sync. */
import { type Bug, inSource } from "../bug.js";

const counter = inSource("ts/sync/counter.ts");
const event = inSource("ts/sync/event.ts");
const lockInfo = inSource("ts/sync/lock-info.ts");
const lockState = inSource("ts/sync/lock-state.ts");
const held = inSource("ts/sync/held.ts");
const tenure = inSource("ts/sync/tenure.ts");
const token = inSource("ts/segment/token.ts");
const lock = inSource("ts/sync/lock.ts");
const semaphore = inSource("ts/sync/semaphore.ts");
const signal = inSource("ts/sync/signal.ts");
const coreSignal = inSource("assembly/signal.ts");

export const BUGS: Bug[] = [
  counter(
    "a number that is no safe integer is added",
    "-COUNTER_MAX, COUNTER_MAX",
    "-(2 ** 60), 2 ** 60",
    "ts/sync/signals",
  ),
  event(
    "an event that was signaled and reset is missed",
    "core.eventPasses(this.offset, begin)",
    "core.eventPasses(this.offset, this.#word)",
    "ts/sync/signals > who waits passes though the reset",
  ),
  tenure(
    "an upgrade leaves the shared hold counted",
    "this.shared -= change;",
    "this.shared -= Math.min(change, 0);",
    "ts/sync/lock.test > many hold it shared or one",
  ),
  semaphore(
    "a permit wakes all that wait",
    "this.#attachment.call(set, count, () => core.semaphoreCall(this.#semaphore));",
    "this.#attachment.notify(set);",
    "processes/wakeups/counted > each permit wakes one",
  ),
  lockState(
    "a release wakes all that wait for the lock exclusively",
    "this.attachment.call(this.waitersExclusive, 1, () => core.lockCall(this.#lock))",
    "this.attachment.notify(this.waitersExclusive)",
    "processes/wakeups/counted > each release of a lock wakes one",
  ),
  coreSignal(
    "who waits for an event that was signaled and reset does not pass",
    " || word != begin;",
    ";",
    "core/hosted-signal > an event lets pass who waits",
  ),
  lockInfo(
    "another slot than the owner's is shown",
    "const owner = slotOf(word) - 1;",
    "const owner = slotOf(word);",
    "cli/inspect > locks with their holders",
  ),
  token(
    "a dead owner is called alive",
    "alive: joined && attachment.held(slot)",
    "alive: joined",
    "cli/inspect > a dead holder is shown as dead",
  ),
  lockState(
    "a hold whose release was cut off goes on until the heartbeat",
    "lost === undefined && this.ending === undefined && this.#unsettled === undefined",
    "lost === undefined",
    "processes/cut-off-steps > what was given back is free: exclusive",
  ),
  lockState(
    "a claim that was given up stays",
    "this.#wake(this.attachment.core.lockCancel(this.#lock));",
    "void this.#wake;",
    "ts/sync/lock.test > the claim of one that gave up",
  ),
  lockState(
    "a hold is told of what the hold before was told",
    "this.#flags = 0; // what",
    "// what",
    "ts/sync/lock-holds",
  ),
  lockState(
    "a lock that is taken at once is not known to be held",
    "    this.real = mode;\n    this.#journaled = false;",
    "    this.#journaled = false;",
    "ts/sync/lock-holds",
  ),
  lockState(
    "nobody is woken by a release",
    "return who & FLAG_WAKE_EXCLUSIVE ? this",
    "return who < 0 ? this",
    "processes/wakeups/wakeups.test",
  ),
  lockState(
    "the next task takes the lock from those whom the release woke",
    "this.#yieldBell = this.#bell;",
    "",
    "ts/sync/lock-tasks",
  ),
  lockState(
    "a wait of a hold that ended waits on",
    "if (this.#upgrading === tenure) this.#lookAgain();",
    "",
    "ts/sync/lock-tasks",
  ),
  lockState(
    "shared tasks without a gap keep a claimant out",
    "!this.occupied(mode) && this.#join()",
    "!this.occupied(mode)",
    "ts/sync/lock-tasks > shared tasks that follow each other",
  ),
  lockState(
    "a thread waits for what it holds through another opening",
    "timeoutMs === Infinity && this.#heldElsewhere(mode)",
    "timeoutMs < 0 && this.#heldElsewhere(mode)",
    "ts/sync/lock-tasks > a thread that blocks for a lock which it has",
  ),
  lockState(
    "a second upgrade of one environment joins the first",
    "throw this.#failed(DEADLOCK);",
    "return;",
    "ts/sync/lock-tasks",
  ),
  lock(
    "request gives the lock back before the promise is settled",
    "const result = await (body as",
    "held.release();\n    const result = await (body as",
    "ts/sync/lock-tasks",
  ),
  semaphore(
    "who waits for several claims nothing",
    "if (attachment.core.semaphoreClaim(this.offset) === 0 && this.#take(count)) return undefined;",
    "",
    "ts/sync/signals",
  ),
  semaphore(
    "the claim of one who gave up stays",
    "claims ? this.#state.giveUp() : undefined",
    "undefined",
    "ts/sync/signals > the claim of one that gave up",
  ),
  held(
    "a hold is released twice",
    "    this.#state = undefined;\n    if (state.transacting",
    "    if (state.transacting",
    "ts/sync/lock-holds",
  ),
  lock(
    "a thread blocks for what its own tasks hold",
    "state.checkBlocking(mode, how.timeoutMs);",
    "",
    "ts/sync/lock-tasks",
  ),
  lock(
    "a lock of another segment is taken",
    "if (this.#lease.attachment !== attachment)",
    "if (this.#lease.attachment === undefined)",
    "ts/memory/transaction.test > the lock must be one of this segment",
  ),
  semaphore(
    "a semaphore holds more than its limit",
    "if (result === TOO_LARGE) {",
    "if (result === -1) {",
    "ts/sync/signals",
  ),
  signal(
    "nobody is woken",
    "if (flagsOf(result) & FLAG_WAKE) attachment.notify(",
    "if (result === 2) attachment.notify(",
    "processes/wakeups/wakeups.test",
  ),
];
