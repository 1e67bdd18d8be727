/** Bugs in ts/wait: one wait at a time, its signal, its timer, its queue and its sleep. */
import { type Bug, inSource } from "../bug.js";

const abort = inSource("ts/wait/abort.ts");
const blocking = inSource("ts/wait/blocking.ts");
const condition = inSource("ts/wait/condition.ts");
const group = inSource("ts/wait/group.ts");
const looks = inSource("ts/wait/looks.ts");
const pause = inSource("ts/wait/pause.ts");
const pending = inSource("ts/wait/pending.ts");
const queue = inSource("ts/wait/queue.ts");
const retry = inSource("ts/wait/retry.ts");
const leaving = inSource("ts/wait/leaving.ts");
const turn = inSource("ts/wait/turn.ts");
const wait = inSource("ts/wait/wait.ts");

export const BUGS: Bug[] = [
  abort(
    "the listener stays on the signal",
    'this.#signal.removeEventListener("abort", this.#aborted);',
    "",
    "ts/wait/abort",
  ),
  abort(
    "each wait has a listener of its own",
    "all.get(signal) ?? new Listeners(signal)",
    "new Listeners(signal)",
    "ts/wait/abort",
  ),
  blocking(
    "a blocked thread gives no sign of life",
    "beatAll(); // the timer of this thread cannot",
    "void beatAll;",
    "ts/wait/ends > a thread that blocks shows that it lives",
  ),
  blocking(
    "a blocked thread leaves its bit",
    "const called = endBlocking(attachment);",
    "void endBlocking;\n    const called = true;",
    "ts/wait/ends",
  ),
  blocking(
    "a blocked thread that has a unit passes no call on that was for another one",
    "if (served ? called : !answered)",
    "if (!served && !answered)",
    "ts/wait/pass-on",
  ),
  pending(
    "a wait that has a unit passes no call on that was for another one",
    "if (called) this.condition.passOn?.();",
    "void called;",
    "ts/wait/pass-on",
  ),
  blocking(
    "a blocked thread sleeps on the bell that its event loop watches",
    "native.wait(region.object, blockedBell, bell, milliseconds)",
    "native.wait(region.object, attachment.doorbell, bell, milliseconds)",
    "processes/wakeups/wakeups.test > it is a wake-up that ends, for a blocked thread",
  ),
  group(
    "promises that were called while their thread blocked sleep on",
    "if (group.asleep && group.wasNotified) lookSoon(group);",
    "void lookSoon;",
    "processes/wakeups/counted > a promise is served that was called",
  ),
  pending(
    "an aborted wait keeps the call that it got",
    "(called || !gaveUp) && !followed",
    "!called && !gaveUp && !followed",
    "ts/wait/pass-on",
  ),
  pending(
    "each wait that gives up calls another one",
    "(called || !gaveUp) && !followed",
    "!followed",
    "ts/wait/pass-on",
  ),
  blocking(
    "a blocking wait with a timeout never looks twice",
    "if (timeoutMs === 0) throw",
    "if (timeoutMs < 1e9) throw",
    "ts/wait/wait",
  ),
  condition(
    "a read-only opener looks every ten minutes",
    "POLL_MS = 2;",
    "POLL_MS = 600_000;",
    "ts/wait/wait > waiting for an object and for a value",
  ),
  group(
    "the bit of a group stays when its last member leaves",
    "return this.asleep && this.#wake();",
    "return false;",
    "ts/wait/ends > aborted while it is asleep",
  ),
  group(
    "closing the segment fails no wait",
    "for (const one of [...this.all]) one.close();",
    "for (const one of [...this.all]) void one;",
    "ts/wait/ends",
  ),
  looks(
    "the next of a queue is never looked at",
    "void resolved.then(lookNow);",
    "void resolved.then(() => void lookNow);",
    "ts/wait/many > each of a queue is served after a few looks",
  ),
  pause(
    "a signal that is aborted does not end the pause",
    "reject(signal.reason);",
    "void reject;",
    "ts/segment/wait-for > read-write: a signal ends it",
  ),
  pause("a pause leaves its listener", "stopListening?.();\n    };", "};", "ts/wait/abort"),
  pending(
    "the timer of a served wait stays",
    "clearTimer(this.#timer);",
    "void clearTimer;",
    "ts/wait/ends > the timer of a wait that was served",
  ),
  pending("a served wait keeps its listener", "this.#stopListening?.();", "", "ts/wait/abort"),
  pending(
    "a wait is not failed when its segment closes while it is awake",
    "this.#room.all.add(this);",
    "if (looked === undefined) this.#room.all.add(this);",
    "ts/wait/ends",
  ),
  queue(
    "an entry that leaves from the middle cuts the queue",
    "entry.previous.next = entry.next;",
    "entry.previous.next = undefined;",
    "ts/wait/queue",
  ),
  retry(
    "a heap that is busy is tried once",
    "if (now - begin >= timeoutMs) return undefined;",
    "if (now - begin >= 0) return undefined;",
    "ts/segment/opening > openers wait for one that creates",
  ),
  turn(
    "no call is ever due for a turn",
    "due = now - sinceMs >= TURN_MS;",
    "due = now - sinceMs >= 1e9;",
    "ts/wait/turn > node ",
  ),
  leaving(
    "a loop goes on when the signal of its caller is aborted",
    "() => this.abort(signal.reason)",
    "() => {}",
    "ts/disposal > loops over the newest value",
  ),
  turn(
    "each callback counts as a turn",
    "if (++immediates >= immediatesPerTurn) turned();",
    "turned();",
    "ts/wait/turn > deno: ",
  ),
  turn(
    "what waits for nothing takes no turn",
    "if (turnIsDue()) await nextTurn();\n  return value;",
    "return value;",
    "ts/wait/turn > node ",
  ),
  turn(
    "what is refused takes no turn",
    "if (turnIsDue()) await nextTurn();\n  throw error;",
    "throw error;",
    "ts/wait/turn > node ",
  ),
  wait(
    "a signal that was aborted before is not looked at",
    "if (signal?.aborted) {",
    "if (signal?.aborted && due) {",
    "ts/wait/abort",
  ),
  wait(
    "a wait overtakes those that wait already",
    "if (!condition.queue?.length && (",
    "if ((",
    "ts/wait/pending",
  ),
];
