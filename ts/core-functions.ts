/**
 * The exports of an instance of the core, as one object of one shape.
 *
 * What is called often, or whenever a segment is opened, is a property. All other functions are in a table of the instance (see
 * `scripts/core-table.mjs`): an engine makes the object of such a function when it is first asked for, and an instance with
 * fifty exports takes a quarter of the time of one with two hundred. Their getters are two nanoseconds slower than a property.
 */

import type { Core } from "./core.js";
import { coreNames } from "./host/core-bytes.cjs";

/** What the embedded core exports: some functions, its globals, and the table. */
type Exports = Core & { readonly functions: WebAssembly.Table };

class Exported {
  /** Functions of the table that were asked for, at their indexes. */
  readonly asked: unknown[] = [];

  constructor(readonly exports: Exports) {}
}

/** `scripts/complete-dist.mjs` leaves these functions exported, and puts the others into the table. */
export class CoreFunctions extends Exported {
  // Opening, joining and leaving.
  readonly openingTemporary = this.exports.openingTemporary;
  readonly openingLook = this.exports.openingLook;
  readonly openingNext = this.exports.openingNext;
  readonly validate = this.exports.validate;
  readonly slotToTry = this.exports.slotToTry;
  readonly join = this.exports.join;
  readonly leave = this.exports.leave;
  readonly beat = this.exports.beat;
  readonly blockedBell = this.exports.blockedBell;
  readonly scratch = this.exports.scratch;
  readonly answers = this.exports.answers;
  readonly isStale = this.exports.isStale;
  readonly directoryOffset = this.exports.directoryOffset;
  readonly objectOpen = this.exports.objectOpen;

  // Waiting.
  readonly waitersAny = this.exports.waitersAny;
  readonly waitersArm = this.exports.waitersArm;
  readonly waitersDisarm = this.exports.waitersDisarm;
  readonly waitersCall = this.exports.waitersCall;

  // Rings.
  readonly ringClaim = this.exports.ringClaim;
  readonly ringRoom = this.exports.ringRoom;
  readonly ringStage = this.exports.ringStage;
  readonly ringPublish = this.exports.ringPublish;
  readonly ringSpread = this.exports.ringSpread;
  readonly ringCommit = this.exports.ringCommit;
  readonly ringStamp = this.exports.ringStamp;
  readonly ringReceive = this.exports.ringReceive;
  readonly ringReady = this.exports.ringReady;
  readonly ringRelease = this.exports.ringRelease;
  readonly ownerKept = this.exports.ownerKept;
  readonly ownerGone = this.exports.ownerGone;

  // The heap.
  readonly heapAllocate = this.exports.heapAllocate;
  readonly heapFree = this.exports.heapFree;
  readonly heapLayout = this.exports.heapLayout;
  readonly heapBlockBytes = this.exports.heapBlockBytes;
  readonly writeLockTake = this.exports.writeLockTake;
  readonly writeLockRelease = this.exports.writeLockRelease;
  readonly transactionBegin = this.exports.transactionBegin;
  readonly transactionNote = this.exports.transactionNote;
  readonly transactionEnd = this.exports.transactionEnd;

  // Locks.
  readonly lockExclusive = this.exports.lockExclusive;
  readonly lockShared = this.exports.lockShared;
  readonly lockReleaseShared = this.exports.lockReleaseShared;
  readonly lockReleaseExclusive = this.exports.lockReleaseExclusive;

  // Latest values.
  readonly latestBegin = this.exports.latestBegin;
  readonly latestCommit = this.exports.latestCommit;
  readonly latestWrite = this.exports.latestWrite;
  readonly latestRead = this.exports.latestRead;
  readonly latestPeek = this.exports.latestPeek;
  readonly latestValidate = this.exports.latestValidate;
  readonly latestReadVersion = this.exports.latestReadVersion;
  readonly latestVersion = this.exports.latestVersion;

  // Queues, values and caches.
  readonly queueClaim = this.exports.queueClaim;
  readonly queueSend = this.exports.queueSend;
  readonly queueTake = this.exports.queueTake;
  readonly queueDone = this.exports.queueDone;
  readonly dictFind = this.exports.dictFind;
  readonly cacheGet = this.exports.cacheGet;

  // Globals.
  readonly participants = this.exports.participants;
  readonly payload = this.exports.payload;
  readonly heapEnd = this.exports.heapEnd;
  readonly heapCheckOffset = this.exports.heapCheckOffset;
}

/** Gives `CoreFunctions` the functions of the table: all names, in their order. */
function complete(names: readonly string[]): void {
  for (const [index, name] of names.entries()) {
    Object.defineProperty(CoreFunctions.prototype, name, {
      get(this: CoreFunctions) {
        this.asked[index] ??= this.exports.functions.get(index);
        return this.asked[index];
      },
    });
  }
}

let isComplete = false;

/** @param exports of an instance of the embedded core */
export function coreFunctions(exports: WebAssembly.Exports): Core {
  if (!isComplete) complete(coreNames());
  isComplete = true;
  return new CoreFunctions(exports as unknown as Exports) as unknown as Core;
}
