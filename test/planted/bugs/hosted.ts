/** Bugs in assembly/hosted, the rules for hosts that block. */
import { type Bug, inSource } from "../bug.js";

const latest = inSource("assembly/hosted/latest.ts");
const lock = inSource("assembly/hosted/lock.ts");
const memory = inSource("assembly/hosted/memory.ts");
const ring = inSource("assembly/hosted/ring.ts");
const session = inSource("assembly/hosted/session.ts");
const signal = inSource("assembly/hosted/signal.ts");
const wait = inSource("assembly/hosted/wait.ts");

export const BUGS: Bug[] = [
  latest(
    "a writer does not wait for a living one",
    "if (sysNow() >= end) return BUSY;",
    "if (sysNow() >= 0) return BUSY;",
    "core/hosted-latest",
  ),
  latest(
    "nobody is told of a newer value",
    "if (result != 0) hostedNotify(latestWaiters(latest));",
    "",
    "core/hosted-latest",
  ),
  lock(
    "who has the lock waits for itself",
    "return timeoutMs < 0 ? BUSY : DEADLOCK;",
    "return BUSY;",
    "core/hosted-lock",
  ),
  lock(
    "a claim that was given up stays",
    "wake(lock, mode == SHARED ? lockForgo(lock) : lockCancel(lock));",
    "",
    "core/hosted-lock",
  ),
  lock(
    "an upgrade leaves the shared hold counted",
    "if (told < u32(RESULT_ERRORS)) lockHeld -= 1 << SHARED_SHIFT;",
    "",
    "core/hosted-lock",
  ),
  memory(
    "a transaction begins although a death is not repaired",
    "if (!nested && (told & LOCK_OWNER_DIED) != 0) {",
    "if (nested && (told & LOCK_OWNER_DIED) != 0) {",
    "core/hosted-memory",
  ),
  memory(
    "a transaction that cannot begin keeps its lock",
    "  hostedLockRelease(lock, lockHeld, false);\n  return result == BUSY",
    "  return result == BUSY",
    "core/hosted-memory",
  ),
  memory(
    "the end of a transaction keeps its lock",
    "const released = hostedLockRelease(lock, held, false);",
    "const released: u32 = 0;",
    "core/hosted-memory",
  ),
  ring(
    "a producer that waits is not told of room",
    "hostedNotify(ringWaitersRoom(ring));\n  if ((result & FLAG_EMPTY)",
    "recordLength = 0;\n  if ((result & FLAG_EMPTY)",
    "core/hosted-ring",
  ),
  ring(
    "the time of sending is noted only when somebody is woken",
    "const stamped = (after ^ (after - records)) >= STAMP_RECORDS;",
    "const stamped = false;",
    "core/hosted-ring",
  ),
  ring(
    "the death of a consumer is not noticed",
    "if (next == RECHECK && ringConsumerState(ring) == END_LIVE) suspectGone();",
    "",
    "core/hosted-ring",
  ),
  session(
    "who leaves beside a creator calls the segment clean",
    "leave(alone);",
    "leave(true);",
    "core/hosted.test",
  ),
  session(
    "the kernel lock of a slot stays",
    "sysLock(KERNEL_LOCK_PARTICIPANTS + selfSlot, 0);",
    "",
    "core/hosted.test",
  ),
  session(
    "a living one is marked dead",
    "if (sysHeld(KERNEL_LOCK_PARTICIPANTS + slot) != 0) return false;",
    "",
    "core/hosted.test",
  ),
  signal(
    "who leaves with an error keeps its call",
    "if (waitEnd(result != 0)) callSome(semaphore, 1);",
    "if (waitEnd(result != 0) && result == 0) callSome(semaphore, 1);",
    "core/hosted-signal",
  ),
  signal(
    "an event that was signaled and reset is missed",
    "while (!eventPasses(event, begin)) {",
    "while (!eventPasses(event, signalValue(event))) {",
    "core/hosted-signal",
  ),
  wait(
    "a thread sleeps longer than its time",
    "min(left, f64(RECHECK_MS))",
    "f64(RECHECK_MS)",
    "core/hosted-ring",
  ),
  wait("a blocked thread gives no sign of life", "  heartbeat();\n", "", "core/hosted-ring"),
  wait(
    "who only reads arms its bit",
    "if (!readOnly) return arm();",
    "if (state == SPINNING) return arm();",
    "core/hosted-signal",
  ),
];
