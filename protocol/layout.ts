/**
 * The layout of a segment. No other file defines it: asc and tsc compile this file, and the tables in `docs/protocol.md` and the
 * fingerprint are generated from it. All offsets are in bytes, all words are little-endian.
 *
 *     0        128      256              512        2432             2688           payload_offset        total_size
 *     +--------+--------+----------------+----------+----------------+--------------+---------+-----------+-------+
 *     | header | write  | waiters of the | lists of | waiters of the | participants | journal | directory | heap  |
 *     |        | lock   | directory      | the heap | write lock     | P x 512      |         | E x 128   |       |
 *     +--------+--------+----------------+----------+----------------+--------------+---------+-----------+-------+
 */

// --- header: field for field what a C compiler makes of the struct in docs/protocol.md ---------------------------

/** "ISTH" in memory order. */
export const MAGIC = 0x48545349;
/** Version of the protocol. */
export const ABI_VERSION = 1;

/** u32 */
export const HEADER_MAGIC_OFFSET = 0;
/** u16 */
export const HEADER_ABI_VERSION_OFFSET = HEADER_MAGIC_OFFSET + 4;
/** u16: bytes of the header */
export const HEADER_HEADER_SIZE_OFFSET = HEADER_ABI_VERSION_OFFSET + 2;
/** u32: STATE_… */
export const HEADER_STATE_OFFSET = HEADER_HEADER_SIZE_OFFSET + 2;
/** u64: bytes of the segment */
export const HEADER_TOTAL_SIZE_OFFSET = HEADER_STATE_OFFSET + 8;
/** u64: 1 for a segment with a new name; if it replaced another segment, the generation of that one plus 1 */
export const HEADER_GENERATION_OFFSET = HEADER_TOTAL_SIZE_OFFSET + 8;
/** u64: time of the latest heartbeat of any participant, nanoseconds since 1970 */
export const HEADER_HEARTBEAT_NS_OFFSET = HEADER_GENERATION_OFFSET + 8;
/** u64 */
export const HEADER_PAYLOAD_OFFSET_OFFSET = HEADER_HEARTBEAT_NS_OFFSET + 8;
/** u64 */
export const HEADER_PAYLOAD_SIZE_OFFSET = HEADER_PAYLOAD_OFFSET_OFFSET + 8;
/** The 64 reserved bytes of the header, which contain the fields below. */
export const HEADER_RESERVED_OFFSET = HEADER_PAYLOAD_SIZE_OFFSET + 8;
/** Bytes that the struct in docs/protocol.md calls reserved. */
export const HEADER_RESERVED_BYTES = 64;
/** Bytes of the header. */
export const HEADER_BYTES = HEADER_RESERVED_OFFSET + HEADER_RESERVED_BYTES;

/** u32: LAYOUT_FINGERPRINT of the creator's core */
export const HEADER_FINGERPRINT_OFFSET = HEADER_RESERVED_OFFSET;
/** u32: participant slots */
export const HEADER_PARTICIPANTS_OFFSET = HEADER_FINGERPRINT_OFFSET + 4;
/** u32: directory entries */
export const HEADER_DIRECTORY_ENTRIES_OFFSET = HEADER_PARTICIPANTS_OFFSET + 4;
/** u32: process id of the creator, for display */
export const HEADER_CREATOR_PID_OFFSET = HEADER_DIRECTORY_ENTRIES_OFFSET + 4;
/** u64: time of creation, nanoseconds since 1970 */
export const HEADER_CREATED_NS_OFFSET = HEADER_CREATOR_PID_OFFSET + 4;
/** u32: 1 after a newer generation has taken the name */
export const HEADER_STALE_OFFSET = HEADER_CREATED_NS_OFFSET + 8;
/** u32: openers refused for their ABI version */
export const HEADER_VERSION_MISMATCHES_OFFSET = HEADER_STALE_OFFSET + 4;
/** u32: openers refused for their layout fingerprint */
export const HEADER_LAYOUT_MISMATCHES_OFFSET = HEADER_VERSION_MISMATCHES_OFFSET + 4;
/** u32: openers refused because size or state were wrong */
export const HEADER_REFUSALS_OFFSET = HEADER_LAYOUT_MISMATCHES_OFFSET + 4;
/** u32: participants that died without leaving and were found dead */
export const HEADER_RECOVERIES_OFFSET = HEADER_REFUSALS_OFFSET + 4;
/** u32: records that were not sent, because the timeout of the sender passed or its signal was aborted */
export const HEADER_DROPS_OFFSET = HEADER_RECOVERIES_OFFSET + 4;
/** u32: 1 after the last participant has left, if no slot belonged to a dead one; else 0 */
export const HEADER_CLEAN_OFFSET = HEADER_DROPS_OFFSET + 4;
/** u32: pages that the segment had when it was created; the sizes of journal and directory are computed from it */
export const HEADER_FIRST_PAGES_OFFSET = HEADER_CLEAN_OFFSET + 4;
/** u32: MAGIC_TEMPORARY if the last process that has the segment open removes its name, else 0 */
export const HEADER_TEMPORARY_OFFSET = HEADER_FIRST_PAGES_OFFSET + 4;

/** Lowest bit of `total_size` while the size of a file changes: the heap has the new size, the journal is not yet empty. */
export const SIZE_DECIDED = 1;

/** "TEMP" in memory order. The word has four bytes, so that one damaged byte cannot cause the loss of a name. */
export const MAGIC_TEMPORARY = 0x504d4554;

/** The creation lock is held and the segment is not usable yet. */
export const STATE_INITIALIZING = 0;
/** The segment is complete. */
export const STATE_READY = 1;
/** The segment cannot be used any more. */
export const STATE_BROKEN = 2;

// --- write lock and directory count ------------------------------------------------------------------------------

/** u64: token of the participant that has the write lock, or 0 */
export const SEGMENT_LOCK_OFFSET = 128;
/** u32: published entries of the directory; storing it commits an insert */
export const DIRECTORY_COUNT_OFFSET = SEGMENT_LOCK_OFFSET + 8;
/** u32: the next value of the count. If it is the count plus 1, an entry is committed and not yet published. */
export const DIRECTORY_NEXT_OFFSET = DIRECTORY_COUNT_OFFSET + 4;
/** u64: token of the participant that has the write lock next, or 0; see assembly/turn.ts */
export const WRITE_LOCK_TURN_OFFSET = DIRECTORY_NEXT_OFFSET + 4;
/** u32: how often the write lock was taken; wraps */
export const WRITE_LOCK_GRANTS_OFFSET = WRITE_LOCK_TURN_OFFSET + 8;
/** A set of waiters (see WAITERS_…): the participants that wait for a new object. */
export const DIRECTORY_WAITERS_OFFSET = 256;

