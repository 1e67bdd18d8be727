/** Bugs in assembly/hosted: in how a call waits, wakes others and passes on. */
import { type Bug, inSource } from "../bug.js";

/** Scenarios of the lane that explores the interleavings of hosts that block: those whose names begin so. */
const inScenario = (name: string): string => `interleave/hosted.test > hold, all: hosted, ${name}`;

const heartbeat = inSource("assembly/hosted/heartbeat.ts");
const latest = inSource("assembly/hosted/latest.ts");
const lock = inSource("assembly/hosted/lock.ts");
const memory = inSource("assembly/hosted/memory.ts");
const ring = inSource("assembly/hosted/ring.ts");
const session = inSource("assembly/hosted/session.ts");
const signal = inSource("assembly/hosted/signal.ts");
const wait = inSource("assembly/hosted/wait.ts");
const turn = inSource("assembly/turn.ts");

export const BUGS: Bug[] = [
  wait(
    "who has armed sleeps without a look",
    "  state = ARMED;\n  return LOOK;",
    "  return sleep();",
    inScenario("lock, "),
  ),
  wait(
    "the doorbell is read when it may have rung already",
    "sysWait(u32(blockedBell(selfSlot)), rung,",
    "sysWait(u32(blockedBell(selfSlot)), load32(blockedBell(selfSlot)),",
    inScenario("semaphore, one waits for two"),
  ),
  wait(
    "a call is forgotten when the time is over",
    "    owed = !waitersDisarm(set);",
    "    owed = waitersDisarm(set) && false;",
    "core/hosted-signal",
  ),
  heartbeat(
    "a heartbeat does not wake whom it has given the write lock",
    "  beat(sysWall());\n  passOn();",
    "  beat(sysWall());",
    inScenario("heartbeat in a wait"),
  ),
  session(
    "a set of waiters is woken up to the first",
    "    from = (bell -",
    "    if (bell != 0) return;\n    from = (bell -",
    inScenario("lock, "),
  ),
  signal(
    "who has a permit passes no call on that was for another one",
    "if (waitEnd(result != 0)) callSome(semaphore, 1);",
    "if (waitEnd(result != 0) && result != 0) callSome(semaphore, 1);",
    inScenario("semaphore, one gives twice"),
  ),
  memory(
    "who needs no write lock any more passes no turn on",
    "  else turnServed();",
    "",
    inScenario("heap, two "),
  ),
  memory(
    "a change wakes nobody who waits for the write lock",
    "  let result = attemptPastDead(what, a, b, c, d, e, f);\n  if (result != BUSY) return result;",
    "  let result = attempt(what, a, b, c, d, e, f);\n  if (result != BUSY) return result;",
    inScenario("heap, two "),
  ),
  turn(
    "a turn that came while the lock was taken stands for ever",
    "  if (turn != 0 && !isOfAnother(turn)) swap64",
    "  if (turn != 0 && turn != self && !isOfAnother(turn)) swap64",
    "crash/crash > turn, it is our turn",
  ),
  lock(
    "who gives up waiting keeps others out",
    "  wake(lock, mode == SHARED ? lockForgo(lock) : lockCancel(lock));",
    "",
    inScenario("lock, "),
  ),
  lock(
    "a release calls nobody",
    "  if ((who & FLAG_WAKE_EXCLUSIVE) != 0) callNext(lock);",
    "",
    inScenario("lock, "),
  ),
  signal(
    "who gives up a claim calls nobody",
    "  if (claims && semaphoreUnclaim(semaphore) != 0) callSome(semaphore, signalValue(semaphore));",
    "  if (claims) semaphoreUnclaim(semaphore);",
    inScenario("semaphore, one waits for two"),
  ),
  signal(
    "two are given and one is called",
    "  if ((result & FLAG_WAKE) != 0) callSome(semaphore, count);",
    "  if ((result & FLAG_WAKE) != 0) callSome(semaphore, 1);",
    inScenario("semaphore, two wait for one each"),
  ),
  latest(
    "a new value wakes nobody",
    "  if (result != 0) hostedNotify(latestWaiters(latest));",
    "",
    inScenario("latest, 512 bytes, two write"),
  ),
  ring(
    "an end that is given back wakes nobody",
    "  if (waitersAny(ringWaitersEnds(ring))) hostedNotify(ringWaitersEnds(ring));",
    "",
    inScenario("ring, three want the producer's end"),
  ),
  ring(
    "room wakes nobody",
    "  if ((result & FLAG_WAKE) != 0) hostedNotify(ringWaitersRoom(ring));\n  if ((result & FLAG_EMPTY) != 0) return BUSY;",
    "  if ((result & FLAG_EMPTY) != 0) return BUSY;",
    inScenario("ring, both ends wait, 100 ms"),
  ),
];
