import { BUSY } from "../../protocol/errors.js";
import {
  CHECK_BITS,
  CHECK_CHANGING,
  CHECK_FENCE,
  CHECK_FREE_NEIGHBOURS,
  CHECK_LIST,
  CHECK_ORDER,
  CHECK_SIZE,
  CHECK_SUMS,
  HEAP_BLOCKS_OFFSET,
  HEAP_FREE_UNITS_OFFSET,
} from "../../protocol/layout.js";
import { BLOCK_ALIGNMENT_MAX } from "../../protocol/limits.js";
import { flag, integer, options } from "../arguments.js";
import { type Core, isError } from "../core.js";
import { codeName, failure, IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { type Attachment, checkMade, type Lease } from "../segment/attachment.js";
import { Block } from "./block.js";
import { generationAt } from "./generation.js";
import { type BlockList, listBlocks, withHeapStill } from "./walk.js";
import { withWriteLock } from "./write-lock.js";

/** How to allocate a block. */
export interface AllocateOptions {
  /** Fills the block with zeros. Default true. With false, it is faster, and the block contains bytes of an earlier block. */
  zero?: boolean | undefined;
  /** The offset of the block is a multiple of this: a power of two from 8 to 65536. Default 8. */
  alignment?: number | undefined;
}

/** How full a heap is. */
export interface HeapStats {
  /** Bytes of the heap in all, headers included. */
  bytes: number;
  /** Bytes in free blocks. If there are several free blocks, one new block cannot have all of them. */
  free: number;
  /** Bytes in blocks in use, headers included. */
  used: number;
  /** Blocks in use, including those of rings, locks and the directory. */
  blocks: number;
}

/** The result of a check of the heap. */
export interface HeapCheck {
  /** Whether no problem was found. */
  ok: boolean;
  /** The first problem found, if any: its offset from the start of the segment, and its description. */
  problems: { offset: number; what: string }[];
}

/** A heap that is being changed looks damaged for microseconds. So the check is repeated up to this often. */
const CHECK_TURNS = 1000;
/**
 * Damage counts only if this many checks in succession have found it, because some CPUs show plain stores in another order for
 * a moment.
 */
const CHECK_SAME = 3;

const PROBLEMS = new Map<number, string>([
  [
    CHECK_CHANGING,
    "the heap is being changed, or a process died while it changed it; the next allocation repairs that",
  ],
  [CHECK_SIZE, "a block has an impossible size"],
  [CHECK_ORDER, "a block does not refer back to the one before it"],
  [CHECK_FREE_NEIGHBOURS, "two free blocks are neighbours"],
  [CHECK_FENCE, "the blocks do not end at the end of the heap"],
  [CHECK_LIST, "a list of free blocks has a wrong member, or misses one"],
  [CHECK_BITS, "a bitmap contradicts its list"],
  [CHECK_SUMS, "the count of blocks or free bytes is wrong"],
]);

/**
 * Memory of a segment in blocks of any size. A change of the heap that a killed process has not completed is undone.
 *
 * @example
 * ```ts
 * import { MiB, Segment, struct } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * const Node = struct({ key: "u32", next: "u32" });
 * const block = segment.heap.allocate(Node.bytes);
 * block.view(Node).write({ key: 7, next: 0 });
 * segment.root = block;
 * console.log(segment.root.view(Node).get("key"), [...segment.heap.blocks()].length);
 * ```
 */
export class Heap {
  static {
    describe(Heap.prototype, "Heap", ({ stats }) => stats);
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  readonly #lease: Lease;

  /** @internal */
  constructor(lease: Lease) {
    checkMade(lease, "Heap", "nothing: segment.heap is the heap");
    this.#lease = lease;
  }

  get #attachment(): Attachment {
    return this.#lease.attachment;
  }

  /**
   * Takes a block.
   *
   * @param length bytes, 0 to 2^32 - 1
   * @param given whether to fill it with zeros, and its alignment
   * @returns the block
   * @throws {TypeError | RangeError} naming the argument that does not fit
   * @throws {IsthmusError} SEGMENT_FULL when there is no room, saying how much is left; READ_ONLY; CLOSED: the segment was
   *   closed; CORRUPT when the heap is damaged; BUSY when another process had the heap for 5 s; TOO_LARGE in a transaction that
   *   changes too much; EVICTED: this participant was removed
   */
  allocate(length: number, given?: AllocateOptions): Block {
    const block = this.tryAllocate(length, given);
    if (block) return block;
    const { bytes, free } = this.stats;
    throw new IsthmusError(
      "SEGMENT_FULL",
      `a block of ${length} bytes was asked for; of the ${bytes} bytes of the heap ${free} are free, the largest piece has ` +
        `about ${this.#attachment.core.heapLargest() >>> 0}. Free blocks, or create a larger segment; tryAllocate gives ` +
        "undefined instead of this error",
    );
  }

  /**
   * As `allocate`, for programs that go on without the block when the segment is full.
   *
   * @param length bytes, 0 to 2^32 - 1
   * @param given whether to fill it with zeros, and its alignment
   * @returns undefined when there is no room
   * @throws as `allocate`, but for SEGMENT_FULL
   */
  tryAllocate(length: number, given?: AllocateOptions): Block | undefined {
    integer("length", length, 0, 2 ** 32 - 1);
    const { zero, alignment = 8 } = options<AllocateOptions>("options", given, ["zero", "alignment"]);
    integer("alignment", alignment, 8, BLOCK_ALIGNMENT_MAX);
    if ((alignment & (alignment - 1)) !== 0)
      throw new RangeError(`alignment must be a power of two, got ${alignment}`);
    const attachment = this.#attachment;
    attachment.check(true);
    const zeroed = flag("zero", zero, true) ? 1 : 0;
    let offset = attachment.core.heapAllocate(length, alignment, zeroed) >>> 0;
    if (offset === BUSY) offset = this.#allocateLater(length, alignment, zeroed);
    else attachment.passOn();
    if (!isError(offset)) {
      return new Block(this.#lease, offset, length, generationAt(attachment, offset));
    }
    if (codeName(offset) === "SEGMENT_FULL") return undefined;
    throw failure(offset, "allocating a block failed: the heap is damaged, or the transaction is too large");
  }

  /** Waits for the write lock. A method of its own, so that `allocate` makes no closure when the lock is free. */
  #allocateLater(length: number, alignment: number, zeroed: number): number {
    const attachment = this.#attachment;
    return withWriteLock(attachment, "allocating", () =>
      attachment.core.heapAllocate(length, alignment, zeroed),
    );
  }

  /**
   * The block in use whose bytes begin at an offset: one that another process has passed on, for example.
   *
   * @param offset bytes from the start of the segment, 0 to 2^32 - 1
   * @returns undefined when there is none, also for the offset of a ring, a lock or another named object
   * @throws {TypeError | RangeError} when the offset is no such number
   * @throws {IsthmusError} CLOSED: the segment was closed
   */
  blockAt(offset: number): Block | undefined {
    integer("offset", offset, 0, 2 ** 32 - 1);
    const attachment = this.#attachment;
    attachment.check(false);
    for (let turn = 0; turn < CHECK_SAME; turn++) {
      const bytes = attachment.core.heapBlockBytes(offset) >>> 0;
      if (bytes === 0) return undefined;
      const generation = generationAt(attachment, offset);
      if (generation % 2 === 0) return undefined;
      // The block was freed and its place allocated again between the two loads.
      if (attachment.core.heapBlockBytes(offset) >>> 0 !== bytes) continue;
      return new Block(this.#lease, offset, bytes, generation);
    }
    return undefined;
  }

  /**
   * The blocks in use, in the order of their offsets: those that `allocate` returned in any process, and not the rings, locks
   * and other named objects (see `segment.objects()`). The list is that of one moment, also while others change the heap; the
   * iterator leaves out a block that was freed since. Takes time in proportion to the number of blocks.
   *
   * @returns an iterator; each block has its `offset`, `byteLength` and `layout`
   * @throws {IsthmusError} CLOSED: the segment was closed; CORRUPT when the heap is damaged; BUSY when another process had the
   *   heap for 5 s, or for a read-only opener when the heap was changed all the time
   */
  blocks(): IterableIterator<Block> {
    this.#attachment.check(false);
    return this.#blocksOf(listBlocks(this.#attachment));
  }

  *#blocksOf({ offsets, generations }: BlockList): Generator<Block, void, undefined> {
    for (const [index, offset] of offsets.entries()) {
      const block = this.blockAt(offset);
      if (block?.generation === generations[index]) yield block;
    }
  }

  /**
   * Walks the whole heap without a lock, also while others change it, and says what is wrong where. Takes time in proportion
   * to the number of blocks. When others change it all the time, or in a long transaction, the check waits for the write lock as
   * `allocate` does; that of a read-only opener says that the heap is being changed.
   *
   * @returns the first problem, if there is one
   * @throws {IsthmusError} CLOSED: the segment was closed
   */
  check(): HeapCheck {
    const attachment = this.#attachment;
    const { core, readOnly, transaction } = attachment;
    attachment.check(false);
    let found = checkUnlocked(core);
    if (found === CHECK_CHANGING && !readOnly && !transaction) found = checkLocked(attachment);
    if (found === 0) return { ok: true, problems: [] };
    const what = PROBLEMS.get(found) ?? `problem ${found}`;
    return { ok: false, problems: [{ offset: core.heapCheckOffset.value >>> 0, what }] };
  }

  /** How full it is now. @throws {IsthmusError} CLOSED: the segment was closed */
  get stats(): HeapStats {
    this.#attachment.check(false);
    const { u32, core } = this.#attachment;
    const bytes = (core.heapEnd.value >>> 0) - (core.payload.value >>> 0);
    const free = u32[HEAP_FREE_UNITS_OFFSET >>> 2] * 8;
    return { bytes, free, used: bytes - free, blocks: u32[HEAP_BLOCKS_OFFSET >>> 2] };
  }
}

/** 0, or CHECK_… as long as nobody changes the heap meanwhile. */
function checkUnlocked(core: Core): number {
  let found = CHECK_CHANGING;
  for (let turn = 0, same = 0; turn < CHECK_TURNS && same < CHECK_SAME; turn++) {
    const before = found;
    found = core.heapCheck();
    if (found === 0) return 0;
    if (found === CHECK_CHANGING) same = 0;
    else same = found === before ? same + 1 : 1;
  }
  return found;
}

/** The same while nobody else can change the heap; CHECK_CHANGING when somebody has it for too long. */
function checkLocked(attachment: Attachment): number {
  try {
    return withHeapStill(attachment, "checking the heap", () => attachment.core.heapCheck());
  } catch (error) {
    if (error instanceof IsthmusError) return CHECK_CHANGING;
    throw error;
  }
}