// --- waiters: which participants sleep until something changes -----------------------------------------------------

/** u32: bit i is set when word i of the set may have a bit; it is usually 0, and then costs one load */
export const WAITERS_SUMMARY_OFFSET = 0;
/** u32: the slot after the one that was called last, where a call for one begins to look; a hint */
export const WAITERS_NEXT_OFFSET = WAITERS_SUMMARY_OFFSET + 4;
/** u32 each: one bit per participant */
export const WAITERS_WORDS_OFFSET = WAITERS_NEXT_OFFSET + 4;

// --- heap: free blocks in lists by size class, and what every block begins with ------------------------------------------

/** Where the lists of free blocks begin. */
export const HEAP_OFFSET = 512;
/** u32: grows by one with each change of the heap */
export const HEAP_CHANGES_OFFSET = HEAP_OFFSET;
/** u32: free bytes, in units of 8, headers of free blocks included */
export const HEAP_FREE_UNITS_OFFSET = HEAP_CHANGES_OFFSET + 4;
/** u32: blocks in use */
export const HEAP_BLOCKS_OFFSET = HEAP_FREE_UNITS_OFFSET + 4;
/** u32: offset of the root block, or 0 */
export const HEAP_ROOT_OFFSET = HEAP_BLOCKS_OFFSET + 4;
/** u32: bit r is set when row r has a free block */
export const HEAP_ROWS_OFFSET = HEAP_ROOT_OFFSET + 4;
/** u32: odd; generation of the block that was allocated last. It only grows, also when an allocation is undone. */
export const HEAP_GENERATION_OFFSET = HEAP_ROWS_OFFSET + 4;
/** u32 per row: bit c is set when the list of class c has a free block */
export const HEAP_COLUMNS_OFFSET = HEAP_GENERATION_OFFSET + 8;
/** Rows of size classes. Each row begins at twice the size of the row before it. */
export const HEAP_ROWS = 26;
/** Classes per row. */
export const HEAP_COLUMNS = 16;
/** u32 per class: offset of the first free block of the list, or 0 */
export const HEAP_HEADS_OFFSET = HEAP_COLUMNS_OFFSET + 4 * HEAP_ROWS;
export const HEAP_END_OFFSET = HEAP_HEADS_OFFSET + 4 * HEAP_ROWS * HEAP_COLUMNS;
/** A set of waiters: who has waited for the write lock for a while. */
export const WRITE_LOCK_WAITERS_OFFSET = 2432;

/** u32: what the words of shared values mean in this segment: VALUES_VERSION, or 0 before the first value */
export const VALUES_VERSION_OFFSET = 2312;
/** u32: the list or dictionary that is being changed, or 0: a death leaves its sequence odd */
export const VALUES_CHANGING_OFFSET = VALUES_VERSION_OFFSET + 4;
/** u32: the first ledger, or 0 */
export const VALUES_LEDGERS_OFFSET = VALUES_CHANGING_OFFSET + 4;
/** u32: the first value that nobody refers to and that is to be freed, or 0 */
export const VALUES_UNUSED_OFFSET = VALUES_LEDGERS_OFFSET + 4;
/** u32: how often one that others refer to was put into another one, see assembly/values.ts */
export const VALUES_LINKS_OFFSET = VALUES_UNUSED_OFFSET + 4;
/** What the words of shared values mean. A core that knows another version leaves them alone. */
export const VALUES_VERSION = 2;

/** What `heapLook` returns instead of `changes`: somebody is changing the heap. */
export const HEAP_CHANGING = 0xffffffff;

/** u32: offset of the block before it in memory, or 0 */
export const BLOCK_BEFORE_OFFSET = 0;
/** u32: bytes of the block with its header; bit 0: free */
export const BLOCK_SIZE_OFFSET = BLOCK_BEFORE_OFFSET + 4;
/** u32, in free blocks: the next one in the list, or 0 */
export const BLOCK_NEXT_OFFSET = BLOCK_SIZE_OFFSET + 4;
/** u32, in free blocks: the one before it in the list, or 0 */
export const BLOCK_PREVIOUS_OFFSET = BLOCK_NEXT_OFFSET + 4;
/** u32, in blocks in use: hash of the layout that its bytes have, or 0 */
export const BLOCK_LAYOUT_OFFSET = BLOCK_NEXT_OFFSET;
/** u32, in blocks in use: an odd number that no earlier block at this offset had; 0 for named objects and the directory */
export const BLOCK_GENERATION_OFFSET = BLOCK_PREVIOUS_OFFSET;
/** Bytes of the header of a block; the user's bytes follow. */
export const BLOCK_HEADER_BYTES = 16;
/** The smallest block. If fewer bytes would be left over, they stay in the block before them. */
export const BLOCK_BYTES_MIN = 24;
/** Bit of the size: the block is free. */
export const BLOCK_FREE = 1;

/** Result of `heapCheck`: the heap is being changed, or a participant died with the write lock. */
export const CHECK_CHANGING = 1;
/** A block has an impossible size. */
export const CHECK_SIZE = 2;
/** A block does not refer back to the one before it. */
export const CHECK_ORDER = 3;
/** Two free blocks are neighbours. */
export const CHECK_FREE_NEIGHBOURS = 4;
/** The blocks do not end at the fence. */
export const CHECK_FENCE = 5;
/** A list of free blocks has a wrong member, or misses one. */
export const CHECK_LIST = 6;
/** A bitmap contradicts its list. */
export const CHECK_BITS = 7;
/** The counts of blocks or free bytes are wrong. */
export const CHECK_SUMS = 8;

// --- journal: old values of words that the holder of the write lock has changed ---------------------------------------

/** u32: number of valid entries; storing 0 commits */
export const JOURNAL_COUNT_OFFSET = 0;
/** Entries begin here: u32 offset of a word, or of 1 to 3 bytes in it; u32 old value. */
export const JOURNAL_ENTRIES_OFFSET = 8;
/** Bytes of one entry. */
export const JOURNAL_ENTRY_BYTES = 8;

// --- participants ----------------------------------------------------------------------------------------------------

