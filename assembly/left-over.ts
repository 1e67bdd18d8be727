/**
 * The heartbeat, and what goes with it: a call of the core that was cut off while its participant lives on. Wait-free.
 *
 * A call has three fates. It returns; its participant dies, which the kernel proves; or it is cut off: the stack overflows in
 * the middle and the program catches that, the engine is told to stop the script (a time limit of `vm`), a trap. Then its
 * stores end before any one of them, as at a death, but its words name a participant that lives, and nobody else may touch
 * them. So it puts them in order itself.
 *
 * A call of the core never calls the host. When one begins, no other of the same opener is running: what an earlier one holds is
 * a left-over. Each file says what it remembers privately of a call that is under way, and what settles it:
 *
 * | word                                  | remembered in              | settled by the next call, and by the heartbeat in |
 * | ------------------------------------- | -------------------------- | ------------------------------------------------- |
 * | write lock, journal,                  | `holding`, `keeping`       | `settleWriteLock`                                 |
 * | an entry that is not published        |                            |                                                   |
 * | sequence of a list or dictionary      | by the segment: `changing` | `settleWriteLock`, which takes the write lock    |
 * | writer of a latest value              | `writing`                  | `settleLatest`                                    |
 * | owner of an end of a ring             | `attaching`                | `settleOwner`                                     |
 * | lock of a shard of a cache            | `holding`                  | `settleCache`                                     |
 * | slot of a queue                       | `movingIn`, `moving`       | `settleQueue`                                     |
 * | word and shared bit of a lock         | by the host: its holds     | `lockSettle`, which the host calls                |
 * | claim of a semaphore                  | by the host: its waits     | `semaphoreUnclaim`, which the host calls          |
 * | slot, creation, adoption, shrinking   | by the host: the kernel    | closing the object, which ends this opener        |
 * |                                       | locks that it holds        |                                                   |
 * | pin of a reader                       | not at all                 | the next read; until then the pin only steers     |
 * | bits of waiters, doorbells            | not at all                 | nothing: one needless ring                        |
 *
 * What a host does in several calls is its own to settle: a transaction, whose body runs between `transactionBegin` and
 * `transactionEnd`, and a claim. A host that cannot see that its code was cut off sees it in the next turn of its event loop,
 * where nothing of it can be on the stack.
 *
 * If a call is cut off while it settles: it is settled again, from the beginning. If the participant dies: as after any call.
 */
import { HEADER_HEARTBEAT_NS_OFFSET, PARTICIPANT_HEARTBEAT_NS_OFFSET } from "../protocol/layout";
import { settleCache } from "./cache-log";
import { selfSlot } from "./instance";
import { settleLatest } from "./latest";
import { settleOwner } from "./owner";
import { selfCheck, slotOffset } from "./participants";
import { settleQueue } from "./queue";
import { store64 } from "./word";
import { settleWriteLock } from "./write-lock";

/** Says that we run; nothing is ever decided by it. And puts in order what calls of ours that were cut off have left. */
export function beat(nowNs: f64): void {
  if (selfCheck() != 0) return;
  settleWriteLock();
  settleLatest();
  settleOwner();
  settleQueue();
  settleCache();
  store64(slotOffset(selfSlot) + PARTICIPANT_HEARTBEAT_NS_OFFSET, u64(nowNs));
  store64(HEADER_HEARTBEAT_NS_OFFSET, u64(nowNs));
}
