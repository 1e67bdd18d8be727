/** What the hosted core offers beside the functions of the plain one: for hosts that block. */

export {
  hostedLatestBegin,
  hostedLatestCommit,
  hostedLatestPeek,
  hostedLatestRead,
  hostedLatestValidate,
  hostedLatestWait,
  hostedLatestWrite,
} from "./latest";
export {
  hostedLockAcquire,
  hostedLockDowngrade,
  hostedLockNest,
  hostedLockRelease,
  hostedLockUpgrade,
  lockHeld,
} from "./lock";
export {
  hostedAllocate,
  hostedFree,
  hostedSetLayout,
  hostedSetRoot,
  hostedTransactionBegin,
  hostedTransactionEnd,
  hostedWriteLockTake,
} from "./memory";
export {
  hostedRingAbandonProducer,
  hostedRingAttach,
  hostedRingCloseConsumer,
  hostedRingCloseProducer,
  hostedRingCommit,
  hostedRingPublish,
  hostedRingReceive,
  hostedRingRelease,
  hostedRingRoom,
  recordAt,
  recordLength,
  room,
} from "./ring";
export {
  hostedEnter,
  hostedEnterReadOnly,
  hostedLeave,
  hostedNotify,
  hostedOpen,
} from "./session";
export {
  hostedCounterAdd,
  hostedEventSet,
  hostedEventWait,
  hostedSemaphoreAcquire,
  hostedSemaphoreRelease,
} from "./signal";
export { hostedSpins } from "./wait";