/** Where the slots of participants begin. */
export const PARTICIPANTS_OFFSET = 2688;
/** Bytes of one slot. */
export const PARTICIPANT_BYTES = 512;
/** u64: token of the owner, with its state: SLOT_… */
export const PARTICIPANT_WORD_OFFSET = 0;
/** u32: process id, for display */
export const PARTICIPANT_PID_OFFSET = PARTICIPANT_WORD_OFFSET + 8;
/** u32: RUNTIME_…, for display */
export const PARTICIPANT_RUNTIME_OFFSET = PARTICIPANT_PID_OFFSET + 4;
/** u64: nanoseconds since 1970, for display */
export const PARTICIPANT_JOINED_NS_OFFSET = PARTICIPANT_RUNTIME_OFFSET + 4;
/** u64: nanoseconds since 1970; an old heartbeat means "stalled", never "dead" */
export const PARTICIPANT_HEARTBEAT_NS_OFFSET = PARTICIPANT_JOINED_NS_OFFSET + 8;
/** u32: each wake-up of the owner's event loop adds 1; the event loop watches this word */
export const PARTICIPANT_DOORBELL_OFFSET = 64;
/** u32: each wake-up of the owner's thread while it blocks adds 1; the thread sleeps on this word */
export const PARTICIPANT_BLOCKED_BELL_OFFSET = PARTICIPANT_DOORBELL_OFFSET + 4;
/** u32: 1 while the owner's thread blocks, and notifiers use the second doorbell */
export const PARTICIPANT_BLOCKED_OFFSET = PARTICIPANT_BLOCKED_BELL_OFFSET + 4;
/** Bytes that only the owner writes: additional results of functions of the core (ANSWER_…). */
export const PARTICIPANT_ANSWERS_OFFSET = 128;
/** Bytes for answers. */
export const PARTICIPANT_ANSWERS_BYTES = 64;
/** Bytes that only the owner uses: host and core pass names and small values to each other in them. */
export const PARTICIPANT_SCRATCH_OFFSET = 256;
/** Bytes of the scratch. */
export const PARTICIPANT_SCRATCH_BYTES = 256;

/** The slot has no owner; the next owner gets the next generation. */
export const SLOT_FREE = 0;
/** The owner has joined, and no participant has proved that it died. */
export const SLOT_LIVE = 1;
/** The owner was proved dead: the kernel had released its lock. */
export const SLOT_DEAD = 2;
/** An operator removed the owner. */
export const SLOT_EVICTED = 3;

/** A host that has no number of its own. */
export const RUNTIME_OTHER = 0;
/** Node.js */
export const RUNTIME_NODE = 1;
/** Bun */
export const RUNTIME_BUN = 2;
/** Deno */
export const RUNTIME_DENO = 3;
/** Python */
export const RUNTIME_PYTHON = 4;
/** Go */
export const RUNTIME_GO = 5;
/** Rust */
export const RUNTIME_RUST = 6;
/** C and C++ */
export const RUNTIME_C = 7;
/** Java and other languages of the JVM */
export const RUNTIME_JVM = 8;
/** C# and other languages of .NET */
export const RUNTIME_DOTNET = 9;

// --- tokens: see assembly/token.ts ---------------------------------------------------------------------------------------

/** u64: the generation of the owner begins at this bit … */
export const TOKEN_GENERATION_SHIFT = 32;
/** … its slot at this one, and below it are flags. */
export const TOKEN_SLOT_SHIFT = 16;
/** Mask of the slot, after the shift. */
export const TOKEN_SLOT_MASK = 0xffff;
/** Mask of the flags of an owner word. */
export const TOKEN_FLAGS_MASK = 0xffff;
/** Mask of the state (SLOT_…) in the word of a slot. */
export const TOKEN_STATE_MASK = 3;
/** u32, the short form: the low bits of the generation begin at this bit … */
export const SHORT_TOKEN_GENERATION_SHIFT = 10;
/** … and below it is the slot, or a number. */
export const SHORT_TOKEN_NUMBER_MASK = 0x3ff;

// --- directory -------------------------------------------------------------------------------------------------------

/** Bytes of one entry. */
export const ENTRY_BYTES = 128;
/** u32: OBJECT_… */
export const ENTRY_TYPE_OFFSET = 0;
/** u32: OBJECT_VERSION_… of the core that made the object */
export const ENTRY_VERSION_OFFSET = ENTRY_TYPE_OFFSET + 4;
/** u32: FNV-1a of the name */
export const ENTRY_NAME_HASH_OFFSET = ENTRY_VERSION_OFFSET + 4;
/** u32: bytes of the name */
export const ENTRY_NAME_BYTES_OFFSET = ENTRY_NAME_HASH_OFFSET + 4;
/** u64: bytes of the object */
export const ENTRY_OBJECT_BYTES_OFFSET = ENTRY_NAME_BYTES_OFFSET + 4;
/** u32: where the object begins */
export const ENTRY_OBJECT_OFFSET = ENTRY_OBJECT_BYTES_OFFSET + 8;
/** u32: FNV-1a of type, version and parameters: 6 words of 32 bits */
export const ENTRY_PARAMETERS_HASH_OFFSET = ENTRY_OBJECT_OFFSET + 4;
/** 4 x u32: their meaning depends on the type */
export const ENTRY_PARAMETERS_OFFSET = ENTRY_PARAMETERS_HASH_OFFSET + 4;
/** How many parameters an entry has room for. */
export const ENTRY_PARAMETERS = 4;
/** The name in UTF-8, not terminated. */
export const ENTRY_NAME_OFFSET = ENTRY_PARAMETERS_OFFSET + 16;

/** Parameters: capacity in bytes. */
export const OBJECT_RING = 1;
/** Parameters: value bytes, hash of the layout. */
export const OBJECT_LATEST = 2;

/** Objects, and the parts of an object that different sides write, begin at multiples of this: two cache lines. */
export const OBJECT_ALIGNMENT = 128;

/** No parameters. */
export const OBJECT_LOCK = 3;
/** Parameters: initial value. */
export const OBJECT_SEMAPHORE = 4;
/** Parameters: 1 if the event is created signaled, else 0. */
export const OBJECT_EVENT = 5;
/** No parameters. */
export const OBJECT_COUNTER = 6;
/** Parameters: bytes of the text, hash of the layout that it describes. The object is the text, in UTF-8; users do not see it. */
export const OBJECT_LAYOUT = 7;
/** Parameters: capacity in bytes, hash of the layout or 0. */
export const OBJECT_BROADCAST = 9;
/**
 * Parameters: bytes of the shards, CACHE_EVICT_… with CACHE_OF_…, hash of the layout or 0, milliseconds after which entries
 * expire by default or 0.
 */
export const OBJECT_CACHE = 10;
/** Parameters: capacity in messages, bytes of the largest message, hash of the layout or 0, QUEUE_REDELIVER or QUEUE_DROP. */
export const OBJECT_QUEUE = 8;

/**
 * Parameters: capacity in calls, bytes of the largest request, bytes of the largest response, SERVICE_FAIL or SERVICE_RETRY.
 */
export const OBJECT_SERVICE = 11;

/**
 * A ring. A change of the layout of a kind of object, or of the meaning of a word of it, increments its version. An object of
 * another version is refused, and everything else in the segment can be used.
 */
