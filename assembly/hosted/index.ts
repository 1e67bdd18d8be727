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
  hostedOpen,
  hostedSetLayout,
  hostedSetRoot,
  hostedTransactionBegin,
  hostedTransactionEnd,
  hostedWriteLockRelease,
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
export { hostedEnter, hostedEnterReadOnly, hostedLeave, hostedNotify } from "./session";
export {
  hostedCounterAdd,
  hostedEventSet,
  hostedEventWait,
  hostedSemaphoreAcquire,
  hostedSemaphoreRelease,
} from "./signal";
export { hostedSpins } from "./wait";
