/** Bugs in ts/segment. */
import { type Bug, inSource } from "../bug.js";

const attachment = inSource("ts/segment/attachment.ts");
const beginning = inSource("ts/segment/life/beginning.ts");
const coreOpening = inSource("assembly/opening.ts");
const coreParticipants = inSource("assembly/participants.ts");
const coreDirectory = inSource("assembly/directory.ts");
const directory = inSource("ts/segment/directory.ts");
const file = inSource("ts/segment/life/file.ts");
const header = inSource("ts/segment/header.ts");
const kernelLocks = inSource("ts/segment/life/kernel-locks.ts");
const join = inSource("ts/segment/life/join.ts");
const layouts = inSource("ts/segment/layouts.ts");
const leave = inSource("ts/segment/life/leave.ts");
const list = inSource("ts/segment/list.ts");
const location = inSource("ts/segment/location.ts");
const open = inSource("ts/segment/life/open.ts");
const options = inSource("ts/segment/options.ts");
const remove = inSource("ts/segment/life/remove.ts");
const replace = inSource("ts/segment/life/replace.ts");
const knownSegments = inSource("ts/segment/known.ts");
const objectAwaited = inSource("ts/segment/object-awaited.ts");
const opening = inSource("ts/segment/opening.ts");
const segment = inSource("ts/segment/segment.ts");
const softReference = inSource("ts/segment/soft-reference.ts");
const temporary = inSource("ts/segment/life/temporary.ts");
const waitFor = inSource("ts/segment/life/wait-for.ts");