export const OBJECT_VERSION_RING = 3;
/** A latest value. */
export const OBJECT_VERSION_LATEST = 1;
/** A lock. */
export const OBJECT_VERSION_LOCK = 1;
/** A semaphore. */
export const OBJECT_VERSION_SEMAPHORE = 1;
/** An event. */
export const OBJECT_VERSION_EVENT = 1;
/** A counter. */
export const OBJECT_VERSION_COUNTER = 1;
/** A description of a layout. */
export const OBJECT_VERSION_LAYOUT = 1;
/** A queue. */
export const OBJECT_VERSION_QUEUE = 2;
/** A broadcast. */
export const OBJECT_VERSION_BROADCAST = 1;
/** A cache. */
export const OBJECT_VERSION_CACHE = 1;
/** A service. */
export const OBJECT_VERSION_SERVICE = 1;

// --- ring ------------------------------------------------------------------------------------------------------------

/** u64: position up to which records are published. Only the producer writes it. */
export const RING_HEAD_OFFSET = 0;
/** u64: records published */
export const RING_SENT_OFFSET = RING_HEAD_OFFSET + 8;
/** u64: payload bytes published */
export const RING_SENT_BYTES_OFFSET = RING_SENT_OFFSET + 8;
/** u64: nanoseconds since 1970 */
export const RING_LAST_SENT_NS_OFFSET = RING_SENT_BYTES_OFFSET + 8;
/** u64: position up to which the producer may overwrite bytes. Only the consumer writes it. */
export const RING_TAIL_OFFSET = 128;
/**
 * u64: position up to which records were taken; at most RING_HELD_… ahead of the tail. It is on another cache line than the
 * tail, as all that only the consumer uses: the producer looks at the tail while it waits for room.
 */
export const RING_CURSOR_OFFSET = RING_TAIL_OFFSET + 64;
/** u64: the consumer's copy of the head */
export const RING_CACHED_HEAD_OFFSET = RING_CURSOR_OFFSET + 8;
/** u64: records received */
export const RING_RECEIVED_OFFSET = RING_CACHED_HEAD_OFFSET + 8;
/** u64: records received when the tail was last published */
export const RING_RELEASED_OFFSET = RING_RECEIVED_OFFSET + 8;
/** u64: OWNER word of the producer's end */
export const RING_PRODUCER_OFFSET = 256;
/** u64: OWNER word of the consumer's end */
export const RING_CONSUMER_OFFSET = RING_PRODUCER_OFFSET + 8;
/** u64: the producer's OWNER word whose end was reported to the consumer */
export const RING_PRODUCER_ENDED_OFFSET = RING_CONSUMER_OFFSET + 8;
/** u64: the consumer's OWNER word whose end was reported to the producer */
export const RING_CONSUMER_ENDED_OFFSET = RING_PRODUCER_ENDED_OFFSET + 8;
/** u64: the producer's OWNER word that the producer which holds the end has replaced */
export const RING_PREVIOUS_OFFSET = RING_CONSUMER_ENDED_OFFSET + 8;
/** u64: the head when it took the end */
export const RING_BEGAN_OFFSET = RING_PREVIOUS_OFFSET + 8;
/** Three sets of waiters begin here: for data, for room, and for an end that another participant holds. */
export const RING_WAITERS_OFFSET = 384;

/** u32: payload bytes */
export const RECORD_LENGTH_OFFSET = 0;
/** u32: RECORD_… */
export const RECORD_KIND_OFFSET = RECORD_LENGTH_OFFSET + 4;
/** Bytes of the header of a record; the payload follows. */
export const RECORD_HEADER_BYTES = 8;
/** Records begin at multiples of this. */
export const RECORD_ALIGNMENT = 8;
/** Kind: a record for the consumer. */
export const RECORD_DATA = 0x44415441;
/** Kind: fills the bytes before the end of the ring; the consumer skips it. */
export const RECORD_PADDING = 0x50414444;
/**
 * Kind: the stream of a producer has ended here, and the next one has sent more. There is no payload: the length is the low half
 * of the OWNER word whose end the consumer must be told of.
 */
export const RECORD_END = 0x454e4421;

// --- queue -----------------------------------------------------------------------------------------------------------

/** A list (of messages that were sent) begins here, and another one (of messages that were returned) behind it. */
export const QUEUE_LISTS_OFFSET = 0;
/** Bytes of the words of one list. Its cells lie elsewhere. */
export const QUEUE_LIST_BYTES = 256;
/** u64, in a list: position of the first message */
export const QUEUE_HEAD_OFFSET = 0;
/** u64, in a list: position behind the last message */
export const QUEUE_TAIL_OFFSET = 128;
/** u64: messages that were returned because the participant that had taken them died */
export const QUEUE_REDELIVERED_OFFSET = 512;
/** u64: messages that were dropped because the participant that had taken them died */
export const QUEUE_DROPPED_OFFSET = QUEUE_REDELIVERED_OFFSET + 8;
/** u64: messages that were not sent because the participant that wrote them died */
export const QUEUE_UNSENT_OFFSET = QUEUE_DROPPED_OFFSET + 8;
/** u32: value of the header's count of recoveries when the claims of the dead were last settled */
export const QUEUE_SETTLED_OFFSET = QUEUE_UNSENT_OFFSET + 8;
/** u32: word of the bitmap in which a free slot was found last; a hint */
export const QUEUE_HINT_OFFSET = 640;
/**
 * Two sets of waiters begin here: for messages, and for room. Then a u32 per participant: its short token if it may own slots, or
 * 0. Then the bitmap: a u32 for each 32 slots, in which a bit is set if the slot is free. Then the cells of both lists, u64 each,
 * and the slots.
 */
export const QUEUE_WAITERS_OFFSET = 768;

/** A list has at least this many cells. */
export const QUEUE_CELLS_MIN = 64;
/** u64: a cell: the lap of its list in which it was filled begins at this bit … */
export const CELL_LAP_SHIFT = 42;
/** … the number of the slot at this one … */
export const CELL_SLOT_SHIFT = 22;
/** … and below it are the low bits of the use of that slot. */
export const CELL_USE_MASK = 0x3fffff;
/** Mask of the lap, after the shift. */
export const CELL_LAP_MASK = 0x3fffff;
/** Mask of the number of the slot, after the shift. */
export const CELL_SLOT_MASK = 0xfffff;

