/** Bugs in assembly/hosted: in how a call waits, wakes others and passes on. */
import { type Bug, inSource } from "../bug.js";

const LANE = "interleave/hosted.test";

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
  wait("who has armed sleeps without a look", "  state = ARMED;\n  return LOOK;", "  return sleep();", LANE),
  wait(
    "the doorbell is read when it may have rung already",
    "sysWait(u32(blockedBell(selfSlot)), rung,",
    "sysWait(u32(blockedBell(selfSlot)), load32(blockedBell(selfSlot)),",
    LANE,
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
    LANE,
  ),
  session(
    "a set of waiters is woken up to the first",
    "    from = (bell -",
    "    if (bell != 0) return;\n    from = (bell -",
    LANE,
  ),
  signal(
    "who has a permit passes no call on that was for another one",
    "if (waitEnd(result != 0)) callSome(semaphore, 1);",
    "if (waitEnd(result != 0) && result != 0) callSome(semaphore, 1);",
    LANE,
  ),
  memory("who needs no write lock any more passes no turn on", "  else turnServed();", "", LANE),
  memory(
    "a change wakes nobody who waits for the write lock",
    "  let result = attemptPastDead(what, a, b, c, d, e, f);\n  if (result != BUSY) return result;",
    "  let result = attempt(what, a, b, c, d, e, f);\n  if (result != BUSY) return result;",
    LANE,
  ),
  turn(
    "a turn that came while the lock was taken stands for ever",
    "  if (turn != 0 && !isOfAnother(turn)) swap64",
    "  if (turn != 0 && turn != self && !isOfAnother(turn)) swap64",
    LANE,
    "crash/crash",
  ),
  lock(
    "who gives up waiting keeps others out",
    "  wake(lock, mode == SHARED ? lockForgo(lock) : lockCancel(lock));",
    "",
    LANE,
    "core/hosted-lock",
  ),
  lock("a release calls nobody", "  if ((who & FLAG_WAKE_EXCLUSIVE) != 0) callNext(lock);", "", LANE),
  signal(
    "who gives up a claim calls nobody",
    "  if (claims && semaphoreUnclaim(semaphore) != 0) callSome(semaphore, signalValue(semaphore));",
    "  if (claims) semaphoreUnclaim(semaphore);",
    LANE,
  ),
  signal(
    "two are given and one is called",
    "  if ((result & FLAG_WAKE) != 0) callSome(semaphore, count);",
    "  if ((result & FLAG_WAKE) != 0) callSome(semaphore, 1);",
    LANE,
  ),
  latest("a new value wakes nobody", "  if (result != 0) hostedNotify(latestWaiters(latest));", "", LANE),
  ring(
    "an end that is given back wakes nobody",
    "  if (waitersAny(ringWaitersEnds(ring))) hostedNotify(ringWaitersEnds(ring));",
    "",
    LANE,
  ),
  ring(
    "room wakes nobody",
    "  if ((result & FLAG_WAKE) != 0) hostedNotify(ringWaitersRoom(ring));\n  if ((result & FLAG_EMPTY) != 0) return BUSY;",
    "  if ((result & FLAG_EMPTY) != 0) return BUSY;",
    LANE,
  ),
];
