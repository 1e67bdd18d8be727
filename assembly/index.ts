/** The functions that the core exports to hosts. The modules document each function. */

export { adopt, shrink } from "./adopt";
export {
  broadcastAttach,
  broadcastBegin,
  broadcastCapacity,
  broadcastClaim,
  broadcastClose,
  broadcastEnd,
  broadcastFollowing,
  broadcastFound,
  broadcastIsWhole,
  broadcastNext,
  broadcastNumber,
  broadcastPayloadMax,
  broadcastPublish,
  broadcastSent,
  broadcastStamp,
  broadcastState,
  broadcastWaiters,
  broadcastWaitersEnds,
} from "./broadcast";
export {
  cacheAbort,
  cacheAdd,
  cacheBytesMax,
  cacheClaim,
  cacheClear,
  cacheCommit,
  cacheDelete,
  cacheFind,
  cacheFound,
  cacheGet,
  cacheIsWhole,
  cacheKey,
  cacheKeyBegin,
  cacheKeyEnd,
  cacheKeyWord,
  cacheNumber,
  cacheReserve,
  cacheSeed,
  cacheWaiters,
  cacheWalk,
} from "./cache";
export { cacheCount } from "./cache-count";
export { cacheBuckets, cacheShards } from "./cache-log";
export { dictDelete, dictFind, dictNext, dictSet } from "./dict";
export { directoryCount, objectCheck, objectOpen } from "./directory";
export { heapLook } from "./heap";
export { heapCheck, heapCheckOffset } from "./heap-check";
export { directoryOffset, heapEnd, participants, payload } from "./instance";
export {
  latestAbort,
  latestBegin,
  latestCommit,
  latestKept,
  latestPeek,
  latestRead,
  latestReadVersion,
  latestValidate,
  latestVersion,
  latestWaiters,
  latestWrite,
} from "./latest";
export { beat } from "./left-over";
export { listItem, listPop, listPush, listSet } from "./list";
export {
  lockCall,
  lockCancel,
  lockDowngrade,
  lockExclusive,
  lockForgo,
  lockJoin,
  lockMarkConsistent,
  lockReleaseExclusive,
  lockReleaseShared,
  lockSettle,
  lockShared,
  lockState,
  lockUpgrade,
  lockWaitersExclusive,
  lockWaitersShared,
} from "./lock";
export {
  heapAllocate,
  heapBlockBytes,
  heapFree,
  heapLargest,
  heapLayout,
  heapNext,
  heapRoot,
  heapSetLayout,
  heapSetRoot,
} from "./memory";
export {
  openingBytes,
  openingGeneration,
  openingLook,
  openingNext,
  openingTemporary,
  openingZeros,
} from "./opening";
export { ownerGone, ownerJudgedHigh, ownerJudgedLow, ownerKept } from "./owner";
export { ringSpread } from "./packed";
export {
  answers,
  blockedBell,
  doorbell,
  join,
  leave,
  markDead,
  scratch,
  selfCheck,
  slotAfter,
  slotToTry,
  suspectSlot,
  watchSlot,
} from "./participants";
export {
  queueCancel,
  queueClaim,
  queueDone,
  queueGiveBack,
  queueHeld,
  queueLeave,
  queueSend,
  queueSettle,
  queueShare,
  queueTake,
  queueValue,
  queueWaiters,
  queueWaitersRoom,
} from "./queue";
export {
  valueAcquire,
  valueMake,
  valueRelease,
  valueSetRoot,
  valuesLeave,
  valuesPending,
  valuesSettle,
} from "./reclaim";
export {
  ringAbandonProducer,
  ringAttachConsumer,
  ringAttachProducer,
  ringCapacity,
  ringClaim,
  ringCloseConsumer,
  ringCloseProducer,
  ringCommit,
  ringConsumerDied,
  ringConsumerReported,
  ringConsumerState,
  ringData,
  ringEnd,
  ringProducerReported,
  ringProducerState,
  ringPublish,
  ringReady,
  ringReadyRecords,
  ringReceive,
  ringRelease,
  ringResume,
  ringRoom,
  ringStage,
  ringStamp,
  ringWaitersData,
  ringWaitersEnds,
  ringWaitersRoom,
} from "./ring";
export { countDrop, create, isStale, markStale, validate } from "./segment";
export { valueLook } from "./sequence";
export {
  serviceAgain,
  serviceAnswer,
  serviceClaim,
  serviceForget,
  serviceGiveBack,
  serviceIsCancelled,
  serviceLeave,
  serviceQueue,
  serviceResponse,
  serviceResult,
  serviceRing,
  serviceSend,
  serviceSettle,
  serviceSlotBytes,
  serviceTake,
  serviceWaiters,
  serviceWaitersRequests,
  serviceWaitersRoom,
} from "./service";
export {
  counterAdd,
  counterCompareExchange,
  counterExchange,
  counterValue,
  eventPasses,
  eventSet,
  semaphoreCall,
  semaphoreClaim,
  semaphoreRelease,
  semaphoreTry,
  semaphoreUnclaim,
  signalValue,
  signalWaiters,
} from "./signal";
export { turnLeave, turnPass, turnServed } from "./turn";
export { valueCount, valuesLinks } from "./values";
export {
  waitersAny,
  waitersArm,
  waitersBlock,
  waitersCall,
  waitersDisarm,
  waitersTake,
  waitersUnblock,
} from "./waiters";
export {
  transactionBegin,
  transactionEnd,
  transactionNote,
  writeLockRelease,
  writeLockState,
  writeLockTake,
} from "./write-lock";