/** u64, at the begin of a slot: short token of its owner, number of its use, state. */
export const MESSAGE_WORD_OFFSET = 0;
/** u32: payload bytes; MESSAGE_REFERENCE: the message is a reference to a shared value */
export const MESSAGE_LENGTH_OFFSET = MESSAGE_WORD_OFFSET + 8;
/** u32: how often the message was taken */
export const MESSAGE_DELIVERIES_OFFSET = MESSAGE_LENGTH_OFFSET + 4;
/** Bytes of the header of a slot; the payload follows. */
export const MESSAGE_HEADER_BYTES = 16;
/** Length of a message that is a reference to a shared value. */
export const MESSAGE_REFERENCE = 0xffffffff;
/** u32, of a reference: offset of the value; 0 when the message has ended */
export const MESSAGE_VALUE_OFFSET = MESSAGE_HEADER_BYTES;
/** u32, of a reference: generation of the value */
export const MESSAGE_GENERATION_OFFSET = MESSAGE_VALUE_OFFSET + 4;
/** Slots begin at multiples of this. */
export const MESSAGE_ALIGNMENT = 64;
/** The short token of the owner begins at this bit of the word of a slot … */
export const MESSAGE_OWNER_SHIFT = 32;
/** … the number of the use at this one, and below it is the state. */
export const MESSAGE_USE_SHIFT = 3;
/** Mask of the state. */
export const MESSAGE_STATE_MASK = 7;
/** State: the slot is free. */
export const MESSAGE_FREE = 0;
/** State: the owner writes it; or it was sent, if the list of sent messages has it. */
export const MESSAGE_SENDING = 1;
/** State: the owner has taken it. */
export const MESSAGE_TAKEN = 2;
/** State: the owner returns it; or it was returned, if the list of returned messages has it. */
export const MESSAGE_RETURNING = 3;
/** State: one of the lists has it, and its owner has died. */
export const MESSAGE_LISTED = 4;

/** If a participant dies, the messages that it had taken are returned. */
export const QUEUE_REDELIVER = 0;
/** If a participant dies, the messages that it had taken are dropped. */
export const QUEUE_DROP = 1;

// --- service ---------------------------------------------------------------------------------------------------------

/** A set of waiters begins here: for answers, and for cancellations. A queue follows, whose slots are calls. */
export const SERVICE_WAITERS_OFFSET = 0;

/** u32, in a slot behind the header of the queue: short token of the caller */
export const CALL_CALLER_OFFSET = 16;
/** u32: bytes of the response */
export const CALL_RESPONSE_LENGTH_OFFSET = CALL_CALLER_OFFSET + 4;
/** u32: CALL_RESPONSE or CALL_FAILURE */
export const CALL_KIND_OFFSET = CALL_RESPONSE_LENGTH_OFFSET + 4;
/** The request begins here in a slot, and the response behind the largest request. */
export const CALL_REQUEST_OFFSET = 32;
/** Bytes of these words, without the header of the queue. */
export const CALL_HEADER_BYTES = 16;
/** The response begins at a multiple of this. */
export const CALL_RESPONSE_ALIGNMENT = 8;
/** State of a slot of a service: its server has not begun, and its caller sends it again. */
export const CALL_RETURNED = 3;
/** State: its server has answered; it belongs to the caller. */
export const CALL_ANSWERED = 5;
/** State: its server died, or left, before it answered; it belongs to the caller. */
export const CALL_LOST = 6;
/** State: nobody waits for the answer any more; it belongs to the server. */
export const CALL_CANCELLED = 7;
/** Kind of an answer: what the server returned. */
export const CALL_RESPONSE = 0;
/** Kind: a text in UTF-8, which says why the server failed. */
export const CALL_FAILURE = 1;

/** If a server dies, the calls that it had begun fail. */
export const SERVICE_FAIL = 0;
/** If a server dies, the calls that it had begun are sent again. */
export const SERVICE_RETRY = 1;

// --- broadcast -------------------------------------------------------------------------------------------------------

/** u64: position up to which the publisher writes, or has written; a capacity before it, bytes are overwritten */
export const BROADCAST_INTENT_OFFSET = 0;
/** u64: position up to which records are published */
export const BROADCAST_TAIL_OFFSET = BROADCAST_INTENT_OFFSET + 8;
/** u64: position of the oldest record, or padding, that is whole */
export const BROADCAST_OLDEST_OFFSET = BROADCAST_TAIL_OFFSET + 8;
/** u64: position of the first record that began in the half of the bytes in which the newest record begins */
export const BROADCAST_RECENT_OFFSET = BROADCAST_OLDEST_OFFSET + 8;
/** u64: position of the newest record; the one that is being published, if it is not before the tail */
export const BROADCAST_LAST_OFFSET = BROADCAST_RECENT_OFFSET + 8;
/** u64: nanoseconds since 1970 */
export const BROADCAST_LAST_SENT_NS_OFFSET = BROADCAST_LAST_OFFSET + 8;
/** u64: payload bytes of the records that were published; a publisher that died may have counted one that was not */
export const BROADCAST_SENT_BYTES_OFFSET = BROADCAST_LAST_SENT_NS_OFFSET + 8;
/** u64: OWNER word of the publisher's end */
export const BROADCAST_PUBLISHER_OFFSET = 128;
/** Two sets of waiters begin here: for records, and for the publisher's end. Then the records. */
export const BROADCAST_WAITERS_OFFSET = 256;

/** u32: payload bytes; of padding: all of its bytes */
export const TOPIC_LENGTH_OFFSET = 0;
/** u32: RECORD_DATA or RECORD_PADDING */
export const TOPIC_KIND_OFFSET = TOPIC_LENGTH_OFFSET + 4;
/** u64: records are numbered from 1 */
export const TOPIC_NUMBER_OFFSET = TOPIC_KIND_OFFSET + 4;
/** Bytes of the header of a record of a broadcast; the payload follows. */
export const TOPIC_HEADER_BYTES = 16;

// --- cache -----------------------------------------------------------------------------------------------------------

/** u64: secret of the hash of keys; 0 until the first opener has stored it */
export const CACHE_SEED_OFFSET = 0;
/** A set of waiters begins here: for values that others compute. Then the counts of each participant; then the shards. */
export const CACHE_WAITERS_OFFSET = 128;
/** Bytes of the counts of one participant. */
export const CACHE_COUNTS_BYTES = 64;
/** u64, in the counts of a participant: keys that it looked up and found */
export const CACHE_HITS_OFFSET = 0;
/** u64: keys that it looked up and did not find */
export const CACHE_MISSES_OFFSET = CACHE_HITS_OFFSET + 8;
/** A full cache evicts entries that were not read for long. */
export const CACHE_EVICT_LRU = 0;
/** A full cache refuses new entries. */
export const CACHE_EVICT_NONE = 1;
/** Values are bytes; this kind and the next two are added to CACHE_EVICT_…. */
export const CACHE_OF_BYTES = 0;
/** Values are JSON in UTF-8. */
export const CACHE_OF_JSON = 2;
/** Values have a layout. */
export const CACHE_OF_STRUCT = 4;