export const BUGS: Bug[] = [
  attachment(
    "every buffer of the same length lies over the same memory",
    "same = same && Atomics.load(other, 0) === written >>> 0",
    "same = same && (Atomics.load(other, 0) === written >>> 0 || true)",
    "ts/memory/root",
  ),
  attachment(
    "who is told that it is its turn is not woken",
    "if (bell % 4 === 0 && bell < this.bytes) native.wake(this.region.object, bell);",
    "void native;",
    "ts/memory/turns > a thread whose turn comes wakes",
  ),
  leave(
    "a process waits at its exit for a creator that is stopped",
    "LAST_LEAVE_TIMEOUT_MS : LEAVE_TIMEOUT_MS",
    "LAST_LEAVE_TIMEOUT_MS : 50_000",
    "ts/segment/opening > a segment is closed, and its slot is free",
  ),
  attachment(
    "the waits of a reader go on when it closes",
    "for (const part of [...this.parts]) part.close();\n    this.closed = true;",
    "this.closed = true;",
    "ts/wait/ends",
  ),
  leave(
    "a stream counts as complete when its environment ends",
    "if (abandoned && part.abandon) part.abandon();\n    else part.close();",
    "part.close();",
    "failures/exits > a consumer is told of a producer",
  ),
  attachment(
    "closing that was cut off does not go on",
    "this.region.begins(() => this.close(abandoned));",
    "void abandoned;",
    "processes/cut-off-steps > in front of any step: name, leave",
  ),
  join(
    "a participant does not say which process it is",
    "core.join(slot, pid, runtime, nowNs());",
    "core.join(slot, 0, runtime, nowNs());",
    "cli/segments > inspect shows header",
    "cli/inspect > locks with their holders",
  ),
  coreOpening(
    "a segment of another size is completed as it was begun",
    "if (!isFile) return NEXT_REMOVE;",
    "",
    "core/opening",
  ),
  coreParticipants(
    "who joins tries a slot that says LIVE before those that are free",
    "watchSlot(slot) == second",
    "watchSlot(slot) != second",
    "core/hosted.test > hosts take the first free slot",
  ),
  kernelLocks(
    "removing its own name that was cut off keeps the lock",
    "if (isOpen) region.begins(letGo);",
    "",
    "processes/cut-off-steps > in front of any step: name, unlinkMine",
  ),
  location(
    "who may not remove a segment is not told whose it is",
    "refusedAdvice: (error) => namedAdvice(valid, error)",
    "refusedAdvice: () => undefined",
    "failures/system-limits > whoever may write into a segment of another user",
  ),
  open(
    "a quota that is used up is said to be a full disk",
    '"EFBIG", "EDQUOT", "ENOMEM"',
    '"EFBIG"',
    "failures/refused-calls > a limit that has nothing to do with the room",
  ),
  open(
    "an opening that was cut off is in the way of the next one",
    "settleAll();",
    "void settleAll;",
    "processes/cut-off-steps > in front of any step: name, create",
  ),
  attachment(
    "a read-only opener may write",
    "if (writing && this.readOnly) {",
    "if (writing && this.readOnly === undefined) {",
    "ts/memory/heap.test > a read-only opener reads copies",
  ),
  coreOpening(
    "a file that is no segment is taken for one",
    "return magic != MAGIC && magic != 0;",
    "return false;",
    "core/opening",
  ),
  beginning(
    "of two looks the second one sees what the first one has seen",
    "page.bytes.set(first);",
    "if (page.bytes[0] === 0) page.bytes.set(first);",
    "ts/segment/temporary > a new generation under the name",
  ),
  temporary(
    "a temporary segment stays after its last holder",
    "attachment.afterLeave = ({ region }) => removeAsWriter(region);",
    "attachment.afterLeave = ({ region }) => void region;",
    "ts/segment/temporary > the name goes when the last one closes",
  ),
  coreDirectory(
    "an object may end beyond its segment",
    "u64(object) + bytes > u64(heapEnd)",
    "bytes > u64(heapEnd)",
    "ts/segment/open-steps > an object whose entry leads out",
  ),
  coreDirectory(
    "an object may begin before its entry",
    "if (object < u32(entry) ||",
    "if (",
    "failures/directory",
  ),
  coreDirectory(
    "an object may have fewer bytes than its parameters say",
    "load<u64>(entry + ENTRY_OBJECT_BYTES_OFFSET) == bytes ? object : CORRUPT",
    "object",
    "failures/directory",
  ),
  coreDirectory(
    "the version of a layout is not compared",
    "load<u32>(entry + ENTRY_VERSION_OFFSET) != version",
    "version == 0",
    "ts/segment/object-versions",
  ),
  directory(
    "an object of another version is read as if it were ours",
    "known?.version === versionOf(attachment, entry) ? known : undefined",
    "known",
    "ts/segment/object-versions",
  ),
  directory(
    "a name may be half a pair",
    "if (/\\p{Surrogate}/u.test(name))",
    'if (name === "")',
    "failures/texts",
  ),
  file(
    "no flush between the smaller size and the truncation",
    "native.flush(region.object);\n    region.unmap();",
    "region.unmap();",
    "ts/segment/opening > the smaller size is on the disk",
  ),
  file(
    "a file with holes is mapped",
    'allocate(region, path, `bringing all of file "${path}" to the disk`, bytes);',
    "",
    "ts/segment/file-failures",
  ),
  file(
    "a file that begins with zeros is taken",
    ".every((byte) => byte === 0)) return false;",
    ".every((byte) => byte >= 0)) return false;",
    "ts/segment/file.test > a file that is something else",
  ),
  header(
    "a stalled participant is not seen",
    "now - heartbeat.getTime() > STALLED_MS",
    "now - heartbeat.getTime() > 1e12",
    "failures/liveness > a consumer that was stopped for long",
  ),
  header(
    "an evicted participant is called dead",
    'word === SLOT_EVICTED ? "evicted" : "dead"',
    'word === SLOT_EVICTED ? "dead" : "dead"',
    "failures/eviction",
  ),
  kernelLocks(
    "openers wait 10 ms for a creator",
    "CREATION_TIMEOUT_MS = 10_000;",
    "CREATION_TIMEOUT_MS = 10;",
    "ts/segment/opening > openers wait for one that creates",
  ),
  kernelLocks(
    "a name is removed without the lock of creation",
    "retryUntil(wanted, () => takeForRemoval(region));",
    "retryUntil(wanted, () => takeForRemoval(region) || true);",
    "processes/host-steps/host-steps > another process acts between any two steps of unlink",
  ),
  layouts(
    "a description that does not fit its hash is shown",
    "return fnv1a(text) === hash ? text : undefined;",
    "return text;",
    "ts/segment/layouts",
  ),
  list(
    "the prefix is not looked at",
    "name.startsWith(prefix)",
    "name.startsWith(prefix.slice(0, 0))",
    "ts/segment/list-prune",
  ),
  list(
    "nobody is said to use a segment",
    "const inUse = region.held(KERNEL_LOCK_HOLDERS);",
    "const inUse = region.held(KERNEL_LOCK_HOLDERS) && false;",
    "ts/segment/segment",
  ),
  location(
    "a handle of a process that has ended gets no advice",
    "if (status === NOT_FOUND)\n",
    "if (status < 0)\n",
    "ts/segment/handle > the maker may end",
    "ts/segment/handle > a handle of a closed segment",
  ),
  location(
    "a segment that is absent is called damage",
    "notFoundAdvice: TO_CREATE,",
    'notFoundAdvice: "",',
    "arguments/files",
  ),
  open(
    "the size is not looked at again after joining",
    "return linked && bytes === attachment.u8.length;",
    "return linked && bytes > 0;",
    "ts/segment/opening > a segment whose size or name changed",
  ),
  open(
    "the name is not looked at again after joining",
    "return linked && bytes === attachment.u8.length;",
    "return bytes === attachment.u8.length;",
    "ts/segment/opening > a segment whose size or name changed",
  ),
  open(
    "the owner is not looked at again after joining",
    "const { linked, bytes } = checkOwner(region, location);",
    "const { linked, bytes } = region.info();",
    "ts/segment/opening > a segment whose size or name changed",
  ),
  open(
    "the owner is not looked at",
    'if (owner === "any" || info.owner === owner',
    "if (owner !== undefined || info.owner === owner",
    "arguments/files",
  ),
  open(
    "a creation that failed leaves its file",
    "if (!location.ownedByUser || region.info().created) region.remove();",
    "if (location === undefined) region.remove();",
    "failures/lifetime > memory is taken at creation",
    "ts/segment/file-failures > a file that this very call has made",
  ),
  coreOpening(
    "fewer participants than asked for pass",
    "bytes < wantedBytes || participants < wantedSlots ?",
    "bytes < wantedBytes ?",
    "core/opening",
  ),
  options(
    "any name is taken",
    "if (!ALLOWED.test(name))",
    'if (name === "")',
    "arguments/arguments > names that not every system takes",
  ),
  options(
    "a size is rounded down",
    "Math.ceil(bytes / PAGE_BYTES)",
    "Math.floor(bytes / PAGE_BYTES)",
    "ts/segment/segment",
  ),
  remove(
    "what is held is pruned",
    "if (!isFree || !isSegment(region)) return false;",
    "if (isFree === undefined || !isSegment(region)) return false;",
    "ts/segment/list-prune",
  ),
  remove(
    "a dry run removes",
    "return dryRun ? region.info().linked : region.remove();",
    "return dryRun ? region.remove() : region.remove();",
    "ts/segment/list-prune",
  ),
  remove(
    "a segment is pruned whatever its age",
    "if (olderThanMs > 0 &&",
    "if (olderThanMs < 0 &&",
    "ts/segment/list-prune",
  ),
  replace(
    "the descriptor of the replaced segment stays open",
    "old?.close();",
    "",
    "ts/segment/opening > replacing a name leaves",
  ),
  replace(
    "a replaced segment is not marked",
    "if (old) markStale(old);",
    "if (!old) markStale(attachment.region);",
    "ts/segment/replace",
  ),
  coreOpening("the generation stays", "f64(generation + 1) : 1", "f64(generation) : 1", "core/opening"),
  opening(
    "a file that is opened for reading is created",
    "const creation = readOnly ? undefined : wanted;",
    "const creation = wanted;",
    "ts/segment/file.test",
  ),
  opening(
    "a segment that is waited for is taken from whomever",
    "namedLocation(name, namespaceOf(given), isReadOnly(given), ownerOf(given))",
    'namedLocation(name, namespaceOf(given), isReadOnly(given), "any")',
    "ts/segment/open-steps > an owner that changes while it is opened",
  ),
  objectAwaited(
    "an object that appears wakes nobody who waits for it",
    "waiters: DIRECTORY_WAITERS_OFFSET,",
    "waiters: DIRECTORY_WAITERS_OFFSET + 4096,",
    "processes/wakeups/wakeups.test",
  ),
  objectAwaited(
    "each call that waits for an object looks for it again and again",
    "    version: () => lease.attachment.core.directoryCount(),",
    "",
    "ts/wait/many > however many wait for an object",
  ),
  segment("a segment can be used after close", "this.#attachment.close();", "", "ts/segment/segment"),
  knownSegments(
    "a segment of other bytes is found by a view",
    "if (!found || found.attachment.closed) return undefined;",
    "if (!found) return undefined;",
    "ts/segment/view-lifetime",
  ),
  softReference(
    "an end that nobody refers to stays",
    "if (this.#strong) this.#weak = new WeakRef(this.#strong);\n    this.#strong = undefined;",
    "if (this.#strong) this.#weak = new WeakRef(this.#strong);",
    "failures/closing > a forgotten segment is closed",
  ),
  waitFor(
    "a signal that was aborted before is ignored",
    "if (signal?.aborted) throw signal.reason;",
    "",
    "ts/segment/opening",
  ),
  waitFor(
    "it never gives up",
    "if (left <= 0) {",
    "if (left <= 0 && pause < 0) {",
    "ts/segment/wait-for > read-write: timers go on",
  ),
];