/** u64: token of the participant that writes, or 0 */
export const SHARD_LOCK_OFFSET = 0;
/** u64: position up to which the log is written */
export const SHARD_TAIL_OFFSET = 64;
/** u64: entries that can be found, expired ones included */
export const SHARD_ENTRIES_OFFSET = SHARD_TAIL_OFFSET + 8;
/** u64: bytes of entries that can be found, and of keys whose values are being computed */
export const SHARD_LIVE_OFFSET = SHARD_ENTRIES_OFFSET + 8;
/** u64: entries that were written */
export const SHARD_SETS_OFFSET = SHARD_LIVE_OFFSET + 8;
/** u64: entries that were evicted to make room */
export const SHARD_EVICTED_OFFSET = SHARD_SETS_OFFSET + 8;
/** u64: entries that were dropped because they had expired */
export const SHARD_EXPIRED_OFFSET = SHARD_EVICTED_OFFSET + 8;
/** u64: no entry expires before this time, milliseconds since 1970; 0: none expires */
export const SHARD_SOONEST_OFFSET = SHARD_EXPIRED_OFFSET + 8;
/**
 * u64: bytes of the largest entry that was written since entries were counted anew; at least those of the largest one there is
 */
export const SHARD_LARGEST_OFFSET = SHARD_SOONEST_OFFSET + 8;
/** u64: position of the oldest entry. What is before it may be overwritten. */
export const SHARD_OLDEST_OFFSET = 128;
/** Bytes of the words of a shard. Its log follows, then its buckets (u64 each), then its marks (u8 each). */
export const SHARD_HEADER_BYTES = 256;
/** The log of a shard is a multiple of this; there is a bucket for each. */
export const SHARD_UNIT_BYTES = 128;
/** There is a mark for so many bytes of the log: less than the smallest entry has. */
export const SHARD_MARK_BYTES = 32;

/** u32: bytes of the key */
export const CACHED_KEY_BYTES_OFFSET = 0;
/** u32: bytes of the value; of padding: all of its bytes */
export const CACHED_VALUE_BYTES_OFFSET = CACHED_KEY_BYTES_OFFSET + 4;
/** u64: the time when it expires, milliseconds since 1970 or 0 for never, begins at CACHED_EXPIRES_SHIFT; below: CACHED_… */
export const CACHED_META_OFFSET = CACHED_VALUE_BYTES_OFFSET + 4;
/** u64 twice: SipHash-2-4-128 of the key */
export const CACHED_DIGEST_OFFSET = CACHED_META_OFFSET + 8;
/** u64: position of the next entry of the bucket, which is older; before the oldest one: there is none */
export const CACHED_NEXT_OFFSET = CACHED_DIGEST_OFFSET + 16;
/** Bytes of the header of an entry; the value follows, padded to 8 bytes, then the key. */
export const CACHED_HEADER_BYTES = 40;
/** Entries begin at multiples of this. */
export const CACHED_ALIGNMENT = 16;
/** The time when an entry expires begins at this bit of its word. */
export const CACHED_EXPIRES_SHIFT = 16;
/** The key is a text. Else it is bytes. */
export const CACHED_TEXT = 1;
/** The value is data of the user. */
export const CACHED_DATA = 2;
/** The value is a number, f64: an integer. */
export const CACHED_NUMBER = 4;
/** The value is being computed: token of the participant that does it, and the number that it gave. */
export const CACHED_PENDING = 6;
/** Fills the bytes before the end of the log. */
export const CACHED_PADDING = 8;
/** Mask of what the value is. */
export const CACHED_KIND_MASK = 14;

// --- results: what the functions of the core return ------------------------------------------------------------------------

/** A result below this is a set of flags; 0 means success, with nothing to report. */
export const RESULT_ERRORS = 16;
/** A result from RESULT_ERRORS to below this is an error code; from this on it is an offset. Only the header is below. */
export const RESULT_OFFSETS = 128;
/** The low bits of an offset are flags, because everything at such an offset begins at a multiple of 8. */
export const RESULT_FLAGS = 7;
/** Flag: the caller must wake waiters. */
export const FLAG_WAKE = 1;
/** Flag: there is nothing to receive or to read. */
export const FLAG_EMPTY = 2;
/** A function that calls one waiter returns this instead of a doorbell if the caller must wake the whole set. */
export const RESULT_CALL_ALL = 1;
/** Flag of `ringClaim`: there is no room now. */
export const FLAG_FULL = 2;
/** Flag of functions of a queue: a participant has died since claims were settled; call `queueSettle`. */
export const FLAG_DEATHS = 4;
/** Flag of functions of a queue: the caller must wake those that wait for room. */
export const FLAG_WAKE_ROOM = 2;
/** Flag of functions of a cache: the key has a value. */
export const FLAG_PRESENT = 4;
/** Flag of `ringReceive`: more complete records follow the one that it has found. */
export const FLAG_MORE = 4;
/** Flag of functions of a lock: the caller must wake those that wait for shared mode. */
export const FLAG_WAKE_SHARED = 1;
/** Flag of functions of a lock: the caller must wake those that wait for exclusive mode. */
export const FLAG_WAKE_EXCLUSIVE = 2;
/** Wish of an opener: to write, so that it becomes a participant. */
export const OPEN_WRITES = 1;
/** Wish of an opener: what does not exist is made. */
export const OPEN_CREATES = 2;
/** Wish of an opener: what exists is refused. */
export const OPEN_EXCLUSIVE = 4;
/** The object is a file: it belongs to its user, and its size may differ from what was asked for. */
export const OPEN_FILE = 8;
/** The creator of the segment is at work: the kernel says that KERNEL_LOCK_CREATION is held. */
export const OPEN_CREATOR_LIVES = 16;
/** What an opener does next: map the object, then `validate`. */
export const NEXT_MAP = 0;
/** What an opener does next: give the object the size that was asked for, map it, and `create`. */
export const NEXT_MAKE = 1;
/** What an opener does next: `create` in the size that is mapped. */
export const NEXT_CREATE = 2;
/** What an opener does next: remove the name, and begin again. */
export const NEXT_REMOVE = 3;
/** What an opener does next: let go of the object, wait for its creator, and begin again. */
export const NEXT_WAIT = 4;
/** What an opener does next: a writer joins; a reader has it open. */
export const NEXT_ENTER = 5;

/** u64: version of the value that `latestRead` has copied */
export const ANSWER_VERSION_OFFSET = 0;
/** u64: entry of the object that `objectOpen` has found or made */
export const ANSWER_ENTRY_OFFSET = ANSWER_VERSION_OFFSET + 8;
/** u32: doorbell of the participant that has the write lock next, for the host to wake it and to store 0; 0: nobody */
export const ANSWER_WAKE_OFFSET = ANSWER_ENTRY_OFFSET + 8;
/**
 * u64: position that a subscriber of a broadcast, or a reader of a cache, has compared last; only the order of this store matters
 */
export const ANSWER_POSITION_OFFSET = ANSWER_WAKE_OFFSET + 8;
/** A cell: what `listPop` has taken from a list */
export const ANSWER_CELL_OFFSET = ANSWER_POSITION_OFFSET + 8;

// --- owner words: which participant holds an end of an object ------------------------------------------------------------

/** An owner word is the token of the owner with the number of the attach in bits 1 … 15. */
export const OWNER_ATTACH_UNIT = 2;
/** Mask of the number of the attach. */
export const OWNER_ATTACH_MASK = 0xfffe;
/** Set when the owner closed its end properly. */
export const OWNER_CLOSED = 1;
/** In place of a slot, with generation 0: the owner gave its end back without closing it. */
export const OWNER_ABANDONED = 0xffff;

/** `suspectSlot` returns this instead of a slot: no other participant was in the way. */
export const SUSPECT_NONE = 0x10000;
/** The participant that was in the way has left meanwhile, or was marked dead: retry the operation at once. */
export const SUSPECT_GONE = 0x10001;

/** No participant has ever held the end. */
export const END_NEVER = 0;
/** A live participant holds the end. */
export const END_LIVE = 1;
/** The holder closed its end. */
export const END_CLOSED = 2;
/** The holder died, or was evicted. */
export const END_DEAD = 3;
/** Closed or dead, and the core has reported that to the other end. */
export const END_REPORTED = 4;

// --- latest ------------------------------------------------------------------------------------------------------------

/** u64: version << 8 | slot of the newest value; 0 before the first */
export const LATEST_CURRENT_OFFSET = 0;
/** u64 each: version of the value in a slot; 0 while it is written */
export const LATEST_VERSIONS_OFFSET = LATEST_CURRENT_OFFSET + 8;
/** u64: token of the participant that writes now, or 0 */
export const LATEST_WRITER_OFFSET = 128;
/** A set of waiters begins here, then a u32 pin per participant (short token with the number slot + 1, or 0), then the slots. */
export const LATEST_WAITERS_OFFSET = 256;

// --- lock ----------------------------------------------------------------------------------------------------------------

/** u64: token of the participant that holds or claims the lock exclusively, or 0; with LOCK_… flags */
export const LOCK_WORD_OFFSET = 0;
/** u32 each: one bit per participant; set if it may hold the lock shared */
export const LOCK_SHARED_OFFSET = 128;
/** Two sets of waiters begin here, for shared and for exclusive; then u32 per participant: generation of a shared holder. */
export const LOCK_WAITERS_OFFSET = 256;

/** The owner of the word has the lock. Without this flag, it waits until all shared holders have released the lock. */
export const LOCK_HELD = 1;
/** The owner of the word waits, and holds the lock shared. */
export const LOCK_UPGRADING = 2;
/** An owner died with the lock, and no holder has called the data consistent since. */
export const LOCK_OWNER_DIED = 4;
/** An exclusive holder released the lock without calling the data consistent: the lock cannot be used any more. */
export const LOCK_BROKEN = 8;
/** Participants that wait for shared mode come first. */
export const LOCK_SHARED_FIRST = 16;
/** The holder changes data only through the journal. If it dies, there is nothing to repair. */
export const LOCK_JOURNALED = 32;
/** The lock may have shared holders. Without this flag, it has none. */
export const LOCK_SHARED_PRESENT = 64;

// --- semaphore, event, counter: one word, then a set of waiters -----------------------------------------------------------

/** u32 (semaphore: count; event: odd while signaled, a higher even number after each reset) or i64 (counter) */
export const SIGNAL_VALUE_OFFSET = 0;
/** u64: token of the participant that waits for several units of a semaphore, or 0; while it is set, no other one takes units */
export const SIGNAL_CLAIM_OFFSET = SIGNAL_VALUE_OFFSET + 8;
/** The result of taking units from a semaphore, if it took them; FLAG_WAKE may be added. */
export const SEMAPHORE_TAKEN = 2;
export const SIGNAL_WAITERS_OFFSET = 128;

/** This bit of the value of an event is set while the event is signaled; the bits above it count resets. */
export const EVENT_SIGNALED = 1;

// --- values ------------------------------------------------------------------------------------------------------------

/**
 * A value is a block whose layout is VALUE_MARK with its kind in the lowest byte. Ledgers, handles, chunks and entries are such
 * blocks, too, so that none of them is taken for a block of a user.
 */
export const VALUE_MARK = 0x56414c00;
/** Mask of the kind. */
export const VALUE_KIND_MASK = 0x7f;
/** Bit of the layout: nobody refers to the value any more; it is in the list of those that are to be freed. */
export const VALUE_UNUSED = 0x80;

/** u32: how many cells, handles, messages of queues and roots refer to the value */
export const VALUE_COUNT_OFFSET = 0;
/** u32: the next one of the values that are to be freed, or 0 */
export const VALUE_LINK_OFFSET = VALUE_COUNT_OFFSET + 4;
/** u32, of lists and dictionaries: odd while it is being changed, another even number after each change */
export const VALUE_SEQUENCE_OFFSET = VALUE_LINK_OFFSET + 4;
/** u32: bytes of what follows; of a list its items, of a dictionary its entries */
export const VALUE_LENGTH_OFFSET = VALUE_SEQUENCE_OFFSET + 4;
/** Bytes of the header of a value. Those of a string, of bytes, of a big integer follow. */
export const VALUE_HEADER_BYTES = 16;

/** u32, in a cell: VALUE_… kind of what it contains */
export const VALUE_CELL_KIND_OFFSET = 0;
/** u64, in a cell: a number (f64), a time (f64), an integer (i64), or the offset of a value */
export const VALUE_CELL_CONTENT_OFFSET = 8;
/** Bytes of a cell. */
export const VALUE_CELL_BYTES = 16;

/** Kind, in a cell only: null. */
export const VALUE_NULL = 1;
/** Kind, in a cell only. */
export const VALUE_FALSE = 2;
/** Kind, in a cell only. */
export const VALUE_TRUE = 3;
/** Kind, in a cell only: f64. */
export const VALUE_NUMBER = 4;
/** Kind, in a cell only: milliseconds since 1970 as f64, or NaN. */
export const VALUE_DATE = 5;
/** Kind, in a cell only: an integer of 64 bits, signed, that its language tells from a number. */
export const VALUE_INTEGER = 6;
/** Kind: a string whose characters are below 256, one byte each. */
export const VALUE_LATIN1 = 16;
/** Kind: a string in code units of 16 bits, at least one of them not below 256. Half of a surrogate pair may stand alone. */
export const VALUE_UTF16 = 17;
/** Kind: bytes. */
export const VALUE_BYTES = 18;
/** Kind: a larger integer in two's complement, the lowest byte first. */
export const VALUE_BIG = 19;
/** Kind: one cell. It makes a value of what only cells contain. */
export const VALUE_BOX = 20;
/** Kind: a list. */
export const VALUE_LIST = 21;
/** Kind: a dictionary. */
export const VALUE_DICT = 22;
/** Kind: a handle, see `ledger.ts`. */
export const VALUE_HANDLE = 32;
/** Kind: a ledger. */
export const VALUE_LEDGER = 33;
/** Kind: a piece of the items of a list or of the buckets of a dictionary. */
export const VALUE_CHUNK = 34;
/** Kind: an entry of a dictionary. */
export const VALUE_ENTRY = 35;
/** Added to a kind that is handed to the core: the bytes of the new value are to be copied. */
export const VALUE_COPY = 256;
/** Added to the number of bytes of a key: it is UTF-16. */
export const VALUE_KEY_WIDE = 0x80000000;
/** `valueLook` returns this instead of a sequence: the value is being changed. */
export const VALUE_CHANGING = 1;
/** What functions of values return when there is more to do. */
export const VALUES_MORE = 1;
/** Flag of functions that change a list or dictionary: it was not changed, because `valuesLinks` has changed; look again. */
export const FLAG_LINKS_CHANGED = 4;

/** u32 each: offset of a chunk, or 0. Chunk k of an array of chunks has 4 << k elements. */
export const CHUNKS_MAX = 26;
/** Elements of the first chunk: 1 << 2. */
export const CHUNKS_FIRST_SHIFT = 2;

/** The chunks of a list: cells. */
export const LIST_CHUNKS_OFFSET = VALUE_HEADER_BYTES;
/** Bytes of a list, without its chunks. */
export const LIST_BYTES = LIST_CHUNKS_OFFSET + 4 * CHUNKS_MAX;

/** u32: the entry that was inserted first, or 0 */
export const DICT_FIRST_OFFSET = VALUE_HEADER_BYTES;
/** u32: the entry that was inserted last, or 0 */
export const DICT_LAST_OFFSET = DICT_FIRST_OFFSET + 4;
/** u64: entries that were ever inserted */
export const DICT_INSERTED_OFFSET = DICT_LAST_OFFSET + 4;
/** u32: buckets in use; 0 before the first entry */
export const DICT_BUCKETS_OFFSET = DICT_INSERTED_OFFSET + 8;
/** The chunks of a dictionary: buckets, u32 each: offset of the first entry of a chain, or 0. */
export const DICT_CHUNKS_OFFSET = DICT_BUCKETS_OFFSET + 4;
/** Bytes of a dictionary, without its chunks and entries. */
export const DICT_BYTES = DICT_CHUNKS_OFFSET + 4 * CHUNKS_MAX;
/** A split of a chain that is longer than this is left out: it would change too many words at once. */
export const DICT_SPLIT_MAX = 48;

/** The cell of an entry comes first. */
export const DICT_ENTRY_CELL_OFFSET = 0;
/** u64: entries of this dictionary are numbered from 1, in the order in which they were inserted */
export const DICT_ENTRY_NUMBER_OFFSET = DICT_ENTRY_CELL_OFFSET + VALUE_CELL_BYTES;
/** u32: the next entry of the chain, or 0 */
export const DICT_ENTRY_CHAIN_OFFSET = DICT_ENTRY_NUMBER_OFFSET + 8;
/** u32: the entry that was inserted after it, or 0 */
export const DICT_ENTRY_NEXT_OFFSET = DICT_ENTRY_CHAIN_OFFSET + 4;
/** u32: the entry that was inserted before it, or 0 */
export const DICT_ENTRY_PREVIOUS_OFFSET = DICT_ENTRY_NEXT_OFFSET + 4;
/** u32: hash of the key */
export const DICT_ENTRY_HASH_OFFSET = DICT_ENTRY_PREVIOUS_OFFSET + 4;
/** u32: bytes of the key, with VALUE_KEY_WIDE if it is UTF-16 */
export const DICT_ENTRY_KEY_BYTES_OFFSET = DICT_ENTRY_HASH_OFFSET + 4;
/** Where the key begins. */
export const DICT_ENTRY_KEY_OFFSET = DICT_ENTRY_KEY_BYTES_OFFSET + 4;

/** u64: token of the participant whose handles the ledger has */
export const LEDGER_OWNER_OFFSET = 0;
/** u32: its first handle, or 0 */
export const LEDGER_FIRST_OFFSET = LEDGER_OWNER_OFFSET + 8;
/** u32: the next ledger, or 0 */
export const LEDGER_NEXT_OFFSET = LEDGER_FIRST_OFFSET + 4;
/** Bytes of a ledger. */
export const LEDGER_BYTES = LEDGER_NEXT_OFFSET + 4;
/** u32: the value that the handle refers to */
export const HANDLE_VALUE_OFFSET = 0;
/** u32: the ledger that the handle is in */
export const HANDLE_LEDGER_OFFSET = HANDLE_VALUE_OFFSET + 4;
/** u32: the next handle of the ledger, or 0 */
export const HANDLE_NEXT_OFFSET = HANDLE_LEDGER_OFFSET + 4;
/** u32: the handle before it, or 0 */
export const HANDLE_PREVIOUS_OFFSET = HANDLE_NEXT_OFFSET + 4;
/** Bytes of a handle. */
export const HANDLE_BYTES = HANDLE_PREVIOUS_OFFSET + 4;

// --- kernel-held locks: lock i of an object is the byte KERNEL_LOCK_BASE + i of what the shim opened -----------------------

/** The byte of the file that lock 0 locks: far beyond any segment, so that locks of other programs do not overlap with it. */
export const KERNEL_LOCK_BASE = 0x10000000000;
/** The byte that the creator of an object locks until the object has its name. If another process gets it, the creator died. */
export const KERNEL_LOCK_STAGED_BYTE = KERNEL_LOCK_BASE - 1;
/** Number of the lock that is held while a segment is created, joined or left. */
export const KERNEL_LOCK_CREATION = 0;
/** Number of the lock that every process that has the segment open holds (shared). */
export const KERNEL_LOCK_HOLDERS = 1;
/** Number of the lock of participant slot 0; the others follow. */
export const KERNEL_LOCK_PARTICIPANTS = 16;
